//! `FlinkJob`: one job of a Flink cluster.
//!
//! A job belongs to the cluster with the longest name that is a prefix of the job's name (see [`crate::names::cluster_of_job`]).

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{ResourceRequirements, SecurityContext},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Embedded, LastAction, OnFailure, PullPolicy, RecoveryMode, ResourceStatus, RestartPolicy, SavepointMode,
    SupervisorStatus, schema,
    values::{count, filled, lenient, seconds},
};

/// What a Flink job shall be.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "nextbreakpoint.com",
    version = "v1",
    kind = "FlinkJob",
    plural = "flinkjobs",
    singular = "flinkjob",
    shortname = "fj",
    namespaced,
    status = "FlinkJobStatus",
    derive = "PartialEq",
    doc = "A job of a Flink cluster; its name begins with the name of the cluster and a dash.",
    crates(kube_core = "::kube_core"),
    scale(
        spec_replicas_path = ".spec.jobParallelism",
        status_replicas_path = ".status.jobParallelism",
        label_selector_path = ".status.labelSelector"
    ),
    printcolumn = r#"{"name":"RESOURCE-STATUS","type":"string","jsonPath":".status.resourceStatus"}"#,
    printcolumn = r#"{"name":"SUPERVISOR-STATUS","type":"string","jsonPath":".status.supervisorStatus"}"#,
    printcolumn = r#"{"name":"CLUSTER-NAME","type":"string","jsonPath":".status.clusterName"}"#,
    printcolumn = r#"{"name":"CLUSTER-HEALTH","type":"string","jsonPath":".status.clusterHealth"}"#,
    printcolumn = r#"{"name":"JOB-STATUS","type":"string","jsonPath":".status.jobStatus"}"#,
    printcolumn = r#"{"name":"JOB-ID","type":"string","jsonPath":".status.jobId"}"#,
    printcolumn = r#"{"name":"JOB-RESTART","type":"string","jsonPath":".status.restartPolicy"}"#,
    printcolumn = r#"{"name":"JOB-PARALLELISM","type":"integer","jsonPath":".status.jobParallelism"}"#,
    printcolumn = r#"{"name":"REQUESTED-JOB-PARALLELISM","type":"integer","jsonPath":".spec.jobParallelism"}"#,
    printcolumn = r#"{"name":"SAVEPOINT-MODE","type":"string","jsonPath":".status.savepointMode"}"#,
    printcolumn = r#"{"name":"SAVEPOINT-PATH","type":"string","jsonPath":".status.savepointPath"}"#,
    printcolumn = r#"{"name":"SAVEPOINT-AGE","type":"date","jsonPath":".status.savepointTimestamp"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct FlinkJobSpec {
    /// Wanted parallelism, 0 if absent; 0 suspends the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub job_parallelism: Option<i32>,
    /// Least parallelism, 0 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_job_parallelism: Option<i32>,
    /// Greatest parallelism, 32 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_job_parallelism: Option<i32>,
    /// How the job is submitted.
    pub bootstrap: BootstrapSpec,
    /// When and where savepoints are taken.
    pub savepoint: SavepointSpec,
    /// When the job is started again.
    pub restart: RestartSpec,
}

/// How a job is submitted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BootstrapSpec {
    /// Image that holds the JAR.
    #[schemars(length(min = 1))]
    pub image: String,
    /// Main class of the job.
    pub class_name: String,
    /// Path of the JAR in the image.
    #[schemars(length(min = 1))]
    pub jar_path: String,
    /// Arguments of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub arguments: Option<Vec<String>>,
    /// When the image is pulled, `IfNotPresent` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,
    /// Name of the Secret with the registry's credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_secrets: Option<String>,
    /// Service account of the pod, `flink-bootstrap` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Resources of the container; if absent, limits of 1 CPU and 256Mi, requests of 0.1 CPU and 256Mi. See
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#resources>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Embedded<ResourceRequirements>>,
    /// Security context of the container; if absent, a restricted one. See
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#security-context-1>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Embedded<SecurityContext>>,
}

/// When and where savepoints are taken.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SavepointSpec {
    /// Whether a savepoint is taken when the job is stopped, `Automatic` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_mode: Option<SavepointMode>,
    /// Savepoint from which the job starts the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// Seconds between two periodic savepoints; 0 or less for none.
    pub savepoint_interval: i32,
    /// Directory of the savepoints.
    pub savepoint_target_path: String,
    /// From what the job goes on when it was not stopped with a savepoint, `LatestState` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_mode: Option<RecoveryMode>,
    /// What becomes of a stop whose savepoint fails, `KeepRunning` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Which savepoints that flinkctl took by itself are deleted again; none if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionSpec>,
}

/// How many savepoints are kept, and for how long. What a job could still need is kept in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetentionSpec {
    /// How many are kept, 50 at most; any number if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub max_count: Option<i32>,
    /// Seconds for which one is kept; for ever if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_age: Option<i32>,
}

/// When a job is started again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestartSpec {
    /// When a job that ended is started again, `Never` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// Seconds to wait before the job is started again, 60 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_delay: Option<i32>,
    /// Seconds to wait for the job to start, 180 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_timeout: Option<i32>,
}

/// What a Flink job is; written by the supervisor of its cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkJobStatus {
    /// Whether what runs is what is declared.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub resource_status: Option<ResourceStatus>,
    /// State of the job.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub supervisor_status: Option<SupervisorStatus>,
    /// Name of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Uid of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_uid: Option<String>,
    /// HEALTHY, UNHEALTHY or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_health: Option<String>,
    /// Selector of the TaskManager pods, for autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// Parallelism in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_parallelism: Option<i32>,
    /// Flink's id of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Flink's state of the job, for example RUNNING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_status: Option<String>,
    /// The latest savepoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// Flink's id of the job of which a savepoint is being taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_job_id: Option<String>,
    /// Flink's id of the savepoint that is being taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_trigger_id: Option<String>,
    /// When the latest savepoint was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_timestamp: Option<String>,
    /// When a savepoint was last asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_request_timestamp: Option<String>,
    /// Whether a savepoint is taken when the job is stopped.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    #[schemars(with = "Option<String>")]
    pub savepoint_mode: Option<SavepointMode>,
    /// When the job is started again.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    #[schemars(with = "Option<String>")]
    pub restart_policy: Option<RestartPolicy>,
    /// The state that the job was started from, or will be.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub restore_point: Option<RestorePoint>,
    /// Digests of the sections of the spec that run.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub digest: Option<JobDigest>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions `Ready`, `Progressing` and `Stalled`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "schema::conditions_or_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The last command given by annotation.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub last_action: Option<LastAction>,
    /// The supervisor's own record, by which it goes on after a restart. Not meant to be read or changed by others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::opaque")]
    pub record: Option<Value>,
}

/// The state that a job was started from, or will be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestorePoint {
    /// What it is: `Savepoint`, `Checkpoint`, or `None` for a start without state.
    pub kind: String,
    /// Where it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why it was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Digests of the sections of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct JobDigest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
}

impl FlinkJobSpec {
    /// Parallelism within its limits; the upper one wins if they contradict each other.
    pub fn parallelism(&self) -> u32 {
        let (min, max) = (count(self.min_job_parallelism, 0), count(self.max_job_parallelism, 32));
        count(self.job_parallelism, 0).max(min).min(max)
    }
}

impl BootstrapSpec {
    pub fn pull_policy(&self) -> PullPolicy {
        self.pull_policy.unwrap_or_default()
    }

    pub fn service_account(&self) -> &str {
        filled(self.service_account.as_deref()).unwrap_or("flink-bootstrap")
    }

    pub fn arguments(&self) -> &[String] {
        self.arguments.as_deref().unwrap_or_default()
    }
}

impl SavepointSpec {
    pub fn mode(&self) -> SavepointMode {
        self.savepoint_mode.unwrap_or_default()
    }

    /// Savepoint from which the job starts the first time.
    pub fn path(&self) -> Option<&str> {
        filled(self.savepoint_path.as_deref())
    }

    /// Time between two periodic savepoints, if they are wanted.
    pub fn interval(&self) -> Option<Duration> {
        Some(seconds(Some(self.savepoint_interval), 0)).filter(|interval| !interval.is_zero())
    }

    /// From what the job goes on when it was not stopped with a savepoint.
    pub fn recovery_mode(&self) -> RecoveryMode {
        self.recovery_mode.unwrap_or_default()
    }

    /// What becomes of a stop whose savepoint fails.
    pub fn on_failure(&self) -> OnFailure {
        self.on_failure.unwrap_or_default()
    }

    /// Which savepoints are deleted again, if any are.
    pub fn retention(&self) -> Option<&RetentionSpec> {
        self.retention.as_ref().filter(|retention| **retention != RetentionSpec::default())
    }

    /// Directory of the savepoints; none means Flink's configured default.
    pub fn target_path(&self) -> Option<&str> {
        filled(Some(&self.savepoint_target_path))
    }
}

impl RetentionSpec {
    /// How many are kept, one at least.
    pub fn max_count(&self) -> Option<u32> {
        self.max_count.map(|_| count(self.max_count, 1).max(1))
    }

    /// For how long one is kept.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age.map(|_| seconds(self.max_age, 0))
    }
}

impl RestartSpec {
    pub fn policy(&self) -> RestartPolicy {
        self.restart_policy.unwrap_or_default()
    }

    /// Time to wait before a job is started again.
    pub fn delay(&self) -> Duration {
        seconds(self.restart_delay, 60)
    }

    /// Time to wait for a job to start.
    pub fn timeout(&self) -> Duration {
        seconds(self.restart_timeout, 180)
    }
}

impl FlinkJobStatus {
    /// The latest savepoint, if one is known.
    pub fn savepoint_path(&self) -> Option<&str> {
        filled(self.savepoint_path.as_deref())
    }
}
