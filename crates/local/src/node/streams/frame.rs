//! Frames of SPDY/3.1: what port-forwards are made of. Only what `kubectl` sends and reads is known; the rest is passed over.

/// What came.
#[derive(Debug, PartialEq)]
pub(super) enum Frame {
    /// A new stream, with its compressed headers.
    Open {
        stream: u32,
        last: bool,
        headers: Vec<u8>,
    },
    Data {
        stream: u32,
        last: bool,
        data: Vec<u8>,
    },
    Reset {
        stream: u32,
    },
    Ping {
        id: u32,
    },
    /// Nothing new will come.
    Away,
    Other,
}

const CONTROL: u8 = 0x80;
const VERSION: u16 = 3;
const LAST: u8 = 1;
const HEAD: usize = 8;
/// The first ten bytes of a new stream, before its headers.
const OPEN: usize = 10;

/// Takes the first frame from a buffer, if all of it is there.
pub(super) fn take(buffer: &mut Vec<u8>) -> Option<Frame> {
    let head: [u8; HEAD] = buffer.get(..HEAD)?.try_into().ok()?;
    let length = u32::from_be_bytes([0, head[5], head[6], head[7]]) as usize;
    let body = buffer.get(HEAD..HEAD + length)?.to_vec();
    buffer.drain(..HEAD + length);
    let word = |at: usize| body.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes);
    let last = head[4] & LAST != 0;
    if head[0] & CONTROL == 0 {
        return Some(Frame::Data {
            stream: u32::from_be_bytes([head[0], head[1], head[2], head[3]]),
            last,
            data: body,
        });
    }
    let stream = word(0) & 0x7fff_ffff;
    Some(match u16::from_be_bytes([head[2], head[3]]) {
        1 => Frame::Open { stream, last, headers: body.get(OPEN..).unwrap_or_default().to_vec() },
        3 => Frame::Reset { stream },
        6 => Frame::Ping { id: word(0) },
        7 => Frame::Away,
        _ => Frame::Other,
    })
}

fn control(kind: u16, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![CONTROL, u8::try_from(VERSION).unwrap_or_default()];
    frame.extend_from_slice(&kind.to_be_bytes());
    rest(frame, flags, body)
}

fn rest(mut frame: Vec<u8>, flags: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    frame.push(flags);
    frame.extend_from_slice(&length[1..]);
    frame.extend_from_slice(body);
    frame
}

/// Accepts a stream.
pub(super) fn accept(stream: u32, headers: &[u8]) -> Vec<u8> {
    control(2, 0, &[&stream.to_be_bytes()[..], headers].concat())
}

pub(super) fn data(stream: u32, last: bool, data: &[u8]) -> Vec<u8> {
    rest(stream.to_be_bytes().to_vec(), if last { LAST } else { 0 }, data)
}

pub(super) fn reset(stream: u32) -> Vec<u8> {
    const REFUSED: u32 = 3;
    control(3, 0, &[stream.to_be_bytes(), REFUSED.to_be_bytes()].concat())
}

pub(super) fn ping(id: u32) -> Vec<u8> {
    control(6, 0, &id.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_one_by_one_and_only_whole() {
        let mut buffer = [data(5, true, b"hello"), ping(7), reset(9)].concat();
        let tail = buffer.split_off(20);
        assert_eq!(take(&mut buffer), Some(Frame::Data { stream: 5, last: true, data: b"hello".to_vec() }));
        assert_eq!(take(&mut buffer), None);
        buffer.extend(tail);
        assert_eq!(take(&mut buffer), Some(Frame::Ping { id: 7 }));
        assert_eq!(take(&mut buffer), Some(Frame::Reset { stream: 9 }));
        assert!(buffer.is_empty());
        let mut open = control(1, 0, &[0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 42]);
        assert_eq!(take(&mut open), Some(Frame::Open { stream: 3, last: false, headers: vec![42] }));
    }
}
