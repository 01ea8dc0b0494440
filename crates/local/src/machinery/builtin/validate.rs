//! What is refused of the built-in kinds, in the words of an API server.

mod access;
mod container;
mod content;
mod event;
mod pod;
mod service;
mod volume;
mod workload;

use serde_json::Value;

use super::super::error::FieldError;
use super::super::{definition, meta};
use super::Admission;

pub(super) fn object(admission: &Admission<'_>, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if admission.subresource == "status" {
        if admission.kind.resource == "jobs" {
            workload::job_status(object, &mut errors);
        }
        return errors;
    }
    let (old, kind) = (admission.old, admission.kind);
    match kind.resource.as_str() {
        "pods" => match old {
            None => {
                pod::spec(&object["spec"], "spec", &mut errors);
                pod::own(&object["spec"], "spec", &mut errors);
            }
            Some(old) => pod::update(old, object, &mut errors),
        },
        kind @ ("deployments" | "replicasets") => workload::replicated(kind, old, object, &mut errors),
        "jobs" => workload::job(old, object, &mut errors),
        "services" => service::service(object, &mut errors),
        "configmaps" => content::config_map(old, object, &mut errors),
        "secrets" => content::secret(old, object, &mut errors),
        "persistentvolumeclaims" if old.is_none() => content::claim(object, &mut errors),
        "leases" => lease(object, &mut errors),
        "roles" | "clusterroles" => access::role(object, kind.namespaced, &mut errors),
        "rolebindings" | "clusterrolebindings" => access::binding(old, object, kind.namespaced, &mut errors),
        "events" => event::event(old, object, kind.renames_events(), &mut errors),
        "customresourcedefinitions" => errors.extend(definition::judge(object, admission.old)),
        _ => {}
    }
    errors
}

/// The text of a field is one of these.
fn one_of(holder: &Value, field: &str, at: &str, known: &[&str], errors: &mut Vec<FieldError>) {
    let (value, at) = (&holder[field], format!("{at}.{field}"));
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if !known.contains(&text) {
        let known: Vec<Value> = known.iter().map(|one| Value::from(*one)).collect();
        errors.push(FieldError::unsupported(at, value, &known));
    }
}

fn not_negative(value: &Value, at: String, errors: &mut Vec<FieldError>) {
    if value.as_i64().is_some_and(|number| number < 0) {
        errors.push(FieldError::invalid(at, value, "must be greater than or equal to 0"));
    }
}

fn port_number(port: &Value, at: String, errors: &mut Vec<FieldError>) {
    if !port.as_i64().is_some_and(|port| (1..=65535).contains(&port)) {
        // No number is zero.
        let shown = if port.is_null() { &Value::from(0) } else { port };
        errors.push(FieldError::invalid(at, shown, "must be between 1 and 65535, inclusive"));
    }
}

fn immutable(old: &Value, new: &Value, pointer: &str, errors: &mut Vec<FieldError>) {
    let (before, after) = (old.pointer(pointer), new.pointer(pointer));
    if before != after {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        errors.push(FieldError::invalid(field, after.unwrap_or(&Value::Null), "field is immutable"));
    }
}

fn lease(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    for (field, least, detail) in [
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ] {
        if spec[field].as_i64().is_some_and(|number| number < least) {
            errors.push(FieldError::invalid(format!("spec.{field}"), &spec[field], detail));
        }
    }
    if !meta::text(spec, "/preferredHolder").is_empty() && meta::text(spec, "/strategy").is_empty() {
        errors.push(FieldError::forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"));
    }
}
