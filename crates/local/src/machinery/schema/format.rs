//! Formats of texts and numbers: which are known, and what has them.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::Value;

use super::super::builtin::names;
use super::flag;

/// Formats of texts, without dashes.
const TEXTS: [&str; 26] = [
    "bsonobjectid",
    "uri",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "cidr",
    "mac",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "isbn",
    "isbn10",
    "isbn13",
    "creditcard",
    "ssn",
    "hexcolor",
    "rgbcolor",
    "byte",
    "password",
    "date",
    "duration",
    "datetime",
    "k8sshortname",
    "k8slongname",
];

/// The types that a schema allows; none if it allows all.
pub(super) fn types(schema: &Value) -> Vec<&str> {
    if flag(schema, "x-kubernetes-int-or-string") {
        return vec!["integer", "string"];
    }
    schema["type"].as_str().into_iter().collect()
}

/// The format of a schema if it is one that is checked; empty otherwise.
pub(super) fn of(schema: &Value) -> &str {
    let format = schema["format"].as_str().unwrap_or_default();
    let known = match types(schema).as_slice() {
        [] | ["string"] => TEXTS.contains(&format.replace('-', "").as_str()),
        ["integer"] => matches!(format, "int32" | "int64"),
        ["number"] => matches!(format, "float" | "double"),
        _ => false,
    };
    if known { format } else { "" }
}

/// Whether a text has a known format.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "datetime" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "duration" => duration(text),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        "cidr" => network(text),
        "email" => email(text),
        "uri" => uri(text),
        "hostname" => hostname(text),
        "byte" => STANDARD.decode(text).is_ok(),
        "k8sshortname" => names::label(text).is_empty(),
        "k8slongname" => names::subdomain(text).is_empty(),
        "isbn" => matches("isbn10", text) || matches("isbn13", text),
        "password" => true,
        other => matches(other, text),
    }
}

fn matches(format: &str, text: &str) -> bool {
    static PATTERNS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
        let uuid = |version: &str, variant: &str| {
            format!(
                "(?i)^[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?{variant}[0-9a-f]{{3}}-?[0-9a-f]{{12}}$"
            )
        };
        let any = "[0-9a-f]";
        let patterns = [
            ("uuid", uuid(any, any)),
            ("uuid3", uuid("3", any)),
            ("uuid4", uuid("4", "[89ab]")),
            ("uuid5", uuid("5", "[89ab]")),
            ("bsonobjectid", "^[0-9a-fA-F]{24}$".to_owned()),
            ("mac", "^(?:[0-9a-fA-F]{2}[:-]){5}(?:[0-9a-fA-F]{2})(?:(?:[:-][0-9a-fA-F]{2}){2})?$|^(?:[0-9a-fA-F]{4}\\.){2,3}[0-9a-fA-F]{4}$".to_owned()),
            ("isbn10", "^[0-9]-?(?:[0-9]-?){8}[0-9X]$".to_owned()),
            ("isbn13", "^97[89]-?(?:[0-9]-?){9}[0-9]$".to_owned()),
            ("creditcard", "^(?:[0-9][ -]?){13,16}$".to_owned()),
            ("ssn", "^[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}$".to_owned()),
            ("hexcolor", "^#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$".to_owned()),
            ("rgbcolor", "^rgb\\(\\s*[0-9]{1,3}\\s*,\\s*[0-9]{1,3}\\s*,\\s*[0-9]{1,3}\\s*\\)$".to_owned()),
        ];
        patterns.into_iter().map(|(name, pattern)| (name, Regex::new(&pattern).expect("a constant"))).collect()
    });
    PATTERNS.iter().find(|(name, _)| *name == format).is_none_or(|(_, pattern)| pattern.is_match(text))
}

/// `1h30m`, `-1.5s`, or a number with a word: `22 ns`, `3 days`.
fn duration(text: &str) -> bool {
    static SHORT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[-+]?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$").expect("a constant")
    });
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        let units = "d|day|h|hour|hr|m|min|minute|ms|milli|millisecond|µs|μs|micro|microsecond|ns|nano|nanosecond|s|sec|second|w|wk|week";
        Regex::new(&format!("^-?[0-9]+(?:\\.[0-9]+)?\\s*(?:{units})s?$")).expect("a constant")
    });
    SHORT.is_match(text) || WORDS.is_match(text)
}

fn network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let plain = bits.bytes().all(|b| b.is_ascii_digit()) && (bits.len() == 1 || !bits.starts_with('0'));
    match (address.parse::<std::net::IpAddr>(), bits.parse::<u8>()) {
        (Ok(address), Ok(bits)) => plain && bits <= if address.is_ipv4() { 32 } else { 128 },
        _ => false,
    }
}

/// An address, with or without a name before it.
fn email(text: &str) -> bool {
    static ADDRESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"^[^\s<>()\[\]:;@,"]+@[^\s<>()\[\]:;@,"]+$"#).expect("a constant"));
    let text = text.trim();
    let address = text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')).map_or(text, |(_, address)| address);
    ADDRESS.is_match(address) && !address.contains("..") && !address.starts_with('.')
}

/// A path from the root, or something with a scheme.
fn uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return false;
    }
    let scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    text.starts_with('/') || text == "*" || text.split_once(':').is_some_and(|(name, _)| scheme(name))
}

fn hostname(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        label.len() <= 63
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && edge(label.chars().next())
            && edge(label.chars().next_back())
    };
    text.len() <= 255 && !text.is_empty() && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_have_their_formats() {
        for (format, right, wrong) in [
            ("date", "2030-12-01", "2030-13-01"),
            ("date-time", "2030-01-02T03:04:05.678+02:00", "yesterday"),
            ("duration", "1h5m", "soon"),
            ("duration", "22 ns", "22 years"),
            ("uuid", "0B0A6A9C0F2E4B7E8F3A3F1C4BB1C111", "0b0a6a9c"),
            ("uuid4", "0b0a6a9c-0f2e-4b7e-8f3a-3f1c4bb1c111", "0b0a6a9c-0f2e-3b7e-8f3a-3f1c4bb1c111"),
            ("ipv4", "1.2.3.4", "1.2.3"),
            ("cidr", "10.0.0.0/8", "10.0.0.0/33"),
            ("email", "some@body.test", "nobody"),
            ("uri", "https://example.test/x?y=z", "not a uri"),
            ("byte", "MQ==", "%%"),
            ("mac", "01:23:45:67:89:ab", "01:23"),
            ("hexcolor", "#ff00AA", "#ff00"),
            ("k8s-short-name", "a-b", "A"),
        ] {
            assert!(fits(format, right), "{format}: {right}");
            assert!(!fits(format, wrong), "{format}: {wrong}");
        }
    }

    #[test]
    fn only_formats_of_the_type_are_checked() {
        assert_eq!(of(&json!({"type": "string", "format": "date-time"})), "date-time");
        assert_eq!(of(&json!({"type": "string", "format": "int32"})), "");
        assert_eq!(of(&json!({"type": "integer", "format": "int32"})), "int32");
        assert_eq!(of(&json!({"type": "integer", "format": "uint32"})), "");
        assert_eq!(of(&json!({"x-kubernetes-int-or-string": true, "format": "date"})), "");
    }
}
