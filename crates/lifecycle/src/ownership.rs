//! Which cluster a `FlinkJob` belongs to, and what becomes of one that belongs to none.
//!
//! The operator decides it and says so in the label `clusterName`, by which supervisors find their jobs. Invariant: a job changes its
//! cluster only while nothing of it runs, and its status is written here only where no supervisor can exist.

use std::time::Duration;

use api::{FlinkJob, FlinkJobStatus, ResourceStatus, SupervisorStatus, conditions, labels, names};
use jiff::Timestamp;

use crate::deletion::{self, Force};
use crate::deployment::{has_finalizer, name};

/// What is known when a job is looked at.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub job: &'a FlinkJob,
    /// The names of all clusters of the namespace, those being deleted included.
    pub clusters: &'a [String],
    /// Clusters that have a supervisor Deployment or supervisor pods, whether the cluster exists or not.
    pub supervised: &'a [String],
    /// The supervisor of its cluster does not work.
    pub failing: bool,
}

/// One write to the job, guarded by the resourceVersion that was observed.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The labels `clusterName` and `jobName`.
    Label {
        cluster: String,
        job: String,
    },
    Status(Box<FlinkJobStatus>),
    /// The supervisor's: there is none that could do it, or does.
    RemoveFinalizer,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// At most one: the next one needs a new look.
    pub effect: Option<Effect>,
    pub waiting: Option<String>,
    /// When to look again, if nothing changes before.
    pub wake: Option<Duration>,
}

/// Decides whose a job is.
pub fn plan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let wake = match deletion::force(&observed.job.metadata, observed.failing, now) {
        Force::Now => return Plan { effect: Some(Effect::RemoveFinalizer), ..Plan::default() },
        Force::After(left) => Some(left),
        Force::No => None,
    };
    let plan = match home(observed) {
        Some((cluster, job)) => label(observed.job, cluster, job),
        None => orphan(observed, now),
    };
    Plan { wake, ..plan }
}

/// The cluster of a job, and its short name there.
fn home<'a>(observed: &Observed<'a>) -> Option<(&'a str, &'a str)> {
    let job = observed.job;
    let full: &'a str = name(&job.metadata);
    // A job of a deployment belongs to the deployment's cluster, whatever other clusters are called.
    if let Some(deployment) = deployment_of(job)
        && let Some(short) = names::short_job_name(deployment, full)
    {
        return observed
            .clusters
            .iter()
            .find(|cluster| *cluster == deployment)
            .map(|cluster| (cluster.as_str(), short));
    }
    if let Some((cluster, short)) = stamped(observed)
        && is_live(job)
    {
        return Some((cluster, short));
    }
    names::cluster_of_job(full, observed.clusters.iter().map(String::as_str))
}

fn deployment_of(job: &FlinkJob) -> Option<&str> {
    let controller = job.metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    controller.filter(|owner| owner.kind == "FlinkDeployment").map(|owner| owner.name.as_str())
}

/// The existing cluster that the label names, if the job's name allows it.
fn stamped<'a>(observed: &Observed<'a>) -> Option<(&'a str, &'a str)> {
    let label = observed.job.metadata.labels.as_ref()?.get(labels::CLUSTER_NAME)?;
    let cluster = observed.clusters.iter().find(|cluster| *cluster == label)?;
    Some((cluster.as_str(), names::short_job_name(cluster, name(&observed.job.metadata))?))
}

/// A supervisor has begun with the job and has not ended with it.
fn is_live(job: &FlinkJob) -> bool {
    match job.status.as_ref().and_then(|status| status.supervisor_status).unwrap_or_default() {
        SupervisorStatus::Starting | SupervisorStatus::Started | SupervisorStatus::Stopping => true,
        SupervisorStatus::Unknown | SupervisorStatus::Stopped | SupervisorStatus::Terminated => false,
    }
}

fn label(job: &FlinkJob, cluster: &str, short: &str) -> Plan {
    let has = |key: &str, value: &str| {
        job.metadata.labels.as_ref().and_then(|all| all.get(key)).is_some_and(|found| found == value)
    };
    let stamped = has(labels::CLUSTER_NAME, cluster) && has(labels::JOB_NAME, short);
    let effect = (!stamped).then(|| Effect::Label { cluster: cluster.to_owned(), job: short.to_owned() });
    Plan { effect, ..Plan::default() }
}

fn orphan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let job = observed.job;
    let last = job.metadata.labels.as_ref().and_then(|all| all.get(labels::CLUSTER_NAME));
    if let Some(cluster) = last.filter(|cluster| observed.supervised.contains(cluster)) {
        let waiting = Some(format!("the supervisor of {cluster} has not ended yet"));
        return Plan { waiting, ..Plan::default() };
    }
    let deleting = job.metadata.deletion_timestamp.is_some();
    if deleting && has_finalizer(&job.metadata, names::SUPERVISOR_FINALIZER) {
        return Plan { effect: Some(Effect::RemoveFinalizer), ..Plan::default() };
    }
    if !deleting && deployment_of(job).is_some() {
        let waiting = Some("its FlinkDeployment is about to create the cluster".to_owned());
        return Plan { waiting, ..Plan::default() };
    }
    let status = orphan_status(job, deleting, now);
    let effect = (job.status.as_ref() != Some(&status)).then(|| Effect::Status(Box::new(status)));
    Plan { effect, waiting: Some("there is no FlinkCluster for it".to_owned()), wake: None }
}

/// The record stays: a cluster of the same name goes on from it, as it does from `savepointPath`.
fn orphan_status(job: &FlinkJob, deleting: bool, now: Timestamp) -> FlinkJobStatus {
    let mut status = job.status.clone().unwrap_or_default();
    status.job_parallelism = Some(0);
    status.job_status = Some(String::new());
    status.job_id = Some(String::new());
    (status.supervisor_status, status.resource_status) = if deleting {
        (Some(SupervisorStatus::Terminated), Some(ResourceStatus::Updated))
    } else {
        (Some(SupervisorStatus::Unknown), Some(ResourceStatus::Unknown))
    };
    let generation = job.metadata.generation;
    status.observed_generation = generation;
    let message = "there is no FlinkCluster whose name and a dash begin the name of this job";
    for type_ in [conditions::READY, conditions::PROGRESSING] {
        let reason = conditions::reasons::NO_CLUSTER;
        conditions::set_condition(&mut status.conditions, type_, false, reason, message, generation, now);
    }
    status.conditions.retain(|condition| condition.type_ != conditions::STALLED);
    if job.status.as_ref() != Some(&status) {
        status.timestamp = Some(api::timestamp(now));
    }
    status
}

#[cfg(test)]
mod tests;
