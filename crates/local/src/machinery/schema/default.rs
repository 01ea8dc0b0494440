//! Defaults of custom resources, and the nulls that stand for them.

use serde_json::Value;

use super::{additional, flag, properties};

/// Fills in what is absent. A null that may not be null gives way to the default, or is dropped if there is none.
pub(crate) fn apply(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, schema) in properties(schema).into_iter().flatten() {
                if let Some(default) = schema.get("default") {
                    let displaced = map.get(key).is_none_or(|old| old.is_null() && !flag(schema, "nullable"));
                    if displaced {
                        map.insert(key.clone(), default.clone());
                    }
                } else if map.get(key).is_some_and(Value::is_null) && !flag(schema, "nullable") {
                    map.remove(key);
                }
                if let Some(child) = map.get_mut(key) {
                    apply(schema, child);
                }
            }
            if let Some(schema) = additional(schema) {
                map.retain(|_, child| !child.is_null() || flag(schema, "nullable"));
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

    #[test]
    fn a_null_is_dropped_where_it_may_not_stand() {
        let schema = json!({"properties": {
            "mode": {"type": "string", "enum": ["a"]},
            "kept": {"type": "string", "nullable": true},
            "map": {"additionalProperties": {"type": "string"}},
            "list": {"items": {"properties": {"a": {"type": "string"}}}},
        }});
        let mut value = json!({"mode": null, "kept": null, "other": null, "map": {"a": null, "b": "c"}, "list": [{"a": null}, null]});
        apply(&schema, &mut value);
        assert_eq!(value, json!({"kept": null, "other": null, "map": {"b": "c"}, "list": [{}, null]}));
    }
}
