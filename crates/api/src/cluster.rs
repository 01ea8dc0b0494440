//! `FlinkCluster`: one Flink cluster with its supervisor.
//!
//! Fields are what the manifest says; the methods give what counts, defaults applied.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::core::v1::{
        Affinity, Container, ContainerPort, EnvFromSource, EnvVar, ResourceRequirements, SecurityContext, Toleration,
        TopologySpreadConstraint, Volume, VolumeMount,
    },
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Embedded, LastAction, PullPolicy, RescalePolicy, ResourceStatus, Scalar, ServiceMode, SupervisorStatus,
    UnmanagedJobs, schema,
    values::{count, filled, lenient, seconds},
};

/// What a Flink cluster shall be.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "nextbreakpoint.com",
    version = "v1",
    kind = "FlinkCluster",
    plural = "flinkclusters",
    singular = "flinkcluster",
    shortname = "fc",
    namespaced,
    status = "FlinkClusterStatus",
    derive = "PartialEq",
    doc = "A Flink cluster: JobManager, TaskManagers and their supervisor.",
    crates(kube_core = "::kube_core"),
    scale(
        spec_replicas_path = ".spec.taskManagers",
        status_replicas_path = ".status.taskManagers",
        label_selector_path = ".status.labelSelector"
    ),
    printcolumn = r#"{"name":"RESOURCE-STATUS","type":"string","jsonPath":".status.resourceStatus"}"#,
    printcolumn = r#"{"name":"SUPERVISOR-STATUS","type":"string","jsonPath":".status.supervisorStatus"}"#,
    printcolumn = r#"{"name":"CLUSTER-HEALTH","type":"string","jsonPath":".status.clusterHealth"}"#,
    printcolumn = r#"{"name":"TASK-MANAGERS","type":"integer","jsonPath":".status.taskManagers"}"#,
    printcolumn = r#"{"name":"REQUESTED-TASK-MANAGERS","type":"integer","jsonPath":".spec.taskManagers"}"#,
    printcolumn = r#"{"name":"TASK-MANAGERS-REPLICAS","type":"integer","jsonPath":".status.taskManagerReplicas"}"#,
    printcolumn = r#"{"name":"TOTAL-TASK-SLOTS","type":"integer","jsonPath":".status.totalTaskSlots"}"#,
    printcolumn = r#"{"name":"SERVICE-MODE","type":"string","jsonPath":".status.serviceMode"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct FlinkClusterSpec {
    /// Wanted number of TaskManagers, 0 if absent. With rescale policy `JobParallelism` and at least one job it is set by the supervisor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub task_managers: Option<i32>,
    /// Least number of TaskManagers, 0 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_task_managers: Option<i32>,
    /// Greatest number of TaskManagers, 32 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_task_managers: Option<i32>,
    /// Image of JobManager and TaskManagers.
    pub runtime: RuntimeSpec,
    /// The JobManager.
    pub job_manager: JobManagerSpec,
    /// The TaskManagers.
    pub task_manager: TaskManagerSpec,
    /// The supervisor, which runs the cluster and its jobs.
    pub supervisor: SupervisorSpec,
    /// Flink configuration of JobManager and TaskManagers: option keys and values, which may be text, numbers or booleans. It
    /// overrides `FLINK_PROPERTIES` in the environment, and the defaults of flinkctl.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flink_configuration: Option<BTreeMap<String, Scalar>>,
}

/// Image of JobManager and TaskManagers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeSpec {
    /// Image with Flink and the entry point of the official image.
    #[schemars(length(min = 1))]
    pub image: String,
    /// When the image is pulled, `IfNotPresent` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,
    /// Name of the Secret with the registry's credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_secrets: Option<String>,
}

/// The JobManager.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobManagerSpec {
    /// Type of the JobManager's Service, `ClusterIP` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_mode: Option<ServiceMode>,
    /// Seconds after which a pod on a node that does not answer counts as ended, never if absent. It may run on and write for all that is
    /// known; without Flink's high availability nothing takes its place before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub node_lost_timeout: Option<i32>,
    #[serde(flatten)]
    pub pod: FlinkPodSpec,
}

/// The TaskManagers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskManagerSpec {
    /// Slots of each TaskManager, 1 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub task_slots: Option<i32>,
    #[serde(flatten)]
    pub pod: FlinkPodSpec,
}

/// What JobManager and TaskManager pods have in common.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FlinkPodSpec {
    /// Service account of the pod, `default` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Annotations of the pod; values may be text, numbers or booleans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, Scalar>>,
    /// Command of the main container, the entry point of the image if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub command: Option<Vec<String>>,
    /// Arguments of the main container, `jobmanager` or `taskmanager` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub args: Option<Vec<String>>,
    /// Environment of the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub environment: Option<Vec<Embedded<EnvVar>>>,
    /// Environment of the main container from config maps and secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub environment_from: Option<Vec<Embedded<EnvFromSource>>>,
    /// Volumes of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub volumes: Option<Vec<Embedded<Volume>>>,
    /// Volume mounts of the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub volume_mounts: Option<Vec<Embedded<VolumeMount>>>,
    /// Ports of the main container besides Flink's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub extra_ports: Option<Vec<Embedded<ContainerPort>>>,
    /// Init containers of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub init_containers: Option<Vec<Embedded<Container>>>,
    /// Containers that run beside the main container.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub side_containers: Option<Vec<Embedded<Container>>>,
    /// Resources of the main container, see
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#resources>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Embedded<ResourceRequirements>>,
    /// Security context of the main container, see
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#security-context-1>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Embedded<SecurityContext>>,
    /// Affinity of the pod; replaces the generated one, which spreads the pods of a cluster over nodes. See
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#scheduling>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Embedded<Affinity>>,
    /// Tolerations of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub tolerations: Option<Vec<Embedded<Toleration>>>,
    /// Topology spread constraints of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub topology_spread_constraints: Option<Vec<Embedded<TopologySpreadConstraint>>>,
}

/// The supervisor, which runs the cluster and its jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SupervisorSpec {
    /// Image with flinkctl.
    #[schemars(length(min = 1))]
    pub image: String,
    /// When the image is pulled, `IfNotPresent` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,
    /// Name of the Secret with the registry's credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_secrets: Option<String>,
    /// Service account of the pod, `flink-supervisor` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Seconds between two looks at a settled Flink cluster, 5 if absent, within 5 and 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polling_interval: Option<i32>,
    /// Seconds after which a step that makes no progress is given up, 300 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_timeout: Option<i32>,
    /// Seconds after the last rescale before idle TaskManagers are removed, 60 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescale_delay: Option<i32>,
    /// Who decides on the number of TaskManagers, `JobParallelism` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescale_policy: Option<RescalePolicy>,
    /// What happens with jobs that flinkctl did not start, `Keep` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmanaged_jobs: Option<UnmanagedJobs>,
    /// Replicas of the supervisor, 1 if absent; one leads, the others stand by.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Resources of the container; if absent, limits of 1 CPU and 256Mi, requests of 0.1 CPU and 256Mi. See
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#resources>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Embedded<ResourceRequirements>>,
    /// Security context of the container; if absent, a restricted one. See
    /// <https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#security-context-1>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Embedded<SecurityContext>>,
}

/// What a Flink cluster is; written by its supervisor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkClusterStatus {
    /// Whether what runs is what is declared.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub resource_status: Option<ResourceStatus>,
    /// State of the cluster.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub supervisor_status: Option<SupervisorStatus>,
    /// Selector of the TaskManager pods, for autoscalers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// HEALTHY, UNHEALTHY or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_health: Option<String>,
    /// Type of the JobManager's Service.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    #[schemars(with = "Option<String>")]
    pub service_mode: Option<ServiceMode>,
    /// Number of TaskManagers in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_managers: Option<i32>,
    /// Slots of each TaskManager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_slots: Option<i32>,
    /// Number of TaskManager pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_manager_replicas: Option<i32>,
    /// Slots of all TaskManager pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_task_slots: Option<i32>,
    /// When the cluster was last rescaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescale_timestamp: Option<String>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Digests of the sections of the spec that run.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub digest: Option<ClusterDigest>,
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions `Ready`, `Progressing` and `Stalled`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "schema::conditions_or_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Flink ids of running jobs that flinkctl did not start; see `spec.supervisor.unmanagedJobs`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub unmanaged_jobs: Vec<String>,
    /// The last command given by annotation.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub last_action: Option<LastAction>,
    /// The supervisor's own record, by which it goes on after a restart. Not meant to be read or changed by others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::opaque")]
    pub record: Option<Value>,
}

/// Digests of the sections of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterDigest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_manager: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_manager: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flink_configuration: Option<String>,
}

impl FlinkClusterSpec {
    /// Wanted number of TaskManagers, before clamping.
    pub fn task_managers(&self) -> u32 {
        count(self.task_managers, 0)
    }

    /// Least and greatest number of TaskManagers.
    pub fn task_manager_limits(&self) -> (u32, u32) {
        (count(self.min_task_managers, 0), count(self.max_task_managers, 32))
    }

    /// Options of `flinkConfiguration` as text.
    pub fn flink_configuration(&self) -> BTreeMap<String, String> {
        Scalar::texts(self.flink_configuration.as_ref())
    }
}

impl RuntimeSpec {
    pub fn pull_policy(&self) -> PullPolicy {
        self.pull_policy.unwrap_or_default()
    }
}

impl JobManagerSpec {
    pub fn service_mode(&self) -> ServiceMode {
        self.service_mode.unwrap_or_default()
    }

    /// Time after which a pod on a node that does not answer counts as ended.
    pub fn node_lost_timeout(&self) -> Option<Duration> {
        self.node_lost_timeout.map(|_| seconds(self.node_lost_timeout, 0))
    }
}

impl TaskManagerSpec {
    /// Slots of each TaskManager, at least 1.
    pub fn slots(&self) -> u32 {
        count(self.task_slots, 1).max(1)
    }
}

impl FlinkPodSpec {
    pub fn service_account(&self) -> &str {
        filled(self.service_account.as_deref()).unwrap_or("default")
    }

    /// Annotations as text.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        Scalar::texts(self.annotations.as_ref())
    }
}

impl SupervisorSpec {
    pub fn pull_policy(&self) -> PullPolicy {
        self.pull_policy.unwrap_or_default()
    }

    pub fn service_account(&self) -> &str {
        filled(self.service_account.as_deref()).unwrap_or("flink-supervisor")
    }

    /// Time between two looks at a settled cluster, within 5 and 60 seconds.
    pub fn polling_interval(&self) -> Duration {
        seconds(self.polling_interval, 5).clamp(Duration::from_secs(5), Duration::from_mins(1))
    }

    /// Time after which a step that makes no progress is given up.
    pub fn task_timeout(&self) -> Duration {
        seconds(self.task_timeout, 300)
    }

    /// Time after the last rescale before idle TaskManagers are removed.
    pub fn rescale_delay(&self) -> Duration {
        seconds(self.rescale_delay, 60)
    }

    pub fn rescale_policy(&self) -> RescalePolicy {
        self.rescale_policy.unwrap_or_default()
    }

    pub fn unmanaged_jobs(&self) -> UnmanagedJobs {
        self.unmanaged_jobs.unwrap_or_default()
    }

    pub fn replicas(&self) -> u32 {
        count(self.replicas, 1)
    }
}
