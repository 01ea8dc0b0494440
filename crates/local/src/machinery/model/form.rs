//! The form in which the server keeps its own kinds: no field that is as good as absent, and every field that is always there.
//!
//! A client sends `"env": []` or leaves `status` out; what is stored, compared and shown is the same either way.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::quantity::Quantity;
use super::{Facts, MODEL, mismatch, reference, schema};

/// Takes out what is as good as absent, so that defaults find it absent.
pub(crate) fn reduce(name: &str, object: &mut Value) {
    let (Some(schema), Some(map)) = (schema(name), object.as_object_mut()) else { return };
    let none = Facts::default();
    let facts = MODEL.facts.get(name).unwrap_or(&none);
    map.retain(|field, value| {
        let Some(schema) = schema["properties"].get(field) else { return true };
        below(schema, value, &reduce);
        if value.is_null() {
            return false;
        }
        let always = facts.always.iter().find(|(always, _)| always == field);
        match (always, &*value) {
            // A zero that is always there is put back by whoever completes; until then it can be defaulted.
            (Some((_, Some(Value::Null))), _) => true,
            // A type of its own may be a time, a quantity, or anything at all: it is there or not.
            _ if reference(schema).is_some() || facts.kept.contains(&field.as_str()) => true,
            (_, Value::String(text)) => !text.is_empty(),
            (_, Value::Number(number)) => number.as_f64() != Some(0.0),
            (_, Value::Bool(flag)) => *flag,
            (_, Value::Array(items)) => !items.is_empty(),
            (_, Value::Object(map)) => !map.is_empty(),
            (_, Value::Null) => false,
        }
    });
}

/// Puts in what is always there.
pub(crate) fn complete(name: &str, object: &mut Value) {
    let (Some(schema), Some(map)) = (schema(name), object.as_object_mut()) else { return };
    for (field, value) in MODEL.facts.get(name).into_iter().flat_map(|facts| &facts.always) {
        let fallback = || value.clone().unwrap_or_else(|| Value::Object(Map::new()));
        if map.get(*field).is_none_or(Value::is_null) {
            map.insert((*field).to_owned(), fallback());
        }
    }
    for (field, value) in map {
        if let Some(schema) = schema["properties"].get(field) {
            below(schema, value, &complete);
        }
    }
}

/// Writes quantities and times in the one form in which they are kept.
pub(crate) fn settle(name: &str, value: &mut Value) {
    match mismatch::short(name) {
        mismatch::QUANTITY => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let shortest = Quantity::parse(text.trim()).ok().and_then(Quantity::shortest);
            *value = shortest.unwrap_or(text).into();
        }
        kind @ (mismatch::TIME | mismatch::MICRO_TIME) => {
            let Some(at) = value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else { return };
            let seconds = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            let micros = at.subsec_nanosecond() / 1_000;
            *value =
                if kind == mismatch::TIME { format!("{seconds}Z") } else { format!("{seconds}.{micros:06}Z") }.into();
        }
        _ => {
            let (Some(schema), Some(map)) = (schema(name), value.as_object_mut()) else { return };
            for (field, value) in map.iter_mut().filter(|(_, value)| !value.is_null()) {
                if let Some(schema) = schema["properties"].get(field) {
                    below(schema, value, &settle);
                }
            }
        }
    }
}

/// A list of nothing, where a list is always shown, is stored as none.
pub(crate) fn forget_empty(name: &str, object: &mut Value) {
    let (Some(schema), Some(map)) = (schema(name), object.as_object_mut()) else { return };
    let always = MODEL.facts.get(name).map(|facts| facts.always.as_slice()).unwrap_or_default();
    for (field, value) in map {
        if always.iter().any(|(always, value)| always == field && *value == Some(Value::Null))
            && value.as_array().is_some_and(Vec::is_empty)
        {
            *value = Value::Null;
        } else if let Some(schema) = schema["properties"].get(field) {
            below(schema, value, &forget_empty);
        }
    }
}

/// Goes on where a value has a type with a name: itself, or its items or entries.
fn below(schema: &Value, value: &mut Value, go: &dyn Fn(&str, &mut Value)) {
    if let Some(name) = reference(schema) {
        return go(name, value);
    }
    match value {
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                for item in items {
                    below(schema, item, go);
                }
            }
        }
        Value::Object(map) => {
            let Some(schema) = schema.get("additionalProperties").filter(|more| more.is_object()) else { return };
            for child in map.values_mut() {
                if child.is_null() && schema["type"] == "string" {
                    *child = "".into();
                }
                below(schema, child, go);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POD: &str = "io.k8s.api.core.v1.Pod";

    #[test]
    fn what_is_empty_goes_and_what_is_always_there_comes() {
        let mut pod = json!({"metadata": {"name": "p", "labels": {}, "creationTimestamp": null}, "spec": {
            "hostNetwork": false, "nodeName": "", "priority": 0, "automountServiceAccountToken": false, "securityContext": {},
            "containers": [{"name": "c", "env": [], "command": null, "env2": 1, "ports": [{"containerPort": 0}], "resources": {"limits": {}}, "readinessProbe": {"httpGet": {"port": 0}}}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        }});
        reduce(POD, &mut pod);
        assert_eq!(
            pod,
            json!({"metadata": {"name": "p"}, "spec": {
                "priority": 0, "automountServiceAccountToken": false, "securityContext": {},
                "containers": [{"name": "c", "env2": 1, "ports": [{}], "resources": {}, "readinessProbe": {"httpGet": {"port": 0}}}],
                "volumes": [{"name": "v", "emptyDir": {}}],
            }})
        );
        let mut pod = json!({"spec": {"containers": [{}]}});
        complete(POD, &mut pod);
        assert_eq!(pod, json!({"metadata": {}, "spec": {"containers": [{"name": "", "resources": {}}]}, "status": {}}));
    }

    #[test]
    fn an_empty_object_has_the_shape_of_its_type() {
        let empty = |name: &str| {
            let mut object = json!({});
            complete(name, &mut object);
            object
        };
        assert_eq!(
            empty("io.k8s.api.apps.v1.Deployment"),
            json!({"metadata": {}, "spec": {"selector": null, "strategy": {}, "template": {"metadata": {}, "spec": {"containers": null}}}, "status": {}})
        );
        assert_eq!(
            empty("io.k8s.api.core.v1.Service"),
            json!({"metadata": {}, "spec": {}, "status": {"loadBalancer": {}}})
        );
        assert_eq!(empty("io.k8s.api.core.v1.ConfigMap"), json!({"metadata": {}}));
    }
}
