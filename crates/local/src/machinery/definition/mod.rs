//! Custom resource definitions: whether one can be served, and how it comes to be.
//!
//! What schemas mean for objects is the business of `schema`. Invariant: a definition that was accepted has structural schemas
//! only, whose defaults and rules fit them.

mod defaults;
mod keys;
mod life;
mod names;
mod rules;
mod schema;
mod structural;
mod versions;

use serde_json::{Value, json};

use super::builtin::names as text;
use super::error::FieldError;
use super::meta;

pub(crate) use life::prepare;

/// The annotation by which somebody vouches for an API in a group of Kubernetes itself.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// What is wrong with a definition that is created, or updated from `old`.
pub(crate) fn judge(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &object["spec"];
    let expected = format!("{}.{}", meta::text(spec, "/names/plural"), meta::text(spec, "/group"));
    if old.is_none() && meta::name(object) != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &meta::name(object).into(), detail));
    }
    group(spec, &mut errors);
    match spec["scope"].as_str().unwrap_or_default() {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Namespaced" | "Cluster" => {}
        _ => {
            errors.push(FieldError::unsupported("spec.scope", &spec["scope"], &["Cluster".into(), "Namespaced".into()]))
        }
    }
    versions::judge(spec, old, &mut errors);
    names::judge(spec, &mut errors);
    versions::common(spec, old, &mut errors);
    conversion(spec, &mut errors);
    if let Some(old) = old {
        immutable(spec, old, &mut errors);
    }
    stored(object, &mut errors);
    approval(object, old, &mut errors);
    if spec["preserveUnknownFields"] == true {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", &true.into(), detail));
    }
    errors
}

/// What would be wrong with a text of a definition that is a DNS name.
fn dns_1035(field: &str, value: &str, errors: &mut Vec<FieldError>) {
    let wrong = text::dns_1035(value);
    if !wrong.is_empty() {
        errors.push(FieldError::invalid(field, &value.into(), &wrong.join(",")));
    }
}

fn group(spec: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "spec.group";
    let group = meta::text(spec, "/group");
    let wrong = text::subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required(FIELD, ""));
    } else if !wrong.is_empty() {
        errors.push(FieldError::invalid(FIELD, &group.into(), &wrong.join(",")));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(FIELD, &group.into(), "should be a domain with at least one dot"));
    }
}

fn conversion(spec: &Value, errors: &mut Vec<FieldError>) {
    let conversion = &spec["conversion"];
    match conversion["strategy"].as_str().unwrap_or_default() {
        "None" if conversion.get("webhook").is_some() => {
            let detail = "should not be set when strategy is not set to Webhook";
            errors.push(FieldError::forbidden("spec.conversion.webhookClientConfig", detail));
        }
        "None" | "Webhook" => {}
        "" if conversion.is_null() => {}
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        _ => {
            let supported = ["None".into(), "Webhook".into()];
            errors.push(FieldError::unsupported("spec.conversion.strategy", &conversion["strategy"], &supported));
        }
    }
}

/// What decides where objects are stored stays as it was.
fn immutable(spec: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let established = life::condition(old, "Established").is_some_and(|condition| condition["status"] == "True");
    let first = if established { &["/scope", "/names/kind"][..] } else { &[] };
    for pointer in first.iter().chain(&["/group", "/names/plural"]) {
        let (before, after) = (old["spec"].pointer(pointer), spec.pointer(pointer));
        if before != after {
            let field = format!("spec{}", pointer.replace('/', "."));
            errors.push(FieldError::invalid(field, after.unwrap_or(&Value::Null), "field is immutable"));
        }
    }
}

/// Versions in which objects may still be stored have to be there.
fn stored(object: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "status.storedVersions";
    let stored =
        object.pointer("/status/storedVersions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if stored.is_empty() {
        return errors.push(FieldError::invalid(FIELD, &json!(stored), "must have at least one stored version"));
    }
    let versions = object["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for version in versions.iter().filter(|version| version["storage"] == true && !stored.contains(&version["name"])) {
        let detail = format!("must have the storage version {}", meta::text(version, "/name"));
        errors.push(FieldError::invalid(FIELD, &json!(stored), &detail));
    }
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version["name"] == *name) {
            let version = name.as_str().unwrap_or_default();
            let detail = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {version} and removes {version} from status.storedVersions"
            );
            errors.push(FieldError::invalid(format!("{FIELD}[{index}]"), name, &detail));
        }
    }
}

/// Groups of Kubernetes itself need somebody who vouches for them.
fn approval(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let group = meta::text(object, "/spec/group");
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|of| group.strip_suffix(of).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    let annotation = meta::annotation(object, APPROVAL);
    let approved = |annotation: &str| {
        annotation.starts_with("unapproved")
            || annotation
                .split_once("://")
                .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/'))
    };
    let state = |annotation: &str| (annotation.is_empty(), approved(annotation));
    if !protected
        || approved(annotation)
        || old.is_some_and(|old| state(meta::annotation(old, APPROVAL)) == state(annotation))
    {
        return;
    }
    let field = format!("metadata.annotations[{APPROVAL}]");
    let (how, link) = (
        "with either a URL or a reason starting with \"unapproved\"",
        "see https://github.com/kubernetes/enhancements/pull/1111",
    );
    errors.push(if annotation.is_empty() {
        FieldError::required(field, &format!("protected groups must have approval annotation {APPROVAL:?}, {link}"))
    } else {
        let detail = format!("protected groups must have approval annotation {APPROVAL:?} {how}, {link}");
        FieldError::invalid(field, &annotation.into(), &detail)
    });
}
