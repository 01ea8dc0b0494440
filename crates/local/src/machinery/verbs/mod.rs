//! What can be done to objects: one module per verb, and what they share.

mod admit;
mod below;
mod conform;
mod create;
mod decode;
mod delete;
mod deletion;
mod list;
mod patch;
mod read;
mod review;
mod scale;
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
use super::options::Options;
use super::request::{self, FieldValidation, Include, Query, Shape, Target};
use super::{Context, JSON, Machinery, Reply, Request, custom, present};

pub(crate) use admit::Source;
pub(crate) use decode::decode;

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
        // Reviews of access do not say what they are; events are one kind, whatever group they are written in.
        let kind = if self.kind.group == "authorization.k8s.io" { "" } else { self.kind.name.as_str() };
        let group = if self.kind.renames_events() { "" } else { &self.kind.group };
        Failure::invalid(group, kind, name, errors)
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
    let query = Query(&request.query);
    check_path(&kind, &target, request)?;
    let warnings = Rc::new(RefCell::new(Vec::new()));
    let named = target.name.is_some();
    let watch = target.watch || query.flag("watch");
    let options = Options::of(&request.method, &query, request::media_type(request), named, watch)?;
    let shape = Shape::negotiate(request.accept.as_deref(), kind.custom.is_some())?;
    if shape == Shape::Table {
        Include::check(&query)?;
    }
    let call = Call {
        shape,
        validation: options.validation,
        dry_run: options.dry_run,
        request,
        query,
        kind,
        now: context.now,
        entropy: Entropy::new(context.seed),
        warnings: warnings.clone(),
        target,
    };
    if let Some(custom) = &call.kind.custom {
        warnings.borrow_mut().extend(custom.deprecation.clone());
    } else if call.kind.resource == "endpoints" {
        let advice = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
        warnings.borrow_mut().push(advice.to_owned());
    }
    let defines = call.kind.resource == "customresourcedefinitions" && request.method != Method::GET;
    let fits = formed(&call);
    let reply = dispatch(machinery, call)
        .and_then(|reply| fits.map(|()| reply))
        .map_err(|failure| Failure { warnings: warnings.take(), ..failure });
    if defines {
        machinery.settle_definitions(context.now);
    }
    reply
}

/// Whether an answer has the form that is asked for: one object is no list, nor a list one object.
fn formed(call: &Call<'_>) -> Result<()> {
    let list = call.target.name.is_none() && call.request.method != Method::POST;
    let watch = call.target.watch || call.query.flag("watch");
    let (asked, found) = match call.shape {
        Shape::MetadataList if !list => ("PartialObjectMetadataList, but the requested object is not a list", ""),
        Shape::Metadata if list && !watch => ("PartialObjectMetadata, but the requested object is a list", "List"),
        _ => return Ok(()),
    };
    let group = if call.kind.renames_events() { "" } else { call.kind.group.as_str() };
    let name = match &call.kind.custom {
        Some(_) => format!("unstructured.Unstructured{found}"),
        None => format!("{}.{}{found}", decode::internal(group), call.kind.name),
    };
    Err(Failure::new(406, "NotAcceptable", format!("you requested {asked} (*{name})")))
}

/// Whether a path leads to something that a kind has.
fn check_path(kind: &Kind, target: &Target, request: &Request) -> Result<()> {
    let lists = target.name.is_none() && matches!(request.method, Method::GET | Method::HEAD);
    let everywhere = kind.namespaced && target.namespace.is_none();
    if target.namespace.is_some() && !kind.namespaced || everywhere && kind.custom.is_some() && !lists {
        return Err(Failure::no_such_path());
    }
    if kind.transient && target.name.is_some() {
        return Err(Failure::no_such_path());
    }
    if target.subresource.as_deref().is_some_and(|sub| !kind.has(sub)) {
        let name = target.name.as_deref().unwrap_or_default();
        return Err(match &kind.custom {
            Some(_) => Failure::not_found(&kind.group, &kind.resource, name),
            None => Failure::no_such_path(),
        });
    }
    Ok(())
}

fn dispatch(machinery: &mut Machinery, mut call: Call<'_>) -> Result<Reply> {
    let named = call.target.name.is_some();
    let custom = call.kind.custom.is_some();
    let below = custom && !call.subresource().is_empty();
    match (&call.request.method, named) {
        // The name in the path of a new custom resource says nothing.
        (&Method::POST, true) if custom && call.subresource().is_empty() => {
            call.target.name = None;
            machinery.create(call)
        }
        (&Method::PUT | &Method::PATCH, false) if custom => Err(Failure::bad_request("name must be provided")),
        (&Method::POST, true) if below => Err(Failure::not_supported("create", &call.kind)),
        (&Method::DELETE, true) if below => Err(Failure::not_supported("delete", &call.kind)),
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
        let object = self.store.get(&key).ok_or_else(|| call.not_found(name))?;
        Ok((key, custom::shown(&call.kind, object)))
    }
}

/// The body of a write. What is none is said to be no object of the kind.
pub(crate) fn body(call: &Call<'_>) -> Result<Value> {
    match request::body(call.request) {
        Ok(Value::Null) => {
            Err(decode::unrecognized(call, "couldn't get version/kind; json parse error: unexpected end of JSON input"))
        }
        Err(failure) if failure.code == 400 => Err(decode::unrecognized(call, &failure.message)),
        body => body,
    }
}
