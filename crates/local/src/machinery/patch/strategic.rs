//! Strategic merge patches: merge patches that know which lists are told apart by a key, with directives (`$patch`,
//! `$setElementOrder/…`, `$deleteFromPrimitiveList/…`, `$retainKeys`). For built-in kinds only.

use serde_json::{Map, Value};

use super::super::error::{Failure, Result};
use super::super::fields::Node;
use super::order;

const PATCH: &str = "$patch";
const ORDER: &str = "$setElementOrder/";
const DELETE: &str = "$deleteFromPrimitiveList/";
const RETAIN: &str = "$retainKeys";

type Object = Map<String, Value>;

pub(super) fn merge(root: Node<'_>, document: &mut Value, patch: &Value) -> Result<()> {
    let (Value::Object(original), Value::Object(patch)) = (&mut *document, patch) else { return Ok(()) };
    let merged = maps(root, std::mem::take(original), patch.clone())?;
    *document = Value::Object(merged);
    Ok(())
}

fn maps(node: Node<'_>, mut original: Object, mut patch: Object) -> Result<Object> {
    if let Some(how) = patch.remove(PATCH) {
        return match how.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(bad_patch_type(&how, patch)),
        };
    }
    retain(&mut original, &mut patch)?;
    reorder(node, &mut original, &mut patch)?;
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE) {
            if let Some(items) = original.get_mut(list) {
                let gone = value.as_array().ok_or_else(|| bad_request("invalid patch format of primitive list"))?;
                let items =
                    items.as_array_mut().ok_or_else(|| bad_request("invalid patch format of primitive list"))?;
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if value.is_null() {
            original.remove(&key);
            continue;
        }
        let below = node.field(&key);
        let merged = match (original.remove(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => Some(Value::Object(maps(below, old, new)?)),
            (Some(Value::Array(old)), Value::Array(new)) => Some(Value::Array(lists(below, old, new)?)),
            (_, value) => plain(value),
        };
        original.extend(merged.map(|merged| (key, merged)));
    }
    Ok(original)
}

/// `$retainKeys`: what is not named goes, and what is patched has to be named.
fn retain(original: &mut Object, patch: &mut Object) -> Result<()> {
    let Some(kept) = patch.remove(RETAIN) else { return Ok(()) };
    let wrong = || bad_request("invalid patch format of retainKeys");
    let kept = kept.as_array().ok_or_else(wrong)?;
    let is_kept = |key: &str| kept.iter().any(|kept| kept == key);
    let named = |(key, value): (&String, &Value)| {
        value.is_null() || key.starts_with(ORDER) || key.starts_with(DELETE) || is_kept(key)
    };
    if !patch.iter().all(named) {
        return Err(wrong());
    }
    original.retain(|key, _| is_kept(key));
    Ok(())
}

/// `$setElementOrder/…`: merges the list that it belongs to, and puts its items in that order.
fn reorder(node: Node<'_>, original: &mut Object, patch: &mut Object) -> Result<()> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(ORDER)).cloned().collect();
    for directive in directives {
        let wanted = patch.remove(&directive).unwrap_or_default();
        let list = &directive[ORDER.len()..];
        let below = node.field(list);
        let key = below.strategy().key;
        let items = |value: Option<Value>| -> Result<Option<Vec<Value>>> {
            match value {
                None => Ok(None),
                Some(Value::Array(items)) => Ok(Some(items)),
                Some(other) => Err(bad_argument(&other)),
            }
        };
        let Some(wanted) = items(Some(wanted))? else { continue };
        let old = items(original.get(list).cloned())?;
        let new = items(patch.get(list).cloned())?;
        order::consistent(new.as_deref().unwrap_or_default(), &wanted, key)?;
        let merged = match (old.clone(), new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => new.into_iter().filter_map(plain).collect(),
            (Some(old), Some(new)) => lists(below, old, new)?,
        };
        let ordered = order::arrange(merged, &wanted, &old.unwrap_or_default(), key)?;
        original.insert(list.to_owned(), Value::Array(ordered));
        patch.remove(list);
    }
    Ok(())
}

fn lists(node: Node<'_>, original: Vec<Value>, patch: Vec<Value>) -> Result<Vec<Value>> {
    let strategy = node.strategy();
    if !strategy.merge {
        return Ok(patch);
    }
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    order::same_type(&original, &patch)?;
    let plain_items = original.iter().chain(&patch).all(|item| !item.is_object());
    if plain_items {
        let mut merged: Vec<Value> = Vec::new();
        for item in original.iter().chain(&patch) {
            if !merged.contains(item) {
                merged.push(item.clone());
            }
        }
        return order::arrange(merged, &patch, &original, None);
    }
    let Some(key) = strategy.key else {
        return Err(Failure::new(500, "", "cannot merge lists without merge key"));
    };
    let (original, patch) = directives(original, patch, key)?;
    let mut merged = original.clone();
    for item in &patch {
        let Value::Object(fields) = item else { return Err(bad_argument(item)) };
        let value = fields.get(key).ok_or_else(|| order::no_merge_key(item, key))?;
        let found = merged.iter().position(|other| other.get(key) == Some(value));
        match found.map(|index| (index, merged[index].take())) {
            Some((index, Value::Object(old))) => merged[index] = Value::Object(maps(node.item(), old, fields.clone())?),
            // An item that is new is taken as it is: nulls in it are dropped when it is decoded.
            _ => merged.push(item.clone()),
        }
    }
    order::arrange(merged, &patch, &original, Some(key))
}

/// Takes the items out that only say what to do with others, and does it.
fn directives(mut original: Vec<Value>, patch: Vec<Value>, key: &str) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut kept = Vec::new();
    let mut replace = false;
    for item in patch {
        let Some(how) = item.get(PATCH) else {
            kept.push(item);
            continue;
        };
        match how.as_str() {
            Some("delete") => {
                let value = item.get(key).ok_or_else(|| order::no_merge_key(&item, key))?;
                original.retain(|other| other.get(key) != Some(value));
            }
            Some("replace") => replace = true,
            Some("merge") => {
                return Err(Failure::new(500, "", "merging lists cannot yet be specified in the patch"));
            }
            _ => return Err(bad_patch_type(&how.clone(), item.as_object().cloned().unwrap_or_default())),
        }
    }
    Ok(if replace { (kept, Vec::new()) } else { (original, kept) })
}

/// A patch where nothing was before: without nulls, and without what only directs.
fn plain(patch: Value) -> Option<Value> {
    match patch {
        Value::Object(map) if map.contains_key(PATCH) => None,
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(key, value)| !key.starts_with('$') && !value.is_null());
            Some(Value::Object(kept.filter_map(|(key, value)| Some((key, plain(value)?))).collect()))
        }
        Value::Array(items) => Some(items.into_iter().filter_map(plain).collect()),
        scalar => Some(scalar),
    }
}

fn bad_request(message: &str) -> Failure {
    Failure::bad_request(message)
}

fn bad_argument(value: &Value) -> Failure {
    let found = match value {
        Value::Object(_) => "map[string]interface {}",
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::Array(_) => "[]interface {}",
        Value::Null => "%!s(<nil>)",
    };
    Failure::new(500, "", format!("expected a []interface {{}}, but received a {found}"))
}

fn bad_patch_type(how: &Value, map: Object) -> Failure {
    let mut map = map;
    map.insert(PATCH.into(), how.clone());
    let how = how.as_str().map_or_else(|| how.to_string(), str::to_owned);
    Failure::new(500, "", format!("unknown patch type: {how} in map: {}", order::written(&Value::Object(map))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::kinds::Kinds;
    use super::*;

    fn patched(resource: &str, document: &Value, patch: &Value) -> Result<Value> {
        let kinds = Kinds::builtin();
        let group = if resource == "deployments" { "apps" } else { "" };
        let kind = kinds.get(group, "v1", resource).expect("served");
        let mut document = document.clone();
        merge(Node::root(kind), &mut document, patch)?;
        Ok(document)
    }

    fn pod() -> Value {
        json!({"metadata": {"labels": {"a": "1", "b": "2"}, "finalizers": ["x", "y"]}, "spec": {
            "containers": [
                {"name": "a", "image": "1", "args": ["p"], "ports": [{"containerPort": 1}, {"containerPort": 2}]},
                {"name": "b", "image": "1"},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "tolerations": [{"key": "k"}],
        }})
    }

    #[test]
    fn lists_merge_by_key_and_maps_by_name() {
        for (patch, pointer, expected) in [
            (json!({"metadata": {"labels": {"b": null, "c": "3"}}}), "/metadata/labels", json!({"a": "1", "c": "3"})),
            (json!({"metadata": {"labels": {"$patch": "replace", "z": "1"}}}), "/metadata/labels", json!({"z": "1"})),
            (json!({"metadata": {"labels": {"$patch": "delete"}}}), "/metadata/labels", json!({})),
            (json!({"metadata": {"finalizers": ["z", "x"]}}), "/metadata/finalizers", json!(["z", "x", "y"])),
            (json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}), "/metadata/finalizers", json!(["y"])),
            (
                json!({"metadata": {"$setElementOrder/finalizers": ["y", "z", "x"], "finalizers": ["z"]}}),
                "/metadata/finalizers",
                json!(["y", "z", "x"]),
            ),
            (
                json!({"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}], "containers": [{"name": "c", "image": "3"}, {"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}]}}),
                "/spec/containers",
                json!([{"name": "c", "image": "3"}, {"name": "a", "image": "2", "args": ["p"], "ports": [{"containerPort": 1}, {"containerPort": 2}]}]),
            ),
            (
                json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}),
                "/spec/containers/0",
                json!({"name": "b", "image": "1"}),
            ),
            (json!({"spec": {"containers": [{"name": "a", "args": ["q"]}]}}), "/spec/containers/0/args", json!(["q"])),
            (
                json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 2, "protocol": "UDP"}]}]}}),
                "/spec/containers/0/ports",
                json!([{"containerPort": 1}, {"containerPort": 2, "protocol": "UDP"}]),
            ),
            (
                json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "z", "image": "9"}]}}),
                "/spec/containers",
                json!([{"name": "z", "image": "9"}]),
            ),
            (json!({"spec": {"tolerations": [{"key": "l"}]}}), "/spec/tolerations", json!([{"key": "l"}])),
            (
                json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "m"}}]}}),
                "/spec/volumes",
                json!([{"name": "v", "configMap": {"name": "m"}}]),
            ),
            (json!({"spec": {"nodeSelector": {"a": "b", "c": null}}}), "/spec/nodeSelector", json!({"a": "b"})),
        ] {
            let patched = patched("pods", &pod(), &patch).unwrap_or_else(|error| panic!("{patch}: {}", error.message));
            assert_eq!(patched.pointer(pointer), Some(&expected), "{patch}");
        }
    }

    #[test]
    fn a_wrong_patch_is_refused_in_the_servers_words() {
        for (patch, code, message) in [
            (
                json!({"spec": {"containers": [{"image": "2"}]}}),
                500,
                "map: map[image:2] does not contain declared merge key: name",
            ),
            (
                json!({"spec": {"containers": [{"name": "a", "$patch": "what"}]}}),
                500,
                "unknown patch type: what in map: map[$patch:what name:a]",
            ),
            (
                json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name"], "configMap": {"name": "m"}}]}}),
                400,
                "invalid patch format of retainKeys",
            ),
            (
                json!({"spec": {"$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "c", "image": "2"}]}}),
                500,
                "The order in patch list:\n[map[image:2 name:c]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n",
            ),
        ] {
            let refused = patched("pods", &pod(), &patch).expect_err(message);
            assert_eq!((refused.code, refused.message.as_str()), (code, message));
        }
    }
}
