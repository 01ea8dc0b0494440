//! Reviews of access: there is no authorisation, so whoever is known may do everything.

use serde_json::{Value, json};

use super::super::error::FieldError;
use super::super::kinds::Kind;
use super::super::meta;

/// Puts in what is answered.
pub(super) fn settle(kind: &Kind, object: &mut Value) {
    match kind.resource.as_str() {
        "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews" => {
            object["status"] = json!({"allowed": true});
        }
        "selfsubjectrulesreviews" => object["status"] = everything(),
        _ => {}
    }
}

fn everything() -> Value {
    json!({
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": false,
    })
}

/// What a question lacks.
pub(super) fn validate(kind: &Kind, object: &Value) -> Vec<FieldError> {
    let resource = kind.resource.as_str();
    if !matches!(resource, "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews") {
        return Vec::new();
    }
    let spec = &object["spec"];
    let (about, path) = (&spec["resourceAttributes"], &spec["nonResourceAttributes"]);
    let mut errors = Vec::new();
    match (about.is_null(), path.is_null()) {
        (false, false) => {
            let detail = "cannot be specified in combination with resourceAttributes";
            errors.push(FieldError::invalid("spec.nonResourceAttributes", &attributes(path), detail));
        }
        (true, true) => {
            let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            errors.push(FieldError::invalid("spec.resourceAttributes", &Value::Null, detail));
        }
        _ => {}
    }
    if resource != "selfsubjectaccessreviews" && spec["user"].is_null() && spec["groups"].is_null() {
        let detail = "at least one of user or group must be specified";
        errors.push(FieldError::invalid("spec.user", &"".into(), detail));
    }
    if resource == "localsubjectaccessreviews" {
        let own = meta::text(about, "/namespace");
        if !about.is_null() && own != meta::namespace(object) {
            let detail = "must match metadata.namespace";
            errors.push(FieldError::invalid("spec.resourceAttributes.namespace", &own.into(), detail));
        }
        if !path.is_null() {
            let detail = "disallowed on this kind of request";
            errors.push(FieldError::invalid("spec.nonResourceAttributes", &attributes(path), detail));
        }
    }
    errors
}

/// Attributes as messages show them: by the names that they have within the server.
fn attributes(path: &Value) -> Value {
    json!({"Path": meta::text(path, "/path"), "Verb": meta::text(path, "/verb")})
}
