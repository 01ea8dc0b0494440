//! `metadata.managedFields`: one entry per manager, operation, version and subresource.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::meta;
use super::set::Set;
use super::shape::Node;
use super::typed::{Difference, compare};

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manager<'a> {
    pub name: &'a str,
    pub api_version: &'a str,
    pub subresource: &'a str,
}

/// A write in which owners are kept.
pub(crate) struct Tracking<'a> {
    pub root: Node<'a>,
    pub manager: Manager<'a>,
    pub now: Timestamp,
    /// What an object of the kind is without any field set.
    pub empty: &'a Value,
    /// Fields that the endpoint does not write, as paths.
    pub ignored: &'a [&'a [&'a str]],
}

/// Updates beyond this number are summed up.
const UPDATES: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// What the server sets is nobody's.
const UNOWNED: [&[&str]; 11] = [
    &["apiVersion"],
    &["kind"],
    &["metadata"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub name: String,
    api_version: String,
    subresource: String,
    pub apply: bool,
    /// None if nothing was written when the fields became the manager's.
    time: Option<Value>,
    pub fields: Set,
}

impl Entry {
    pub fn new(manager: &Manager<'_>, apply: bool, fields: Set) -> Self {
        Self {
            name: manager.name.to_owned(),
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.to_owned(),
            apply,
            time: None,
            fields,
        }
    }

    pub fn at(mut self, now: Timestamp) -> Self {
        self.time = Some(meta::seconds(now).into());
        self
    }

    pub fn with_time_of(mut self, before: Option<&Self>) -> Self {
        self.time = before.and_then(|before| before.time.clone());
        self
    }

    pub fn with_fields(mut self, of: impl Fn(&Set) -> Set) -> Self {
        self.fields = of(&self.fields);
        self
    }

    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The entry of the same manager for fields of another version.
    pub fn in_version(mut self, api_version: &str, fields: Set) -> Self {
        api_version.clone_into(&mut self.api_version);
        self.fields = fields;
        self
    }

    /// Whether both stand for the same manager.
    pub fn same(&self, other: &Self) -> bool {
        self.name == other.name
            && self.apply == other.apply
            && self.subresource == other.subresource
            && (self.apply || self.api_version == other.api_version)
    }

    /// How conflicts name it.
    pub fn described(&self) -> String {
        let below = if self.subresource.is_empty() {
            String::new()
        } else {
            format!(" with subresource {:?}", self.subresource)
        };
        let version = if self.apply { String::new() } else { format!(" using {}", self.api_version) };
        format!("{:?}{below}{version}", self.name)
    }

    fn to_json(&self) -> Value {
        let operation = if self.apply { "Apply" } else { "Update" };
        let mut entry = json!({
            "manager": self.name, "operation": operation, "apiVersion": self.api_version,
            "fieldsType": "FieldsV1", "fieldsV1": self.fields.to_json(),
        });
        if let Some(time) = &self.time {
            entry["time"] = time.clone();
        }
        if !self.subresource.is_empty() {
            entry["subresource"] = self.subresource.as_str().into();
        }
        entry
    }

    fn from_json(entry: &Value) -> Option<Self> {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let apply = match entry["operation"].as_str() {
            Some("Apply") => true,
            Some("Update") => false,
            _ => return None,
        };
        let api_version = text("apiVersion");
        (!api_version.is_empty() && entry["fieldsType"] == "FieldsV1").then(|| Self {
            name: text("manager"),
            api_version,
            subresource: text("subresource"),
            apply,
            time: entry.get("time").filter(|time| !time.is_null()).cloned(),
            fields: Set::from_json(&entry["fieldsV1"]),
        })
    }
}

/// The entries of an object as they stand there; none at all if one of them is nonsense.
fn written(object: &Value) -> Vec<Entry> {
    let found = object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    found.map(Entry::from_json).collect::<Option<_>>().unwrap_or_default()
}

/// The entries of an object. Of several for the same manager the last counts.
pub(super) fn entries(object: &Value) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in written(object) {
        entries.retain(|other| !other.same(&entry));
        entries.push(entry);
    }
    entries
}

/// Writes the entries, applied ones first, older ones first.
pub(super) fn record(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| {
            let time = entry.time.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
            (!entry.apply, time, entry.name.clone(), entry.api_version.clone(), entry.subresource.clone())
        };
        key(a).cmp(&key(b))
    });
    let metadata = meta::metadata(object);
    if entries.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), entries.iter().map(Entry::to_json).collect());
    }
}

pub(super) fn ignored(tracking: &Tracking<'_>) -> Set {
    Set::of_paths(tracking.ignored)
}

pub(super) fn owned(set: &Set) -> Set {
    set.minus(&Set::of_paths(&UNOWNED))
}

/// Takes what a write changed from those who had it. The writer's own entry is not among `others`.
pub(super) fn take(others: &mut Vec<Entry>, difference: &Difference) {
    let written = difference.modified.clone().or(&difference.added);
    for entry in others.iter_mut() {
        entry.fields = entry.fields.minus(&written).minus(&difference.removed);
    }
    others.retain(|entry| !entry.fields.is_empty());
}

/// Notes what a create, update or patch did: what it set is its manager's, what it changed is no other's.
pub(crate) fn track(tracking: &Tracking<'_>, live: Option<&Value>, new: &mut Value) {
    let stated = new.pointer("/metadata/managedFields").and_then(Value::as_array);
    // An empty list, or one empty entry, is a request to forget all owners.
    let reset = stated
        .is_some_and(|list| list.is_empty() || matches!(list.as_slice(), [Value::Object(only)] if only.is_empty()));
    let subresource = !tracking.manager.subresource.is_empty();
    let mut managed = if subresource { Vec::new() } else { entries(new) };
    if managed.is_empty() && (subresource || !reset) {
        managed = live.map(entries).unwrap_or_default();
    }
    meta::metadata(new).remove("managedFields");
    // Nobody is known of an object that was there before: it stays so until it is applied.
    if managed.is_empty() && live.is_some() {
        return;
    }
    update(tracking, live.unwrap_or(tracking.empty), new, &mut managed);
    cap(&mut managed);
    record(new, managed);
}

pub(super) fn update(tracking: &Tracking<'_>, live: &Value, new: &Value, managed: &mut Vec<Entry>) {
    let ignored = ignored(tracking);
    let difference = compare(tracking.root, live, new).without(&ignored);
    take(managed, &difference);
    let written = owned(&difference.modified.or(&difference.added));
    if written.is_empty() {
        return;
    }
    let mut own = Entry::new(&tracking.manager, false, written).at(tracking.now);
    if let Some(index) = managed.iter().position(|entry| entry.same(&own)) {
        own.fields.union(&managed.remove(index).fields);
    }
    managed.push(own);
}

/// Sums up the oldest updates when there are too many.
fn cap(managed: &mut Vec<Entry>) {
    let mut updates: Vec<Entry> = managed.extract_if(.., |entry| !entry.apply).collect();
    let time = |entry: &Entry| entry.time.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    updates.sort_by_key(|entry| (time(entry), entry.api_version.clone(), entry.name.clone()));
    let mut over = updates.len().saturating_sub(UPDATES);
    let mut kept: Vec<Entry> = Vec::new();
    // The first of each version is what the next ones are added to.
    let mut first: Vec<(String, usize)> = Vec::new();
    for entry in updates {
        let known = first.iter().find(|(version, _)| *version == entry.api_version).map(|(_, index)| *index);
        match known {
            Some(index) if over > 0 => {
                let bucket = &mut kept[index];
                ANCIENT.clone_into(&mut bucket.name);
                bucket.subresource.clear();
                bucket.fields.union(&entry.fields);
                bucket.time = entry.time;
                over -= 1;
            }
            _ => {
                if known.is_none() {
                    first.push((entry.api_version.clone(), kept.len()));
                }
                kept.push(entry);
            }
        }
    }
    managed.extend(kept);
}

/// Whether two objects differ in nothing but the times at which their fields were written.
pub(crate) fn differ_in_times_only(old: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| -> Vec<Entry> {
        written(object).into_iter().map(|entry| Entry { time: None, ..entry }).collect()
    };
    let same = |key: &String, a: &Value, b: &Value| match key.as_str() {
        "metadata" => {
            let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return a == b };
            a.len() == b.len() && a.iter().all(|(key, value)| key == "managedFields" || b.get(key) == Some(value))
        }
        _ => a == b,
    };
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else { return old == new };
    before.len() == after.len()
        && before.iter().all(|(key, value)| after.get(key).is_some_and(|other| same(key, value, other)))
        && timeless(old) == timeless(new)
}
