//! Protobuf messages, as they are written.

use serde_json::Value;

#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn number(&mut self, mut value: u64) {
        loop {
            let low = u8::try_from(value & 0x7f).unwrap_or_default();
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.number(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// An empty text is as good as none.
    pub fn text(&mut self, field: u64, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    pub fn flag(&mut self, field: u64, flag: bool) {
        self.number(field << 3);
        self.number(u64::from(flag));
    }

    pub fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }

    /// An entry of a map: a name and a message.
    pub fn named(&mut self, field: u64, name: &str, message: &Self) {
        let mut entry = Self::default();
        entry.text(1, name);
        entry.message(2, message);
        self.message(field, &entry);
    }

    /// A value of any type, as the YAML that it is.
    pub fn any(value: &Value) -> Self {
        let mut message = Self::default();
        message.text(2, &value.to_string());
        message
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_tagged_and_measured() {
        let mut inner = Message::default();
        inner.text(1, "ab");
        inner.text(3, "");
        let mut message = Message::default();
        message.named(20, "n", &inner);
        message.flag(1, true);
        assert_eq!(message.into_bytes(), b"\xa2\x01\x09\x0a\x01n\x12\x04\x0a\x02ab\x08\x01");
    }
}
