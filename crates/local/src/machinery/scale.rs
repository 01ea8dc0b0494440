//! The scale subresource: a view on replicas, wherever a kind keeps them.

use serde_json::{Value, json};

use super::error::{Failure, FieldError, Result};
use super::kinds::{Kind, Scale};
use super::{fields, meta};

/// The version of `Scale`.
pub(crate) const VERSION: &str = "autoscaling/v1";

/// The `Scale` of an object that is read: there is none of a custom resource that says nothing of replicas.
pub(crate) fn read(kind: &Kind, object: &Value) -> Result<Value> {
    let scale = paths(kind)?;
    if kind.custom.is_some() && object.pointer(&scale.spec).is_none() {
        let why = format!("the spec replicas field {:?} does not exist", scale.spec.replace('/', "."));
        let failure = Failure::new(500, "InternalError", format!("Internal error occurred: {why}"));
        return Err(failure.with(json!({"causes": [{"message": why}]})));
    }
    Ok(viewed(scale, object))
}

/// The `Scale` of an object.
pub(crate) fn view(kind: &Kind, object: &Value) -> Result<Value> {
    Ok(viewed(paths(kind)?, object))
}

fn viewed(scale: &Scale, object: &Value) -> Value {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64).unwrap_or_default();
    let mut metadata = json!({"name": meta::name(object), "uid": meta::uid(object)});
    for field in ["namespace", "resourceVersion", "creationTimestamp"] {
        if let Some(value) = object["metadata"].get(field) {
            metadata[field] = value.clone();
        }
    }
    let mut spec = json!({});
    if let Some(replicas) = object.pointer(&scale.spec).and_then(Value::as_i64).filter(|replicas| *replicas != 0) {
        spec["replicas"] = replicas.into();
    }
    let mut status = json!({"replicas": number(&scale.status)});
    match scale.selector.as_deref().and_then(|pointer| object.pointer(pointer)) {
        Some(Value::String(text)) => status["selector"] = text.as_str().into(),
        Some(selector @ Value::Object(_)) => status["selector"] = selector_text(selector).into(),
        _ => {}
    }
    json!({"kind": "Scale", "apiVersion": VERSION, "metadata": metadata, "spec": spec, "status": status})
}

/// Stands for replicas of which nothing is said.
const UNSAID: i64 = i32::MIN as i64;

/// The `Scale` of an object before it is written: with the owners of the replicas, and told apart where there are none.
pub(crate) fn before(kind: &Kind, object: &Value) -> Result<Value> {
    let scale = paths(kind)?;
    let mut before = viewed(scale, object);
    if kind.custom.is_some() && object.pointer(&scale.spec).is_none() {
        before["spec"]["replicas"] = UNSAID.into();
    }
    fields::to_scale(object, &kind.group, &scale.spec, &mut before);
    Ok(before)
}

/// The object that a changed `Scale` asks for.
pub(crate) fn write(kind: &Kind, current: &Value, scale: &Value) -> Result<Value> {
    let name = meta::name(current);
    let wanted = meta::text(scale, "/metadata/name");
    if !wanted.is_empty() && wanted != name {
        return Err(Failure::bad_request(format!(
            "the name of the object ({wanted}) does not match the name on the URL ({name})"
        )));
    }
    let paths = paths(kind)?;
    let replicas = scale["spec"].get("replicas").cloned().unwrap_or_else(|| 0.into());
    if replicas == UNSAID {
        let field = paths.spec.replace('/', ".");
        return Err(Failure::bad_request(format!("the spec replicas field {field:?} cannot be empty")));
    }
    if kind.custom.is_none() && replicas.as_i64().is_some_and(|replicas| replicas < 0) {
        let error = FieldError::invalid("spec.replicas", &replicas, "must be greater than or equal to 0");
        return Err(Failure::invalid("autoscaling", "Scale", name, &[error]));
    }
    let mut new = current.clone();
    let mut slot = &mut new;
    for part in paths.spec.split('/').skip(1) {
        if !slot.is_object() {
            *slot = json!({});
        }
        slot = &mut slot[part];
    }
    *slot = replicas;
    let version = meta::text(scale, "/metadata/resourceVersion");
    let uid = meta::text(scale, "/metadata/uid");
    for (field, value) in [("resourceVersion", version), ("uid", uid)] {
        if !value.is_empty() {
            new["metadata"][field] = value.into();
        }
    }
    fields::to_parent(&mut new, scale, &kind.api_version(), &paths.spec);
    Ok(new)
}

fn paths(kind: &Kind) -> Result<&Scale> {
    kind.scale.as_ref().ok_or_else(Failure::no_such_path)
}

/// A label selector in the form in which it stands in a query.
pub(crate) fn selector_text(selector: &Value) -> String {
    let equal = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().map(|expression| {
        let key = meta::text(expression, "/key");
        let values: Vec<&str> =
            expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match meta::text(expression, "/operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        }
    });
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}
