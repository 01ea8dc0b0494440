//! What is refused of metadata, which all kinds have.

use serde_json::{Value, json};

use super::super::error::FieldError;
use super::super::kinds::Kind;
use super::super::meta;
use super::{labels, names};

/// Annotations of an object, all together.
const ANNOTATIONS: usize = 256 * 1024;
const STANDARD_FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

/// Judges the metadata of an object that is created, or updated from `old`. An update is judged more than once, by rules for all
/// kinds and by those of its own, and each of them complains for itself.
pub(crate) fn validate(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let Some(old) = old else {
        if !kind.transient {
            named(kind, object, &mut errors);
        }
        common(object, &mut errors);
        finalizers(object, &mut errors);
        standard(kind, object, &mut errors);
        return errors;
    };
    common(object, &mut errors);
    finalizers(object, &mut errors);
    changed(old, object, &mut errors);
    changed(old, object, &mut errors);
    standard(kind, object, &mut errors);
    if judged_twice(kind) {
        common(object, &mut errors);
        finalizers(object, &mut errors);
        standard(kind, object, &mut errors);
    }
    errors
}

/// Judges the metadata of an object within another one, which may have any name that a path can.
pub(crate) fn validate_embedded(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    keys("metadata.name", meta::name(object), &names::path_segment(meta::name(object)), &mut errors);
    common(object, &mut errors);
    finalizers(object, &mut errors);
    errors
}

/// What may not change, and the rest.
fn changed(old: &Value, object: &Value, errors: &mut Vec<FieldError>) {
    if meta::deleting(old) {
        no_new_finalizers(old, object, errors);
    }
    let uid = meta::uid(object);
    if uid != meta::uid(old) {
        errors.push(FieldError::invalid("metadata.uid", &uid.into(), "field is immutable"));
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        let (before, after) = (&old["metadata"][field], &object["metadata"][field]);
        if before != after {
            errors.push(FieldError::invalid(format!("metadata.{field}"), after, "field is immutable"));
        }
    }
    common(object, errors);
}

/// Finalizers of built-in kinds are the standard ones, or say whose they are.
fn standard(kind: &Kind, object: &Value, errors: &mut Vec<FieldError>) {
    if kind.custom.is_some() || kind.resource == "customresourcedefinitions" {
        return;
    }
    for (index, finalizer) in meta::finalizers(object).into_iter().enumerate() {
        if !finalizer.contains('/') && !STANDARD_FINALIZERS.contains(&finalizer) {
            let detail = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(format!("metadata.finalizers[{index}]"), &finalizer.into(), detail));
        }
    }
}

/// An update of these kinds is judged as an update and as an object by itself.
fn judged_twice(kind: &Kind) -> bool {
    kind.custom.is_none()
        && (kind.group == "rbac.authorization.k8s.io"
            || matches!(
                kind.resource.as_str(),
                "configmaps" | "secrets" | "serviceaccounts" | "services" | "endpointslices"
            ))
}

fn common(object: &Value, errors: &mut Vec<FieldError>) {
    names::labels(labels(object, "/metadata/labels"), "metadata.labels", errors);
    let mut size = 0;
    for (key, value) in labels(object, "/metadata/annotations") {
        keys("metadata.annotations", key, &names::qualified(&key.to_lowercase()), errors);
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > ANNOTATIONS {
        errors.push(FieldError::too_long("metadata.annotations", ANNOTATIONS as u64));
    }
    owners(object, errors);
}

fn keys(field: &str, text: &str, wrong: &[String], errors: &mut Vec<FieldError>) {
    errors.extend(wrong.iter().map(|message| FieldError::invalid(field, &text.into(), message)));
}

fn named(kind: &Kind, object: &Value, errors: &mut Vec<FieldError>) {
    let judge: fn(&str) -> Vec<String> = match kind.resource.as_str() {
        _ if kind.group == "rbac.authorization.k8s.io" => names::path_segment,
        _ if kind.custom.is_some() => names::subdomain,
        "namespaces" | "services" => names::label,
        _ => names::subdomain,
    };
    let generated = meta::text(object, "/metadata/generateName");
    if !generated.is_empty() {
        // What stands before the random part may end as no name may.
        let start = generated.strip_suffix('-').map_or_else(|| generated.to_owned(), |start| format!("{start}a"));
        keys("metadata.generateName", generated, &judge(&start), errors);
    }
    match meta::name(object) {
        "" => errors.push(FieldError::required("metadata.name", "name or generateName is required")),
        name => keys("metadata.name", name, &judge(name), errors),
    }
}

fn no_new_finalizers(old: &Value, object: &Value, errors: &mut Vec<FieldError>) {
    let before = meta::finalizers(old);
    let mut added: Vec<&str> = meta::finalizers(object).into_iter().filter(|one| !before.contains(one)).collect();
    added.sort_unstable();
    added.dedup();
    if !added.is_empty() {
        let added: Vec<String> = added.iter().map(|one| format!("{one:?}")).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            added.join(", ")
        );
        errors.push(FieldError::forbidden("metadata.finalizers", &detail));
    }
}

fn finalizers(object: &Value, errors: &mut Vec<FieldError>) {
    let all = meta::finalizers(object);
    for finalizer in &all {
        keys("metadata.finalizers", finalizer, &names::qualified(finalizer), errors);
    }
    if all.contains(&"orphan") && all.contains(&"foregroundDeletion") {
        let detail = "finalizer orphan and foregroundDeletion cannot be both set";
        errors.push(FieldError::invalid("metadata.finalizers", &json!(all), detail));
    }
}

/// An owner with its fields in the order of their type.
fn shown(owner: &Value) -> String {
    let fields = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let fields = fields.into_iter().filter_map(|field| Some(format!("{field:?}:{}", owner.get(field)?)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

/// Takes out owners that are named twice, and tells their uids.
pub(crate) fn dedup_owners(object: &mut Value) -> Vec<String> {
    let owners = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    let (mut seen, mut twice): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    for owner in owners.iter().flat_map(|owners| owners.iter()) {
        if seen.contains(owner) {
            twice.push(meta::text(owner, "/uid").to_owned());
        } else {
            seen.push(owner.clone());
        }
    }
    if let Some(owners) = owners.filter(|_| !twice.is_empty()) {
        *owners = seen;
    }
    twice
}

/// What is said of the finalizers of a custom resource that nobody can tell whose they are.
pub(crate) fn finalizer_warnings(object: &Value, old: Option<&Value>) -> Vec<String> {
    let before = old.map(meta::finalizers).unwrap_or_default();
    let plain = |one: &&str| !one.contains('/') && !STANDARD_FINALIZERS.contains(one) && !before.contains(one);
    let warning = |one: &str| {
        let path = if one.contains('.') { " including a path (/)" } else { "" };
        format!(
            "metadata.finalizers: {one:?}: prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
        )
    };
    meta::finalizers(object).into_iter().filter(plain).map(warning).collect()
}

fn owners(object: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "metadata.ownerReferences";
    let mut controller: Option<String> = None;
    let owners = object.pointer("/metadata/ownerReferences").unwrap_or(&Value::Null);
    for owner in owners.as_array().into_iter().flatten() {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        let version = text("apiVersion");
        if version.rsplit('/').next().unwrap_or_default().is_empty() {
            errors.push(FieldError::invalid(
                format!("{FIELD}.apiVersion"),
                &version.into(),
                "version must not be empty",
            ));
        }
        for field in ["kind", "name", "uid"] {
            if text(field).is_empty() {
                errors.push(FieldError::invalid(format!("{FIELD}.{field}"), &"".into(), "must not be empty"));
            }
        }
        if version == "v1" && text("kind") == "Event" {
            let detail = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid_shown(FIELD, &shown(owner), detail));
        }
        if owner["controller"] == true {
            let this = format!("{}/{}", text("kind"), text("name"));
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    );
                    let all: Vec<String> = owners.as_array().into_iter().flatten().map(shown).collect();
                    errors.push(FieldError::invalid_shown(FIELD, &format!("[{}]", all.join(",")), &detail));
                }
            }
        }
    }
}
