//! The names of a kind: of one object, of many, of lists.

use serde_json::Value;

use super::super::builtin::names::dns_1035;
use super::super::error::FieldError;
use super::super::meta;

/// What is wrong with the names of a definition.
pub(super) fn judge(spec: &Value, errors: &mut Vec<FieldError>) {
    let names = &spec["names"];
    for field in ["plural", "singular", "kind", "listKind"] {
        if names[field].as_str().is_none_or(str::is_empty) {
            errors.push(FieldError::required(format!("spec.names.{field}"), ""));
        }
    }
    for field in ["plural", "singular"] {
        word(&format!("spec.names.{field}"), &names[field], false, errors);
    }
    for field in ["kind", "listKind"] {
        word(&format!("spec.names.{field}"), &names[field], true, errors);
    }
    words("shortNames", names, errors);
    if !meta::text(names, "/kind").is_empty() && names["kind"] == names["listKind"] {
        let detail = "kind and listKind may not be the same";
        errors.push(FieldError::invalid("spec.names.listKind", &names["listKind"], detail));
    }
    words("categories", names, errors);
}

fn words(list: &str, names: &Value, errors: &mut Vec<FieldError>) {
    for (index, name) in names[list].as_array().into_iter().flatten().enumerate() {
        word(&format!("spec.names.{list}[{index}]"), name, false, errors);
    }
}

fn word(field: &str, value: &Value, mixed: bool, errors: &mut Vec<FieldError>) {
    let text = value.as_str().unwrap_or_default();
    let wrong = if mixed { dns_1035(&text.to_lowercase()) } else { dns_1035(text) };
    if text.is_empty() || wrong.is_empty() {
        return;
    }
    let prefix = if mixed { "may have mixed case, but should otherwise match: " } else { "" };
    errors.push(FieldError::invalid(field, value, &format!("{prefix}{}", wrong.join(","))));
}
