//! One look at one object: read the caches, decide, write, tell.

mod cluster;
mod deployment;
mod job;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::names;
use k8s_openapi::api::core::v1::ObjectReference;
use kit::client::{CallError, DEADLINE, call};
use kit::events::Events;
use kit::queue::{Next, Queue};
use kit::{Outcome, patch};
use kube::api::{Api, DeleteParams, Preconditions};
use kube::{Client, Resource, ResourceExt};
use lifecycle::Notice;
use lifecycle::supervision::Correction;
use serde::de::DeserializeOwned;

use crate::caches::Caches;
use crate::key::Key;

/// What every look has at hand. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    client: Client,
    namespace: String,
    caches: Caches,
    events: Events,
    settings: manifests::Settings,
    /// Corrections of supervisor Deployments, by the cluster's uid.
    corrections: Mutex<HashMap<String, Correction>>,
}

impl Context {
    pub fn new(client: Client, namespace: &str, caches: Caches, events: Events, settings: manifests::Settings) -> Self {
        let namespace = namespace.to_owned();
        Self(Arc::new(Inner { client, namespace, caches, events, settings, corrections: Mutex::default() }))
    }

    /// Looks at what the key names.
    pub async fn reconcile(&self, key: Key, queue: &Queue<Key>) -> Next {
        match key {
            Key::Deployment(name) => self.deployment(&name).await,
            Key::Cluster(name) => self.cluster(&name).await,
            Key::Job(name) => self.job(&name).await,
            Key::JobsOf(cluster) => {
                let jobs = self.0.caches.jobs.names();
                for job in jobs.into_iter().filter(|job| names::short_job_name(&cluster, job).is_some()) {
                    queue.add(Key::Job(job));
                }
                Next::Changed
            }
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.0.client.clone(), &self.0.namespace)
    }

    fn tell(&self, about: &ObjectReference, notice: &Notice) {
        if notice.warning {
            self.0.events.warning(about, notice.reason, notice.message.clone());
        } else {
            self.0.events.normal(about, notice.reason, notice.message.clone());
        }
    }

    /// An object that cannot be read: it says so itself, and nothing is done about it.
    fn tell_unreadable<K: Resource<DynamicType = ()>>(&self, object: &K, why: &str) {
        self.0.events.warning(&object.object_ref(&()), "Invalid", format!("cannot read this {}: {why}", K::kind(&())));
    }

    /// Deletes exactly this object. That it is gone, or another one by now, is as good.
    async fn delete<K>(&self, name: &str, uid: &str) -> Result<(), CallError>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::background()
        };
        match call(DEADLINE, self.api::<K>().delete(name, &params)).await {
            Err(error) if error.is_not_found() || error.is_conflict() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Adds or removes one finalizer, if the object is still as it was seen.
    async fn patch_finalizer_of<K>(&self, found: &K, finalizer: &str, add: bool) -> Result<Outcome<K>, CallError>
    where
        K: Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let present = found.finalizers();
        let change =
            if add { patch::add_finalizer(present, finalizer) } else { patch::remove_finalizer(present, finalizer) };
        let mut operations: Vec<_> =
            found.meta().resource_version.as_deref().map(patch::at_version).into_iter().collect();
        operations.extend(change);
        patch::json(&self.api::<K>(), &found.name_any(), &operations).await
    }

    fn correction(&self, uid: &str) -> Option<Correction> {
        self.0.corrections.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned()
    }

    fn remember(&self, uid: &str, correction: Option<Correction>) {
        let mut corrections = self.0.corrections.lock().unwrap_or_else(PoisonError::into_inner);
        match correction {
            Some(correction) => corrections.insert(uid.to_owned(), correction),
            None => corrections.remove(uid),
        };
    }
}

/// A write that met a newer object, or one that exists already: the watch brings what is new.
fn ordinary(answer: Result<(), CallError>) -> Result<bool, CallError> {
    match answer {
        Ok(()) => Ok(true),
        Err(error) if error.is_conflict() || error.is_already_exists() || error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// How a failed write of a look is told, and when the next look is due.
fn failed(kind: &str, name: &str, error: &CallError) -> Next {
    tracing::warn!(kind, name, error = kit::chain(error), "a write failed, trying again");
    Next::Failed
}
