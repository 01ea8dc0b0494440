//! From the body of a write to an object of the target's kind, and what is said when it is none.

use serde_json::Value;

use super::super::error::{Failure, FieldError, Result};
use super::super::kinds::Kind;
use super::super::request::FieldValidation;
use super::super::{Machinery, meta, syntax};
use super::Call;
use super::admit::{self, Source};

/// As much of a body is shown.
const SUMMARY: usize = 30;

/// The body of a write, checked to be of the target's kind, in the form in which it is stored.
pub(crate) fn decode(call: &mut Call<'_>, mut object: Value, source: Source<'_>) -> Result<Value> {
    let kind = call.kind.clone();
    if !object.is_object() {
        let why = format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}",
            syntax::shape(&object)
        );
        return Err(unrecognized(call, &why));
    }
    let (version, name) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
    if kind.custom.is_some() {
        custom(call, version, name, &object, source)?;
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
    let body = &call.request.body;
    let start = body.get(..SUMMARY).unwrap_or(body);
    let more = if body.len() > SUMMARY { " ..." } else { "" };
    let summary = match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(start)),
        // What may be anything is shown as such.
        Some(_) => start.iter().map(|byte| format!("{byte:02x}")).chain([more.to_owned()]).collect(),
    };
    Failure::bad_request(format!(
        "the object provided is unrecognized (must be of type {}): {why} ({summary})",
        call.kind.name
    ))
}

/// A custom resource has to say what it is.
fn custom(call: &Call<'_>, version: &str, name: &str, object: &Value, source: Source<'_>) -> Result<()> {
    let kind = &call.kind;
    for (what, found) in [("Kind", name), ("apiVersion", version)] {
        if found.is_empty() {
            let body = String::from_utf8_lossy(&call.request.body);
            return Err(unrecognized(call, &format!("Object '{what}' is missing in '{body}'")));
        }
    }
    let (expected, mut wrong) = (kind.api_version(), Vec::new());
    if version != expected && source == Source::Body {
        let short = version.rsplit('/').next().unwrap_or_default();
        let known = kind.custom.as_ref().is_some_and(|custom| custom.versions.iter().any(|one| one == short));
        if !known && name == kind.name && call.validation == FieldValidation::Warn {
            // Nothing is known of such a version but what all objects have.
            let fields = object.as_object().into_iter().flatten().map(|(field, _)| field.as_str());
            let unknown = fields.filter(|field| !matches!(*field, "apiVersion" | "kind" | "metadata"));
            call.warnings.borrow_mut().extend(unknown.map(|field| format!("unknown field {field:?}")));
        }
        return Err(other_version(version, &expected));
    }
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

fn other_version(found: &str, expected: &str) -> Failure {
    Failure::bad_request(format!(
        "the API version in the data ({found}) does not match the expected API version ({expected})"
    ))
}

/// Versions that are no longer served, but still understood, with the kinds that they had.
const RETIRED: [(&str, &[&str]); 8] = [
    ("extensions/v1beta1", &["Deployment", "ReplicaSet"]),
    ("apps/v1beta1", &["Deployment"]),
    ("apps/v1beta2", &["Deployment", "ReplicaSet"]),
    ("rbac.authorization.k8s.io/v1alpha1", &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]),
    ("rbac.authorization.k8s.io/v1beta1", &["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]),
    ("coordination.k8s.io/v1beta1", &["Lease"]),
    ("discovery.k8s.io/v1beta1", &["EndpointSlice"]),
    ("events.k8s.io/v1beta1", &["Event"]),
];

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
    let retired = RETIRED.iter().any(|(retired, kinds)| *retired == version && kinds.contains(&name));
    if source == Source::Body && name == kind.name && (retired || Machinery::knows(version, name)) {
        return other_version(version, &kind.api_version());
    }
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
