//! The end of a deployment: its cluster and jobs are deleted, and it goes when they are gone.

use jiff::Timestamp;

use super::child::{is_cluster_of, is_job_of};
use super::{Effect, Observed, Plan, has_finalizer, name, status};
use api::names;

pub fn plan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let deployment = observed.deployment;
    let mut effects = Vec::new();
    let mut left = Vec::new();
    if let Some(cluster) = observed.cluster.filter(|cluster| is_cluster_of(cluster, deployment)) {
        left.push(format!("FlinkCluster {}", name(&cluster.metadata)));
        if let (None, Some(uid)) = (&cluster.metadata.deletion_timestamp, cluster.metadata.uid.clone()) {
            effects.push(Effect::DeleteCluster { name: name(&cluster.metadata).to_owned(), uid });
        }
    }
    for job in observed.jobs.iter().filter(|job| is_job_of(job, deployment)) {
        left.push(format!("FlinkJob {}", name(&job.metadata)));
        if let (None, Some(uid)) = (&job.metadata.deletion_timestamp, job.metadata.uid.clone()) {
            effects.push(Effect::DeleteJob { name: name(&job.metadata).to_owned(), uid });
        }
    }
    let waiting = (!left.is_empty()).then(|| format!("waiting until these are gone: {}", left.join(", ")));
    if left.is_empty() && has_finalizer(&deployment.metadata, names::OPERATOR_FINALIZER) {
        effects.push(Effect::RemoveFinalizer);
    }
    // A status that is written beside the last finalizer's removal would only meet a deployment that is gone.
    let status = match &waiting {
        Some(why) => status::deleting(deployment, why, now),
        None => deployment.status.clone().unwrap_or_default(),
    };
    Plan { effects, status, waiting, notices: Vec::new() }
}
