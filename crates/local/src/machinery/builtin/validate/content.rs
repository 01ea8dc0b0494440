//! What is refused of config maps, secrets and claims.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::quantity::Quantity;
use super::super::super::{meta, syntax};
use super::super::{labels, names};
use super::immutable;

fn keys(object: &Value, field: &str, errors: &mut Vec<FieldError>) {
    for (key, _) in labels(object, &format!("/{field}")) {
        let wrong = names::config_key(key);
        let at = format!("{field}[{key}]");
        errors.extend(wrong.iter().map(|message| FieldError::invalid(&at, &key.as_str().into(), message)));
    }
}

/// Keys are names of files; a map that is immutable stays as it is.
pub(super) fn config_map(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    keys(object, "data", errors);
    for (key, _) in labels(object, "/data").filter(|(key, _)| object["binaryData"].get(key.as_str()).is_some()) {
        let detail = "duplicate of key present in binaryData";
        errors.push(FieldError::invalid(format!("data[{key}]"), &key.as_str().into(), detail));
    }
    keys(object, "binaryData", errors);
    frozen(old, object, &["data", "binaryData"], errors);
}

/// Types of secrets, and the keys that they cannot do without.
const KEYS: [(&str, &[&str]); 4] = [
    ("kubernetes.io/dockercfg", &[".dockercfg"]),
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"]),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"]),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"]),
];

pub(super) fn secret(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    keys(object, "data", errors);
    let (kind, data) = (meta::text(object, "/type"), &object["data"]);
    let needed = KEYS.iter().filter(|(known, _)| *known == kind).flat_map(|(_, keys)| keys.iter());
    for key in needed {
        match data[*key].as_str() {
            None => errors.push(FieldError::required(format!("data[{key}]"), "")),
            Some(text) if key.starts_with('.') => documents(key, text, errors),
            Some(_) => {}
        }
    }
    if kind == "kubernetes.io/basic-auth" && data["username"].is_null() && data["password"].is_null() {
        for key in ["username", "password"] {
            errors.push(FieldError::required(format!("data[{key}]"), ""));
        }
    }
    const ACCOUNT: &str = "kubernetes.io/service-account.name";
    if kind == "kubernetes.io/service-account-token" && meta::annotation(object, ACCOUNT).is_empty() {
        errors.push(FieldError::required(format!("metadata.annotations[{ACCOUNT}]"), ""));
    }
    let Some(old) = old else { return };
    immutable(old, object, "/type", errors);
    frozen(Some(old), object, &["data"], errors);
}

/// A value that has to be a JSON object.
fn documents(key: &str, text: &str, errors: &mut Vec<FieldError>) {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    let why = match serde_json::from_slice::<Value>(&bytes) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(other) => {
            format!("json: cannot unmarshal {} into Go value of type map[string]interface {{}}", syntax::shape(&other))
        }
        Err(_) => syntax::error(&bytes),
    };
    errors.push(FieldError::invalid(format!("data[{key}]"), &"<secret contents redacted>".into(), &why));
}

fn frozen(old: Option<&Value>, object: &Value, fields: &[&str], errors: &mut Vec<FieldError>) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    let detail = "field is immutable when `immutable` is set";
    if object["immutable"] != true {
        errors.push(FieldError::forbidden("immutable", detail));
    }
    for field in fields {
        if old.get(*field) != object.get(*field) {
            errors.push(FieldError::forbidden(*field, detail));
        }
    }
}

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

pub(super) fn claim(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let modes = spec["accessModes"].as_array().map(Vec::as_slice).unwrap_or_default();
    if modes.is_empty() {
        errors.push(FieldError::required("spec.accessModes", "at least 1 access mode is required"));
    }
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.iter().any(|known| **mode == *known)) {
        errors.push(FieldError::unsupported("spec.accessModes", mode, &ACCESS_MODES.map(Value::from)));
    }
    const STORAGE: &str = "spec.resources[storage]";
    match spec.pointer("/resources/requests/storage") {
        None => errors.push(FieldError::required(STORAGE, "")),
        Some(size) => {
            let amount = size.as_str().and_then(|text| Quantity::parse(text).ok());
            if amount.is_some_and(|amount| amount.is_negative() || *size == "0") {
                errors.push(FieldError::invalid(STORAGE, size, "must be greater than zero"));
            }
        }
    }
}
