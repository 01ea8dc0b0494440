//! Watches: a cursor over the history, seen through selectors. The caller keeps the cursor and asks for what is new.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::request::{Include, Shape};
use super::selector::Filter;
use super::store::{Event, Store};
use super::{Machinery, present};

/// A watch in progress. Dropping it ends it.
pub struct Watch {
    pub(crate) kind: Arc<Kind>,
    /// Keys start with this; with `exact`, are this.
    pub(crate) prefix: String,
    pub(crate) exact: bool,
    pub(crate) filter: Filter,
    pub(crate) shape: Shape,
    pub(crate) include: Include,
    /// The revision up to which everything was delivered.
    pub(crate) last: u64,
    /// Events to deliver before those of the history.
    pub(crate) initial: VecDeque<(&'static str, Arc<Value>)>,
    pub(crate) phase: Phase,
    pub(crate) bookmarks: bool,
    pub(crate) timeout_seconds: Option<u64>,
}

/// How far the initial events are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Phase {
    /// Nothing was delivered; `announce`: the client wants to know when the initial events are through.
    Fresh { announce: bool },
    /// Events were delivered: a table's columns are known.
    Flowing,
}

impl Watch {
    /// After how many seconds the client wants the watch to end.
    pub fn timeout_seconds(&self) -> Option<u64> {
        self.timeout_seconds
    }

    /// Whether the client wants to be told now and then how far it is ([`Machinery::bookmark`]).
    pub fn bookmarks(&self) -> bool {
        self.bookmarks
    }

    fn concerns(&self, key: &str) -> bool {
        if self.exact { key == self.prefix } else { key.starts_with(&self.prefix) }
    }

    /// What an event is to this watch: an object that enters the selection was added, one that leaves it was deleted.
    fn judge(&self, event: &Event) -> Option<(&'static str, Arc<Value>)> {
        if !self.concerns(&event.key) {
            return None;
        }
        let before = event.previous.as_ref().is_some_and(|object| self.filter.matches(object));
        let after = !event.deleted && self.filter.matches(&event.object);
        match (before, after) {
            (false, false) => None,
            (false, true) => Some(("ADDED", event.object.clone())),
            (true, true) => Some(("MODIFIED", event.object.clone())),
            (true, false) if event.deleted => Some(("DELETED", event.object.clone())),
            // The last state that was selected, with the revision of the event that took it out.
            (true, false) => {
                let mut gone = event.previous.as_deref().cloned().unwrap_or_default();
                gone["metadata"]["resourceVersion"] = event.revision.to_string().into();
                Some(("DELETED", Arc::new(gone)))
            }
        }
    }

    fn bookmark_event(&self, initial_end: bool) -> Value {
        let mut metadata = json!({"resourceVersion": self.last.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.shape {
            Shape::Table => {
                json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": null, "rows": []})
            }
            Shape::Metadata | Shape::MetadataList => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Shape::Plain | Shape::Discovery { .. } => {
                json!({"kind": self.kind.name, "apiVersion": self.kind.api_version(), "metadata": metadata})
            }
        };
        json!({"type": "BOOKMARK", "object": object})
    }
}

impl Machinery {
    /// What happened since the last call, in order. An error is the last event of the watch (`410 Expired`: list again).
    pub fn watch_events(&self, watch: &mut Watch, now: Timestamp) -> std::result::Result<Vec<Value>, Value> {
        let mut found: Vec<(&'static str, Arc<Value>)> = watch.initial.drain(..).collect();
        let initial = found.len();
        found.extend(fresh(&self.store, watch)?);
        let mut events = Vec::with_capacity(found.len());
        let announce = watch.phase == Phase::Fresh { announce: true };
        let mut head = watch.phase != Phase::Flowing;
        for (index, (what, object)) in found.into_iter().enumerate() {
            if announce && index == initial {
                events.push(watch.bookmark_event(true));
            }
            let object = present::single(&watch.kind, &object, watch.shape, watch.include, now, head);
            head = false;
            events.push(json!({"type": what, "object": object}));
        }
        if announce && events.len() == initial {
            events.push(watch.bookmark_event(true));
        }
        if !events.is_empty() {
            watch.phase = Phase::Flowing;
        }
        watch.last = watch.last.max(self.store.revision());
        Ok(events)
    }

    /// A `BOOKMARK` event that tells how far the watch has come.
    pub fn bookmark(&self, watch: &Watch) -> Value {
        watch.bookmark_event(false)
    }
}

fn fresh(store: &Store, watch: &Watch) -> std::result::Result<Vec<(&'static str, Arc<Value>)>, Value> {
    let Some(events) = store.since(watch.last) else {
        let failure = super::error::Failure::expired(watch.last, store.compacted());
        return Err(json!({"type": "ERROR", "object": failure.status()}));
    };
    Ok(events.filter_map(|event| watch.judge(event)).collect())
}
