//! Strategic merge patches: merge patches that know which lists are told apart by a key. For built-in kinds only.

use serde_json::{Map, Value};

use super::super::fields::{Lists, Node};

pub(super) fn merge(root: Node<'_>, document: &mut Value, patch: &Value) {
    if let Some(patch) = patch.as_object() {
        maps(root, document, patch);
    }
}

fn maps(node: Node<'_>, target: &mut Value, patch: &Map<String, Value>) {
    if patch.get("$patch").is_some_and(|how| how == "replace" || how == "delete") {
        let mut fresh = patch.clone();
        fresh.remove("$patch");
        *target = Value::Object(if patch["$patch"] == "replace" { fresh } else { Map::new() });
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let map = target.as_object_mut().expect("was made a map above");
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(items), Some(gone)) = (map.get_mut(list).and_then(Value::as_array_mut), value.as_array()) {
                items.retain(|item| !gone.contains(item));
            }
        } else if key == "$retainKeys" {
            let kept = value.as_array().map(Vec::as_slice).unwrap_or_default();
            map.retain(|key, _| kept.iter().any(|kept| kept == key));
        }
    }
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        let below = node.field(key, false);
        match value {
            Value::Null => {
                map.remove(key);
            }
            Value::Object(patch) => {
                if patch.get("$patch").is_some_and(|how| how == "delete") {
                    map.remove(key);
                } else {
                    maps(below, map.entry(key.as_str()).or_insert(Value::Null), patch);
                }
            }
            Value::Array(patch) => lists(below, map.entry(key.as_str()).or_insert(Value::Null), patch),
            scalar => {
                map.insert(key.clone(), scalar.clone());
            }
        }
    }
}

fn lists(node: Node<'_>, target: &mut Value, patch: &[Value]) {
    let how = |item: &Value, wanted: &str| item.get("$patch").is_some_and(|how| how == wanted);
    let replace = patch.iter().any(|item| how(item, "replace"));
    match (node.lists(), target.as_array_mut()) {
        (Lists::Set, Some(items)) if !replace => {
            for item in patch {
                if !items.contains(item) {
                    items.push(item.clone());
                }
            }
        }
        (Lists::Keyed(keys), Some(items)) if !replace => {
            // Of several keys, the first alone counts here.
            let key = keys[0].0;
            for item in patch {
                let found = items.iter().position(|other| item.get(key).is_some() && other.get(key) == item.get(key));
                match (found, item.as_object()) {
                    (Some(index), _) if how(item, "delete") => {
                        items.remove(index);
                    }
                    (None, _) if how(item, "delete") => {}
                    (Some(index), Some(patch)) => maps(node.item(), &mut items[index], patch),
                    (_, _) => items.push(plain(item)),
                }
            }
        }
        _ => *target = patch.iter().filter(|item| !how(item, "replace") && !how(item, "delete")).map(plain).collect(),
    }
}

/// A patch as a value: without directives and nulls.
fn plain(patch: &Value) -> Value {
    match patch {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, value)| !key.starts_with('$') && !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), plain(value))).collect())
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(mut document: Value, patch: &Value) -> Value {
        merge(Node::Known { field: "", parent: "", service: false }, &mut document, patch);
        document
    }

    #[test]
    fn lists_merge_by_key_and_maps_by_name() {
        let pod = json!({"metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x"]}, "spec": {"containers": [{"name": "a", "image": "1", "args": ["p"]}, {"name": "b", "image": "1"}]}});
        for (patch, pointer, expected) in [
            (json!({"metadata": {"labels": {"b": null, "c": "3"}}}), "/metadata/labels", json!({"a": "1", "c": "3"})),
            (json!({"metadata": {"labels": {"$patch": "replace", "z": "1"}}}), "/metadata/labels", json!({"z": "1"})),
            (json!({"metadata": {"finalizers": ["y", "x"]}}), "/metadata/finalizers", json!(["x", "y"])),
            (json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}), "/metadata/finalizers", json!([])),
            (
                json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}, {"name": "c", "image": "3", "env": null}]}}),
                "/spec/containers",
                json!([{"name": "a", "image": "2", "args": ["p"]}, {"name": "c", "image": "3"}]),
            ),
            (json!({"spec": {"containers": [{"name": "a", "args": ["q"]}]}}), "/spec/containers/0/args", json!(["q"])),
            (json!({"spec": {"$retainKeys": ["other"], "other": 1}}), "/spec", json!({"other": 1})),
        ] {
            assert_eq!(patched(pod.clone(), &patch).pointer(pointer), Some(&expected), "{patch}");
        }
    }
}
