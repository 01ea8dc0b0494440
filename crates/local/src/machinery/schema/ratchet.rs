//! What an update did not touch is not checked again: where in the old object the counterpart of a value lies.

use serde_json::Value;

use super::map_keys;

/// The old counterpart of a list's item: by keys in an associative list, by value in a set, by nothing in an atomic list.
pub(super) fn item<'a>(schema: &Value, old: Option<&'a Value>, item: &Value) -> Option<&'a Value> {
    let old = old?.as_array()?;
    let keys = map_keys(schema);
    if keys.is_empty() {
        // Not correlatable, but an item that was there before is no news.
        return old.iter().find(|other| *other == item);
    }
    old.iter().find(|other| keys.iter().all(|key| other.get(key) == item.get(key)))
}
