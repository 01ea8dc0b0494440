//! What is refused of roles and bindings.

use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::names;

const GROUP: &str = "rbac.authorization.k8s.io";

fn is_empty(value: &Value) -> bool {
    value.as_array().is_none_or(Vec::is_empty)
}

pub(super) fn role(object: &Value, namespaced: bool, errors: &mut Vec<FieldError>) {
    for (index, rule) in object["rules"].as_array().into_iter().flatten().enumerate() {
        let at = |field: &str| format!("rules[{index}].{field}");
        if is_empty(&rule["verbs"]) {
            errors.push(FieldError::required(at("verbs"), "verbs must contain at least one value"));
        }
        let urls = &rule["nonResourceURLs"];
        if !is_empty(urls) {
            if namespaced {
                let detail = "namespaced rules cannot apply to non-resource URLs";
                errors.push(FieldError::invalid(at("nonResourceURLs"), urls, detail));
            }
            if ["apiGroups", "resources", "resourceNames"].iter().any(|field| !is_empty(&rule[*field])) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                errors.push(FieldError::invalid(at("nonResourceURLs"), urls, detail));
            }
            continue;
        }
        for (field, what) in [("apiGroups", "api group"), ("resources", "resource")] {
            if is_empty(&rule[field]) {
                let detail = format!("resource rules must supply at least one {what}");
                errors.push(FieldError::required(at(field), &detail));
            }
        }
    }
}

pub(super) fn binding(old: Option<&Value>, object: &Value, namespaced: bool, errors: &mut Vec<FieldError>) {
    let role = &object["roleRef"];
    let text = |field: &str| meta::text(role, &format!("/{field}"));
    if text("apiGroup") != GROUP {
        errors.push(FieldError::unsupported("roleRef.apiGroup", &text("apiGroup").into(), &[GROUP.into()]));
    }
    let kinds: &[&str] = if namespaced { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.contains(&text("kind")) {
        let known: Vec<Value> = kinds.iter().map(|kind| Value::from(*kind)).collect();
        errors.push(FieldError::unsupported("roleRef.kind", &text("kind").into(), &known));
    }
    if text("name").is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    let wrong = names::path_segment(text("name"));
    errors.extend(wrong.iter().map(|message| FieldError::invalid("roleRef.name", &text("name").into(), message)));
    for (index, subject) in object["subjects"].as_array().into_iter().flatten().enumerate() {
        self::subject(subject, namespaced, &format!("subjects[{index}]"), errors);
    }
    if old.is_some_and(|old| old["roleRef"] != *role) {
        let shown =
            format!("{{\"APIGroup\":{:?},\"Kind\":{:?},\"Name\":{:?}}}", text("apiGroup"), text("kind"), text("name"));
        errors.push(FieldError::invalid_shown("roleRef", &shown, "cannot change roleRef"));
    }
}

fn subject(subject: &Value, namespaced: bool, at: &str, errors: &mut Vec<FieldError>) {
    let (kind, name) = (meta::text(subject, "/kind"), meta::text(subject, "/name"));
    let group = meta::text(subject, "/apiGroup");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    let expected = match kind {
        "ServiceAccount" => "",
        "User" | "Group" => GROUP,
        _ => {
            let known = ["ServiceAccount", "User", "Group"].map(Value::from);
            return errors.push(FieldError::unsupported(format!("{at}.kind"), &kind.into(), &known));
        }
    };
    if kind == "ServiceAccount" && !name.is_empty() {
        let wrong = names::subdomain(name);
        errors.extend(wrong.iter().map(|message| FieldError::invalid(format!("{at}.name"), &name.into(), message)));
    }
    if group != expected {
        errors.push(FieldError::unsupported(format!("{at}.apiGroup"), &group.into(), &[expected.into()]));
    }
    if kind == "ServiceAccount" && !namespaced && meta::text(subject, "/namespace").is_empty() {
        errors.push(FieldError::required(format!("{at}.namespace"), ""));
    }
}
