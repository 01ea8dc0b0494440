//! `FlinkDeployment`: a cluster and its jobs in one resource.
//!
//! The operator turns it into a `FlinkCluster` of the same name and a `FlinkJob` per entry of `jobs`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    FlinkClusterSpec, FlinkJobSpec, ResourceStatus, cluster::ClusterDigest, job::JobDigest, schema, values::lenient,
};

/// What a Flink cluster and its jobs shall be.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "nextbreakpoint.com",
    version = "v1",
    kind = "FlinkDeployment",
    plural = "flinkdeployments",
    singular = "flinkdeployment",
    shortname = "fd",
    namespaced,
    status = "FlinkDeploymentStatus",
    derive = "PartialEq",
    doc = "A Flink cluster and its jobs.",
    crates(kube_core = "::kube_core"),
    printcolumn = r#"{"name":"RESOURCE-STATUS","type":"string","jsonPath":".status.resourceStatus"}"#,
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct FlinkDeploymentSpec {
    /// The cluster.
    pub cluster: FlinkClusterSpec,
    /// The jobs; none for a cluster without jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub jobs: Option<Vec<DeploymentJob>>,
}

/// A job of a deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentJob {
    /// Name of the job, unique within the deployment.
    #[schemars(length(min = 1, max = 51), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// What the job shall be.
    pub spec: FlinkJobSpec,
}

/// What became of a deployment; written by the operator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FlinkDeploymentStatus {
    /// Whether cluster and jobs are as declared.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub resource_status: Option<ResourceStatus>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// Digests of the declaration that was applied last.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub digest: Option<DeploymentDigest>,
    /// Generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions `Ready`, `Progressing` and `Stalled`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "schema::conditions_or_none")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// Digests of the sections of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DeploymentDigest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterDigest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<DeploymentJobDigest>>,
}

/// Digests of the sections of a job of a deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentJobDigest {
    pub name: String,
    #[serde(default)]
    pub job: JobDigest,
}

impl FlinkDeploymentSpec {
    /// The declared jobs.
    pub fn jobs(&self) -> &[DeploymentJob] {
        self.jobs.as_deref().unwrap_or_default()
    }
}
