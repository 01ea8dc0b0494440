//! The definitions of the custom resources: what the derive makes of the types, finished with what it cannot say.
//!
//! Finished means: names that give valid names of children, rules across fields, and a few fields that are not nullable. An
//! explicit null is accepted everywhere: an API server keeps it where a field is nullable and drops it elsewhere, before it
//! validates. Beside `enum` and in rules only the latter works, since a null is not in the list of values, and is no list.

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube_core::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{FlinkCluster, FlinkDeployment, FlinkJob, names};

/// The definitions of the three kinds, ready to be applied.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        finish(&FlinkDeployment::crd(), &cluster_name(), &deployment_rules()),
        finish(&FlinkCluster::crd(), &cluster_name(), &json!([])),
        finish(&FlinkJob::crd(), &json!({ "type": "string", "maxLength": names::MAX_JOB_NAME }), &json!([])),
    ]
}

/// Schema of `status.conditions`.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": { "type": "string" },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "reason": { "type": "string" },
                "message": { "type": "string" },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "observedGeneration": { "type": "integer", "format": "int64" },
            },
        },
    })
}

/// Schema of an object of any form.
pub(crate) fn opaque(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Reads conditions; null counts as none.
pub(crate) fn conditions_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Condition>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

fn cluster_name() -> Value {
    json!({ "type": "string", "maxLength": names::MAX_CLUSTER_NAME, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" })
}

// A deployment with a status is one that already exists: its names were accepted once, and its status and finalizers must still
// be written. Names that are added to it are checked by the second rule, which needs an old object and so runs on updates only.
fn deployment_rules() -> Value {
    let longest = names::MAX_JOB_NAME - 1;
    let message = format!(
        "spec.jobs[].name is too long: metadata.name and the name of a job may have {longest} characters together"
    );
    let none = "!has(self.spec.jobs)";
    let fits = format!("size(self.metadata.name) + size(job.name) <= {longest}");
    let known = "has(oldSelf.spec.jobs) && oldSelf.spec.jobs.exists(old, old.name == job.name)";
    json!([
        { "rule": format!("has(self.status) || {none} || self.spec.jobs.all(job, {fits})"), "message": message },
        { "rule": format!("{none} || self.spec.jobs.all(job, {fits} || ({known}))"), "message": message },
    ])
}

fn finish(crd: &CustomResourceDefinition, name: &Value, rules: &Value) -> CustomResourceDefinition {
    let mut crd = serde_json::to_value(crd).expect("a definition is JSON");
    for version in crd["spec"]["versions"].as_array_mut().expect("a definition has versions") {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        drop_nulls(schema);
        schema["properties"]["metadata"] = json!({ "type": "object", "properties": { "name": name } });
        if rules.as_array().is_some_and(|rules| !rules.is_empty()) {
            schema["x-kubernetes-validations"] = rules.clone();
        }
    }
    serde_json::from_value(crd).expect("only the schema was changed")
}

// Rules read `spec.jobs`; its nulls must be dropped as well as those beside `enum`.
fn drop_nulls(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Array(values)) = members.get_mut("enum") {
                values.retain(|value| !value.is_null());
                members.remove("nullable");
            }
            if members.get("x-kubernetes-list-type") == Some(&json!("map")) {
                members.remove("nullable");
            }
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
