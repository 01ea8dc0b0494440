//! Metadata of children: name, namespace, labels, and the resource that controls them.

use api::labels::Labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use crate::Error;

/// A resource that owns children.
pub struct Owner<'a> {
    kind: &'static str,
    pub name: &'a str,
    pub namespace: &'a str,
    uid: &'a str,
}

impl<'a> Owner<'a> {
    /// The owner by its kind and metadata, which must come from an API server.
    pub fn new(kind: &'static str, meta: &'a ObjectMeta) -> Result<Self, Error> {
        let name = meta.name.as_deref().unwrap_or_default();
        let missing = |field| Error::NotStored { kind, name: name.to_owned(), field };
        if name.is_empty() {
            return Err(missing("metadata.name"));
        }
        let namespace = meta.namespace.as_deref().ok_or_else(|| missing("metadata.namespace"))?;
        let uid = meta.uid.as_deref().ok_or_else(|| missing("metadata.uid"))?;
        Ok(Self { kind, name, namespace, uid })
    }

    /// Metadata of a child.
    pub fn child(&self, name: &str, labels: &Labels) -> Value {
        json!({
            "name": name,
            "namespace": self.namespace,
            "labels": labels,
            "ownerReferences": [self.reference()],
        })
    }

    /// The controller reference of a child.
    pub fn reference(&self) -> Value {
        json!({
            "apiVersion": format!("{}/{}", api::GROUP, api::VERSION),
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        })
    }
}

/// Removes the members that are null, at this level only: what users wrote keeps its own.
pub fn present(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    object
}
