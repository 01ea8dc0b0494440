//! A cluster or job becomes the Kubernetes objects that it needs.
//!
//! The functions are pure and give JSON, since what users wrote for Kubernetes is passed on as it came. Their invariant: equal
//! input gives an equal object with an equal name, so that creating one twice is noticed by the API server. Whatever cannot become
//! an object is an error that names the field, and hurts only the resource that it stands in.

mod bootstrap;
mod configuration;
mod container;
mod flink_pod;
mod image;
mod metadata;
mod quantity;
pub mod room;
mod service;
mod supervisor;

pub use bootstrap::{Launch, bootstrap_job};
pub use configuration::DEFAULTS;
pub use flink_pod::{job_manager_pod, task_manager_pod};
pub use image::{Image, supervisor_image};
pub use quantity::Quantity;
pub use service::job_manager_service;
pub use supervisor::supervisor_deployment;

/// Port of Flink's REST API.
pub const REST_PORT: u16 = 8081;
/// Port of our processes for metrics and health.
pub const MONITORING_PORT: u16 = 8080;
/// Seconds that a pod has to end.
pub const GRACE_SECONDS: u32 = 5;

/// What all objects of one operator have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The operator's own image.
    pub image: String,
    /// Whether nothing shall really run.
    pub dry_run: bool,
}

/// Why an object cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource was never stored, so that nothing can be owned by it.
    #[error("use {kind} {name:?}: it has no {field}, since it does not come from an API server")]
    NotStored { kind: &'static str, name: String, field: &'static str },
    /// A part that users write for Kubernetes does not have the form that Kubernetes wants.
    #[error("use {field}: {source}")]
    Invalid { field: String, source: api::embedded::Invalid },
    /// An option cannot be given to Flink.
    #[error("use spec.flinkConfiguration: {key:?} {why}")]
    Option { key: String, why: String },
    /// A job whose name says that it belongs to another cluster.
    #[error("use job {job:?}: its name does not begin with the name of cluster {cluster:?} and a dash")]
    NotOfCluster { job: String, cluster: String },
}

/// The reference by which a cluster controls an object.
///
/// # Errors
/// The cluster does not come from an API server.
pub fn owner_of(cluster: &api::FlinkCluster) -> Result<serde_json::Value, Error> {
    Ok(metadata::Owner::new("FlinkCluster", &cluster.metadata)?.reference())
}

impl Error {
    /// Reason for conditions and events.
    pub fn reason(&self) -> &'static str {
        api::conditions::reasons::INVALID
    }
}
