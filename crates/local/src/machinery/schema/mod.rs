//! Structural schemas: what is not in them is dropped, what is absent gets its default, what is wrong is refused.

mod bounds;
mod cel;
mod default;
mod embedded;
mod format;
mod lists;
mod outcome;
mod prune;
mod ratchet;
mod validate;

use serde_json::{Map, Value};

pub(crate) use cel::{Rules, Verdict};
pub(crate) use default::apply as apply_defaults;
pub(crate) use embedded::judge as judge_embedded;
pub(crate) use lists::duplicates;
pub(crate) use prune::{prune, unknown};
pub(crate) use validate::validate;

/// `parent.child`, with nothing before a first child.
fn join(path: &str, child: &str) -> String {
    if path.is_empty() { child.to_owned() } else { format!("{path}.{child}") }
}

fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn preserves_unknown(schema: &Value) -> bool {
    flag(schema, "x-kubernetes-preserve-unknown-fields")
}

fn embedded(schema: &Value) -> bool {
    flag(schema, "x-kubernetes-embedded-resource")
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// The schema of a map's values.
fn additional(schema: &Value) -> Option<&Value> {
    schema.get("additionalProperties").filter(|more| more.is_object())
}

/// The schema of a field or map value.
fn field<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    properties(schema).and_then(|known| known.get(key)).or_else(|| additional(schema))
}

/// The keys that tell the items of an associative list apart; empty for every other list.
fn map_keys(schema: &Value) -> Vec<&str> {
    if schema["x-kubernetes-list-type"] != "map" {
        return Vec::new();
    }
    schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
