//! Kubernetes types inside the custom resources: environment variables, volumes, containers and the like.
//!
//! The JSON is kept as it came, so that fields of newer Kubernetes versions survive, and its schema is thin: an object whose
//! important members are checked and whose others are kept. What does not parse as the Kubernetes type is found by
//! [`Embedded::typed`], which names the fault, so that one faulty object is reported and never stops the watch of its kind.

use std::{borrow::Cow, marker::PhantomData};

use k8s_openapi::api::core::v1::{
    Affinity, Container, ContainerPort, EnvFromSource, EnvVar, ResourceRequirements, SecurityContext, Toleration,
    TopologySpreadConstraint, Volume, VolumeMount,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Value, json};

/// A Kubernetes type that may stand inside our resources.
pub trait Embeddable: DeserializeOwned {
    /// Name of the type.
    const NAME: &'static str;
    /// Where the type is documented, below the Kubernetes API reference.
    const PAGE: &'static str;
    /// Schema of the members that are worth checking early.
    fn properties() -> Value;
    /// Members that must be present.
    const REQUIRED: &'static [&'static str] = &[];
    /// Brings accepted spellings into the form that Kubernetes writes.
    fn normalise(_raw: &mut Value) {}
}

/// A value that does not have the form of its Kubernetes type.
#[derive(Debug, thiserror::Error)]
#[error("{kind} is not valid: {source}")]
pub struct Invalid {
    kind: &'static str,
    source: serde_json::Error,
}

/// A Kubernetes type, kept as JSON.
pub struct Embedded<T> {
    raw: Value,
    kind: PhantomData<fn() -> T>,
}

impl<T: Embeddable> Embedded<T> {
    /// Wraps the JSON of a `T`.
    pub fn new(mut raw: Value) -> Self {
        T::normalise(&mut raw);
        Self { raw, kind: PhantomData }
    }

    /// The JSON as it came, with quantities as text.
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    /// The value as the Kubernetes type, without the members that this version does not know.
    pub fn typed(&self) -> Result<T, Invalid> {
        T::deserialize(&self.raw).map_err(|source| Invalid { kind: T::NAME, source })
    }
}

impl<T> Clone for Embedded<T> {
    fn clone(&self) -> Self {
        Self { raw: self.raw.clone(), kind: PhantomData }
    }
}

impl<T> std::fmt::Debug for Embedded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.raw.fmt(f)
    }
}

impl<T> PartialEq for Embedded<T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl<T> Serialize for Embedded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

impl<'de, T: Embeddable> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::new)
    }
}

impl<T: Embeddable> JsonSchema for Embedded<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::NAME.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = json!({
            "type": "object",
            "description": format!("{}, see https://kubernetes.io/docs/reference/kubernetes-api/{}", T::NAME, T::PAGE),
            "x-kubernetes-preserve-unknown-fields": true,
            "properties": T::properties(),
        });
        if !T::REQUIRED.is_empty() {
            schema["required"] = json!(T::REQUIRED);
        }
        schema.try_into().expect("an object is a schema")
    }
}

const POD: &str = "workload-resources/pod-v1/";

fn text() -> Value {
    json!({ "type": "string" })
}

fn name() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn quantities() -> Value {
    json!({
        "type": "object",
        "nullable": true,
        "additionalProperties": { "x-kubernetes-int-or-string": true },
    })
}

impl Embeddable for EnvVar {
    const NAME: &'static str = "EnvVar";
    const PAGE: &'static str = "workload-resources/pod-v1/#environment-variables";
    const REQUIRED: &'static [&'static str] = &["name"];

    fn properties() -> Value {
        json!({ "name": name(), "value": { "type": "string", "nullable": true } })
    }
}

impl Embeddable for EnvFromSource {
    const NAME: &'static str = "EnvFromSource";
    const PAGE: &'static str = "workload-resources/pod-v1/#environment-variables";

    fn properties() -> Value {
        json!({ "prefix": { "type": "string", "nullable": true } })
    }
}

impl Embeddable for Volume {
    const NAME: &'static str = "Volume";
    const PAGE: &'static str = "config-and-storage-resources/volume/";
    const REQUIRED: &'static [&'static str] = &["name"];

    fn properties() -> Value {
        json!({ "name": name() })
    }
}

impl Embeddable for VolumeMount {
    const NAME: &'static str = "VolumeMount";
    const PAGE: &'static str = "workload-resources/pod-v1/#volumes-1";
    const REQUIRED: &'static [&'static str] = &["name", "mountPath"];

    fn properties() -> Value {
        json!({ "name": name(), "mountPath": name() })
    }
}

impl Embeddable for ContainerPort {
    const NAME: &'static str = "ContainerPort";
    const PAGE: &'static str = "workload-resources/pod-v1/#ports";
    const REQUIRED: &'static [&'static str] = &["containerPort"];

    fn properties() -> Value {
        json!({
            "containerPort": { "type": "integer", "minimum": 1, "maximum": 65535 },
            "name": { "type": "string", "nullable": true },
            "protocol": { "type": "string", "default": "TCP" },
        })
    }
}

impl Embeddable for Container {
    const NAME: &'static str = "Container";
    const PAGE: &'static str = "workload-resources/pod-v1/#Container";
    const REQUIRED: &'static [&'static str] = &["name"];

    fn properties() -> Value {
        json!({
            "name": name(),
            "image": { "type": "string", "nullable": true },
            "resources": {
                "type": "object",
                "nullable": true,
                "x-kubernetes-preserve-unknown-fields": true,
                "properties": ResourceRequirements::properties(),
            },
        })
    }

    fn normalise(raw: &mut Value) {
        if let Some(resources) = raw.get_mut("resources") {
            ResourceRequirements::normalise(resources);
        }
    }
}

impl Embeddable for ResourceRequirements {
    const NAME: &'static str = "ResourceRequirements";
    const PAGE: &'static str = "workload-resources/pod-v1/#resources";

    fn properties() -> Value {
        json!({ "limits": quantities(), "requests": quantities() })
    }

    fn normalise(raw: &mut Value) {
        for member in ["limits", "requests"] {
            let quantities = raw.get_mut(member).and_then(Value::as_object_mut);
            for quantity in quantities.into_iter().flat_map(|map| map.values_mut()).filter(|value| value.is_number()) {
                *quantity = Value::String(quantity.to_string());
            }
        }
    }
}

impl Embeddable for SecurityContext {
    const NAME: &'static str = "SecurityContext";
    const PAGE: &'static str = "workload-resources/pod-v1/#security-context-1";

    fn properties() -> Value {
        json!({})
    }
}

impl Embeddable for Affinity {
    const NAME: &'static str = "Affinity";
    const PAGE: &'static str = POD;

    fn properties() -> Value {
        json!({})
    }
}

impl Embeddable for Toleration {
    const NAME: &'static str = "Toleration";
    const PAGE: &'static str = POD;

    fn properties() -> Value {
        json!({})
    }
}

impl Embeddable for TopologySpreadConstraint {
    const NAME: &'static str = "TopologySpreadConstraint";
    const PAGE: &'static str = POD;
    const REQUIRED: &'static [&'static str] = &["maxSkew", "topologyKey", "whenUnsatisfiable"];

    fn properties() -> Value {
        json!({ "maxSkew": { "type": "integer" }, "topologyKey": text(), "whenUnsatisfiable": text() })
    }
}
