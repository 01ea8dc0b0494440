//! Structural schemas: every field has its type where it is specified, and alternatives say nothing new.

use regex::Regex;
use serde_json::{Value, json};

use super::super::error::FieldError;

/// Where in a schema a schema stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What makes a schema not structural, in order.
pub(super) fn judge(schema: &Value, at: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    invariants(schema, Level::Root, at, &mut errors);
    complete(schema, schema, at, at, &mut errors);
    errors.sort_by_cached_key(FieldError::line);
    errors
}

pub(super) fn flag(schema: &Value, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

pub(super) fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn list<'a>(schema: &'a Value, key: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    schema.get(key).and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn invariants(schema: &Value, level: Level, at: &str, errors: &mut Vec<FieldError>) {
    let kind = schema["type"].as_str().unwrap_or_default();
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let (open, int_or_string) =
        (flag(schema, "x-kubernetes-preserve-unknown-fields"), flag(schema, "x-kubernetes-int-or-string"));
    if kind == "array" && schema.get("items").is_none() {
        errors.push(FieldError::required(format!("{at}.items"), "must be specified"));
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        invariants(items, Level::Item, &format!("{at}.items"), errors);
    }
    for (name, child) in properties(schema) {
        invariants(child, Level::Field, &format!("{at}.properties[{name}]"), errors);
    }
    if let Some(more) = schema.get("additionalProperties") {
        let at = format!("{at}.additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(&at, "must not be used at the root"));
        }
        if more.is_object() {
            invariants(more, Level::Field, &at, errors);
        }
        if embedded {
            errors.push(FieldError::forbidden(&at, "must not be used if x-kubernetes-embedded-resource is set"));
        }
    }
    for (wrong, key) in [
        (int_or_string && open, "x-kubernetes-preserve-unknown-fields"),
        (int_or_string && embedded, "x-kubernetes-embedded-resource"),
    ] {
        if wrong {
            let detail = "must be false if x-kubernetes-int-or-string is true";
            errors.push(FieldError::invalid(format!("{at}.{key}"), &true.into(), detail));
        }
    }
    junctors(schema, at, errors);
    let typed = format!("{at}.type");
    if embedded && kind != "object" {
        let detail = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if kind.is_empty() {
            FieldError::required(&typed, detail)
        } else {
            FieldError::invalid(&typed, &kind.into(), detail)
        });
    } else if kind.is_empty() && !int_or_string && !open {
        let detail = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(&typed, detail));
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.push(FieldError::invalid(&typed, &kind.into(), "must be object at the root"));
    }
    of_resources(schema, level, at, errors);
    if embedded && !open && properties(schema).next().is_none() {
        let detail =
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(format!("{at}.properties"), detail));
    }
}

/// What every object has may be restricted little.
fn of_resources(schema: &Value, level: Level, at: &str, errors: &mut Vec<FieldError>) {
    let resource = level == Level::Root || flag(schema, "x-kubernetes-embedded-resource");
    for (name, child) in properties(schema) {
        let at = format!("{at}.properties[{name}]");
        let kind = &child["type"];
        let wanted = match name.as_str() {
            "kind" | "apiVersion" => "string",
            "metadata" => "object",
            _ => continue,
        };
        if resource && kind != wanted {
            let kind = kind.as_str().unwrap_or_default();
            errors.push(FieldError::invalid(format!("{at}.type"), &kind.into(), &format!("must be {wanted}")));
        }
        if name == "metadata" && level == Level::Root {
            let known = |name: &str| matches!(name, "name" | "generateName");
            let fields = child.as_object().into_iter().flatten();
            let more = fields.filter(|(key, _)| !matches!(key.as_str(), "type" | "properties" | "default")).count();
            if more > 0 || properties(child).any(|(name, _)| !known(name)) {
                let detail =
                    "must not specify anything other than name and generateName, but metadata is implicitly specified";
                errors.push(FieldError::forbidden(at, detail));
            }
        }
    }
}

fn int_or_string(branches: &Value) -> bool {
    *branches == json!([{"type": "integer"}, {"type": "string"}])
}

fn junctors(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if !int_or_string(&schema["anyOf"]) {
        for (index, branch) in list(schema, "anyOf") {
            nested(branch, &format!("{at}.anyOf[{index}]"), false, errors);
        }
    }
    for (index, branch) in list(schema, "allOf") {
        nested(branch, &format!("{at}.allOf[{index}]"), index == 0, errors);
    }
    for (index, branch) in list(schema, "oneOf") {
        nested(branch, &format!("{at}.oneOf[{index}]"), false, errors);
    }
    if let Some(not) = schema.get("not") {
        nested(not, &format!("{at}.not"), false, errors);
    }
    if let Some(pattern) = schema["pattern"].as_str()
        && let Err(error) = Regex::new(pattern)
    {
        let why = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let detail = format!("must be a valid regular expression, but isn't: error parsing regexp: {why}");
        errors.push(FieldError::invalid(format!("{at}.pattern"), &pattern.into(), &detail));
    }
}

/// A branch of an alternative: it checks values, and says nothing of their structure.
fn nested(schema: &Value, at: &str, exempt: bool, errors: &mut Vec<FieldError>) {
    if !(exempt && int_or_string(&schema["anyOf"])) {
        junctors(schema, at, errors);
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        nested(items, &format!("{at}.items"), false, errors);
    }
    for (name, child) in properties(schema) {
        nested(child, &format!("{at}.properties[{name}]"), false, errors);
        if name == "metadata" {
            errors.push(FieldError::forbidden(
                format!("{at}.properties[{name}]"),
                "must not be specified in a nested context",
            ));
        }
    }
    for (key, how) in [
        ("type", "empty"),
        ("additionalProperties", "undefined"),
        ("default", "undefined"),
        ("title", "empty"),
        ("description", "empty"),
        ("nullable", "false"),
        ("x-kubernetes-preserve-unknown-fields", "false"),
        ("x-kubernetes-embedded-resource", "false"),
        ("x-kubernetes-int-or-string", "false"),
        ("x-kubernetes-list-map-keys", "empty"),
        ("x-kubernetes-list-type", "undefined"),
        ("x-kubernetes-map-type", "undefined"),
        ("x-kubernetes-validations", "empty"),
    ] {
        if schema.get(key).is_some_and(|value| *value != Value::Bool(false)) {
            errors.push(FieldError::forbidden(format!("{at}.{key}"), &format!("must be {how} to be structural")));
        }
    }
}

/// What the alternatives of a schema speak of has to be specified outside of them.
fn complete(branch: &Value, structure: &Value, outside: &str, at: &str, errors: &mut Vec<FieldError>) {
    if let Some(not) = branch.get("not") {
        specified(not, structure, outside, &format!("{at}.not"), errors);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, inner) in list(branch, key) {
            specified(inner, structure, outside, &format!("{at}.{key}[{index}]"), errors);
        }
    }
}

fn specified(branch: &Value, structure: &Value, outside: &str, at: &str, errors: &mut Vec<FieldError>) {
    complete(branch, structure, outside, at, errors);
    let items = branch
        .get("items")
        .filter(|items| items.is_object())
        .map(|child| ("items".to_owned(), child, structure.get("items")));
    let fields = properties(branch).map(|(name, child)| {
        let known = structure.get("properties").and_then(|known| known.get(name));
        (format!("properties[{name}]"), child, known)
    });
    for (part, child, known) in items.into_iter().chain(fields) {
        let (outside, at) = (format!("{outside}.{part}"), format!("{at}.{part}"));
        match known {
            Some(known) => specified(child, known, &outside, &at, errors),
            None => errors.push(FieldError::required(outside, &format!("because it is defined in {at}"))),
        }
    }
}
