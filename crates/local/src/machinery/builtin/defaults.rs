//! Defaults of the built-in kinds, and the forms that the server normalises before it looks at types.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::meta::{self, map_in};
use super::{Admission, child, default, pods, services, spec, workloads};

/// Quantities may come as numbers; they are kept as text.
pub(super) fn normalise(object: &mut Value) {
    match object {
        Value::Array(items) => items.iter_mut().for_each(normalise),
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), &mut *value) {
                    ("limits" | "requests" | "capacity" | "allocatable", Value::Object(quantities)) => {
                        quantities.values_mut().for_each(number_to_text);
                    }
                    ("sizeLimit" | "storage", value) => number_to_text(value),
                    // A definition's schemas and a ConfigMap's data may contain such keys by chance.
                    ("openAPIV3Schema" | "data" | "stringData" | "annotations" | "labels" | "managedFields", _) => {}
                    (_, value) => normalise(value),
                }
            }
        }
        _ => {}
    }
}

fn number_to_text(value: &mut Value) {
    if value.is_number() {
        *value = value.to_string().into();
    }
}

pub(super) fn apply(admission: &Admission<'_>, object: &mut Value) {
    let create = admission.old.is_none();
    match admission.kind.resource.as_str() {
        "pods" => {
            pods::spec(spec(object));
            if create {
                pods::admitted(object);
            }
        }
        "services" => services::defaults(object),
        "deployments" => workloads::deployment(spec(object)),
        "replicasets" => workloads::replica_set(spec(object)),
        "jobs" => workloads::job(object, create),
        "namespaces" => namespace(object, create),
        "secrets" => secret(object.as_object_mut().expect("objects are maps")),
        "persistentvolumeclaims" => {
            default(spec(object), "volumeMode", "Filesystem");
            if create {
                object["status"] = json!({"phase": "Pending"});
            }
        }
        "nodes" => workloads::node(object),
        "selfsubjectaccessreviews" => object["status"] = json!({"allowed": true}),
        "customresourcedefinitions" => definition(object),
        _ => {}
    }
}

fn namespace(object: &mut Value, create: bool) {
    let name = meta::name(object).to_owned();
    map_in(meta::metadata(object), "labels").insert("kubernetes.io/metadata.name".into(), name.into());
    if create {
        spec(object).insert("finalizers".into(), json!(["kubernetes"]));
        object["status"] = json!({"phase": "Active"});
    }
}

/// `stringData` is for writing only.
fn secret(secret: &mut Map<String, Value>) {
    default(secret, "type", "Opaque");
    if let Some(Value::Object(plain)) = secret.remove("stringData") {
        let data = map_in(secret, "data");
        for (key, value) in plain {
            data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
        }
    }
}

fn definition(object: &mut Value) {
    let spec = spec(object);
    default(spec, "conversion", json!({"strategy": "None"}));
    if let Some(names) = child(spec, "names") {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        default(names, "listKind", format!("{kind}List"));
        default(names, "singular", kind.to_lowercase());
    }
}
