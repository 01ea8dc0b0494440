//! From the body of a write to an object of the target's kind, and what is said when it is none.

use serde_json::Value;

use super::super::error::{Failure, FieldError, Result};
use super::super::kinds::Kind;
use super::super::{Machinery, meta};
use super::Call;
use super::admit::{self, Source};

/// As much of a body is shown.
const SUMMARY: usize = 30;

/// The body of a write, checked to be of the target's kind, in the form in which it is stored.
pub(crate) fn decode(call: &mut Call<'_>, mut object: Value, source: Source<'_>) -> Result<Value> {
    let kind = call.kind.clone();
    if !object.is_object() {
        let why = "couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
        return Err(unrecognized(call, why));
    }
    let (version, name) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
    if kind.custom.is_some() {
        custom(call, version, name, &object)?;
    } else if !version.is_empty() && version != kind.api_version() || !name.is_empty() && name != kind.name {
        return Err(other_kind(&kind, version, name, source));
    }
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.name.as_str().into();
    meta::metadata(&mut object);
    admit::shape(call, &mut object, source)?;
    Ok(object)
}

/// What cannot be read at all.
pub(super) fn unrecognized(call: &Call<'_>, why: &str) -> Failure {
    let body = String::from_utf8_lossy(&call.request.body);
    let summary = match body.get(..SUMMARY) {
        _ if body.is_empty() => "<empty>".to_owned(),
        Some(start) if body.len() > SUMMARY => format!("{start} ..."),
        _ => body.clone().into_owned(),
    };
    Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {why} ({summary})",
        call.kind.name
    ))
}

/// A custom resource has to say what it is.
fn custom(call: &Call<'_>, version: &str, name: &str, object: &Value) -> Result<()> {
    let kind = &call.kind;
    for (what, found) in [("Kind", name), ("apiVersion", version)] {
        if found.is_empty() {
            let body = String::from_utf8_lossy(&call.request.body);
            return Err(unrecognized(call, &format!("Object '{what}' is missing in '{body}'")));
        }
    }
    let (expected, mut wrong) = (kind.api_version(), Vec::new());
    if name != kind.name {
        wrong.push(FieldError::invalid("kind", &name.into(), &format!("must be {}", kind.name)));
    }
    if version != expected {
        wrong.push(FieldError::invalid("apiVersion", &version.into(), &format!("must be {expected}")));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Err(Failure::invalid(group, name, meta::name(object), &wrong))
}

/// The package in which the server itself has the kinds of a group.
pub(super) fn internal(group: &str) -> &str {
    match group {
        "" | "events.k8s.io" => "core",
        group => group.split('.').next().unwrap_or_default(),
    }
}

/// Another kind than the path says.
fn other_kind(kind: &Kind, version: &str, name: &str, source: Source<'_>) -> Failure {
    let short = version.rsplit('/').next().unwrap_or_default();
    let internal = internal(&kind.group);
    let why = if Machinery::knows(version, name) {
        format!("converting ({short}.{name}) to ({internal}.{}): unknown conversion", kind.name)
    } else {
        format!("no kind {name:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\"")
    };
    if let Source::Patch(shown) = source {
        return admit::patch_unfit(shown, &why);
    }
    Failure::bad_request(format!("{name} in version {short:?} cannot be handled as a {}: {why}", kind.name))
}
