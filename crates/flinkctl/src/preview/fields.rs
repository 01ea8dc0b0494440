//! The fields in which two specs differ. An explicit null is no field.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::Field;

/// Fields that differ, by their paths; all of the new one where there was none.
pub fn differing<T: Serialize>(before: Option<&T>, after: &T) -> Vec<Field> {
    let value = |spec: &T| serde_json::to_value(spec).unwrap_or_default();
    let mut found = Vec::new();
    if let Some(before) = before {
        compare("spec", &value(before), &value(after), &mut found);
    }
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Field>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let (old, new) = (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
                let shown = if name.contains('.') { format!("{path}[\"{name}\"]") } else { format!("{path}.{name}") };
                compare(&shown, old, new, found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let (old, new) = (old.get(index).unwrap_or(&Value::Null), new.get(index).unwrap_or(&Value::Null));
                compare(&format!("{path}[{index}]"), old, new, found);
            }
        }
        (old, new) if old != new => found.push(Field { path: path.to_owned(), from: text(old), to: text(new) }),
        _ => {}
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
