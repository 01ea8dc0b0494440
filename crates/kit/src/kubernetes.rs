//! Kubernetes as a trait: the few things that control loops do to one namespace of it. Each is one request with a deadline; reading is
//! the caches' business.

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use serde::Serialize;
use serde_json::{Value, json};

use crate::client::{CallError, DEADLINE, call};
use crate::{Object, Outcome, object, patch, status};

/// The taint of a node that is surely off: Kubernetes gives up its pods then.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// A kind of objects that can be written, too.
pub trait Kind: Object + Serialize + 'static {}

impl<K: Object + Serialize + 'static> Kind for K {}

/// One namespace of an API server.
#[expect(async_fn_in_trait, reason = "who needs `Send` has a concrete type, which tells")]
pub trait Kubernetes {
    /// Reads one object past all caches.
    async fn get<K: Kind>(&self, name: &str) -> Result<Option<K>, CallError>;

    /// Whether a node is no more, or out of service for good, so that nothing runs on it; `None` if that may not be read, as nodes belong
    /// to no namespace.
    async fn is_node_out(&self, _name: &str) -> Result<Option<bool>, CallError> {
        Ok(None)
    }

    /// Creates the object that the manifest describes.
    async fn create<K: Kind>(&self, manifest: &Value) -> Result<(), CallError>;

    /// Replaces an object as a whole, if it is still at the manifest's resourceVersion; its metadata comes back.
    async fn replace<K: Kind>(&self, manifest: &Value) -> Result<ObjectMeta, CallError>;

    /// Replaces the status, if the object is still at its resourceVersion.
    async fn replace_status<K: Kind>(&self, object: &K) -> Result<Outcome<K>, CallError>;

    /// Adds or removes one finalizer, if the object is still as it was seen.
    async fn finalizer<K: Kind>(&self, seen: &K, finalizer: &str, wanted: bool) -> Result<Outcome<K>, CallError>;

    /// Applies operations of a JSON patch; a `test` that fails is a conflict.
    async fn patch<K: Kind>(&self, name: &str, operations: &[Value]) -> Result<Outcome<K>, CallError>;

    /// Merges metadata. A uid or resourceVersion in it must be the object's.
    async fn merge_metadata<K: Kind>(&self, name: &str, metadata: &Value) -> Result<(), CallError>;

    /// Sets the number of replicas through the scale subresource.
    async fn scale<K: Kind>(&self, name: &str, replicas: u32) -> Result<(), CallError>;

    /// Deletes the object with that uid, and in the background what it owns. That it is gone is as good, but told.
    async fn delete<K: Kind>(&self, name: &str, uid: &str, grace: Option<u32>) -> Result<Outcome<()>, CallError>;
}

/// One namespace, as a client reaches it.
#[derive(Clone)]
pub struct Namespaced {
    client: Client,
    namespace: String,
}

impl Namespaced {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { client, namespace: namespace.to_owned() }
    }

    fn api<K: Object>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Objects as they come, so that a member which is not known here is not lost on its way.
    fn dynamic<K: Object>(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::erase::<K>(&()))
    }
}

fn object(manifest: &Value) -> Result<DynamicObject, CallError> {
    serde_json::from_value(manifest.clone()).map_err(|why| CallError::Kube(kube::Error::SerdeError(why)))
}

impl Kubernetes for Namespaced {
    async fn get<K: Kind>(&self, name: &str) -> Result<Option<K>, CallError> {
        call(DEADLINE, self.api::<K>().get_opt(name)).await
    }

    async fn is_node_out(&self, name: &str) -> Result<Option<bool>, CallError> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let node = match call(DEADLINE, nodes.get_opt(name)).await {
            Ok(Some(node)) => node,
            Ok(None) => return Ok(Some(true)),
            Err(error) if error.status().is_some_and(|status| matches!(status.code, 401 | 403)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        Ok(Some(taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)))
    }

    async fn create<K: Kind>(&self, manifest: &Value) -> Result<(), CallError> {
        let (api, object) = (self.dynamic::<K>(), object(manifest)?);
        call(DEADLINE, api.create(&PostParams::default(), &object)).await.map(drop)
    }

    async fn replace<K: Kind>(&self, manifest: &Value) -> Result<ObjectMeta, CallError> {
        let (api, object) = (self.dynamic::<K>(), object(manifest)?);
        let name = object.metadata.name.clone().unwrap_or_default();
        call(DEADLINE, api.replace(&name, &PostParams::default(), &object)).await.map(|written| written.metadata)
    }

    async fn replace_status<K: Kind>(&self, object: &K) -> Result<Outcome<K>, CallError> {
        status::replace(&self.api::<K>(), object).await
    }

    async fn finalizer<K: Kind>(&self, seen: &K, finalizer: &str, wanted: bool) -> Result<Outcome<K>, CallError> {
        object::finalizer(&self.api::<K>(), seen, finalizer, wanted).await
    }

    async fn patch<K: Kind>(&self, name: &str, operations: &[Value]) -> Result<Outcome<K>, CallError> {
        patch::json(&self.api::<K>(), name, operations).await
    }

    async fn merge_metadata<K: Kind>(&self, name: &str, metadata: &Value) -> Result<(), CallError> {
        let (api, patch) = (self.dynamic::<K>(), Patch::Merge(json!({ "metadata": metadata })));
        call(DEADLINE, api.patch_metadata(name, &PatchParams::default(), &patch)).await.map(drop)
    }

    async fn scale<K: Kind>(&self, name: &str, replicas: u32) -> Result<(), CallError> {
        let body = json!({"spec": {"replicas": replicas}});
        let api = self.api::<K>();
        call(DEADLINE, api.patch_scale(name, &PatchParams::default(), &Patch::Merge(&body))).await.map(drop)
    }

    async fn delete<K: Kind>(&self, name: &str, uid: &str, grace: Option<u32>) -> Result<Outcome<()>, CallError> {
        object::delete(&self.api::<K>(), name, uid, grace).await
    }
}
