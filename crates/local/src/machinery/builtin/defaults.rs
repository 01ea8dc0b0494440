//! Defaults of the built-in kinds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::kinds::Kind;
use super::super::meta::{self, map_in};
use super::{child, default, each, pods, services, spec, workloads};

/// What a container gets that says nothing: the most it may have, of which it requests all, or else the least.
fn limits(item: &mut Map<String, Value>) {
    if item.get("type") != Some(&"Container".into()) {
        return;
    }
    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
        for (resource, quantity) in item.get(from).and_then(Value::as_object).cloned().unwrap_or_default() {
            default(map_in(item, to), &resource, quantity);
        }
    }
}

pub(super) fn apply(kind: &Kind, object: &mut Value) {
    match kind.resource.as_str() {
        "pods" => {
            pods::spec(spec(object));
            pods::own(spec(object));
        }
        "services" => services::defaults(object),
        "deployments" => workloads::deployment(spec(object)),
        "replicasets" => workloads::replica_set(spec(object)),
        "jobs" => workloads::job(object),
        "namespaces" => namespace(object),
        "secrets" => secret(object.as_object_mut().expect("objects are maps")),
        "persistentvolumeclaims" => {
            default(spec(object), "volumeMode", "Filesystem");
            let status = map_in(object.as_object_mut().expect("objects are maps"), "status");
            default(status, "phase", "Pending");
        }
        "nodes" => workloads::node(object),
        "limitranges" => each(spec(object), "limits").for_each(limits),
        "tokenrequests" => default(spec(object), "expirationSeconds", 3600),
        "endpoints" => {
            for subset in each(object.as_object_mut().expect("objects are maps"), "subsets") {
                each(subset, "ports").for_each(|port| default(port, "protocol", "TCP"));
            }
        }
        "endpointslices" => {
            for port in each(object.as_object_mut().expect("objects are maps"), "ports") {
                default(port, "name", "");
                default(port, "protocol", "TCP");
            }
        }
        "rolebindings" | "clusterrolebindings" => binding(object.as_object_mut().expect("objects are maps")),
        "customresourcedefinitions" => definition(object),
        _ => {}
    }
}

fn namespace(object: &mut Value) {
    let name = meta::name(object).to_owned();
    if !name.is_empty() {
        map_in(meta::metadata(object), "labels").insert("kubernetes.io/metadata.name".into(), name.into());
    }
    let status = map_in(object.as_object_mut().expect("objects are maps"), "status");
    default(status, "phase", "Active");
}

fn binding(binding: &mut Map<String, Value>) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    default(map_in(binding, "roleRef"), "apiGroup", GROUP);
    for subject in each(binding, "subjects") {
        if matches!(subject.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
            default(subject, "apiGroup", GROUP);
        }
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
