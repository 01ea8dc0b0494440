//! Effects, carried out in order. Each is idempotent, and nothing is learned from an answer: what happened is
//! believed when it is observed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::annotations::{ACTION_TIMESTAMP, NONE, REQUESTED_ACTION, WITHOUT_SAVEPOINT};
use api::record::Incarnation;
use api::{FlinkCluster, FlinkJob, labels, names};
use flink::{JobId, TriggerId};
use flink_client::Flink;
use k8s_openapi::api::batch::v1::Job as BatchJob;
use k8s_openapi::api::core::v1::{Pod, Service};
use kit::cache::Cache;
use kit::client::CallError;
use kit::kubernetes::Kind;
use kit::{Kubernetes, Outcome, patch};
use kube::{Resource, ResourceExt};
use lifecycle::{Refusal, cluster, job};
use manifests::{Launch, Settings};
use serde_json::{Value, json};

use crate::caches::{Caches, PodObject, PodPlace, PodStatus};
use crate::edge::Edge;
use crate::jobmanager::JobManager;

/// Seconds that a Flink process has to end.
const GRACE: u32 = 5;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Kubernetes(#[from] CallError),
    #[error(transparent)]
    Flink(#[from] flink_client::Error),
    #[error("build the objects")]
    Manifests(#[from] manifests::Error),
    #[error("the JobManager is another one by now")]
    OtherIncarnation,
    #[error("an id is not one of Flink's")]
    Id(#[from] flink::InvalidId),
    /// Or it is ours, and the event that tells of it is late or lost.
    #[error(
        "there is a {kind} {name} already that was not made for this cluster: delete it, or give the cluster another name"
    )]
    Taken { kind: String, name: String },
}

impl Error {
    /// What Kubernetes, or the definition itself, does not allow.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Kubernetes(error) => error.status().and_then(|status| Refusal::of(status.code, &status.message)),
            Self::Manifests(error) => Some(Refusal { reason: error.reason(), message: kit::chain(error) }),
            Self::Taken { .. } => Some(Refusal { reason: self.reason(), message: self.to_string() }),
            _ => None,
        }
    }

    /// The reason of the event that tells of it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(error) if error.is_invalid() => "Invalid",
            Self::Kubernetes(_) => "KubernetesFailed",
            Self::Flink(error) => error.reason(),
            Self::Manifests(_) => "Invalid",
            Self::Taken { .. } => "NameTaken",
            Self::OtherIncarnation | Self::Id(_) => "Superseded",
        }
    }
}

/// How long after a creation found the object there its event may be under way.
const LAG: Duration = Duration::from_secs(1);

/// Where effects happen.
pub struct Actor<E> {
    pub edge: E,
    pub caches: Caches,
    pub cluster: String,
    pub settings: Settings,
    /// Objects that are there and were not seen yet, by name, and when that was noticed, by the monotonic clock.
    pub unseen: Mutex<BTreeMap<String, Duration>>,
}

impl<E: Edge> Actor<E> {
    /// Carries out one effect on the cluster.
    pub async fn on_cluster(
        &self,
        object: &FlinkCluster,
        effect: &cluster::Effect,
        manager: Option<&JobManager<E::Flink>>,
    ) -> Result<(), Error> {
        use cluster::Effect;
        match effect {
            Effect::AddFinalizer => self.finalizer(object, true).await,
            Effect::RemoveFinalizer => self.finalizer(object, false).await,
            Effect::CreateJobManager { incarnation } => {
                // Who sees the past would make one of the past, beside the one of now.
                if self.is_overtaken(object).await? || self.last_lives(*incarnation).await? {
                    return Ok(());
                }
                self.create::<Pod, _>(&self.caches.pods, &manifests::job_manager_pod(object, *incarnation)?).await
            }
            Effect::CreateService => {
                self.create::<Service, _>(&self.caches.services, &manifests::job_manager_service(object)?).await
            }
            Effect::AdoptPod { name, uid, incarnation, job_manager } => {
                self.adopt_pod(object, name, uid, *incarnation, job_manager).await
            }
            Effect::AdoptService { uid } => {
                let metadata = json!({ "uid": uid, "ownerReferences": [manifests::owner_of(object)?] });
                self.adopt::<Service>(&names::job_manager_service(&self.cluster), metadata).await
            }
            Effect::CreateTaskManager { incarnation, job_manager, index } => {
                let pod = manifests::task_manager_pod(object, *incarnation, job_manager, *index)?;
                self.create::<Pod, _>(&self.caches.pods, &pod).await
            }
            Effect::DeletePod { name, uid } => self.delete::<Pod, _>(&self.caches.pods, name, uid, Some(GRACE)).await,
            Effect::KillPod { name, uid } => self.delete::<Pod, _>(&self.caches.pods, name, uid, Some(0)).await,
            Effect::DeleteService { uid } => {
                let name = names::job_manager_service(&self.cluster);
                self.delete::<Service, _>(&self.caches.services, &name, uid, None).await
            }
            Effect::Scale { task_managers } => self.scale(*task_managers).await,
            Effect::CancelJob { job_manager, job_id } => {
                let manager = of(manager, job_manager)?;
                Ok(manager.client.cancel_job(&JobId::try_from(job_id.clone())?).await?)
            }
            Effect::ResetAction { action } => self.reset(object, action).await,
        }
    }

    /// Whether the cluster has changed since it was looked at.
    async fn is_overtaken(&self, object: &FlinkCluster) -> Result<bool, Error> {
        match self.edge.kubernetes().get::<FlinkCluster>(&self.cluster).await {
            Ok(now) => Ok(now.is_none_or(|now| now.metadata.resource_version != object.metadata.resource_version)),
            // Who may not read it past the cache goes by that.
            Err(error) if error.status().is_some_and(|status| matches!(status.code, 401 | 403)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Carries out one effect on a job.
    pub async fn on_job(
        &self,
        object: &FlinkJob,
        effect: &job::Effect,
        manager: Option<&JobManager<E::Flink>>,
        address: Option<&str>,
    ) -> Result<(), Error> {
        use job::Effect;
        match effect {
            Effect::AddFinalizer => self.finalizer(object, true).await,
            Effect::RemoveFinalizer => self.finalizer(object, false).await,
            Effect::CreateBootstrap { attempt } => {
                let launch = Launch {
                    attempt: attempt.number,
                    job_id: attempt.job_id.clone(),
                    address: address.ok_or(Error::OtherIncarnation)?.to_owned(),
                    port: 8081,
                    parallelism: attempt.parallelism,
                    savepoint_path: attempt.restore.path().map(str::to_owned),
                };
                let job = manifests::bootstrap_job(object, &self.cluster, &launch, &self.settings)?;
                self.create::<BatchJob, _>(&self.caches.bootstraps, &job).await
            }
            Effect::DeleteBootstrap { uid } => {
                let name = object.name_any();
                let short = names::short_job_name(&self.cluster, &name).unwrap_or(&name);
                let name = names::bootstrap(&self.cluster, short);
                self.delete::<BatchJob, _>(&self.caches.bootstraps, &name, uid, None).await
            }
            Effect::StopWithSavepoint { incarnation, job_id, trigger_id, directory } => {
                let (manager, job, trigger) = operation(manager, incarnation, job_id, trigger_id)?;
                let target = Some(directory.as_str()).filter(|target| !target.is_empty());
                manager.client.stop_with_savepoint(&job, &trigger, target).await?;
                Ok(())
            }
            Effect::TriggerSavepoint { incarnation, job_id, trigger_id, directory } => {
                let (manager, job, trigger) = operation(manager, incarnation, job_id, trigger_id)?;
                let target = Some(directory.as_str()).filter(|target| !target.is_empty());
                manager.client.trigger_savepoint(&job, &trigger, target).await?;
                Ok(())
            }
            Effect::DeleteSavepoint { incarnation, path } => {
                of(manager, &incarnation.uid)?.dispose(path).await;
                Ok(())
            }
            Effect::DeleteJar { incarnation, jar_id } => {
                if let Err(error) = of(manager, &incarnation.uid)?.client.delete_jar(jar_id).await {
                    // If it is still there, the next listing tells.
                    tracing::info!(jar = jar_id, error = kit::chain(&error), "the JAR is not deleted");
                }
                Ok(())
            }
            Effect::Rescale { incarnation, job_id, from, to, trigger_id } => {
                let (manager, job, trigger) = operation(manager, incarnation, job_id, trigger_id)?;
                let requirements = manager.client.resource_requirements(&job).await?;
                if let Some(changed) = flink::requirements::changed(&requirements, *from, *to) {
                    manager.client.set_resource_requirements(&job, &changed).await?;
                }
                // Flink changes it with the next checkpoint, which need not be far.
                manager.client.trigger_checkpoint(&job, &trigger).await?;
                Ok(())
            }
            Effect::CancelJob { incarnation, job_id } => {
                let manager = of(manager, &incarnation.uid)?;
                Ok(manager.client.cancel_job(&JobId::try_from(job_id.clone())?).await?)
            }
            Effect::ResetAction { action } => self.reset(object, action).await,
        }
    }

    /// Makes a pod of the original one of the cluster's, and notes how often its containers had been restarted.
    async fn adopt_pod(
        &self,
        object: &FlinkCluster,
        name: &str,
        uid: &str,
        incarnation: u32,
        job_manager: &str,
    ) -> Result<(), Error> {
        let Some(pod) = self.edge.kubernetes().get::<Pod>(name).await? else { return Ok(()) };
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let restarts: i32 = statuses.map(|status| status.restart_count).sum();
        let metadata = json!({
            "uid": uid,
            "resourceVersion": pod.metadata.resource_version,
            "ownerReferences": [manifests::owner_of(object)?],
            "labels": { labels::INCARNATION: incarnation.to_string() },
            "annotations": { labels::INCARNATION_UID: job_manager, labels::ADOPTED_RESTARTS: restarts.to_string() },
        });
        self.adopt::<Pod>(name, metadata).await
    }

    /// Patches the metadata of the object with that uid; another one of that name is left alone.
    async fn adopt<K: Kind>(&self, name: &str, metadata: Value) -> Result<(), Error> {
        match self.edge.kubernetes().merge_metadata::<K>(name, &metadata).await {
            Err(error) if !error.is_not_found() && !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Creates an object under its deterministic name; one that is there already is the one that was wanted.
    /// Whether the JobManager before this one is there, and no event has told of it: it is known from now on, and waited for.
    async fn last_lives(&self, incarnation: u32) -> Result<bool, Error> {
        let name = names::job_manager_pod(&self.cluster, incarnation.saturating_sub(1));
        if incarnation < 2 || self.caches.pods.get(&name).is_some() {
            return Ok(false);
        }
        let pod = self.edge.kubernetes().get::<Pod>(&name).await?;
        let Some(pod) = pod else { return Ok(false) };
        let phase = pod.status.and_then(|status| status.phase).unwrap_or_default();
        if matches!(phase.as_str(), "Succeeded" | "Failed") {
            return Ok(false);
        }
        let status = PodStatus { phase, ..PodStatus::default() };
        self.caches.pods.discover(PodObject::new(pod.metadata, PodPlace::default(), status));
        Ok(true)
    }

    /// Creates what was not seen. What is there all the same is ours and about to be seen, or an event was lost, or it is somebody else's.
    async fn create<K: Kind, C: Resource>(&self, cache: &Cache<C>, manifest: &Value) -> Result<(), Error> {
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        let kind = K::kind(&()).into_owned();
        let key = format!("{kind}/{name}");
        let answer = self.edge.kubernetes().create::<K>(manifest).await;
        let mut unseen = self.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Err(error) if error.is_already_exists() && cache.get(name).is_none() => {
                let now = self.edge.clock().monotonic();
                let since = *unseen.entry(key).or_insert(now);
                if now.saturating_sub(since) < LAG {
                    return Ok(());
                }
                cache.list_again();
                Err(Error::Taken { kind, name: name.to_owned() })
            }
            Err(error) if !error.is_already_exists() => Err(error.into()),
            _ => {
                unseen.remove(&key);
                Ok(())
            }
        }
    }

    /// Deletes what was seen. What is gone already is not seen any more, or it would be deleted again and again.
    async fn delete<K: Kind, C: Resource>(
        &self,
        cache: &Cache<C>,
        name: &str,
        uid: &str,
        grace: Option<u32>,
    ) -> Result<(), Error> {
        if let Outcome::Gone = self.edge.kubernetes().delete::<K>(name, uid, grace).await? {
            cache.forget(name, uid);
        }
        Ok(())
    }

    async fn finalizer<K: Kind>(&self, seen: &K, wanted: bool) -> Result<(), Error> {
        self.edge.kubernetes().finalizer(seen, names::SUPERVISOR_FINALIZER, wanted).await?;
        Ok(())
    }

    /// Takes back a `without-savepoint` that the original has left behind, which would count for the next command.
    pub async fn forget_leftover<K: Kind>(&self, seen: &K) -> Result<(), Error> {
        self.reset(seen, NONE).await
    }

    /// Sets `requested-action` to `NONE` if the object is still the one that was looked at, and takes back
    /// `without-savepoint` with it. A new timestamp tells the next command from this one, also if it is the same word.
    async fn reset<K: Kind>(&self, seen: &K, action: &str) -> Result<(), Error> {
        let meta = seen.meta();
        let annotations = meta.annotations.clone().unwrap_or_default();
        let Some(said) = annotations.get(REQUESTED_ACTION).filter(|said| said.trim().eq_ignore_ascii_case(action))
        else {
            return Ok(());
        };
        let path = |key: &str| format!("/metadata/annotations/{}", patch::escape(key));
        let mut operations = vec![
            patch::at_version(meta.resource_version.as_deref().unwrap_or_default()),
            patch::test(&path(REQUESTED_ACTION), said.as_str()),
            patch::add(&path(REQUESTED_ACTION), NONE),
            patch::add(&path(ACTION_TIMESTAMP), self.edge.clock().now().as_millisecond().to_string()),
        ];
        if annotations.contains_key(WITHOUT_SAVEPOINT) {
            operations.push(patch::add(&path(WITHOUT_SAVEPOINT), "false"));
        }
        let name = meta.name.as_deref().unwrap_or_default();
        self.edge.kubernetes().patch::<K>(name, &operations).await?;
        Ok(())
    }

    async fn scale(&self, task_managers: u32) -> Result<(), Error> {
        Ok(self.edge.kubernetes().scale::<FlinkCluster>(&self.cluster, task_managers).await?)
    }
}

fn of<'a, F>(manager: Option<&'a JobManager<F>>, uid: &str) -> Result<&'a JobManager<F>, Error> {
    manager.filter(|manager| manager.uid == uid).ok_or(Error::OtherIncarnation)
}

fn operation<'a, F>(
    manager: Option<&'a JobManager<F>>,
    incarnation: &Incarnation,
    job_id: &str,
    trigger_id: &str,
) -> Result<(&'a JobManager<F>, JobId, TriggerId), Error> {
    Ok((
        of(manager, &incarnation.uid)?,
        JobId::try_from(job_id.to_owned())?,
        TriggerId::try_from(trigger_id.to_owned())?,
    ))
}

#[cfg(test)]
mod tests;
