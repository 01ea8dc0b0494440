//! The order of merged lists: what a patch names comes in its order, the rest keeps its place relative to it.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::error::{Failure, Result};

fn identity<'a>(item: &'a Value, key: Option<&str>) -> Option<&'a Value> {
    match key {
        Some(key) => item.get(key),
        None => Some(item),
    }
}

fn index(list: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    list.iter().position(|other| identity(other, key) == identity(item, key))
}

/// Puts the items that `wanted` names in its order, and the others in the order of `server`.
pub(super) fn arrange(items: Vec<Value>, wanted: &[Value], server: &[Value], key: Option<&str>) -> Result<Vec<Value>> {
    if let Some(key) = key {
        for item in items.iter().chain(wanted) {
            if item.get(key).is_none() {
                return Err(no_merge_key(item, key));
            }
        }
    }
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        items.into_iter().partition(|item| index(wanted, item, key).is_some());
    let by = |order: &[Value], a: &Value, b: &Value| match (index(order, a, key), index(order, b, key)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => Ordering::Equal,
    };
    named.sort_by(|a, b| by(wanted, a, b));
    others.sort_by(|a, b| by(server, a, b));
    let mut arranged = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(theirs), Some(mine)) = (others.peek(), named.peek()) {
        let places = (index(server, theirs, key), index(server, mine, key));
        let first = matches!(places, (Some(theirs), Some(mine)) if theirs < mine);
        arranged.extend(if first { others.next() } else { named.next() });
    }
    arranged.extend(others);
    arranged.extend(named);
    Ok(arranged)
}

/// Refuses a patch whose items do not stand in the order that it asks for.
pub(super) fn consistent(patch: &[Value], wanted: &[Value], key: Option<&str>) -> Result<()> {
    let mut order = wanted.iter();
    let mut items = patch.iter().filter(|item| item.get("$patch").is_none());
    if wanted.is_empty() || items.all(|item| order.any(|other| identity(other, key) == identity(item, key))) {
        return Ok(());
    }
    let list = |items: &[Value]| written(&Value::Array(items.to_vec()));
    let message =
        format!("The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n", list(patch), list(wanted));
    Err(Failure::new(500, "", message))
}

/// Lists of lists do not merge, nor do items of different types.
pub(super) fn same_type(original: &[Value], patch: &[Value]) -> Result<()> {
    let mut items = original.iter().chain(patch);
    if items.clone().any(Value::is_array) {
        return Err(Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with(serde_json::json!({})));
    }
    let Some(first) = items.next() else { return Ok(()) };
    match items.find(|item| std::mem::discriminant(*item) != std::mem::discriminant(first)) {
        None => Ok(()),
        Some(_) => Err(Failure::new(500, "", "list element types are not identical")),
    }
}

pub(super) fn no_merge_key(item: &Value, key: &str) -> Failure {
    Failure::new(500, "", format!("map: {} does not contain declared merge key: {key}", written(item)))
}

/// A value as the server's messages write it: `map[a:1 b:[x y]]`.
pub(crate) fn written(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let fields: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", written(value))).collect();
            format!("map[{}]", fields.join(" "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(" ")),
        other => other.to_string(),
    }
}
