//! Whether a custom resource is as its definition asks: schema, scale, embedded objects, lists by keys, rules.

use serde_json::Value;

use super::super::custom::Custom;
use super::super::error::FieldError;
use super::super::kinds::Kind;
use super::super::patch::written;
use super::super::schema::{self, Verdict};
use super::super::{builtin, meta};

/// Judges a custom resource that is written through an endpoint over `old`, if anything is there.
pub(super) fn judge(kind: &Kind, custom: &Custom, subresource: &str, old: Option<&Value>, new: &Value) -> Verdict {
    let mut errors = builtin::validate_metadata(kind, new, old);
    if subresource == "status" {
        if let (Some(of), Some(status)) = (custom.schema.pointer("/properties/status"), new.get("status")) {
            errors.extend(schema::validate(of, status, old.and_then(|old| old.get("status")), "status"));
        }
        errors.extend(scaled(kind, new, false));
    } else {
        errors.extend(schema::validate(&custom.schema, new, old, ""));
        errors.extend(scaled(kind, new, true));
        errors.extend(schema::judge_embedded(&custom.schema, new));
    }
    errors.extend(schema::duplicates(&custom.schema, new, old));
    if custom.rules.exist() && errors.iter().any(FieldError::blocks_rules) {
        let detail = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        errors.push(FieldError::invalid("", &Value::Null, detail));
        return Verdict { errors, warnings: Vec::new() };
    }
    let stale = old.is_some_and(|old| meta::revision(old) < custom.since);
    let verdict = custom.rules.check(&custom.schema, new, old, stale);
    errors.extend(verdict.errors);
    Verdict { errors, warnings: verdict.warnings }
}

/// What a scale is made of has to be numbers, and a text.
fn scaled(kind: &Kind, object: &Value, whole: bool) -> Vec<FieldError> {
    let Some(scale) = &kind.scale else { return Vec::new() };
    let mut errors = Vec::new();
    if whole {
        errors.extend(count(object, &scale.spec));
    }
    errors.extend(count(object, &scale.status));
    if let Some(pointer) = &scale.selector
        && let Err(why) = at(object, pointer).and_then(|found| match found {
            None | Some(Value::String(_)) => Ok(()),
            Some(other) => Err(accessor(&dotted(pointer), other, "string")),
        })
    {
        errors.push(FieldError::invalid(dotted(pointer), &"".into(), &why));
    }
    errors
}

fn count(object: &Value, pointer: &str) -> Option<FieldError> {
    let found = at(object, pointer).and_then(|found| match found {
        None => Ok(0),
        Some(value) => value.as_i64().ok_or_else(|| accessor(&dotted(pointer), value, "int64")),
    });
    let (number, detail) = match found {
        Err(why) => (0, why),
        Ok(number) if number < 0 => (number, "should be a non-negative integer".to_owned()),
        Ok(number) if number > i64::from(i32::MAX) => (number, format!("should be less than or equal to {}", i32::MAX)),
        Ok(_) => return None,
    };
    Some(FieldError::invalid(dotted(pointer), &number.into(), &detail))
}

/// What lies at a pointer, or what is in its way.
fn at<'a>(object: &'a Value, pointer: &str) -> Result<Option<&'a Value>, String> {
    let (mut value, mut path) = (object, String::new());
    for part in pointer.split('/').skip(1) {
        let Some(map) = value.as_object() else {
            return if value.is_null() { Ok(None) } else { Err(accessor(&path, value, "map[string]interface {}")) };
        };
        path = format!("{path}.{part}");
        match map.get(part) {
            None => return Ok(None),
            Some(child) => value = child,
        }
    }
    Ok(Some(value))
}

fn dotted(pointer: &str) -> String {
    pointer.replace('/', ".")
}

fn accessor(path: &str, value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    format!("{path} accessor error: {} is of the type {found}, expected {wanted}", written(value))
}
