//! What users of flink-k8s-toolbox know of clusters and jobs, by the numbers of `docs/compatibility.md`.
//!
//! The tables say what each decision is; these tests say which of them users rely on, each for itself.

mod clusters;
mod commands;
mod ends;
mod jobs;
mod savepoints;
mod sections;
mod stops;
mod taskmanagers;

use api::{FlinkClusterStatus, FlinkJobStatus, ResourceStatus, SupervisorStatus};
use lifecycle::command::Outcome;
use lifecycle::{cluster, job};

use crate::{cluster_case, job_case};

/// The status of a cluster after a step.
fn cluster_status(case: &cluster_case::Case) -> FlinkClusterStatus {
    let facts = cluster::status::Facts::default();
    cluster::status::status(&FlinkClusterStatus::default(), &case.observed(), &case.step(), &facts).into_owned()
}

/// What the two columns of a cluster say after a step.
fn cluster_states(case: &cluster_case::Case) -> (SupervisorStatus, ResourceStatus) {
    let status = cluster_status(case);
    (status.supervisor_status.unwrap(), status.resource_status.unwrap())
}

/// The status of a job after a step.
fn job_status(case: &job_case::Case) -> FlinkJobStatus {
    let facts = job::status::Facts { cluster: "c".into(), ..job::status::Facts::default() };
    job::status::status(&FlinkJobStatus::default(), &case.observed(), &case.step(), &facts).into_owned()
}

/// What the two columns of a job say after a step.
fn job_states(case: &job_case::Case) -> (SupervisorStatus, ResourceStatus) {
    let status = job_status(case);
    (status.supervisor_status.unwrap(), status.resource_status.unwrap())
}

/// How the command of a step is answered.
fn answered(report: Option<lifecycle::command::Report>) -> Option<Outcome> {
    report.map(|report| report.outcome)
}
