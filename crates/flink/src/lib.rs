//! What Flink is, as far as flinkctl needs to know: identifiers, states, the answers of its REST API, and option keys.
//!
//! Nothing here talks to Flink (that is `flink-client`) or decides anything (that is `lifecycle`).
//! Invariant: every type parses what Flink 1.18 and later really answers, fields that are unknown or missing in one
//! version included; an unknown job state is kept by its name and is never taken for a final one.

pub mod checkpoint;
pub mod cluster;
pub mod failure;
pub mod id;
pub mod jar;
pub mod job;
pub mod listing;
mod number;
pub mod operation;
pub mod option;
pub mod requirements;
pub mod version;

pub use checkpoint::{Checkpoint, CheckpointConfig, Checkpoints, Restored};
pub use cluster::{ConfigEntry, Overview, TaskManager, TaskManagers};
pub use failure::{ErrorBody, Exceptions, last_words};
pub use id::{InvalidId, JobId, TriggerId};
pub use jar::{ClaimMode, JarFile, Jars, RunAnswer, RunRequest, UploadAnswer};
pub use job::{Job, JobState, JobStatus, JobsOverview, Tasks};
pub use listing::{Listing, ListingOutcome, StoredSnapshot};
pub use operation::{DisposalRequest, Operation, OperationAnswer, SavepointRequest, StopRequest, TriggerAnswer};
pub use requirements::{Bounds, CheckpointRequest, Requirement, Requirements, Vertex, Vertices};
pub use version::{FlinkVersion, InvalidVersion};
