//! Bounds of numbers. A whole number is compared with the whole part of its bound.

use serde_json::Value;

use super::super::number;
use super::flag;

/// What a number should be, if it is not.
pub(super) type Check = fn(&Value, &Value, &Value) -> Option<String>;

/// Keywords, what their values are called, and what they ask for.
pub(super) const CHECKS: [(&str, &str, Check); 3] = [
    ("multipleOf", "MultipleOf", multiple),
    ("minimum", "Minimum boundary", at_least),
    ("maximum", "Maximum boundary", at_most),
];

/// A limit in the form in which it is compared with a number, and told: whole if the number is.
fn limit(value: &Value, limit: &Value) -> (f64, String) {
    let limit = limit.as_f64().unwrap_or_default();
    let limit = if value.is_i64() || value.is_u64() { limit.trunc() } else { limit };
    let written = if value.is_f64() { number::float(limit) } else { format!("{limit:.0}") };
    (limit, written)
}

fn at_least(schema: &Value, value: &Value, least: &Value) -> Option<String> {
    let ((least, written), number) = (limit(value, least), value.as_f64().unwrap_or_default());
    if flag(schema, "exclusiveMinimum") {
        (number <= least).then(|| format!("should be greater than {written}"))
    } else {
        (number < least).then(|| format!("should be greater than or equal to {written}"))
    }
}

fn at_most(schema: &Value, value: &Value, most: &Value) -> Option<String> {
    let ((most, written), number) = (limit(value, most), value.as_f64().unwrap_or_default());
    if flag(schema, "exclusiveMaximum") {
        (number >= most).then(|| format!("should be less than {written}"))
    } else {
        (number > most).then(|| format!("should be less than or equal to {written}"))
    }
}

fn multiple(_: &Value, value: &Value, factor: &Value) -> Option<String> {
    let ((factor, written), number) = (limit(value, factor), value.as_f64().unwrap_or_default());
    (factor > 0.0 && (number / factor).fract() != 0.0).then(|| format!("should be a multiple of {written}"))
}
