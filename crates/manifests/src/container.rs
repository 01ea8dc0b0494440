//! Parts of containers: what users wrote, checked, and what our own processes get if users say nothing.

use api::{Embedded, embedded::Embeddable};
use k8s_openapi::api::core::v1::{ResourceRequirements, SecurityContext};
use serde_json::{Value, json};

use crate::{Error, MONITORING_PORT};

/// A list of a spec, checked, as JSON; an absent one is empty.
pub fn list<T: Embeddable>(items: Option<&Vec<Embedded<T>>>, field: &str) -> Result<Vec<Value>, Error> {
    let items = items.into_iter().flatten().enumerate();
    items.map(|(index, item)| checked(item, || format!("{field}[{index}]"))).collect()
}

/// A part of a spec, checked, as JSON; null if it is absent.
pub fn part<T: Embeddable>(item: Option<&Embedded<T>>, field: &str) -> Result<Value, Error> {
    item.map_or(Ok(Value::Null), |item| checked(item, || field.to_owned()))
}

fn checked<T: Embeddable>(item: &Embedded<T>, field: impl FnOnce() -> String) -> Result<Value, Error> {
    match item.typed() {
        Ok(_) => Ok(item.raw().clone()),
        Err(source) => Err(Error::Invalid { field: field(), source }),
    }
}

/// A list as a member that is left out if it is empty.
pub fn unless_empty(items: Vec<Value>) -> Value {
    if items.is_empty() { Value::Null } else { Value::Array(items) }
}

/// Pull secrets of a pod; null if none is named.
pub fn pull_secrets(name: Option<&str>) -> Value {
    let name = name.map(str::trim).filter(|name| !name.is_empty());
    name.map_or(Value::Null, |name| json!([{ "name": name }]))
}

/// Variables by which a process knows its pod.
pub fn pod_variables() -> Vec<Value> {
    [("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace"), ("POD_IP", "status.podIP")]
        .map(|(name, path)| json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": path } } }))
        .into()
}

/// A variable with a value.
pub fn variable(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

/// Resources of one of our own containers.
pub fn resources(given: Option<&Embedded<ResourceRequirements>>, field: &str) -> Result<Value, Error> {
    let default =
        || json!({ "limits": { "cpu": "1", "memory": "256Mi" }, "requests": { "cpu": "100m", "memory": "256Mi" } });
    Ok(if given.is_some() { part(given, field)? } else { default() })
}

/// Security context of one of our own containers: they need no right at all, and write nothing.
pub fn security(given: Option<&Embedded<SecurityContext>>, field: &str) -> Result<Value, Error> {
    let restricted = || {
        json!({
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": 65532,
            "seccompProfile": { "type": "RuntimeDefault" },
        })
    };
    Ok(if given.is_some() { part(given, field)? } else { restricted() })
}

/// Probe of one of our own processes.
pub fn probe(path: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": MONITORING_PORT },
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    })
}

/// One term of a preferred affinity or anti-affinity: pods with these labels on the same node.
pub fn same_node(weight: u32, labels: &api::labels::Labels) -> Value {
    json!({
        "weight": weight,
        "podAffinityTerm": { "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": labels } },
    })
}
