//! Checkpoints of one job: `/jobs/:id/checkpoints` and `/jobs/:id/checkpoints/config`.
//!
//! Both come from a cache (`rest.cache.checkpoint-statistics.timeout`, by default `web.refresh-interval`): what they
//! show existed, but something newer may exist.

use serde::Deserialize;

use crate::number;

/// `/jobs/:id/checkpoints`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Checkpoints {
    pub counts: Counts,
    pub latest: Latest,
    #[serde(default)]
    pub summary: Summary,
}

/// How many checkpoints there were since the job's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Counts {
    pub restored: u64,
    pub total: u64,
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
}

/// The last one of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Latest {
    pub completed: Option<Checkpoint>,
    pub savepoint: Option<Checkpoint>,
    pub failed: Option<Checkpoint>,
    pub restored: Option<Restored>,
}

/// A checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Checkpoint {
    pub id: u64,
    pub status: String,
    pub is_savepoint: bool,
    /// Milliseconds since the epoch.
    pub trigger_timestamp: i64,
    /// Milliseconds since the epoch, -1 without one.
    #[serde(default)]
    pub latest_ack_timestamp: i64,
    #[serde(default)]
    external_path: Option<String>,
    #[serde(default)]
    discarded: bool,
    #[serde(default)]
    pub failure_message: Option<String>,
}

impl Checkpoint {
    /// A completed one, as a JobManager would show it that is made up. Times are its trigger's and its end's, in milliseconds.
    pub fn completed(id: u64, is_savepoint: bool, (trigger, ack): (i64, i64), path: String) -> Self {
        Self {
            id,
            status: "COMPLETED".to_owned(),
            is_savepoint,
            trigger_timestamp: trigger,
            latest_ack_timestamp: ack,
            external_path: Some(path),
            discarded: false,
            failure_message: None,
        }
    }

    /// The path from which a job can be started, if there is one and it still holds state.
    pub fn path(&self) -> Option<&str> {
        if self.discarded { None } else { usable(self.external_path.as_deref()) }
    }
}

/// From where the current execution was restored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Restored {
    pub id: u64,
    /// Milliseconds since the epoch.
    pub restore_timestamp: i64,
    /// Also true for a retained checkpoint that was named at submission.
    pub is_savepoint: bool,
    #[serde(default)]
    external_path: Option<String>,
}

impl Restored {
    /// As a JobManager would show it that is made up.
    pub fn new(id: u64, restore_timestamp: i64, is_savepoint: bool, path: String) -> Self {
        Self { id, restore_timestamp, is_savepoint, external_path: Some(path) }
    }

    /// The path of the restored state.
    pub fn path(&self) -> Option<&str> {
        usable(self.external_path.as_deref())
    }
}

/// A checkpoint in the JobManager's memory has no address, which Flink says with a phrase in angle brackets.
fn usable(path: Option<&str>) -> Option<&str> {
    path.filter(|path| !path.is_empty() && !path.starts_with('<'))
}

/// Statistics over the last checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Milliseconds.
    pub end_to_end_duration: Distribution,
    /// Bytes.
    pub state_size: Distribution,
}

/// A distribution; all `None` as long as there is no checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Distribution {
    #[serde(deserialize_with = "number::lenient")]
    pub avg: Option<f64>,
    #[serde(deserialize_with = "number::lenient")]
    pub p50: Option<f64>,
    #[serde(deserialize_with = "number::lenient")]
    pub p99: Option<f64>,
}

/// `/jobs/:id/checkpoints/config`. An answer of 404 means that the job does not checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CheckpointConfig {
    /// Milliseconds; `i64::MAX` for a job without periodic checkpoints.
    pub interval: i64,
    pub externalization: Externalization,
    #[serde(default)]
    pub checkpoint_storage: String,
}

impl CheckpointConfig {
    /// Whether a completed checkpoint outlives a job that was cancelled or whose JobManager was lost.
    pub fn retains(&self) -> bool {
        self.externalization.enabled && !self.externalization.delete_on_cancellation
    }

    /// Whether checkpoints are made at all.
    pub fn is_periodic(&self) -> bool {
        self.interval > 0 && self.interval < i64::MAX
    }
}

/// What becomes of a checkpoint when its job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Externalization {
    pub enabled: bool,
    pub delete_on_cancellation: bool,
}
