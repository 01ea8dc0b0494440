//! What the server knows of its own kinds: their types, what they default to, and what it refuses.
//!
//! Light on purpose: the checks that keep controllers and nodes from meeting nonsense, and those that people run into.

mod defaults;
pub(crate) mod events;
mod metadata;
pub(crate) mod names;
mod pods;
mod prepare;
mod reviews;
mod services;
mod validate;
mod workloads;

use serde_json::{Map, Value};

pub(crate) use metadata::{dedup_owners, finalizer_warnings, validate as validate_metadata, validate_embedded};
pub(crate) use names::{label_value, qualified as qualified_name};
pub(crate) use services::Allocator;

use super::error::{Failure, FieldError, Result};
use super::kinds::Kind;
use super::meta::{self, map_in};
use super::model;

/// What an object is admitted with.
pub(crate) struct Admission<'a> {
    pub kind: &'a Kind,
    pub old: Option<&'a Value>,
    pub subresource: &'a str,
    pub addresses: Allocator<'a>,
    /// The request gave the object no labels.
    pub unlabelled: bool,
}

/// The type in which objects of a kind are stored.
pub(crate) fn stored_type(kind: &Kind) -> Option<String> {
    if kind.renames_events() { Some(events::STORED.to_owned()) } else { model::type_of(kind) }
}

/// An object without any field set, as a create is compared with it.
pub(crate) fn empty(kind: &Kind) -> Value {
    let mut object = Value::Object(Map::new());
    if let Some(name) = stored_type(kind) {
        model::complete(&name, &mut object);
    }
    object
}

/// Puts in what is always there.
pub(crate) fn complete(kind: &Kind, object: &mut Value) {
    if let Some(name) = stored_type(kind) {
        model::complete(&name, object);
    }
}

/// Brings a body into the form in which it is stored: types right, nothing that is as good as absent, defaults filled in.
pub(crate) fn decode(kind: &Kind, object: &mut Value) -> Result<()> {
    let Some(name) = stored_type(kind) else { return Ok(()) };
    if let Some(why) = model::mismatch(&name, object) {
        return Err(unfit(kind, &why));
    }
    model::reduce(&name, object);
    model::settle(&name, object);
    model::check(kind, object).map_err(|error| unfit(kind, &error.to_string()))?;
    defaults::apply(kind, object);
    model::complete(&name, object);
    Ok(())
}

/// What is said of an object that is none of its kind.
pub(crate) fn unfit(kind: &Kind, why: &str) -> Failure {
    Failure::bad_request(format!("{0} in version \"{1}\" cannot be handled as a {0}: {why}", kind.name, kind.version))
}

/// A claim is held as long as it is used; a controller lets it go.
pub(crate) fn protect(kind: &Kind, object: &mut Value) {
    const PROTECTION: &str = "kubernetes.io/pvc-protection";
    if kind.resource == "persistentvolumeclaims" && !meta::finalizers(object).contains(&PROTECTION) {
        let finalizers = meta::metadata(object).entry("finalizers").or_insert_with(|| Value::Array(Vec::new()));
        if let Some(finalizers) = finalizers.as_array_mut() {
            finalizers.push(PROTECTION.into());
        }
    }
}

/// What the server itself decides of an object that is written.
pub(crate) fn prepare(admission: &Admission<'_>, object: &mut Value) -> Vec<FieldError> {
    if let Some(name) = stored_type(admission.kind) {
        model::forget_empty(&name, object);
    }
    let errors = services::addresses(admission, object);
    prepare::object(admission, object);
    errors
}

pub(crate) fn validate(admission: &Admission<'_>, object: &Value) -> Vec<FieldError> {
    let mut errors = validate::object(admission, object);
    errors.extend(reviews::validate(admission.kind, object));
    errors
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
pub(crate) fn selects(selector: &Value, labels: &Value) -> bool {
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
