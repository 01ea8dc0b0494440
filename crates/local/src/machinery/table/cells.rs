//! What cells are made of: ages, joined lists, placeholders.

use jiff::Timestamp;
use serde_json::Value;

use super::super::meta::text;

/// A span in two units at most, rounded down, as `kubectl` shows ages.
pub(super) fn span(seconds: i64) -> String {
    const DAY: i64 = 24 * 60;
    let pair = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    if seconds < -1 {
        return "<invalid>".into();
    }
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = minutes / DAY;
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => pair(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => pair(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

/// How long ago a time was; `<unknown>` if there is none.
pub(super) fn since(time: &str, now: Timestamp) -> String {
    if time.is_empty() {
        return "<unknown>".into();
    }
    time.parse::<Timestamp>().map_or_else(|_| "<invalid>".to_owned(), |time| span(now.duration_since(time).as_secs()))
}

pub(super) fn age(object: &Value, now: Timestamp) -> Value {
    since(text(object, "/metadata/creationTimestamp"), now).into()
}

pub(super) fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

pub(super) fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn count(object: &Value, pointer: &str) -> i64 {
    let length = object.pointer(pointer).map_or(0, |found| {
        found.as_object().map_or_else(|| found.as_array().map_or(0, Vec::len), serde_json::Map::len)
    });
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The text at a pointer, or a placeholder.
pub(super) fn or(object: &Value, pointer: &str, placeholder: &str) -> Value {
    let found = text(object, pointer);
    if found.is_empty() { placeholder } else { found }.into()
}

pub(super) fn joined<'a>(items: impl Iterator<Item = &'a str>, placeholder: &str) -> Value {
    let text = items.collect::<Vec<_>>().join(",");
    if text.is_empty() { placeholder.into() } else { text.into() }
}

/// Names and images of the containers of a template, and the selector.
pub(super) fn of_template(object: &Value) -> [Value; 3] {
    let containers = list(object, "/spec/template/spec/containers");
    let selector = object
        .pointer("/spec/selector")
        .map(super::super::scale::selector_text)
        .filter(|selector| !selector.is_empty());
    [
        joined(containers.iter().map(|container| text(container, "/name")), ""),
        joined(containers.iter().map(|container| text(container, "/image")), ""),
        selector.unwrap_or_else(|| "<none>".into()).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (185, "3m5s"),
            (600, "10m"),
            (3 * 3600 + 60, "3h1m"),
            (9 * 3600, "9h"),
            (49 * 3600, "2d1h"),
            (10 * 86400, "10d"),
            (800 * 86400, "2y70d"),
        ] {
            assert_eq!(span(seconds), expected, "{seconds}");
        }
    }
}
