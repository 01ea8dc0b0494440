//! get, list and watch.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};

use super::super::error::{Failure, Result};
use super::super::present::{self, Page};
use super::super::request::Include;
use super::super::selector::Filter;
use super::super::store::Store;
use super::super::watch::Phase;
use super::super::{Machinery, Reply, Watch, meta, scale};
use super::Call;

impl Machinery {
    pub(crate) fn get(&mut self, call: Call<'_>) -> Result<Reply> {
        not_in_future(&self.store, asked_revision(&call)?)?;
        let (_, object) = self.current(&call)?;
        match call.subresource() {
            "" | "status" => Ok(call.answer(200, &object)),
            "scale" => {
                let scale = scale::view(&call.kind, &object)?;
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
        let filter =
            Filter::of(&call.query, &call.kind.api_version(), &call.kind.name, |path| call.kind.selectable(path))?;
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

    fn list(&self, call: Call<'_>, filter: &Filter) -> Result<Reply> {
        let limit = call.query.number("limit")?.filter(|limit| *limit > 0);
        let position = call.query.get("continue").map(Position::parse).transpose()?;
        let asked = asked_revision(&call)?;
        not_in_future(&self.store, asked)?;
        if call.query.get("resourceVersionMatch") == Some("Exact") && position.is_none() {
            let compacted = self.store.compacted();
            if asked.is_some_and(|asked| asked < compacted) {
                return Err(Failure::expired(asked.unwrap_or_default(), compacted));
            }
        }
        let (revision, after) = match position {
            // A page is read now but says it is of the first page's revision: a watch from there repeats what happened in between.
            Some(position) if position.revision >= self.store.compacted() => (position.revision, position.after),
            Some(_) => return Err(continue_expired()),
            None => (self.store.revision(), String::new()),
        };
        let prefix = call.kind.collection(call.namespace());
        let mut rest = self.store.scan(&prefix, &after);
        let mut objects = Vec::new();
        let mut last = String::new();
        let mut next = None;
        let mut remaining = None;
        while let Some((key, object)) = rest.next() {
            // Whether what is left matches is for the next page to find out.
            if limit.is_some_and(|limit| objects.len() as u64 >= limit) {
                next = Some(Position { revision, after: last }.token());
                remaining = filter.is_empty().then(|| rest.count() + 1);
                break;
            }
            if filter.matches(object) {
                last.clone_from(key);
                objects.push(object.clone());
            }
        }
        let body = present::list(
            &call.kind,
            &objects,
            Page { revision, next, remaining },
            call.shape,
            Include::of(&call.query),
            call.now,
        );
        Ok(call.answer_raw(200, body))
    }

    fn watch(&self, call: Call<'_>, filter: Filter) -> Result<Reply> {
        let (prefix, exact) = match &call.target.name {
            Some(name) => (call.kind.key(call.namespace(), name), true),
            None => (call.kind.collection(call.namespace()), false),
        };
        let send_initial = call.query.flag("sendInitialEvents");
        if call.query.get("resourceVersionMatch").is_some() && call.query.get("sendInitialEvents").is_none() {
            return Err(list_options_forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        let asked = asked_revision(&call)?;
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
            timeout_seconds: call.query.number("timeoutSeconds")?,
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

fn asked_revision(call: &Call<'_>) -> Result<Option<u64>> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            Failure::new(
                400,
                "BadRequest",
                format!("Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"),
            )
        })
    };
    call.query.get("resourceVersion").map(parse).transpose()
}

fn not_in_future(store: &Store, asked: Option<u64>) -> Result<()> {
    let current = store.revision();
    let Some(asked) = asked.filter(|asked| *asked > current) else { return Ok(()) };
    let message = format!("Too large resource version: {asked}, current: {current}");
    let details = json!({"retryAfterSeconds": 1, "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]});
    Err(Failure::new(504, "Timeout", message).with(details))
}

fn continue_expired() -> Failure {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.";
    Failure::new(410, "Expired", message)
}

fn list_options_forbidden(field: &str, detail: &str) -> Failure {
    Failure::invalid("meta.k8s.io", "ListOptions", "", &[super::super::error::FieldError::forbidden(field, detail)])
}

/// Where a list goes on.
struct Position {
    revision: u64,
    after: String,
}

impl Position {
    fn token(&self) -> String {
        STANDARD_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.after}).to_string())
    }

    fn parse(token: &str) -> Result<Self> {
        let read = || {
            let value: Value = serde_json::from_slice(&STANDARD_NO_PAD.decode(token).ok()?).ok()?;
            Some(Self { revision: value["rv"].as_u64()?, after: value["start"].as_str()?.to_owned() })
        };
        read().ok_or_else(|| Failure::bad_request("continue key is not valid: illegal base64 data"))
    }
}
