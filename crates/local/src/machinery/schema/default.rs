//! Defaults of custom resources.

use serde_json::Value;

use super::{additional, flag, properties};

/// Fills in what is absent. A null that may not be null gives way to the default.
pub(crate) fn apply(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, schema) in properties(schema).into_iter().flatten() {
                if let Some(default) = schema.get("default") {
                    let displaced = map.get(key).is_none_or(|old| old.is_null() && !flag(schema, "nullable"));
                    if displaced {
                        map.insert(key.clone(), default.clone());
                    }
                }
                if let Some(child) = map.get_mut(key) {
                    apply(schema, child);
                }
            }
            if let Some(schema) = additional(schema) {
                map.values_mut().for_each(|child| apply(schema, child));
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    apply(schema, item);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_reach_into_what_is_there() {
        let schema = json!({"properties": {
            "spec": {"default": {}, "properties": {"n": {"default": 1}, "m": {"properties": {"x": {"default": "y"}}}, "null": {"nullable": true, "default": 1}}},
            "list": {"items": {"properties": {"a": {"default": true}}}},
            "map": {"additionalProperties": {"properties": {"a": {"default": true}}}},
        }});
        let mut value = json!({"list": [{}, {"a": false}], "map": {"k": {}}});
        apply(&schema, &mut value);
        assert_eq!(
            value,
            json!({"spec": {"n": 1, "null": 1}, "list": [{"a": true}, {"a": false}], "map": {"k": {"a": true}}})
        );
        let mut value = json!({"spec": {"n": null, "m": {}, "null": null}});
        apply(&schema, &mut value);
        assert_eq!(value, json!({"spec": {"n": 1, "m": {"x": "y"}, "null": null}}));
    }
}
