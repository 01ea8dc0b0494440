//! What every object in a namespace can be done to, whatever its kind: exactly this one, as it was seen.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Api, DeleteParams, Preconditions};
use serde::de::DeserializeOwned;

use crate::client::{CallError, DEADLINE, call};
use crate::{Outcome, patch};

/// A kind of objects in namespaces that can be read.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}

/// Deletes the object with that uid, and in the background what it owns. That it is gone, or another one of that name by now, is as
/// good. Its processes have `grace` seconds, or as many as its kind says.
pub async fn delete<K: Object>(
    api: &Api<K>,
    name: &str,
    uid: &str,
    grace: Option<u32>,
) -> Result<Outcome<()>, CallError> {
    let params = DeleteParams {
        grace_period_seconds: grace,
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::background()
    };
    match call(DEADLINE, api.delete(name, &params)).await {
        Err(error) if error.is_not_found() || error.is_conflict() => Ok(Outcome::Gone),
        answer => answer.map(|_| Outcome::Written(())),
    }
}

/// Adds or removes one finalizer, if the object is still as it was seen.
pub async fn finalizer<K: Object>(
    api: &Api<K>,
    seen: &K,
    finalizer: &str,
    wanted: bool,
) -> Result<Outcome<K>, CallError> {
    let meta = seen.meta();
    let present = meta.finalizers.as_deref().unwrap_or_default();
    let mut operations = vec![patch::at_version(meta.resource_version.as_deref().unwrap_or_default())];
    operations.extend(if wanted {
        patch::add_finalizer(present, finalizer)
    } else {
        patch::remove_finalizer(present, finalizer)
    });
    patch::json(api, meta.name.as_deref().unwrap_or_default(), &operations).await
}
