//! What every write goes through: unknown fields, defaults, types, owners of fields, schemas, rules.

use serde_json::Value;

use super::super::builtin::{self, Admission, Allocator};
use super::super::error::{Failure, FieldError, Result};
use super::super::fields::{self, Node, Tracking};
use super::super::kinds::Kind;
use super::super::request::{self, FieldValidation};
use super::super::{Machinery, definition, meta, model, patch, present, schema, strict};
use super::{Call, conform};

/// Where an object comes from decides how unknown fields in it are spoken of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Source<'a> {
    Body,
    /// What a patch has made of an object, and how messages show it.
    Patch(&'a str),
    /// What an apply has made of an object: fields that are unknown were refused before, or go in silence.
    Apply,
}

impl Machinery {
    /// Lets the server decide what it decides, and says what is wrong. `old` is what is there, if anything.
    pub(crate) fn admit(&self, call: &mut Call<'_>, old: Option<&Value>, new: &mut Value) -> Result<()> {
        let kind = call.kind.clone();
        let mut errors = Vec::new();
        if let Some(custom) = &kind.custom {
            let verdict = conform::judge(&kind, custom, call.subresource(), old, new);
            errors.extend(verdict.errors);
            call.warnings.borrow_mut().extend(verdict.warnings);
            call.warnings.borrow_mut().extend(builtin::finalizer_warnings(new, old));
        } else {
            let addresses = Allocator { store: &self.store, subnet: self.settings.service_subnet };
            let unlabelled = old.is_none() && kind.resource == "jobs" && unlabelled(call);
            let admission = Admission { kind: &kind, old, subresource: call.subresource(), addresses, unlabelled };
            if self.settings.controllers && old.is_none() {
                self.known_account(&kind, new)?;
                builtin::protect(&kind, new);
            }
            if kind.resource == "customresourcedefinitions" && call.subresource().is_empty() {
                definition::prepare(new);
            }
            errors.extend(builtin::prepare(&admission, new));
            errors.extend(builtin::validate_metadata(&kind, new, old));
            errors.extend(builtin::validate(&admission, new));
        }
        if errors.is_empty() { Ok(()) } else { Err(call.invalid(meta::name(new), &errors)) }
    }
}

fn unlabelled(call: &Call<'_>) -> bool {
    let applied = request::media_type(call.request) == patch::APPLY;
    let body = if applied { request::yaml(&call.request.body) } else { request::body(call.request) };
    let labels = body.ok().and_then(|body| body.pointer("/metadata/labels")?.as_object().cloned());
    labels.is_none_or(|labels| labels.is_empty())
}

impl Machinery {
    /// A pod runs as somebody.
    fn known_account(&self, kind: &Kind, pod: &Value) -> Result<()> {
        if kind.resource != "pods" {
            return Ok(());
        }
        let namespace = meta::namespace(pod);
        let name = Some(meta::text(pod, "/spec/serviceAccountName")).filter(|name| !name.is_empty());
        let name = name.unwrap_or("default");
        if self.store.get(&format!("/core/serviceaccounts/{namespace}/{name}")).is_some() {
            return Ok(());
        }
        let why = format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        Err(Failure::forbidden("", "pods", meta::name(pod), &why))
    }
}

/// Brings an object into the form in which it is stored, whatever its values are: unknown fields go, defaults come.
pub(crate) fn shape(call: &mut Call<'_>, object: &mut Value, source: Source<'_>) -> Result<()> {
    let doubled = builtin::dedup_owners(object);
    if !doubled.is_empty() {
        let when = if source == Source::Body { "" } else { " after mutating admission happens" };
        call.warnings.borrow_mut().push(format!(
            ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
            doubled.join(", ")
        ));
    }
    let unknown = drop_unknown(&call.kind, object);
    let mut named = match source {
        Source::Body => twice(call),
        Source::Patch(_) => patch::unknown(request::media_type(call.request), &call.request.body),
        Source::Apply => Vec::new(),
    };
    named.extend(unknown.iter().map(|path| format!("unknown field {path:?}")));
    match call.validation {
        FieldValidation::Strict if !named.is_empty() && source != Source::Apply => {
            return Err(strict(call, source, &named));
        }
        FieldValidation::Warn if source != Source::Apply => call.warnings.borrow_mut().extend(named),
        _ => {}
    }
    if call.kind.renames_events() {
        builtin::events::to_stored(object);
    }
    if let Some(custom) = &call.kind.custom {
        if let Some(why) = model::mismatch(model::METADATA, &object["metadata"]) {
            return Err(unfit(source, builtin::unfit(&call.kind, &why)));
        }
        model::reduce(model::METADATA, &mut object["metadata"]);
        schema::apply_defaults(&custom.schema, object);
        return Ok(());
    }
    builtin::decode(&call.kind, object).map_err(|failure| unfit(source, failure))
}

/// Where a patch is at fault, the body is not.
fn unfit(source: Source<'_>, failure: Failure) -> Failure {
    let shown = match source {
        Source::Body => return failure,
        Source::Patch(shown) => shown,
        Source::Apply => "",
    };
    let why = failure.message.rsplit_once("cannot be handled as a ").map_or("", |(_, why)| why);
    patch_unfit(shown, why.split_once(": ").map_or(why, |(_, why)| why))
}

/// What is said of a patch that makes no object of the kind.
pub(crate) fn patch_unfit(shown: &str, why: &str) -> Failure {
    Failure::invalid("", "", "", &[FieldError::invalid("patch", &shown.into(), why)])
}

/// Members of the body that are there twice, where somebody wants to know.
fn twice(call: &Call<'_>) -> Vec<String> {
    if call.validation == FieldValidation::Ignore { Vec::new() } else { strict::duplicates(call.request) }
}

fn strict(call: &Call<'_>, source: Source<'_>, named: &[String]) -> Failure {
    let why = format!("strict decoding error: {}", named.join(", "));
    match source {
        Source::Patch(shown) => patch_unfit(shown, &why),
        Source::Body | Source::Apply => builtin::unfit(&call.kind, &why),
    }
}

/// Drops the fields that a kind does not have, and tells their paths.
fn drop_unknown(kind: &Kind, object: &mut Value) -> Vec<String> {
    let mut unknown: Vec<String> = Vec::new();
    if let Some(custom) = &kind.custom {
        if let Some(metadata) = object.get_mut("metadata") {
            unknown.extend(
                schema::unknown(model::metadata(), metadata).into_iter().map(|path| format!("metadata.{path}")),
            );
        }
        unknown.extend(schema::prune(&custom.schema, object));
    } else if let Some(schema) = model::schema_of(kind) {
        unknown.extend(schema::unknown(schema, object));
    }
    unknown.sort();
    unknown
}

/// Which fields a write through an endpoint never owns: the endpoint does not write them.
fn reset(kind: &Kind, subresource: &str) -> &'static [&'static [&'static str]] {
    const STATUS: &[&[&str]] = &[&["status"]];
    let has_status = kind.has("status") || kind.resource == "customresourcedefinitions";
    match (subresource, kind.resource.as_str()) {
        ("status", "deployments") if kind.custom.is_none() => &[&["spec"], &["metadata", "labels"]],
        ("status", "pods") if kind.custom.is_none() => {
            &[&["spec"], &["metadata", "deletionTimestamp"], &["metadata", "ownerReferences"]]
        }
        ("status", "customresourcedefinitions") => &[&["metadata"], &["spec"]],
        ("status", _) if kind.custom.is_some() => &[&["metadata"], &["spec"]],
        ("status", _) => &[&["spec"]],
        _ if has_status => STATUS,
        _ => &[],
    }
}

/// Does something with the owners of the fields that a call writes.
pub(crate) fn tracking<T>(call: &Call<'_>, act: impl FnOnce(&Tracking<'_>) -> T) -> T {
    let empty = match &call.kind.custom {
        Some(_) => serde_json::json!({"apiVersion": call.kind.api_version(), "kind": call.kind.name}),
        None if call.kind.renames_events() => present::whole(&call.kind, &builtin::empty(&call.kind)),
        None => builtin::empty(&call.kind),
    };
    let version = call.kind.api_version();
    act(&Tracking {
        root: Node::root(&call.kind),
        manager: call.manager(&version),
        now: call.now,
        empty: &empty,
        ignored: reset(&call.kind, call.subresource()),
    })
}

/// Notes whose the fields are that a call writes, by the names that they have where it writes them.
pub(crate) fn own(call: &Call<'_>, old: Option<&Value>, new: &mut Value) {
    if !call.kind.renames_events() {
        return tracking(call, |tracking| fields::track(tracking, old, new));
    }
    let old = old.map(|old| present::whole(&call.kind, old));
    let mut shown = present::whole(&call.kind, new);
    tracking(call, |tracking| fields::track(tracking, old.as_ref(), &mut shown));
    new["metadata"] = shown["metadata"].take();
}
