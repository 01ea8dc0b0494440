//! The headers of SPDY frames: names and values, compressed as one stream for the whole connection, with a dictionary that both sides know.
//!
//! Invariant: blocks are read in the order in which they came; one that is left out makes the next ones unreadable.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

/// The dictionary of the protocol: words with their lengths, and a text.
const WORDS: [&str; 65] = [
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
];
const TEXT: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
/// What back references reach.
const WINDOW: usize = 32 * 1024;
/// A header block is small; one that is not is an attack.
const LARGEST: usize = 64 * 1024;
/// Before the data: two bytes, and four that name the dictionary.
const PREFACE: usize = 6;

fn dictionary() -> Vec<u8> {
    let mut dictionary = Vec::new();
    for word in WORDS {
        number(&mut dictionary, word.len());
        dictionary.extend_from_slice(word.as_bytes());
    }
    dictionary.extend_from_slice(TEXT.as_bytes());
    dictionary
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
}

/// Reads header blocks.
pub(super) struct Reader {
    inflater: Box<DecompressorOxide>,
    window: Vec<u8>,
    at: usize,
    preface: usize,
}

impl Reader {
    pub fn new() -> Self {
        let mut window = dictionary();
        let at = window.len();
        window.resize(WINDOW, 0);
        Self { inflater: Box::default(), window, at, preface: PREFACE }
    }

    /// The names and values in a block; none if it is no such block.
    pub fn read(&mut self, block: &[u8]) -> Option<Vec<(String, String)>> {
        let skipped = self.preface.min(block.len());
        self.preface -= skipped;
        let mut input = &block[skipped..];
        let mut plain = Vec::new();
        loop {
            let (status, read, written) =
                decompress(&mut self.inflater, input, &mut self.window, self.at, TINFL_FLAG_HAS_MORE_INPUT);
            plain.extend_from_slice(self.window.get(self.at..self.at + written)?);
            self.at = (self.at + written) % WINDOW;
            input = input.get(read..)?;
            if plain.len() > LARGEST {
                return None;
            }
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if input.is_empty() => return parse(&plain),
                _ => return None,
            }
        }
    }
}

fn parse(mut bytes: &[u8]) -> Option<Vec<(String, String)>> {
    fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        Some(taken)
    }
    fn length(bytes: &mut &[u8]) -> Option<usize> {
        let number = take(bytes, 4)?.try_into().ok().map(u32::from_be_bytes)?;
        usize::try_from(number).ok()
    }
    fn text(bytes: &mut &[u8]) -> Option<String> {
        let length = length(bytes)?;
        String::from_utf8(take(bytes, length)?.to_vec()).ok()
    }
    let count = length(&mut bytes)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((text(&mut bytes)?, text(&mut bytes)?));
    }
    Some(headers)
}

/// Writes header blocks, all of them empty: a server has nothing to say in them. They are stored, not compressed.
#[derive(Default)]
pub(super) struct Writer {
    begun: bool,
}

impl Writer {
    pub fn none(&mut self) -> Vec<u8> {
        let mut block = if self.begun { Vec::new() } else { vec![0x78, 0x01] };
        self.begun = true;
        // A stored block of four bytes, which count no headers; and an empty one, up to which readers go without asking for more.
        block.extend_from_slice(&[0, 4, 0, 0xfb, 0xff, 0, 0, 0, 0]);
        block.extend_from_slice(&[0, 0, 0, 0xff, 0xff]);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_that_of_the_protocol() {
        let dictionary = dictionary();
        assert_eq!(dictionary.len(), 1423);
        assert!(dictionary.starts_with(b"\0\0\0\x07options\0\0\0\x04head"));
    }

    #[test]
    fn blocks_of_one_stream_are_read_one_after_the_other() {
        let block = |headers: &[(&str, &str)]| {
            let mut plain = Vec::new();
            number(&mut plain, headers.len());
            for (name, value) in headers {
                for text in [name, value] {
                    number(&mut plain, text.len());
                    plain.extend_from_slice(text.as_bytes());
                }
            }
            let length = u16::try_from(plain.len()).unwrap();
            let mut stored = vec![0];
            stored.extend_from_slice(&length.to_le_bytes());
            stored.extend_from_slice(&(!length).to_le_bytes());
            stored.extend_from_slice(&plain);
            stored
        };
        let mut reader = Reader::new();
        let first = [&[0x78, 0xf9, 0, 0, 0, 0][..], &block(&[("port", "8081"), ("streamtype", "data")])].concat();
        assert_eq!(
            reader.read(&first).unwrap(),
            [("port".to_owned(), "8081".to_owned()), ("streamtype".to_owned(), "data".to_owned())]
        );
        assert_eq!(reader.read(&block(&[("a", "b")])).unwrap(), [("a".to_owned(), "b".to_owned())]);
        assert_eq!(reader.read(&[7, 7, 7]), None);
    }
}
