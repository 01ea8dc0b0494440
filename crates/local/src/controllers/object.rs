//! Reading objects as JSON: what controllers look at.
//!
//! Invariant: nothing here fails; what is absent or of another type reads as empty.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The text at a pointer, or nothing.
pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a pointer.
pub fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The list at a pointer.
pub fn list<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The time at a pointer.
pub fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

pub fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

pub fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

pub fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

pub fn resource_version(object: &Value) -> u64 {
    text(object, "/metadata/resourceVersion").parse().unwrap_or(0)
}

pub fn generation(object: &Value) -> i64 {
    number(object, "/metadata/generation").unwrap_or(0)
}

pub fn deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some_and(Value::is_string)
}

pub fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    list(object, "/metadata/finalizers").iter().any(|found| found == finalizer)
}

/// The finalizers without one of them.
pub fn finalizers_without(object: &Value, finalizer: &str) -> Vec<Value> {
    list(object, "/metadata/finalizers").iter().filter(|found| *found != finalizer).cloned().collect()
}

pub fn owners(object: &Value) -> &[Value] {
    list(object, "/metadata/ownerReferences")
}

/// The uid of the controller owner.
pub fn controller(object: &Value) -> Option<&str> {
    owners(object).iter().find(|owner| owner["controller"] == true).and_then(|owner| owner["uid"].as_str())
}

/// A reference to a controller owner.
pub fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// A condition of a status.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|condition| condition["type"] == kind)
}

/// Whether a condition is `True`.
pub fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// A time as Kubernetes writes it: whole seconds, UTC.
pub fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What controllers need to know of a pod.
pub mod pod {
    use super::{Timestamp, Value, condition, deleting, text, time};

    pub fn phase(pod: &Value) -> &str {
        text(pod, "/status/phase")
    }

    pub fn finished(pod: &Value) -> bool {
        matches!(phase(pod), "Succeeded" | "Failed")
    }

    /// It runs, or will run: neither finished nor on its way out.
    pub fn active(pod: &Value) -> bool {
        !finished(pod) && !deleting(pod)
    }

    pub fn ready(pod: &Value) -> bool {
        super::holds(pod, "Ready")
    }

    /// Since when the pod is ready.
    pub fn ready_since(pod: &Value) -> Option<Timestamp> {
        let ready = condition(pod, "Ready").filter(|ready| ready["status"] == "True")?;
        time(ready, "/lastTransitionTime")
    }
}
