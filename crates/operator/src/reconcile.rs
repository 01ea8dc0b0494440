//! One look at one object: read the caches, decide, write, tell.

mod cluster;
mod deployment;
mod job;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::names;
use k8s_openapi::api::core::v1::ObjectReference;
use kit::cache::Cache;
use kit::client::CallError;
use kit::events::Events;
use kit::kubernetes::Kind;
use kit::projection::Parsed;
use kit::queue::{Next, Queue};
use kit::{Clock, Kubernetes, Outcome};
use kube::Resource;
use lifecycle::Notice;
use lifecycle::supervision::Correction;
use serde_json::Value;

use crate::caches::Caches;
use crate::key::Key;

/// What every look has at hand. Cheap to clone.
pub struct Context<A>(Arc<Inner<A>>);

struct Inner<A> {
    kubernetes: A,
    clock: Clock,
    caches: Caches,
    events: Events,
    settings: manifests::Settings,
    /// Corrections of supervisor Deployments, by the cluster's uid.
    corrections: Mutex<HashMap<String, Correction>>,
}

impl<A> Clone for Context<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A: Kubernetes> Context<A> {
    pub fn new(kubernetes: A, clock: Clock, caches: Caches, events: Events, settings: manifests::Settings) -> Self {
        Self(Arc::new(Inner { kubernetes, clock, caches, events, settings, corrections: Mutex::default() }))
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

    fn kubernetes(&self) -> &A {
        &self.0.kubernetes
    }

    fn tell(&self, about: &ObjectReference, notice: &Notice) {
        if notice.warning {
            self.0.events.warning(about, notice.reason, notice.message.clone());
        } else {
            self.0.events.normal(about, notice.reason, notice.message.clone());
        }
    }

    /// The object, unless it cannot be read: it says so itself then, and nothing is done about it.
    fn readable<'a, K: Resource<DynamicType = ()>>(&self, cached: &'a Parsed<K>) -> Option<&'a K> {
        match cached {
            Parsed::Valid(found) => Some(found),
            Parsed::Invalid { why, .. } => {
                let why = format!("cannot read this {}: {why}", K::kind(&()));
                self.0.events.warning(&cached.object_ref(&()), "Invalid", why);
                None
            }
        }
    }

    /// Deletes what was seen; whether it was still there. What is gone is not seen any more, or it would be deleted again and again.
    async fn delete<K: Kind, C: Resource>(&self, cache: &Cache<C>, name: &str, uid: &str) -> Result<bool, CallError> {
        let answer = self.kubernetes().delete::<K>(name, uid, None).await?;
        if let Outcome::Gone = answer {
            cache.forget(name, uid);
        }
        Ok(answer.written().is_some())
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

/// The manifest of one of our own resources.
fn manifest<K: Kind>(object: &K) -> Result<Value, CallError> {
    serde_json::to_value(object).map_err(|why| CallError::Kube(kube::Error::SerdeError(why)))
}

/// How a failed write of a look is told, and when the next look is due.
fn failed(kind: &str, name: &str, error: &CallError) -> Next {
    tracing::warn!(kind, name, error = kit::chain(error), "a write failed, trying again");
    Next::Failed
}
