//! Failures of requests, worded as an API server words them, since clients (and people) match on the words.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::number;

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// A request that was refused: becomes a `Status` object.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    pub details: Value,
    /// A token with which a list goes on.
    pub token: Option<Box<str>>,
    pub warnings: Vec<String>,
    /// The path leads nowhere.
    pub nowhere: bool,
}

/// One field that is wrong. `kind` decides both the machine-readable reason and the words before the detail.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldError {
    pub reason: &'static str,
    pub field: String,
    /// What stands behind the field's path, for example `Invalid value: -1: must be positive`.
    pub message: String,
}

impl FieldError {
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self {
            reason: "FieldValueInvalid",
            field: field.into(),
            message: format!("Invalid value: {}: {detail}", show(value)),
        }
    }

    /// The value is shown as the server's own type writes it.
    pub fn invalid_shown(field: impl Into<String>, shown: &str, detail: &str) -> Self {
        Self { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {shown}: {detail}") }
    }

    /// What is wrong is said without the value, which is too large to be shown.
    pub fn invalid_without_value(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueInvalid", field: field.into(), message: format!("Invalid value: {detail}") }
    }

    /// Whether rules are not even looked at, since values may be of wrong types.
    pub fn blocks_rules(&self) -> bool {
        matches!(
            self.reason,
            "FieldValueNotSupported"
                | "FieldValueRequired"
                | "FieldValueTooLong"
                | "FieldValueTooMany"
                | "FieldValueTypeInvalid"
        )
    }

    pub fn type_invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self { reason: "FieldValueTypeInvalid", ..Self::invalid(field, value, detail) }
    }

    pub fn required(field: impl Into<String>, detail: &str) -> Self {
        let message = if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", field: field.into(), message }
    }

    pub fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self { reason: "FieldValueForbidden", field: field.into(), message: format!("Forbidden: {detail}") }
    }

    pub fn unsupported(field: impl Into<String>, value: &Value, supported: &[Value]) -> Self {
        // Whatever the values are, they are listed as texts.
        let list: Vec<String> = supported
            .iter()
            .map(|one| if one.is_string() { show(one) } else { format!("{:?}", one.to_string()) })
            .collect();
        let message = format!("Unsupported value: {}: supported values: {}", show(value), list.join(", "));
        Self { reason: "FieldValueNotSupported", field: field.into(), message }
    }

    pub fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            reason: "FieldValueDuplicate",
            field: field.into(),
            message: format!("Duplicate value: {}", show(value)),
        }
    }

    /// A duplicate that is too large to be shown.
    pub fn duplicate_without_value(field: impl Into<String>) -> Self {
        Self { reason: "FieldValueDuplicate", field: field.into(), message: "Duplicate value".to_owned() }
    }

    pub fn too_long(field: impl Into<String>, limit: u64) -> Self {
        Self {
            reason: "FieldValueTooLong",
            field: field.into(),
            message: format!("Too long: may not be more than {limit} {}", if limit == 1 { "byte" } else { "bytes" }),
        }
    }

    pub fn too_many(field: impl Into<String>, actual: usize, limit: u64) -> Self {
        let items = if limit == 1 { "item" } else { "items" };
        let message = format!("Too many: {actual}: must have at most {limit} {items}");
        Self { reason: "FieldValueTooMany", field: field.into(), message }
    }

    /// Field and fault in one line.
    pub fn line(&self) -> String {
        if self.field.is_empty() {
            format!("<nil>: {}", self.message)
        } else {
            format!("{}: {}", self.field, self.message)
        }
    }
}

/// Values in messages: strings quoted, composites as compact JSON.
fn show(value: &Value) -> String {
    match value {
        Value::Number(number) => number::text(number),
        Value::Array(_) | Value::Object(_) => escaped(&value.to_string()),
        _ => value.to_string(),
    }
}

/// JSON without what a browser might take for HTML.
pub(crate) fn escaped(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// `pods`, `deployments.apps`: how messages name a resource.
pub(crate) fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

impl Failure {
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
            token: None,
            warnings: Vec::new(),
            nowhere: false,
        }
    }

    pub fn with(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", qualified(group, resource)))
            .with(names(group, resource, name))
    }

    pub fn no_such_path() -> Self {
        let failure = Self::new(404, "NotFound", "the server could not find the requested resource").with(json!({}));
        Self { nowhere: true, ..failure }
    }

    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with(json!({}))
    }

    /// What cannot be done to what lies below a custom resource.
    pub fn not_supported(verb: &str, kind: &Kind) -> Self {
        let resource = qualified(&kind.group, &kind.resource);
        Self::new(405, "MethodNotAllowed", format!("{verb} is not supported on resources of kind \"{resource}\""))
            .with(names(&kind.group, &kind.resource, ""))
    }

    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", qualified(group, resource)))
            .with(names(group, resource, name))
    }

    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", qualified(group, resource)),
        )
        .with(names(group, resource, name))
    }

    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(group, resource, name, why)
    }

    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::new(403, "Forbidden", format!("{} \"{name}\" is forbidden: {why}", qualified(group, resource)))
            .with(names(group, resource, name))
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub fn unsupported_media_type(accepted: &str) -> Self {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub fn not_acceptable() -> Self {
        let message = "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch";
        Self::new(406, "NotAcceptable", message).with(json!({}))
    }

    /// A form of an answer (a table in some version) that nobody makes, and what is said of custom resources.
    pub fn no_such_form() -> Self {
        let message = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
        Self::new(406, "NotAcceptable", message)
    }

    pub fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> Self {
        let mut lines: Vec<String> = Vec::new();
        for line in errors.iter().map(FieldError::line) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let text = if let [line] = lines.as_slice() { line.clone() } else { format!("[{}]", lines.join(", ")) };
        let causes: Vec<Value> = errors
            .iter()
            .map(|e| json!({"reason": e.reason, "message": e.message, "field": if e.field.is_empty() { "<nil>" } else { &e.field }}))
            .collect();
        let mut details = names(group, kind, name);
        details["causes"] = Value::Array(causes);
        let what = qualified(group, kind);
        Self::new(422, "Invalid", format!("{what} \"{name}\" is invalid: {text}")).with(details)
    }

    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message, "code": self.code,
        });
        if let Some(token) = &self.token {
            status["metadata"]["continue"] = (**token).into();
        }
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status
    }
}

fn names(group: &str, kind: &str, name: &str) -> Value {
    let mut details = json!({});
    for (key, value) in [("group", group), ("kind", kind), ("name", name)] {
        if !value.is_empty() {
            details[key] = value.into();
        }
    }
    details
}
