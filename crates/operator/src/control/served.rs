//! The three kinds of resources, as the API needs to know them.

use api::{FlinkCluster, FlinkDeployment, FlinkJob, LastAction, SupervisorStatus, conditions, labels};
use control_api::route::Target;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kit::Object;
use kit::cache::Cache;
use kit::projection::Parsed;
use serde::Serialize;

use super::names::Names;
use crate::caches::Caches;

/// A kind that is served.
pub trait Served: Object + Serialize + Send + Sync + 'static {
    const TARGET: Target;
    /// Member of the spec that belongs to scaling, and so is kept by an update that does not speak of it.
    const SCALED: Option<&'static str>;
    type Status: Serialize;

    fn cache(caches: &Caches) -> &Cache<Parsed<Self>>;
    fn status(&self) -> Option<&Self::Status>;
    /// Labels of a resource that is created.
    fn labels(names: &Names) -> labels::Labels;
}

/// A kind that a supervisor acts on.
pub trait Supervised: Served {
    fn last_action(&self) -> Option<&LastAction>;
    fn conditions(&self) -> &[Condition];
    fn supervisor_status(&self) -> SupervisorStatus;
    fn observed_generation(&self) -> Option<i64>;
    /// What the scale says, as it is written.
    fn declared(&self) -> i32;
    /// What it comes to within the limits of the spec.
    fn wanted(&self) -> i32;
    /// What runs.
    fn running(&self) -> i32;

    fn savepoint_path(&self) -> Option<&str> {
        None
    }

    fn job_id(&self) -> Option<&str> {
        None
    }

    fn holds(&self, condition: &str) -> bool {
        conditions::condition(self.conditions(), condition).is_some_and(|condition| condition.status == "True")
    }
}

impl Served for FlinkDeployment {
    const TARGET: Target = Target::Deployment;
    const SCALED: Option<&'static str> = None;
    type Status = api::FlinkDeploymentStatus;

    fn cache(caches: &Caches) -> &Cache<Parsed<Self>> {
        &caches.deployments
    }

    fn status(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn labels(names: &Names) -> labels::Labels {
        labels::cluster(names.deployment.as_deref().unwrap_or_default())
    }
}

impl Served for FlinkCluster {
    const TARGET: Target = Target::Cluster;
    const SCALED: Option<&'static str> = Some("taskManagers");
    type Status = api::FlinkClusterStatus;

    fn cache(caches: &Caches) -> &Cache<Parsed<Self>> {
        &caches.clusters
    }

    fn status(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn labels(names: &Names) -> labels::Labels {
        labels::cluster(names.cluster.as_deref().unwrap_or_default())
    }
}

impl Served for FlinkJob {
    const TARGET: Target = Target::Job;
    const SCALED: Option<&'static str> = Some("jobParallelism");
    type Status = api::FlinkJobStatus;

    fn cache(caches: &Caches) -> &Cache<Parsed<Self>> {
        &caches.jobs
    }

    fn status(&self) -> Option<&Self::Status> {
        self.status.as_ref()
    }

    fn labels(names: &Names) -> labels::Labels {
        labels::job(names.cluster.as_deref().unwrap_or_default(), names.job.as_deref().unwrap_or_default())
    }
}

impl Supervised for FlinkCluster {
    fn last_action(&self) -> Option<&LastAction> {
        self.status.as_ref()?.last_action.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    fn supervisor_status(&self) -> SupervisorStatus {
        self.status.as_ref().and_then(|status| status.supervisor_status).unwrap_or_default()
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }

    fn declared(&self) -> i32 {
        self.spec.task_managers.unwrap_or_default()
    }

    fn wanted(&self) -> i32 {
        let (min, max) = self.spec.task_manager_limits();
        i32::try_from(self.spec.task_managers().max(min).min(max)).unwrap_or(i32::MAX)
    }

    fn running(&self) -> i32 {
        self.status.as_ref().and_then(|status| status.task_manager_replicas).unwrap_or_default()
    }
}

impl Supervised for FlinkJob {
    fn last_action(&self) -> Option<&LastAction> {
        self.status.as_ref()?.last_action.as_ref()
    }

    fn conditions(&self) -> &[Condition] {
        self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
    }

    fn supervisor_status(&self) -> SupervisorStatus {
        self.status.as_ref().and_then(|status| status.supervisor_status).unwrap_or_default()
    }

    fn observed_generation(&self) -> Option<i64> {
        self.status.as_ref()?.observed_generation
    }

    fn declared(&self) -> i32 {
        self.spec.job_parallelism.unwrap_or_default()
    }

    fn wanted(&self) -> i32 {
        i32::try_from(self.spec.parallelism()).unwrap_or(i32::MAX)
    }

    fn running(&self) -> i32 {
        self.status.as_ref().and_then(|status| status.job_parallelism).unwrap_or_default()
    }

    fn savepoint_path(&self) -> Option<&str> {
        self.status.as_ref()?.savepoint_path()
    }

    fn job_id(&self) -> Option<&str> {
        self.status.as_ref()?.job_id.as_deref().filter(|id| !id.is_empty())
    }
}
