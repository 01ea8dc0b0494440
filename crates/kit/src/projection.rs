//! Kubernetes objects of which only a part is decoded. What is not named here never reaches memory: a pod is 8 to 15 KB on the wire and
//! a few hundred bytes here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// A spec or status that is not looked at.
pub type Ignored = serde::de::IgnoredAny;

/// The names of another kind, for what stands for an object of it.
macro_rules! of_kind {
    ($kind:ident) => {
        type DynamicType = $kind::DynamicType;
        type Scope = $kind::Scope;

        fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
            $kind::kind(dynamic)
        }
        fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
            $kind::group(dynamic)
        }
        fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
            $kind::version(dynamic)
        }
        fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
            $kind::plural(dynamic)
        }
    };
}

/// The metadata, `S` of the spec and `T` of the status of an object of kind `K`. Unknown members are skipped while reading.
pub struct Projection<K, S, T> {
    pub metadata: ObjectMeta,
    pub spec: S,
    pub status: T,
    kind: PhantomData<fn() -> K>,
}

impl<K, S, T> Projection<K, S, T> {
    pub fn new(metadata: ObjectMeta, spec: S, status: T) -> Self {
        Self { metadata, spec, status, kind: PhantomData }
    }
}

impl<K, S: Clone, T: Clone> Clone for Projection<K, S, T> {
    fn clone(&self) -> Self {
        Self {
            metadata: self.metadata.clone(),
            spec: self.spec.clone(),
            status: self.status.clone(),
            kind: PhantomData,
        }
    }
}

impl<K, S: Debug, T: Debug> Debug for Projection<K, S, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Projection")
            .field("name", &self.metadata.name)
            .field("spec", &self.spec)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl<K: Resource, S, T> Resource for Projection<K, S, T> {
    of_kind!(K);

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<'de, K, S, T> Deserialize<'de> for Projection<K, S, T>
where
    S: DeserializeOwned + Default,
    T: DeserializeOwned + Default,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Raw::<S, T>::deserialize(deserializer)?;
        Ok(Self {
            metadata: raw.metadata.into(),
            spec: raw.spec.unwrap_or_default(),
            status: raw.status.unwrap_or_default(),
            kind: PhantomData,
        })
    }
}

#[derive(Deserialize)]
#[serde(bound = "S: DeserializeOwned, T: DeserializeOwned")]
struct Raw<S, T> {
    metadata: Metadata,
    spec: Option<S>,
    status: Option<T>,
}

/// Metadata without managedFields, which are half of many objects.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(from: Metadata) -> Self {
        Self {
            name: from.name,
            namespace: from.namespace,
            uid: from.uid,
            resource_version: from.resource_version,
            generation: from.generation,
            creation_timestamp: from.creation_timestamp,
            deletion_timestamp: from.deletion_timestamp,
            labels: from.labels,
            annotations: from.annotations,
            finalizers: from.finalizers,
            owner_references: from.owner_references,
            ..Self::default()
        }
    }
}

/// An object that is read as a whole, or, when it cannot be, its metadata and the reason: one object that was stored under an older
/// schema must not end the watch of all others.
#[derive(Clone, Debug)]
pub enum Parsed<K> {
    Valid(Box<K>),
    Invalid { metadata: Box<ObjectMeta>, why: String },
}

impl<K> Parsed<K> {
    /// The object, if it could be read.
    pub fn valid(&self) -> Option<&K> {
        match self {
            Self::Valid(object) => Some(object),
            Self::Invalid { .. } => None,
        }
    }
}

impl<K: Resource> Resource for Parsed<K> {
    of_kind!(K);

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Valid(object) => object.meta(),
            Self::Invalid { metadata, .. } => metadata,
        }
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Valid(object) => object.meta_mut(),
            Self::Invalid { metadata, .. } => metadata,
        }
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Parsed<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = serde_json::Value::deserialize(deserializer)?;
        if let Some(metadata) = value.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        match K::deserialize(&value) {
            Ok(object) => Ok(Self::Valid(Box::new(object))),
            Err(why) => {
                let metadata = Metadata::deserialize(&value["metadata"]).map_err(serde::de::Error::custom)?;
                Ok(Self::Invalid { metadata: Box::new(metadata.into()), why: why.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Pod};
    use kube::Resource;
    use serde::Deserialize;
    use serde_json::json;

    use super::{Ignored, Parsed, Projection};

    #[derive(Clone, Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Phase {
        phase: String,
    }

    #[test]
    fn only_the_named_parts_are_read() {
        let pod: Projection<Pod, Ignored, Phase> = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "p", "managedFields": [{"manager": "kubectl"}], "labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
        }))
        .expect("a pod");
        assert_eq!(pod.status.phase, "Running");
        assert_eq!(pod.metadata.managed_fields, None);
        assert_eq!(Projection::<Pod, Ignored, Phase>::kind(&()), "Pod");
    }

    #[test]
    fn what_cannot_be_read_keeps_its_name() {
        let broken: Parsed<ConfigMap> =
            serde_json::from_value(json!({"metadata": {"name": "c", "uid": "u"}, "data": "text"})).expect("guarded");
        assert!(broken.valid().is_none());
        assert_eq!(broken.meta().name.as_deref(), Some("c"));
    }
}
