//! Objects by key, and what became of them lately. One counter orders all writes; a key is `/<group>/<resource>/<namespace>/<name>`.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;

use super::Change;

/// A write, kept for watches.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub revision: u64,
    pub key: String,
    /// The object after the write; after a deletion its last state with the deletion's revision.
    pub object: Arc<Value>,
    pub previous: Option<Arc<Value>>,
    pub deleted: bool,
}

pub(crate) struct Store {
    revision: u64,
    objects: BTreeMap<String, Arc<Value>>,
    history: VecDeque<Event>,
    limit: usize,
    /// Events up to and including this revision are forgotten.
    compacted: u64,
    changes: Vec<Change>,
}

impl Store {
    pub fn new(revision: u64, objects: BTreeMap<String, Arc<Value>>, limit: usize) -> Self {
        Self { revision, objects, history: VecDeque::new(), limit, compacted: revision, changes: Vec::new() }
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn compacted(&self) -> u64 {
        self.compacted
    }

    pub fn get(&self, key: &str) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    /// All objects whose key starts with `prefix` and is greater than `after`, in order of keys.
    pub fn scan<'a>(&'a self, prefix: &'a str, after: &'a str) -> impl Iterator<Item = (&'a String, &'a Arc<Value>)> {
        let start = if after > prefix { Bound::Excluded(after) } else { Bound::Included(prefix) };
        self.objects.range::<str, _>((start, Bound::Unbounded)).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// The objects under `prefix` as they were at a revision; `None` when it is forgotten.
    pub fn past(&self, prefix: &str, revision: u64) -> Option<BTreeMap<String, Arc<Value>>> {
        let mut past: BTreeMap<String, Arc<Value>> =
            self.scan(prefix, "").map(|(key, object)| (key.clone(), object.clone())).collect();
        let since: Vec<&Event> = self.since(revision)?.filter(|event| event.key.starts_with(prefix)).collect();
        for event in since.into_iter().rev() {
            match &event.previous {
                Some(previous) => past.insert(event.key.clone(), previous.clone()),
                None => past.remove(&event.key),
            };
        }
        Some(past)
    }

    pub fn put(&mut self, key: &str, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let object = Arc::new(object);
        let previous = self.objects.insert(key.to_owned(), object.clone());
        self.record(key, object.clone(), previous, false);
        object
    }

    pub fn remove(&mut self, key: &str) -> Option<Arc<Value>> {
        let previous = self.objects.remove(key)?;
        self.revision += 1;
        let mut last = Value::clone(&previous);
        last["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let last = Arc::new(last);
        self.record(key, last.clone(), Some(previous), true);
        Some(last)
    }

    fn record(&mut self, key: &str, object: Arc<Value>, previous: Option<Arc<Value>>, deleted: bool) {
        let stored = (!deleted).then(|| Value::clone(&object));
        self.changes.push(Change { key: key.to_owned(), revision: self.revision, object: stored });
        self.history.push_back(Event { revision: self.revision, key: key.to_owned(), object, previous, deleted });
        while self.history.len() > self.limit {
            if let Some(event) = self.history.pop_front() {
                self.compacted = event.revision;
            }
        }
    }

    /// Events after `revision`, oldest first; `None` when some of them are forgotten.
    pub fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Event>> {
        (revision >= self.compacted).then(|| {
            let from = self.history.partition_point(|event| event.revision <= revision);
            self.history.range(from..)
        })
    }

    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }
}
