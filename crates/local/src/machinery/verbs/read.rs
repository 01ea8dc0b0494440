//! get and watch.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::error::{Failure, Result};
use super::super::request::Include;
use super::super::selector::Filter;
use super::super::store::Store;
use super::super::watch::Phase;
use super::super::{Machinery, Reply, Watch, meta, scale};
use super::Call;

impl Machinery {
    pub(crate) fn get(&mut self, call: Call<'_>) -> Result<Reply> {
        not_in_future(&self.store, asked_revision(&call).map_err(|why| Failure::new(500, "", why))?)?;
        let (_, object) = self.current(&call)?;
        match call.subresource() {
            "" | "status" => Ok(call.answer(200, &object)),
            "scale" => {
                let scale = scale::read(&call.kind, &object)?;
                Ok(call.answer_raw(200, scale))
            }
            "log" => Ok(Reply::PodLog {
                namespace: meta::namespace(&object).to_owned(),
                name: meta::name(&object).to_owned(),
                query: call.request.query.clone(),
            }),
            _ => Err(Failure::method_not_allowed()),
        }
    }

    pub(crate) fn list_or_watch(&mut self, call: Call<'_>) -> Result<Reply> {
        if call.kind.transient {
            return Err(Failure::method_not_allowed());
        }
        let filter = Filter::of(&call.query, &call.kind)?;
        if call.target.watch || call.query.flag("watch") { self.watch(call, filter) } else { self.list(call, &filter) }
    }

    /// Objects of the target's collection that match, in order of keys.
    pub(crate) fn select(&self, call: &Call<'_>, filter: &Filter) -> Vec<(String, Arc<Value>)> {
        let prefix = call.kind.collection(call.namespace());
        self.store
            .scan(&prefix, "")
            .filter(|(_, object)| filter.matches(object))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect()
    }

    fn watch(&self, call: Call<'_>, filter: Filter) -> Result<Reply> {
        let (prefix, exact) = match &call.target.name {
            Some(name) => (call.kind.key(call.namespace(), name), true),
            None => (call.kind.collection(call.namespace()), false),
        };
        let send_initial = call.query.flag("sendInitialEvents");
        // A watch does not blame the client for a version that is none.
        let asked = asked_revision(&call).map_err(|why| Failure::new(500, "", why))?;
        let from_start = asked.is_none() || asked == Some(0);
        let wants_initial = if call.query.get("sendInitialEvents").is_some() { send_initial } else { from_start };
        let current: Vec<Arc<Value>> = if wants_initial {
            self.store
                .scan(&prefix, "")
                .filter(|(key, object)| (!exact || **key == prefix) && filter.matches(object))
                .map(|(_, object)| object.clone())
                .collect()
        } else {
            Vec::new()
        };
        let last = asked.filter(|_| !from_start && !wants_initial).unwrap_or_else(|| self.store.revision());
        Ok(Reply::Watch(Watch {
            timeout_seconds: call.query.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok()),
            bookmarks: call.query.flag("allowWatchBookmarks"),
            phase: Phase::Fresh { announce: send_initial && call.query.flag("allowWatchBookmarks") },
            initial: current.into_iter().map(|object| ("ADDED", object)).collect::<VecDeque<_>>(),
            shape: call.shape,
            include: Include::of(&call.query),
            kind: call.kind,
            prefix,
            exact,
            filter,
            last,
        }))
    }
}

/// The version that a request names, or what is wrong with it.
pub(super) fn asked_revision(call: &Call<'_>) -> std::result::Result<Option<u64>, String> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
        })
    };
    call.query.get("resourceVersion").map(parse).transpose()
}

pub(super) fn invalid_revision(why: &str) -> Failure {
    Failure::bad_request(format!("invalid resource version: {why}"))
}

pub(super) fn not_in_future(store: &Store, asked: Option<u64>) -> Result<()> {
    let current = store.revision();
    let Some(asked) = asked.filter(|asked| *asked > current) else { return Ok(()) };
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let details = json!({"retryAfterSeconds": 1, "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]});
    Err(Failure::new(504, "Timeout", message).with(details))
}
