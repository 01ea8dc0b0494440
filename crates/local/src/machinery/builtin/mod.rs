//! What the server knows of its own kinds: their types, what they default to, and what it refuses.
//!
//! Light on purpose: the checks that keep controllers and nodes from meeting nonsense, and those that people run into.

mod defaults;
pub(crate) mod events;
mod pods;
mod services;
mod types;
mod validate;
mod workloads;

use serde_json::{Map, Value};

pub(crate) use services::Allocator;
pub(crate) use types::schema;
pub(crate) use validate::metadata as validate_metadata;

use super::error::{Failure, FieldError, Result};
use super::kinds::Kind;
use super::meta::{self, map_in};

/// What an object is admitted with.
pub(crate) struct Admission<'a> {
    pub kind: &'a Kind,
    pub old: Option<&'a Value>,
    pub subresource: &'a str,
    pub addresses: Allocator<'a>,
}

/// Brings an object into the form in which it is stored: no nulls, quantities as text, defaults filled in, types right.
pub(crate) fn admit(admission: &Admission<'_>, object: &mut Value) -> Result<Vec<FieldError>> {
    let kind = admission.kind;
    if kind.resource != "customresourcedefinitions" {
        strip_nulls(object);
    }
    defaults::normalise(object);
    types::check(kind, object).map_err(|error| {
        Failure::bad_request(format!(
            "{0} in version \"{1}\" cannot be handled as a {0}: {error}",
            kind.name, kind.version
        ))
    })?;
    let mut errors = services::addresses(admission, object);
    defaults::apply(admission, object);
    errors.extend(validate::object(admission, object));
    Ok(errors)
}

/// A null is an absent field.
fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, child| !child.is_null());
            map.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// Sets what is absent.
fn default(map: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    if !map.contains_key(key) {
        map.insert(key.to_owned(), value.into());
    }
}

/// The maps in a list below `key`.
fn each<'a>(map: &'a mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// The map below `key`, if there is one.
fn child<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    map.get_mut(key).and_then(Value::as_object_mut)
}

fn spec(object: &mut Value) -> &mut Map<String, Value> {
    map_in(object.as_object_mut().expect("objects are maps"), "spec")
}

/// Labels at a pointer, as pairs.
fn labels<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    object.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

/// Does an object's selector (`matchLabels` and `matchExpressions`) match these labels?
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal =
        selector["matchLabels"].as_object().into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let holds = |expression: &Value| {
        let found = labels.get(meta::text(expression, "/key"));
        let among =
            found.is_some_and(|value| expression["values"].as_array().is_some_and(|values| values.contains(value)));
        match meta::text(expression, "/operator") {
            "In" => among,
            "NotIn" => !among,
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            _ => false,
        }
    };
    equal && selector["matchExpressions"].as_array().into_iter().flatten().all(holds)
}
