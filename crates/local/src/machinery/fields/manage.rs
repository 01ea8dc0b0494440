//! `metadata.managedFields`: one entry per manager, operation, version and subresource.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::meta;
use super::set::{Difference, Set};
use super::shape::Node;

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manager<'a> {
    pub name: &'a str,
    pub api_version: &'a str,
    pub subresource: &'a str,
    pub apply: bool,
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    api_version: String,
    subresource: String,
    apply: bool,
    time: Value,
    pub fields: Set,
}

impl Entry {
    pub fn new(manager: &Manager<'_>, now: Timestamp, fields: Set) -> Self {
        Self {
            name: manager.name.to_owned(),
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.to_owned(),
            apply: manager.apply,
            time: meta::seconds(now).into(),
            fields,
        }
    }

    pub fn is(&self, manager: &Manager<'_>) -> bool {
        self.name == manager.name
            && self.apply == manager.apply
            && self.subresource == manager.subresource
            && (manager.apply || self.api_version == manager.api_version)
    }

    /// How conflicts name it.
    pub fn described(&self) -> String {
        let below = if self.subresource.is_empty() {
            String::new()
        } else {
            format!(" with subresource {:?}", self.subresource)
        };
        format!("{:?}{below} using {}", self.name, self.api_version)
    }

    /// The same fields as before keep their time.
    pub fn keep_time(&mut self, before: &Self) {
        if self.fields == before.fields && self.api_version == before.api_version {
            self.time = before.time.clone();
        }
    }

    fn to_json(&self) -> Value {
        let operation = if self.apply { "Apply" } else { "Update" };
        let mut entry = json!({
            "manager": self.name, "operation": operation, "apiVersion": self.api_version, "time": self.time,
            "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_json(),
        });
        if !self.subresource.is_empty() {
            entry["subresource"] = self.subresource.as_str().into();
        }
        entry
    }

    fn from_json(entry: &Value) -> Self {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        Self {
            name: text("manager"),
            api_version: text("apiVersion"),
            subresource: text("subresource"),
            apply: entry["operation"] == "Apply",
            time: entry["time"].clone(),
            fields: Set::from_json(&entry["fieldsV1"]),
        }
    }
}

pub(super) fn entries(object: &Value) -> Vec<Entry> {
    object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(Entry::from_json)
        .collect()
}

/// Writes the entries, applied ones first.
pub(super) fn record(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by_key(|entry| !entry.apply);
    let metadata = meta::metadata(object);
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), entries.iter().map(Entry::to_json).collect());
    }
}

/// Notes what a create, update or patch did: what it set is its manager's, what it changed is no other's.
pub(crate) fn track(root: Node<'_>, manager: &Manager<'_>, now: Timestamp, old: Option<&Value>, new: &mut Value) {
    // An empty list is a request to forget all owners.
    let reset = new.pointer("/metadata/managedFields").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let mut entries = if reset { Vec::new() } else { old.map(entries).unwrap_or_default() };
    let difference = match old {
        Some(old) => Difference::between(root, old, new),
        None => Difference { changed: Set::of_object(root, new), removed: Set::default() },
    };
    if difference.changed.is_empty() && difference.removed.is_empty() {
        return record(new, entries);
    }
    let mine = entries.iter().position(|entry| entry.is(manager));
    let mut own = mine.map_or_else(|| Entry::new(manager, now, Set::default()), |index| entries.remove(index));
    let before = own.clone();
    for entry in &mut entries {
        entry.fields.cut(&difference.removed);
        entry.fields.subtract(&difference.changed);
    }
    own.fields.cut(&difference.removed);
    own.fields.union(&difference.changed);
    if own.fields != before.fields {
        own = Entry::new(manager, now, own.fields);
    }
    entries.insert(mine.unwrap_or(entries.len()).min(entries.len()), own);
    record(new, entries);
}
