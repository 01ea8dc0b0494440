//! list: as of now or of a version that is past, whole or page by page.

use std::sync::Arc;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};
use serde_json::{Value, json};

use super::super::error::{Failure, Result};
use super::super::present::{self, Page};
use super::super::request::Include;
use super::super::selector::Filter;
use super::super::{Machinery, Reply, syntax};
use super::Call;
use super::read::{asked_revision, invalid_revision, not_in_future};

impl Machinery {
    pub(crate) fn list(&self, call: Call<'_>, filter: &Filter) -> Result<Reply> {
        let limit =
            call.query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        let asked = asked_revision(&call).map_err(|why| invalid_revision(&why))?;
        let position = call.query.get("continue").map(Position::parse).transpose()?;
        if position.is_some() && asked.is_some_and(|asked| asked > 0) {
            return Err(Failure::bad_request("specifying resource version is not allowed when using continue"));
        }
        not_in_future(&self.store, asked)?;
        let how = call.query.get("resourceVersionMatch");
        let exact = how == Some("Exact") || how.is_none() && limit.is_some() && asked.is_some_and(|asked| asked > 0);
        // Whatever the server has at hand is given whole.
        let limit = limit.filter(|_| asked != Some(0) || position.is_some());
        let (revision, after) = match position {
            Some(Position { revision: Some(revision), after }) => (Some(revision), after),
            Some(Position { revision: None, after }) => (None, after),
            None => (asked.filter(|_| exact), String::new()),
        };
        let prefix = call.kind.collection(call.namespace());
        let past = match revision.filter(|revision| *revision < self.store.revision()) {
            None => None,
            Some(revision) => match self.store.past(&prefix, revision) {
                Some(past) => Some(past),
                None if after.is_empty() => return Err(too_old()),
                None => return Err(continue_expired(&after)),
            },
        };
        let page = match &past {
            Some(past) => page(past.range(after.clone()..).filter(|(key, _)| **key > after), filter, limit),
            None => page(self.store.scan(&prefix, &after), filter, limit),
        };
        let revision = revision.unwrap_or_else(|| self.store.revision());
        let next = page.last.map(|after| Position { revision: Some(revision), after }.token());
        let page_of = Page { revision, next, remaining: page.remaining };
        let body = present::list(&call.kind, &page.objects, page_of, call.shape, Include::of(&call.query), call.now);
        Ok(call.answer_raw(200, body))
    }
}

/// A part of a list.
struct Part {
    objects: Vec<Arc<Value>>,
    /// The key after which the next part begins, if there is one.
    last: Option<String>,
    remaining: Option<usize>,
}

fn page<'a>(
    mut objects: impl Iterator<Item = (&'a String, &'a Arc<Value>)>,
    filter: &Filter,
    limit: Option<usize>,
) -> Part {
    let mut part = Part { objects: Vec::new(), last: None, remaining: None };
    let mut last = String::new();
    while let Some((key, object)) = objects.next() {
        // Whether what is left matches is for the next page to find out.
        if limit.is_some_and(|limit| part.objects.len() >= limit) {
            part.last = Some(last);
            part.remaining = filter.is_empty().then(|| objects.count() + 1);
            break;
        }
        if filter.matches(object) {
            last.clone_from(key);
            part.objects.push(object.clone());
        }
    }
    part
}

fn too_old() -> Failure {
    Failure::new(410, "Expired", "The resourceVersion for the provided list is too old.")
}

fn continue_expired(after: &str) -> Failure {
    let message = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
    let token = Position { revision: None, after: after.to_owned() }.token();
    Failure { token: Some(token.into()), ..Failure::new(410, "Expired", message) }
}

/// Where a list goes on.
struct Position {
    /// None: in whatever is there now.
    revision: Option<u64>,
    after: String,
}

impl Position {
    fn token(&self) -> String {
        let revision = self.revision.map_or_else(|| json!(-1), |revision| json!(revision));
        URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": revision, "start": self.after}).to_string())
    }

    fn parse(token: &str) -> Result<Self> {
        let wrong = |why: &str| Failure::bad_request(format!("invalid continue token: {why}"));
        let invalid = |why: &str| wrong(&format!("continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| {
            let at = match error {
                DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
                DecodeError::InvalidLength(length) => length,
                DecodeError::InvalidPadding => token.len(),
            };
            invalid(&format!("illegal base64 data at input byte {at}"))
        })?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid(&syntax::error(&bytes)))?;
        let version = value["v"].as_str().unwrap_or_default();
        if version != "meta.k8s.io/v1" {
            return Err(wrong(&format!("server does not recognize this encoded version {version}")));
        }
        let revision = value["rv"].as_i64().filter(|revision| *revision != 0);
        let revision =
            revision.ok_or_else(|| wrong("incorrect encoded start resourceVersion (version meta.k8s.io/v1)"))?;
        let after = value["start"].as_str().filter(|after| !after.is_empty());
        let after = after.ok_or_else(|| wrong("encoded start key is missing"))?;
        Ok(Self { revision: u64::try_from(revision).ok(), after: after.to_owned() })
    }
}
