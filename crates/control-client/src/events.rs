//! Server-sent events, as they arrive.

use std::collections::VecDeque;
use std::time::Duration;

use crate::Error;

/// The longest time without a byte: the server says something at least every 15 seconds.
const SILENCE: Duration = Duration::from_mins(1);
/// A message may hold a whole resource.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its name; empty where none was sent.
    pub event: String,
    pub id: String,
    pub data: String,
}

/// An open stream of events.
#[derive(Debug)]
pub struct Watch {
    response: reqwest::Response,
    parser: Parser,
    ready: VecDeque<Message>,
    address: String,
    tls: bool,
}

impl Watch {
    pub(crate) fn new(response: reqwest::Response, address: String, tls: bool) -> Self {
        Self { response, parser: Parser::default(), ready: VecDeque::new(), address, tls }
    }

    /// The next event; `None` when the server has ended the stream. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Ok(Some(message));
            }
            let Ok(chunk) = tokio::time::timeout(SILENCE, self.response.chunk()).await else {
                return Err(Error::Timeout { address: self.address.clone(), deadline: SILENCE });
            };
            match chunk.map_err(|error| Error::of(&error, &self.address, self.tls, SILENCE))? {
                Some(bytes) => self.parser.feed(&bytes, &mut self.ready),
                None => return Ok(None),
            }
        }
    }
}

/// Puts lines and messages together from bytes that are cut anywhere.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    after_return: bool,
    current: Message,
    data: Option<String>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8], ready: &mut VecDeque<Message>) {
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => self.end_of_line(ready),
                // Nothing sensible is that long; what is left of it is dropped with the message.
                _ if self.line.len() >= MAX_MESSAGE => {}
                byte => self.line.push(*byte),
            }
        }
    }

    fn end_of_line(&mut self, ready: &mut VecDeque<Message>) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        if line.is_empty() {
            let mut message = std::mem::take(&mut self.current);
            if let Some(data) = self.data.take() {
                message.data = data;
                ready.push_back(message);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.current.event),
            "id" => value.clone_into(&mut self.current.id),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // Comments keep the connection alive; other fields are for browsers.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, size: usize) -> Vec<Message> {
        let mut parser = Parser::default();
        let mut ready = VecDeque::new();
        for chunk in text.as_bytes().chunks(size) {
            parser.feed(chunk, &mut ready);
        }
        ready.into()
    }

    #[test]
    fn messages_come_whole_wherever_the_bytes_are_cut() {
        let text = ": alive\n\nevent: MODIFIED\nid: 7\ndata: {\"a\":\ndata: \"ä\"}\nretry: 5\n\r\ndata:x\r\n\r\nevent: lost\n\ndata: unfinished\n";
        let expected = [
            Message { event: "MODIFIED".into(), id: "7".into(), data: "{\"a\":\n\"ä\"}".into() },
            Message { data: "x".into(), ..Message::default() },
        ];
        for size in 1..text.len() {
            assert_eq!(parse(text, size), expected, "in pieces of {size}");
        }
    }
}
