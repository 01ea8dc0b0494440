//! A look at a FlinkJob: whose it is.

use api::{FlinkJob, labels, names};
use kit::client::CallError;
use kit::projection::Parsed;
use kit::queue::Next;
use kit::{Kubernetes, Outcome, patch};
use kube::ResourceExt;
use lifecycle::ownership::{self, Effect, Observed};
use serde_json::{Value, json};

use super::{Context, failed};
use crate::key::cluster_label;

impl<A: Kubernetes> Context<A> {
    pub(super) async fn job(&self, name: &str) -> Next {
        let Some(cached) = self.0.caches.jobs.get(name) else {
            return Next::Changed;
        };
        let Some(found) = self.readable(&cached) else {
            return Next::Changed;
        };
        let (clusters, supervised) = (self.0.caches.clusters.names(), self.0.caches.supervised());
        let failing = cluster_label(&found.metadata)
            .filter(|_| found.metadata.deletion_timestamp.is_some())
            .is_some_and(|cluster| self.0.caches.supervisor_trouble(&cluster).is_some());
        let observed = Observed { job: found, clusters: &clusters, supervised: &supervised, failing };
        let plan = ownership::plan(&observed, self.0.clock.now());
        let Some(effect) = plan.effect else {
            return plan.wake.map_or(Next::Changed, Next::After);
        };
        match self.write_job(found, &effect).await {
            Ok(Outcome::Written(written)) => self.0.caches.jobs.learn(Parsed::Valid(Box::new(written))),
            // The watch brings what was written meanwhile.
            Ok(Outcome::Conflict | Outcome::Gone) => return Next::Changed,
            Err(error) => return failed("FlinkJob", name, &error),
        }
        match effect {
            Effect::Label { cluster, .. } => tracing::info!(job = name, cluster, "job belongs to cluster"),
            Effect::Status(_) => tracing::info!(job = name, "job belongs to no cluster"),
            Effect::RemoveFinalizer => tracing::info!(job = name, "released: there is no supervisor that does it"),
        }
        Next::Changed
    }

    async fn write_job(&self, found: &FlinkJob, effect: &Effect) -> Result<Outcome<FlinkJob>, CallError> {
        match effect {
            Effect::Label { cluster, job } => {
                let mut operations = guard(found);
                operations.extend(label_operations(found, cluster, job));
                self.kubernetes().patch(&found.name_any(), &operations).await
            }
            Effect::Status(status) => {
                let mut job = found.clone();
                job.status = Some(status.as_ref().clone());
                self.kubernetes().replace_status(&job).await
            }
            Effect::RemoveFinalizer => self.kubernetes().finalizer(found, names::SUPERVISOR_FINALIZER, false).await,
        }
    }
}

fn guard(found: &FlinkJob) -> Vec<Value> {
    found.metadata.resource_version.as_deref().map(patch::at_version).into_iter().collect()
}

fn label_operations(found: &FlinkJob, cluster: &str, job: &str) -> Vec<Value> {
    let wanted = [(labels::CLUSTER_NAME, cluster), (labels::JOB_NAME, job)];
    if found.metadata.labels.is_none() {
        let all: serde_json::Map<String, Value> =
            wanted.into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        return vec![patch::add("/metadata/labels", all)];
    }
    let path = |key: &str| format!("/metadata/labels/{}", patch::escape(key));
    wanted.into_iter().map(|(key, value)| patch::add(&path(key), value)).collect()
}
