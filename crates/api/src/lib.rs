//! The custom resources of flinkctl (`nextbreakpoint.com/v1`) and the words that all parts share: names, labels, annotations,
//! conditions, digests and effective defaults.
//!
//! This crate does no I/O and knows no clock. Its invariant: whatever an API server with [`crds`] installed has accepted can be
//! read by these types, and what they do not know inside embedded Kubernetes types survives a round trip.

pub mod annotations;
pub mod cluster;
pub mod conditions;
pub mod deployment;
pub mod digest;
pub mod embedded;
pub mod job;
pub mod labels;
pub mod names;
pub mod record;
mod schema;
mod values;

pub use annotations::{Action, Requested};
pub use cluster::{FlinkCluster, FlinkClusterSpec, FlinkClusterStatus};
pub use deployment::{FlinkDeployment, FlinkDeploymentSpec, FlinkDeploymentStatus};
pub use embedded::Embedded;
pub use job::{FlinkJob, FlinkJobSpec, FlinkJobStatus};
pub use schema::crds;
pub use values::{
    LastAction, OnFailure, PullPolicy, RecoveryMode, RescalePolicy, ResourceStatus, RestartPolicy, SavepointMode,
    Scalar, ServiceMode, SupervisorStatus, UnmanagedJobs, timestamp,
};

/// API group of the custom resources.
pub const GROUP: &str = "nextbreakpoint.com";
/// The one version of the group.
pub const VERSION: &str = "v1";
