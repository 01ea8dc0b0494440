//! Which texts are names, labels and keys, and what is said of those that are not.

use serde_json::Value;

use super::super::error::FieldError;
use super::super::meta;

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const PATH: &str = "may not contain";

fn too_long(text: &str, limit: usize) -> Option<String> {
    (text.len() > limit).then(|| format!("must be no more than {limit} characters"))
}

/// The same, said of labels and their keys.
fn too_many_bytes(text: &str, limit: usize) -> Option<String> {
    (text.len() > limit).then(|| format!("must be no more than {limit} bytes"))
}

pub(crate) fn label(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(text, 63).into_iter().collect();
    let short = text.get(..63).unwrap_or(text).trim_end_matches('-');
    if !meta::is_label(short) || text.ends_with('-') {
        wrong.push(if meta::is_subdomain(text) { "must not contain dots".to_owned() } else { LABEL.to_owned() });
    }
    wrong
}

pub(crate) fn subdomain(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(text, 253).into_iter().collect();
    let inner = |part: &str| {
        let bytes = part.as_bytes();
        bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
            && bytes.first().is_some_and(|b| *b != b'-')
            && bytes.last().is_some_and(|b| *b != b'-')
    };
    if !text.split('.').all(inner) {
        wrong.push(SUBDOMAIN.to_owned());
    }
    wrong
}

/// A name that is a host name of old.
pub(crate) fn dns_1035(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(text, 63).into_iter().collect();
    let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fits {
        wrong.push(DNS_1035.to_owned());
    }
    wrong
}

/// A name that is no more than a part of a path.
pub(crate) fn path_segment(text: &str) -> Vec<String> {
    if matches!(text, "." | "..") {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"].iter().filter(|part| text.contains(**part)).map(|part| format!("{PATH} '{part}'")).collect()
}

fn edged(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && edge(text.chars().next())
        && edge(text.chars().last())
}

pub(crate) fn label_value(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_many_bytes(text, 63).into_iter().collect();
    if !text.is_empty() && !edged(text) {
        wrong.push(VALUE.to_owned());
    }
    wrong
}

/// `[prefix/]name`
pub(crate) fn qualified(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split('/').collect();
    let mut wrong = Vec::new();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(subdomain(prefix).into_iter().map(|message| format!("prefix part {message}")));
            }
            *name
        }
        _ => {
            return vec![format!(
                "a valid label key {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else {
        wrong.extend(too_many_bytes(name, 63).map(|message| format!("name part {message}")));
    }
    if !edged(name) {
        wrong.push(format!("name part {QUALIFIED}"));
    }
    wrong
}

/// Judges labels, keys and values.
pub(super) fn labels<'a>(
    labels: impl Iterator<Item = (&'a String, &'a Value)>,
    field: &str,
    errors: &mut Vec<FieldError>,
) {
    for (key, value) in labels {
        errors.extend(qualified(key).iter().map(|message| FieldError::invalid(field, &key.as_str().into(), message)));
        let text = value.as_str().unwrap_or_default();
        errors.extend(label_value(text).iter().map(|message| FieldError::invalid(field, value, message)));
    }
}

/// The name of a port.
pub(super) fn port(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(text, 15).into_iter().collect();
    let mut refuse = |is: bool, message: &str| wrong.extend(is.then(|| message.to_owned()));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    refuse(
        text.is_empty() || !text.chars().all(plain),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    refuse(!text.contains(|c: char| c.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    refuse(text.contains("--"), "must not contain consecutive hyphens");
    refuse(text.starts_with('-') || text.ends_with('-'), "must not begin or end with a hyphen");
    wrong
}

/// A key of a ConfigMap or a Secret.
pub(crate) fn config_key(text: &str) -> Vec<String> {
    let mut wrong: Vec<String> = too_long(text, 253).into_iter().collect();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        wrong.push(KEY.to_owned());
    } else if matches!(text, "." | "..") {
        wrong.push(format!("must not be '{text}'"));
    } else if text.starts_with("..") {
        wrong.push("must not start with '..'".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_judged_by_what_they_are_for() {
        type Judge = fn(&str) -> Vec<String>;
        let long = "a".repeat(64);
        for (judge, text, expected) in [
            (label as Judge, "a-b", vec![]),
            (label, "a.b", vec!["must not contain dots"]),
            (label, "A", vec![LABEL]),
            (label, &long, vec!["must be no more than 63 characters"]),
            (subdomain, "a.b-c", vec![]),
            (subdomain, "a..b", vec![SUBDOMAIN]),
            (label_value, "", vec![]),
            (label_value, "-a", vec![VALUE]),
            (qualified, "a.b/c", vec![]),
            (qualified, "/c", vec!["prefix part must be non-empty"]),
            (dns_1035, "1a", vec![DNS_1035]),
            (port, "http-1", vec![]),
            (port, "Bad_Name", vec!["must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"]),
            (port, "80", vec!["must contain at least one letter (a-z)"]),
            (path_segment, "a/b", vec!["may not contain '/'"]),
            (path_segment, "system:a", vec![]),
            (config_key, "..a", vec!["must not start with '..'"]),
            (config_key, "a b", vec![KEY]),
        ] {
            assert_eq!(judge(text), expected, "{text}");
        }
        assert!(
            qualified("a/b/c")[0]
                .ends_with("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")
        );
    }
}
