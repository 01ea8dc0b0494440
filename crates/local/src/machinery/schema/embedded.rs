//! Whole objects within an object (`x-kubernetes-embedded-resource`): they say what they are, and their metadata is metadata.

use serde_json::Value;

use super::super::builtin::{names, validate_embedded};
use super::super::error::FieldError;
use super::{additional, embedded, join, properties};

/// What is wrong with embedded objects.
pub(crate) fn judge(schema: &Value, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(schema, value, "", &mut errors);
    errors
}

fn walk(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    match value {
        Value::Object(map) => {
            if embedded(schema) {
                object(value, path, errors);
            }
            for (key, child) in map {
                if let Some(of) = properties(schema).and_then(|known| known.get(key)) {
                    walk(of, child, &join(path, key), errors);
                } else if let Some(of) = additional(schema) {
                    walk(of, child, &format!("{path}[{key}]"), errors);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{index}]"), errors);
            }
        }
        _ => {}
    }
}

fn object(value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for field in ["apiVersion", "kind"] {
        let at = join(path, field);
        match value.get(field) {
            None => errors.push(FieldError::required(at, "")),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(FieldError::invalid(at, &"".into(), "must not be empty"));
            }
            Some(Value::String(text)) if field == "kind" => {
                let wrong = names::dns_1035(&text.to_lowercase());
                if !wrong.is_empty() {
                    let detail = format!("may have mixed case, but should otherwise match: {}", wrong.join(","));
                    errors.push(FieldError::invalid(at, &text.as_str().into(), &detail));
                }
            }
            Some(Value::String(text)) if text.matches('/').count() > 1 => {
                let detail = format!("unexpected GroupVersion string: {text}");
                errors.push(FieldError::invalid(at, &text.as_str().into(), &detail));
            }
            Some(Value::String(_)) => {}
            Some(other) => errors.push(FieldError::invalid(at, other, "must be a string")),
        }
    }
    if value.get("metadata").is_some_and(Value::is_object) {
        let prefix = join(path, "");
        errors.extend(
            validate_embedded(value)
                .into_iter()
                .map(|error| FieldError { field: format!("{prefix}{}", error.field), ..error }),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_embedded_object_says_what_it_is() {
        let schema = json!({"properties": {"x": {"x-kubernetes-embedded-resource": true}}});
        let told = |value: Value| -> Vec<String> { judge(&schema, &value).iter().map(FieldError::line).collect() };
        assert_eq!(told(json!({"x": {}})), ["x.apiVersion: Required value", "x.kind: Required value"]);
        assert_eq!(
            told(json!({"x": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "Any"}}})),
            Vec::<String>::new()
        );
        assert_eq!(
            told(json!({"x": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a/b"}}})),
            ["x.metadata.name: Invalid value: \"a/b\": may not contain '/'"]
        );
    }
}
