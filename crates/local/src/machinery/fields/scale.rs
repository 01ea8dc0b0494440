//! Who owns the replicas, seen from the scale: entries of the object become entries of its `Scale`, and come back after a write.
//!
//! What comes back tells neither when it was written nor, for those who had it before, through which endpoint.

use serde_json::{Value, json};

use super::super::meta;
use super::manage::{Entry, entries, record};
use super::set::Set;

const VERSION: &str = "autoscaling/v1";
const REPLICAS: &[&[&str]] = &[&["spec", "replicas"]];

/// The fields at a JSON pointer.
fn at(pointer: &str) -> Set {
    let path: Vec<&str> = pointer.split('/').skip(1).collect();
    Set::of_paths(&[&path])
}

/// Entries of one group have the replicas where a pointer says; others have none.
fn of_group(entry: &Entry, group: &str) -> bool {
    entry.api_version().rsplit_once('/').map_or("", |(group, _)| group) == group
}

/// Notes in the `Scale` of an object who has its replicas.
pub(crate) fn to_scale(object: &Value, group: &str, pointer: &str, scale: &mut Value) {
    let path = at(pointer);
    let had = entries(object).into_iter().filter(|entry| of_group(entry, group) && !entry.fields.and(&path).is_empty());
    record(scale, had.map(|entry| entry.in_version(VERSION, Set::of_paths(REPLICAS))).collect());
}

/// Notes in an object who has its replicas after its `Scale` was written.
pub(crate) fn to_parent(object: &mut Value, scale: &Value, api_version: &str, pointer: &str) {
    let path = at(pointer);
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let mut scaled = entries(scale);
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries(object).into_iter().filter(|entry| of_group(entry, group)) {
        if entry.fields.and(&path).is_empty() {
            kept.push(entry);
        } else if let Some(index) = scaled.iter().position(|other| other.same(&entry)) {
            scaled.remove(index);
            kept.push(entry);
        } else {
            // The replicas are no longer this one's, or come back as another's.
            kept.push(entry.with_fields(|fields| fields.minus(&path)));
        }
    }
    let replicas = Set::of_paths(REPLICAS);
    for entry in scaled.into_iter().filter(|entry| !entry.fields.and(&replicas).is_empty()) {
        let before = kept.iter().find(|other| other.same(&entry)).cloned();
        kept.push(entry.in_version(api_version, path.clone()).with_time_of(before.as_ref()));
    }
    record(object, kept);
    if object["metadata"]["managedFields"] == json!([]) {
        meta::metadata(object).remove("managedFields");
    }
}
