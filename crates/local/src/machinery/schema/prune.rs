//! Unknown fields: dropped from custom resources, and named so that strict requests can be refused.

use serde_json::Value;

use super::super::model;
use super::{additional, embedded, join, preserves_unknown, properties};

/// Fields that every resource has, whatever its schema says.
const OF_RESOURCES: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops what the schema does not know from a custom resource, and tells the paths.
pub(crate) fn prune(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    walk(schema, object, "", true, &mut dropped);
    dropped
}

fn walk(schema: &Value, value: &mut Value, path: &str, resource: bool, dropped: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (index, item) in items.iter_mut().enumerate() {
                    walk(schema, item, &format!("{path}[{index}]"), embedded(schema), dropped);
                }
            }
        }
        Value::Object(map) => {
            let open = preserves_unknown(schema) || schema.get("additionalProperties") == Some(&Value::Bool(true));
            map.retain(|key, child| {
                let at = join(path, key);
                if resource && OF_RESOURCES.contains(&key.as_str()) {
                    // That of the object itself is not the schema's business; that of an object within it is nobody else's.
                    if key == "metadata" && !path.is_empty() {
                        typed(model::metadata(), child, &at, dropped);
                        model::reduce(model::METADATA, child);
                    }
                    return true;
                }
                match properties(schema).and_then(|known| known.get(key)).or_else(|| additional(schema)) {
                    Some(schema) => walk(schema, child, &at, embedded(schema), dropped),
                    None if open => {}
                    None => {
                        dropped.push(at);
                        return false;
                    }
                }
                true
            });
        }
        _ => {}
    }
}

/// Drops what a built-in type does not know from an object of it, and tells the paths.
pub(crate) fn unknown(schema: &Value, object: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    typed(schema, object, "", &mut dropped);
    dropped
}

fn typed(schema: &Value, value: &mut Value, path: &str, dropped: &mut Vec<String>) {
    let schema = model::resolve(schema);
    match value {
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for (index, item) in items.iter_mut().enumerate() {
                    typed(schema, item, &format!("{path}[{index}]"), dropped);
                }
            }
        }
        Value::Object(map) => {
            let Some(known) = properties(schema) else {
                // A map, or something free-form.
                if let Some(schema) = additional(schema) {
                    for (key, child) in map {
                        typed(schema, child, &join(path, key), dropped);
                    }
                }
                return;
            };
            map.retain(|key, child| {
                let at = join(path, key);
                let Some(schema) = known.get(key) else {
                    dropped.push(at);
                    return false;
                };
                typed(schema, child, &at, dropped);
                true
            });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_go_and_are_named() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "properties": {
                "a": {"type": "string"},
                "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"known": {"type": "object"}}},
                "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"b": {"type": "string"}}}},
                "list": {"type": "array", "items": {"type": "object", "properties": {"c": {"type": "string"}}}},
            }},
        }});
        let mut object = json!({"apiVersion": "v1", "kind": "K", "metadata": {"name": "x"}, "other": 1, "spec": {
            "a": "1", "b": 2, "open": {"any": 1, "known": {"x": 1}}, "map": {"k": {"b": "1", "z": 1}}, "list": [{"c": "1"}, {"d": 1}],
        }});
        let mut dropped = prune(&schema, &mut object);
        dropped.sort();
        assert_eq!(dropped, ["other", "spec.b", "spec.list[1].d", "spec.map.k.z", "spec.open.known.x"]);
        assert_eq!(
            object["spec"],
            json!({"a": "1", "open": {"any": 1, "known": {}}, "map": {"k": {"b": "1"}}, "list": [{"c": "1"}, {}]})
        );
    }
}
