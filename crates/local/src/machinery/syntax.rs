//! What is said of JSON that cannot be read: in the words of Go's decoder, which clients and people know.
//!
//! Only texts that are no JSON come here, so speed does not matter. Invariant: the first character that does not fit is the one that is named.

use serde_json::Value;

/// What is wrong with a text that is no JSON document.
pub(crate) fn error(text: &[u8]) -> String {
    let mut scanner = Scanner { text, at: 0 };
    let wrong = scanner.value("looking for beginning of value").and_then(|()| {
        scanner.space();
        if scanner.at < text.len() { scanner.unfit("after top-level value") } else { Ok(()) }
    });
    // A text that this finds nothing wrong with was refused for what it holds, such as a number out of range.
    wrong.err().unwrap_or_else(|| "unexpected end of JSON input".to_owned())
}

/// What a JSON value is called.
pub(crate) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

type Scan = Result<(), String>;

impl Scanner<'_> {
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while self.next().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn unfit(&self, where_: &str) -> Scan {
        Err(match self.next() {
            Some(byte) => format!("invalid character {} {where_}", quoted(byte)),
            None => "unexpected end of JSON input".to_owned(),
        })
    }

    fn value(&mut self, where_: &str) -> Scan {
        self.space();
        match self.next() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.unfit(where_),
        }
    }

    fn object(&mut self) -> Scan {
        self.at += 1;
        self.space();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            if self.next() != Some(b'"') {
                return self.unfit("looking for beginning of object key string");
            }
            self.string()?;
            self.space();
            if self.next() != Some(b':') {
                return self.unfit("after object key");
            }
            self.at += 1;
            self.value("looking for beginning of value")?;
            self.space();
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return self.unfit("after object key:value pair"),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self) -> Scan {
        self.at += 1;
        self.space();
        if self.next() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value("looking for beginning of value")?;
            self.space();
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return self.unfit("after array element"),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Scan {
        self.at += 1;
        loop {
            match self.next() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(byte) if byte >= b' ' => self.at += 1,
                _ => return self.unfit("in string literal"),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Scan {
        match self.next() {
            Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.next().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.unfit("in \\u hexadecimal character escape");
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => self.unfit("in string escape code"),
        }
    }

    fn literal(&mut self, word: &str) -> Scan {
        for byte in word.bytes() {
            if self.next() != Some(byte) {
                return self.unfit(&format!("in literal {word} (expecting {})", quoted(byte)));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Scan {
        if self.next() == Some(b'-') {
            self.at += 1;
        }
        if self.next() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.next() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.next(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.next(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn digits(&mut self, where_: &str) -> Scan {
        if !self.next().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.unfit(where_);
        }
        while self.next().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }
}

/// A byte as a character between quotes.
fn quoted(byte: u8) -> String {
    match char::from(byte) {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        '\n' => "'\\n'".to_owned(),
        '\t' => "'\\t'".to_owned(),
        '\r' => "'\\r'".to_owned(),
        '\\' => "'\\\\'".to_owned(),
        other if other.is_ascii_control() => format!("'\\x{byte:02x}'"),
        other if other.is_control() || byte == 0xa0 || byte == 0xad => format!("'\\u{byte:04x}'"),
        other => format!("'{other}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_character_that_does_not_fit_is_named() {
        for (text, expected) in [
            ("nonsense", "invalid character 'o' in literal null (expecting 'u')"),
            ("{ broken", "invalid character 'b' looking for beginning of object key string"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\":1", "unexpected end of JSON input"),
            ("", "unexpected end of JSON input"),
            ("'x'", "invalid character '\\'' looking for beginning of value"),
            ("\"a\\x\"", "invalid character 'x' in string escape code"),
            ("01", "invalid character '1' after top-level value"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("\u{9e}", "invalid character 'Â' looking for beginning of value"),
        ] {
            assert_eq!(error(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(error(&[0x9e, 0x89]), "invalid character '\\u009e' looking for beginning of value");
    }
}
