//! What a change of a definition does to what runs, told beforehand.
//!
//! Nothing is decided here: the functions that decide later are asked now. Invariant: what is said to restart does restart once the
//! change is written, if nothing else happens meanwhile.

use api::record::{ClusterPhase, JobNext, JobPhase};
use api::{FlinkCluster, FlinkClusterSpec, FlinkDeployment, FlinkJob, FlinkJobSpec, digest};
use jiff::Timestamp;

use crate::deployment::{self, Effect};
use crate::{cluster as clusters, desired, job as jobs};

/// What becomes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// What runs is not touched.
    Nothing,
    Created,
    /// It stops, its jobs with savepoints where they are wanted, and starts again.
    Restarts,
    /// Flink changes its parallelism while it runs.
    Rescales,
    /// It stops and stays so.
    Stops,
    /// It does not run, and starts.
    Starts,
    /// It does not run; the change counts when it starts.
    Later,
    Deleted,
}

/// A change of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: &'static str,
    pub name: String,
    /// The sections and numbers that change.
    pub sections: Vec<&'static str>,
    pub consequence: Consequence,
    /// Why it restarts or stops.
    pub why: Option<&'static str>,
    /// The supervisor of the cluster is replaced; cluster and jobs do not notice.
    pub supervisor: bool,
}

impl Change {
    fn new(kind: &'static str, name: &str, consequence: Consequence) -> Self {
        Self { kind, name: name.to_owned(), sections: Vec::new(), consequence, why: None, supervisor: false }
    }

    /// Whether anything is different at all.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty() && matches!(self.consequence, Consequence::Nothing | Consequence::Later)
    }
}

/// What a cluster does with another definition.
pub fn cluster(present: &FlinkCluster, wanted: &FlinkClusterSpec) -> Change {
    let mut after = present.clone();
    after.spec = wanted.clone();
    let mut change = Change::new("FlinkCluster", deployment::name(&present.metadata), Consequence::Nothing);
    change.sections = cluster_sections(&present.spec, wanted);
    change.supervisor = digest::supervisor(&present.spec.supervisor) != digest::supervisor(&wanted.supervisor);
    let desired = desired::cluster(&after);
    let Ok(record) = clusters::status::record(present) else { return change };
    match record.phase {
        ClusterPhase::Starting { .. } | ClusterPhase::Started { .. } => {
            if clusters::outdated(&record.digest, &desired) {
                change.consequence = Consequence::Restarts;
                change.why = Some("runtime, jobManager, taskManager or flinkConfiguration change");
            }
        }
        _ if clusters::outdated(&desired::cluster(present).digest, &desired) => change.consequence = Consequence::Later,
        _ => {}
    }
    change
}

/// What a job does with another definition, if nothing happens to its cluster.
pub fn job(present: &FlinkJob, wanted: &FlinkJobSpec, cluster: Option<&FlinkCluster>) -> Change {
    let mut after = present.clone();
    after.spec = wanted.clone();
    let mut change = Change::new("FlinkJob", deployment::name(&present.metadata), Consequence::Nothing);
    change.sections = job_sections(&present.spec, wanted);
    let (before, desired) = (desired::job(present), desired::job(&after));
    let Ok(record) = jobs::status::record(present) else { return change };
    let differs = before.digest != desired.digest || before.parallelism != desired.parallelism;
    match (&record.phase, &record.attempt) {
        (JobPhase::Submitting { .. } | JobPhase::Running, Some(attempt)) => {
            if let Some((next, why)) = jobs::changed(&desired, attempt) {
                let running = record.phase == JobPhase::Running;
                let in_place = running && is_adaptive(cluster) && jobs::can_be_rescaled(&desired, attempt);
                change.consequence = match next {
                    JobNext::Restart if in_place => Consequence::Rescales,
                    JobNext::Restart => Consequence::Restarts,
                    JobNext::Stay { .. } | JobNext::Delete => Consequence::Stops,
                };
                change.why = Some(why);
            }
        }
        (JobPhase::Ended { end, .. }, Some(last))
            if jobs::failed_to_start(end, last)
                && jobs::changed(&desired, last).is_some()
                && desired.parallelism > 0 =>
        {
            change.consequence = Consequence::Starts;
            change.why = Some("it could not start, and is tried again with what is new");
        }
        (JobPhase::Ended { end: api::record::End::Suspended, .. }, _)
            if before.parallelism == 0 && desired.parallelism > 0 =>
        {
            change.consequence = Consequence::Later;
        }
        _ if differs => change.consequence = Consequence::Later,
        _ => {}
    }
    change
}

/// Whether jobs of the cluster can be given another parallelism while they run.
fn is_adaptive(cluster: Option<&FlinkCluster>) -> bool {
    cluster.is_some_and(|cluster| flink::option::is_adaptive(&cluster.spec.flink_configuration()))
}

/// What cluster and jobs of a deployment do with another declaration; `deployment` has the present metadata and the wanted spec.
pub fn deployment(
    deployment: &FlinkDeployment,
    cluster_now: Option<&FlinkCluster>,
    jobs_now: &[&FlinkJob],
    now: Timestamp,
) -> Vec<Change> {
    let observed = deployment::Observed { deployment, cluster: cluster_now, jobs: jobs_now.to_vec() };
    let effects = deployment::plan(&observed, now).effects;
    let present = |name: &str| jobs_now.iter().find(|job| deployment::name(&job.metadata) == name);
    let mut changes: Vec<Change> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::CreateCluster(new) => {
                Some(Change::new("FlinkCluster", deployment::name(&new.metadata), Consequence::Created))
            }
            Effect::CreateJob(new) => {
                Some(Change::new("FlinkJob", deployment::name(&new.metadata), Consequence::Created))
            }
            Effect::ReplaceCluster { cluster: new, .. } => cluster_now.map(|present| cluster(present, &new.spec)),
            Effect::ReplaceJob { job: new, .. } => {
                present(deployment::name(&new.metadata)).map(|present| job(present, &new.spec, cluster_now))
            }
            Effect::DeleteCluster { name, .. } => Some(Change::new("FlinkCluster", name, Consequence::Deleted)),
            Effect::DeleteJob { name, .. } => Some(Change::new("FlinkJob", name, Consequence::Deleted)),
            Effect::AddFinalizer | Effect::RemoveFinalizer => None,
        })
        .collect();
    with_cluster(&mut changes, jobs_now);
    changes
}

/// Adds what the jobs of a cluster do because the cluster restarts.
pub fn with_cluster(changes: &mut Vec<Change>, jobs_now: &[&FlinkJob]) {
    let restarts = |change: &Change| change.kind == "FlinkCluster" && change.consequence == Consequence::Restarts;
    if !changes.iter().any(restarts) {
        return;
    }
    for job in jobs_now.iter().filter(|job| desired::job_view(job).live) {
        let name = deployment::name(&job.metadata);
        if let Some(known) = changes.iter_mut().find(|change| change.kind == "FlinkJob" && change.name == name) {
            if matches!(known.consequence, Consequence::Nothing | Consequence::Later | Consequence::Rescales) {
                known.consequence = Consequence::Restarts;
                known.why = Some("its cluster restarts");
            }
        } else {
            let mut change = Change::new("FlinkJob", name, Consequence::Restarts);
            change.why = Some("its cluster restarts");
            changes.push(change);
        }
    }
}

fn cluster_sections(before: &FlinkClusterSpec, after: &FlinkClusterSpec) -> Vec<&'static str> {
    let (old, new) = (digest::cluster(before), digest::cluster(after));
    differing([
        ("runtime", old.runtime == new.runtime),
        ("jobManager", old.job_manager == new.job_manager),
        ("taskManager", old.task_manager == new.task_manager),
        ("supervisor", old.supervisor == new.supervisor),
        ("flinkConfiguration", old.flink_configuration == new.flink_configuration),
        ("taskManagers", before.task_managers() == after.task_managers()),
        ("minTaskManagers", before.task_manager_limits().0 == after.task_manager_limits().0),
        ("maxTaskManagers", before.task_manager_limits().1 == after.task_manager_limits().1),
    ])
}

fn job_sections(before: &FlinkJobSpec, after: &FlinkJobSpec) -> Vec<&'static str> {
    let (old, new) = (digest::job(before), digest::job(after));
    differing([
        ("bootstrap", old.bootstrap == new.bootstrap),
        ("savepoint", old.savepoint == new.savepoint),
        ("restart", old.restart == new.restart),
        ("jobParallelism", before.job_parallelism == after.job_parallelism),
        ("minJobParallelism", before.min_job_parallelism == after.min_job_parallelism),
        ("maxJobParallelism", before.max_job_parallelism == after.max_job_parallelism),
    ])
}

fn differing<const N: usize>(sections: [(&'static str, bool); N]) -> Vec<&'static str> {
    sections.into_iter().filter(|(_, same)| !same).map(|(section, _)| section).collect()
}

#[cfg(test)]
mod tests;
