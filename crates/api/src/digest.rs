//! Digests of the sections of a spec, by which a change is noticed after any restart.
//!
//! A digest does not depend on the order of members, and a member that is null counts as absent. Digests of the original
//! (Base64 of an MD5) lack our prefix; they say nothing about what we would compute, so they are replaced silently.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    FlinkClusterSpec, FlinkDeploymentSpec, FlinkJobSpec, OnFailure, RecoveryMode,
    cluster::{ClusterDigest, SupervisorSpec},
    deployment::{DeploymentDigest, DeploymentJobDigest},
    job::JobDigest,
};

const PREFIX: &str = "sha256-";

/// Digest of a section.
pub fn of(section: &impl Serialize) -> String {
    let value = serde_json::to_value(section).expect("a section of a resource is JSON");
    let digest = Sha256::digest(canonical(value).to_string());
    format!("{PREFIX}{}", STANDARD_NO_PAD.encode(digest))
}

/// Whether a digest was made by somebody else, so that it cannot be compared with ours.
pub fn is_foreign(digest: &str) -> bool {
    !digest.starts_with(PREFIX)
}

/// Whether a recorded digest says that a section changed. A foreign or absent one does not say so.
pub fn changed(recorded: Option<&str>, current: Option<&str>) -> bool {
    match recorded {
        Some(recorded) if !is_foreign(recorded) => Some(recorded) != current,
        _ => false,
    }
}

/// Digests of a cluster's sections.
pub fn cluster(spec: &FlinkClusterSpec) -> ClusterDigest {
    let mut runtime = spec.runtime.clone();
    runtime.pull_policy = Some(runtime.pull_policy());
    let mut job_manager = spec.job_manager.clone();
    job_manager.service_mode = Some(job_manager.service_mode());
    // It says nothing about the pods, and counts from the moment it is set.
    job_manager.node_lost_timeout = None;
    let mut task_manager = spec.task_manager.clone();
    task_manager.task_slots = i32::try_from(task_manager.slots()).ok();
    ClusterDigest {
        runtime: Some(of(&runtime)),
        job_manager: Some(of(&job_manager)),
        task_manager: Some(of(&task_manager)),
        supervisor: Some(supervisor(&spec.supervisor)),
        flink_configuration: Some(of(&spec.flink_configuration())),
    }
}

/// Digest of a supervisor section.
pub fn supervisor(spec: &SupervisorSpec) -> String {
    let mut spec = spec.clone();
    spec.pull_policy = Some(spec.pull_policy());
    spec.rescale_policy = Some(spec.rescale_policy());
    spec.unmanaged_jobs = Some(spec.unmanaged_jobs());
    spec.service_account = Some(spec.service_account().to_owned());
    of(&spec)
}

/// Digests of a job's sections.
pub fn job(spec: &FlinkJobSpec) -> JobDigest {
    let mut bootstrap = spec.bootstrap.clone();
    bootstrap.pull_policy = Some(bootstrap.pull_policy());
    bootstrap.service_account = Some(bootstrap.service_account().to_owned());
    let mut savepoint = spec.savepoint.clone();
    savepoint.savepoint_mode = Some(savepoint.mode());
    // Younger than the digests that stand in statuses: what is said in vain counts as not said.
    savepoint.recovery_mode = savepoint.recovery_mode.filter(|mode| *mode != RecoveryMode::default());
    savepoint.on_failure = savepoint.on_failure.filter(|choice| *choice != OnFailure::default());
    savepoint.retention = savepoint.retention().cloned();
    let mut restart = spec.restart.clone();
    restart.restart_policy = Some(restart.policy());
    JobDigest { bootstrap: Some(of(&bootstrap)), savepoint: Some(of(&savepoint)), restart: Some(of(&restart)) }
}

/// Digests of a deployment's sections.
pub fn deployment(spec: &FlinkDeploymentSpec) -> DeploymentDigest {
    let jobs = spec.jobs().iter().map(|entry| DeploymentJobDigest { name: entry.name.clone(), job: job(&entry.spec) });
    DeploymentDigest { cluster: Some(cluster(&spec.cluster)), jobs: Some(jobs.collect()) }
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
            members.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(members.into_iter().map(|(key, value)| (key, canonical(value))).collect::<Map<_, _>>())
        }
        other => other,
    }
}
