//! Lists by keys and sets: no item is there twice.

use serde_json::{Map, Value};

use super::super::error::FieldError;
use super::{additional, join, map_keys, properties};

/// Items that are there twice. What was wrong in `old` already may stay so.
pub(crate) fn duplicates(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let found = |value: &Value| {
        let mut errors = Vec::new();
        walk(schema, value, "", &mut errors);
        errors
    };
    let errors = found(value);
    if errors.is_empty() || old.is_some_and(|old| !found(old).is_empty()) { Vec::new() } else { errors }
}

fn walk(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map {
                if let Some(of) = additional(schema) {
                    walk(of, child, &format!("{path}[{key}]"), errors);
                } else if let Some(of) = properties(schema).and_then(|known| known.get(key)) {
                    walk(of, child, &join(path, key), errors);
                }
            }
        }
        Value::Array(items) => {
            list(schema, items, path, errors);
            if let Some(of) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    walk(of, item, &format!("{path}[{index}]"), errors);
                }
            }
        }
        _ => {}
    }
}

fn list(schema: &Value, items: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    let keys = map_keys(schema);
    let set = schema["x-kubernetes-list-type"] == "set";
    if keys.is_empty() && !set {
        return;
    }
    if let Some((index, item)) = items.iter().enumerate().find(|(_, item)| !set && !item.is_object() && !item.is_null())
    {
        let detail = "must be an object for an array of list-type map";
        return errors.push(FieldError::invalid(format!("{path}[{index}]"), item, detail));
    }
    let identity = |item: &Value| -> Value {
        if set {
            return item.clone();
        }
        let fields: Map<String, Value> =
            keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone()))).collect();
        fields.into()
    };
    let identities: Vec<Value> = items.iter().map(identity).collect();
    for (index, one) in identities.iter().enumerate() {
        // Only the second of its kind is told.
        if identities[..index].iter().filter(|other| *other == one).count() == 1 {
            errors.push(FieldError::duplicate(format!("{path}[{index}]"), one));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_second_of_its_kind_is_told() {
        let schema = json!({"properties": {
            "set": {"x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "map": {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object"}},
        }});
        let value = json!({"set": ["a", "b", "a", "a"], "map": [{"name": "a"}, {"name": "a", "x": 1}]});
        let told = |old: Option<&Value>| -> Vec<String> {
            duplicates(&schema, &value, old).iter().map(FieldError::line).collect()
        };
        assert_eq!(told(None), ["map[1]: Duplicate value: {\"name\":\"a\"}", "set[2]: Duplicate value: \"a\""]);
        assert_eq!(told(Some(&json!({"set": ["c", "c"]}))), Vec::<String>::new());
    }
}
