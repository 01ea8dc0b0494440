//! Defaults: each has to fit its own schema, rules included.

use serde_json::Value;

use super::super::error::FieldError;
use super::super::schema::{self, Rules};
use super::structural::properties;

/// What is wrong with the defaults of a schema. Those within maps are not looked for: none may be there.
pub(super) fn judge(schema: &Value, at: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    walk(schema, at, &mut errors);
    errors
}

fn walk(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if let Some(default) = schema.get("default") {
        judged(schema, default, &format!("{at}.default"), errors);
    }
    if let Some(items) = schema.get("items").filter(|items| items.is_object()) {
        walk(items, &format!("{at}.items"), errors);
    }
    for (name, child) in properties(schema) {
        walk(child, &format!("{at}.properties[{name}]"), errors);
    }
}

fn judged(schema: &Value, default: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let mut pruned = default.clone();
    if !schema::prune(schema, &mut pruned).is_empty() {
        errors.push(FieldError::invalid(at, default, "must not have unknown fields"));
    }
    let wrong = schema::validate(schema, default, None, at);
    if wrong.is_empty() {
        let verdict = Rules::of(schema).check(schema, default, None, false);
        errors.extend(verdict.errors.into_iter().map(|error| FieldError {
            field: if error.field.is_empty() { at.to_owned() } else { format!("{at}.{}", error.field) },
            ..error
        }));
    }
    errors.extend(wrong);
}
