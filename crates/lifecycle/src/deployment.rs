//! What becomes of a `FlinkDeployment`: one `FlinkCluster` of its name and one `FlinkJob` for each entry of its list.
//!
//! The declaration is compared with the objects as they are deployed, never with a memory of what was applied, so a write that was lost
//! is seen as missing and made again. Invariant: `taskManagers` and `jobParallelism` are given at creation and never touched again;
//! what is controlled by somebody else is never written or deleted.

mod child;
mod removal;
mod status;

use api::{FlinkCluster, FlinkDeployment, FlinkDeploymentStatus, FlinkJob, names};
use jiff::Timestamp;

use crate::Notice;
use child::{Holder, holder};

pub use status::failed;

/// What is known when a deployment is looked at.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub deployment: &'a FlinkDeployment,
    /// The FlinkCluster of the deployment's name.
    pub cluster: Option<&'a FlinkCluster>,
    /// All `FlinkJob`s of the namespace; those of others are not looked at.
    pub jobs: Vec<&'a FlinkJob>,
}

/// One write. All but the finalizer's are independent of each other: one that fails does not hold up the others.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Comes first: nothing is created for a deployment that could vanish unseen.
    AddFinalizer,
    CreateCluster(Box<FlinkCluster>),
    /// With the resourceVersion that was observed.
    ReplaceCluster {
        cluster: Box<FlinkCluster>,
        changed: Vec<&'static str>,
    },
    DeleteCluster {
        name: String,
        uid: String,
    },
    CreateJob(Box<FlinkJob>),
    /// With the resourceVersion that was observed.
    ReplaceJob {
        job: Box<FlinkJob>,
        changed: Vec<&'static str>,
    },
    DeleteJob {
        name: String,
        uid: String,
    },
    /// Comes alone: everything is gone.
    RemoveFinalizer,
}

/// What is to be done, and what is to be said.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub effects: Vec<Effect>,
    /// The status to write; equal to the present one when nothing changed.
    pub status: FlinkDeploymentStatus,
    /// Why nothing more is done now.
    pub waiting: Option<String>,
    pub notices: Vec<Notice>,
}

impl Effect {
    /// What to tell once the effect has happened.
    pub fn notice(&self) -> Notice {
        match self {
            Self::AddFinalizer => Notice::normal("Accepted", "deployment accepted"),
            Self::CreateCluster(cluster) => {
                Notice::normal("ClusterCreated", format!("created FlinkCluster {}", name(&cluster.metadata)))
            }
            Self::ReplaceCluster { cluster, changed } => Notice::normal(
                "ClusterUpdated",
                format!("updated FlinkCluster {}: {}", name(&cluster.metadata), changed.join(", ")),
            ),
            Self::DeleteCluster { name, .. } => {
                Notice::normal("ClusterDeleted", format!("deleting FlinkCluster {name}"))
            }
            Self::CreateJob(job) => Notice::normal("JobCreated", format!("created FlinkJob {}", name(&job.metadata))),
            Self::ReplaceJob { job, changed } => Notice::normal(
                "JobUpdated",
                format!("updated FlinkJob {}: {}", name(&job.metadata), changed.join(", ")),
            ),
            Self::DeleteJob { name, .. } => Notice::normal("JobDeleted", format!("deleting FlinkJob {name}")),
            Self::RemoveFinalizer => Notice::normal("Deleted", "cluster and jobs are gone"),
        }
    }
}

/// Decides what to do for a deployment.
pub fn plan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let deployment = observed.deployment;
    if deployment.metadata.deletion_timestamp.is_some() {
        return removal::plan(observed, now);
    }
    let mut draft = Draft::default();
    if !has_finalizer(&deployment.metadata, names::OPERATOR_FINALIZER) {
        draft.effects.push(Effect::AddFinalizer);
    }
    cluster(observed, &mut draft);
    declared_jobs(observed, &mut draft);
    undeclared_jobs(observed, &mut draft);
    let status = status::of(observed, &draft, now);
    Plan { effects: draft.effects, status, waiting: draft.waiting, notices: draft.notices }
}

#[derive(Default)]
struct Draft {
    effects: Vec<Effect>,
    waiting: Option<String>,
    notices: Vec<Notice>,
    /// What stands in the way and will not go away by itself.
    stalled: Option<String>,
}

impl Draft {
    fn wait(&mut self, why: String) {
        self.waiting.get_or_insert(why);
    }

    fn taken(&mut self, kind: &str, child: &str, by: &str) {
        let text = format!("{kind} {child} belongs to {by}; rename this deployment or remove the other");
        self.notices.push(Notice::warning("NameTaken", text.clone()));
        self.stalled.get_or_insert(text);
    }
}

fn cluster(observed: &Observed<'_>, draft: &mut Draft) {
    let deployment = observed.deployment;
    let Some(present) = observed.cluster else {
        draft.effects.push(Effect::CreateCluster(Box::new(child::new_cluster(deployment))));
        return;
    };
    let child = name(&present.metadata);
    match holder(&present.metadata, deployment) {
        Holder::Other(by) => draft.taken("FlinkCluster", child, &by),
        Holder::Predecessor => draft.wait(format!("FlinkCluster {child} of an earlier deployment is being removed")),
        Holder::Ours | Holder::Nobody if present.metadata.deletion_timestamp.is_some() => {
            draft.wait(format!("FlinkCluster {child} is being deleted"));
        }
        Holder::Ours | Holder::Nobody => {
            if let Some((cluster, changed)) = child::updated_cluster(deployment, present) {
                draft.effects.push(Effect::ReplaceCluster { cluster: Box::new(cluster), changed });
            }
        }
    }
}

fn declared_jobs(observed: &Observed<'_>, draft: &mut Draft) {
    let deployment = observed.deployment;
    for (short, spec) in child::declared(deployment) {
        let full = names::job(name(&deployment.metadata), short);
        let Some(present) = observed.job(&full) else {
            draft.effects.push(Effect::CreateJob(Box::new(child::new_job(deployment, short, spec))));
            continue;
        };
        match holder(&present.metadata, deployment) {
            Holder::Other(by) => draft.taken("FlinkJob", &full, &by),
            Holder::Predecessor => draft.wait(format!("FlinkJob {full} of an earlier deployment is being removed")),
            Holder::Ours | Holder::Nobody if present.metadata.deletion_timestamp.is_some() => {
                draft.wait(format!("FlinkJob {full} is being deleted"));
            }
            Holder::Ours | Holder::Nobody => {
                if let Some((job, changed)) = child::updated_job(deployment, spec, present) {
                    draft.effects.push(Effect::ReplaceJob { job: Box::new(job), changed });
                }
            }
        }
    }
}

/// Jobs of this deployment that its list no longer has.
fn undeclared_jobs(observed: &Observed<'_>, draft: &mut Draft) {
    let deployment = observed.deployment;
    let declared: Vec<String> =
        child::declared(deployment).into_keys().map(|short| names::job(name(&deployment.metadata), short)).collect();
    for job in observed.jobs.iter().filter(|job| child::is_job_of(job, deployment)) {
        let full = name(&job.metadata);
        if declared.iter().any(|one| one == full) {
            continue;
        }
        if job.metadata.deletion_timestamp.is_some() {
            draft.wait(format!("FlinkJob {full} is being deleted"));
        } else if let Some(uid) = job.metadata.uid.clone() {
            draft.effects.push(Effect::DeleteJob { name: full.to_owned(), uid });
        }
    }
}

impl<'a> Observed<'a> {
    fn job(&self, full: &str) -> Option<&'a FlinkJob> {
        self.jobs.iter().copied().find(|job| name(&job.metadata) == full)
    }
}

pub(crate) fn name(meta: &child::Meta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}

pub(crate) fn has_finalizer(meta: &child::Meta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|one| one == finalizer)
}

#[cfg(test)]
mod tests;
