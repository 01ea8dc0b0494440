//! What can be done to objects: one module per verb, and what they share.

mod admit;
mod below;
mod create;
mod delete;
mod patch;
mod read;
mod update;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::error::{Failure, Result};
use super::fields::Manager;
use super::kinds::Kind;
use super::meta::Entropy;
use super::request::{self, FieldValidation, Include, Query, Shape, Target};
use super::{Context, JSON, Machinery, Reply, Request, meta, present};

pub(crate) use admit::Source;

/// A request whose target is known.
pub(crate) struct Call<'a> {
    pub request: &'a Request,
    pub query: Query<'a>,
    pub target: Target,
    pub kind: Arc<Kind>,
    pub shape: Shape,
    pub now: Timestamp,
    pub entropy: Entropy,
    pub validation: FieldValidation,
    pub dry_run: bool,
    /// What the client should tell its user, be the request refused or not.
    pub warnings: Rc<RefCell<Vec<String>>>,
}

impl Call<'_> {
    pub fn namespace(&self) -> Option<&str> {
        self.target.namespace.as_deref().filter(|_| self.kind.namespaced)
    }

    pub fn subresource(&self) -> &str {
        self.target.subresource.as_deref().unwrap_or_default()
    }

    pub fn not_found(&self, name: &str) -> Failure {
        Failure::not_found(&self.kind.group, &self.kind.resource, name)
    }

    pub fn invalid(&self, name: &str, errors: &[super::error::FieldError]) -> Failure {
        Failure::invalid(&self.kind.group, &self.kind.name, name, errors)
    }

    /// Who writes, for `managedFields`: the query says it, or the client's name.
    pub fn manager<'b>(&'b self, api_version: &'b str) -> Manager<'b> {
        let agent = self.request.user_agent.as_deref().unwrap_or_default();
        let agent = agent.split('/').next().filter(|name| !name.is_empty()).unwrap_or("unknown");
        Manager { name: self.query.get("fieldManager").unwrap_or(agent), api_version, subresource: self.subresource() }
    }

    /// Answers with one object.
    pub fn answer(self, status: u16, object: &Arc<Value>) -> Reply {
        let body = present::single(&self.kind, object, self.shape, Include::of(&self.query), self.now, true);
        Reply::Json { status, body, content_type: JSON, warnings: self.warnings.take() }
    }

    /// Answers with something that is no object of the kind (a `Scale`, a `Status`).
    pub fn answer_raw(self, status: u16, body: Value) -> Reply {
        Reply::Json { status, body, content_type: JSON, warnings: self.warnings.take() }
    }
}

pub(crate) fn handle(machinery: &mut Machinery, request: &Request, context: &Context, target: Target) -> Result<Reply> {
    let kind = machinery
        .kinds
        .get(&target.group, &target.version, &target.resource)
        .cloned()
        .ok_or_else(Failure::no_such_path)?;
    if target.subresource.as_deref().is_some_and(|sub| !kind.has(sub)) {
        return Err(Failure::no_such_path());
    }
    if target.namespace.is_some() && !kind.namespaced {
        return Err(Failure::no_such_path());
    }
    let query = Query(&request.query);
    let warnings = Rc::new(RefCell::new(Vec::new()));
    let call = Call {
        shape: Shape::negotiate(request.accept.as_deref())?,
        validation: FieldValidation::of(&query)?,
        dry_run: query.dry_run()?,
        request,
        query,
        kind,
        now: context.now,
        entropy: Entropy::new(context.seed),
        warnings: warnings.clone(),
        target,
    };
    dispatch(machinery, call).map_err(|failure| Failure { warnings: warnings.take(), ..failure })
}

fn dispatch(machinery: &mut Machinery, call: Call<'_>) -> Result<Reply> {
    let named = call.target.name.is_some();
    match (&call.request.method, named) {
        (&Method::GET | &Method::HEAD, false) => machinery.list_or_watch(call),
        (&Method::GET | &Method::HEAD, true) if call.target.watch || call.query.flag("watch") => {
            machinery.list_or_watch(call)
        }
        (&Method::GET | &Method::HEAD, true) => machinery.get(call),
        (&Method::POST, false) => machinery.create(call),
        (&Method::POST, true) if !call.subresource().is_empty() => machinery.create_below(call),
        (&Method::PUT, true) => machinery.replace(call),
        (&Method::PATCH, true) => machinery.patch(call),
        (&Method::DELETE, true) if call.subresource().is_empty() => machinery.delete(call),
        (&Method::DELETE, false) => machinery.delete_collection(call),
        _ => Err(Failure::method_not_allowed()),
    }
}

impl Machinery {
    /// The object a request names, with its key.
    pub(crate) fn current(&self, call: &Call<'_>) -> Result<(String, Arc<Value>)> {
        let name = call.target.name.as_deref().unwrap_or_default();
        if call.kind.namespaced && call.target.namespace.is_none() {
            return Err(Failure::no_such_path());
        }
        let key = call.kind.key(call.namespace(), name);
        let object = self.store.get(&key).cloned().ok_or_else(|| call.not_found(name))?;
        Ok((key, object))
    }
}

/// The body of a write, checked to be of the target's kind, in the form in which it is stored.
pub(crate) fn decode(call: &mut Call<'_>, mut object: Value, source: Source) -> Result<Value> {
    let kind = call.kind.clone();
    if !object.is_object() {
        return Err(Failure::bad_request(format!("Object 'Kind' is missing in '{object}'")));
    }
    let (version, name) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
    let expected = kind.api_version();
    if !version.is_empty() && version != expected || !name.is_empty() && name != kind.name {
        return Err(unrecognized(&kind, version, name));
    }
    object["apiVersion"] = expected.into();
    object["kind"] = kind.name.as_str().into();
    meta::metadata(&mut object);
    admit::shape(call, &mut object, source)?;
    Ok(object)
}

fn unrecognized(kind: &Kind, version: &str, name: &str) -> Failure {
    let expected = kind.api_version();
    if name == kind.name && kind.custom.is_none() && version != expected {
        return Failure::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        ));
    }
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let given = format!("{}, Kind={name}", [group, version].join("/"));
    if let Some(_custom) = &kind.custom {
        return Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): {given}",
            kind.name
        ));
    }
    Failure::bad_request(format!(
        "{name} in version {version:?} cannot be handled as a {}: no kind {name:?} is registered for version {:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
        kind.name,
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
    ))
}

pub(crate) fn body(call: &Call<'_>) -> Result<Value> {
    request::body(call.request)
}
