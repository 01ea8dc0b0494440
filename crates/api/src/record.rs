//! What the supervisor persists in `.status.record` between two decisions.
//!
//! A record is written with the observed resourceVersion *before* anything it announces is done, so that a
//! restarted supervisor goes on where the last one stopped. It is opaque to users: what they may rely on is
//! projected into the documented status fields. A record that does not parse stops all effects.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::SupervisorStatus;
use crate::annotations::Action;

/// One JobManager pod. Numbers only ever grow; the uid tells what answers from what used to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Incarnation {
    pub number: u32,
    pub uid: String,
}

/// A command (annotation) that was seen and is not forgotten before the user's annotation was reset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// The action's timestamp, or the resourceVersion at which it was first seen.
    pub id: String,
    pub action: Action,
    /// The outcome stands in `status.lastAction`; only the annotation is still to be reset.
    #[serde(default)]
    pub done: bool,
    #[serde(default)]
    pub without_savepoint: bool,
}

/// What a cluster does once it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClusterNext {
    Restart,
    Stay,
    Delete,
}

/// Where a cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "name", rename_all_fields = "camelCase")]
pub enum ClusterPhase {
    /// Nothing was done for it yet.
    #[default]
    New,
    /// The original left it running: its pods get an owner before anything else is done.
    Adopting,
    /// A JobManager is wanted; older incarnations are being removed.
    Starting {
        since: Timestamp,
        not_before: Option<Timestamp>,
    },
    /// The JobManager with this uid answered.
    Started {
        uid: String,
    },
    Stopping {
        next: ClusterNext,
        without_savepoint: bool,
        since: Timestamp,
    },
    Stopped,
    Terminated,
}

/// The record of a `FlinkCluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterRecord {
    pub phase: ClusterPhase,
    /// Number of the current incarnation; 0 before the first.
    pub incarnation: u32,
    /// JobManagers that ended by themselves in a row, without having answered for long.
    pub failures: u32,
    /// Why the last of them, or of the TaskManagers, ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Uids of TaskManagers that ended by themselves and are still there: each counts once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// TaskManagers that ended by themselves, since all were last well for long.
    pub task_manager_failures: u32,
    /// No TaskManager is created before this.
    pub task_managers_after: Option<Timestamp>,
    /// Digest of what the pods were made from.
    pub digest: String,
    pub command: Option<Command>,
    /// The user's word at a START: jobs that last ran before this incarnation begin without their state. Until all have settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anew: Option<u32>,
    /// When the number of TaskManagers last changed.
    pub rescaled: Option<Timestamp>,
    /// Flink itself brings jobs back after the loss of a JobManager, as the last one that answered was configured.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub highly_available: bool,
}

/// Where the state of a new execution comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all_fields = "camelCase")]
pub enum Restore {
    /// From nothing: the first run, or the user's word.
    #[default]
    Empty,
    Savepoint {
        path: String,
    },
    Checkpoint {
        path: String,
    },
    /// To be found out from what the last attempt left behind.
    Newest,
}

impl Restore {
    /// The path that Flink restores from, if any.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Savepoint { path } | Self::Checkpoint { path } => Some(path),
            Self::Empty | Self::Newest => None,
        }
    }
}

/// Where an attempt keeps its checkpoints, as far as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Checkpoints {
    /// The job was not seen running yet.
    #[default]
    Unknown,
    /// The job does not checkpoint.
    Disabled,
    /// In the JobManager's memory: lost with it.
    InMemory,
    /// Below this directory, as `chk-<n>`. `retained`: they outlive a cancellation.
    Directory { path: String, retained: bool },
}

/// One try to run a job. Complete before anything is submitted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// 1 for the first. Only ever grows.
    pub number: u64,
    /// The Flink job id, 32 hexadecimal digits, chosen from the resource's uid and the number.
    pub job_id: String,
    pub incarnation: Incarnation,
    pub restore: Restore,
    pub parallelism: u32,
    /// Digest of the bootstrap section it was made from.
    pub digest: String,
    #[serde(default)]
    pub checkpoints: Checkpoints,
    /// A savepoint of this attempt that completed while it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint: Option<String>,
    /// The directory of its last stop-with-savepoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_directory: Option<String>,
    /// Restore points of this attempt up to here were forgotten by the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<Timestamp>,
}

/// A savepoint that was asked for and has not been heard of yet. The job goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavepointOperation {
    pub trigger_id: String,
    pub since: Timestamp,
}

/// A savepoint that was taken without being asked for, while `spec.savepoint.retention` is set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    pub path: String,
    pub at: Timestamp,
    /// Checkpoints that count go back to an execution that was started from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub base: bool,
    /// Flink was, or is being, asked to delete it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// Another parallelism that Flink gives to an execution while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rescaling {
    pub parallelism: u32,
    /// When Flink was first asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// The last checkpoint that Flink is to change it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<SavepointOperation>,
    /// Flink was asked and does not do it: what it runs with is not known for sure, and a restart is to settle it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

impl Rescaling {
    /// How long Flink may take: with its defaults it waits for half a minute since the last change, and for a checkpoint.
    pub const PATIENCE: SignedDuration = SignedDuration::from_mins(2);

    /// When the job is restarted instead.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.asked.and_then(|asked| asked.checked_add(Self::PATIENCE).ok())
    }
}

/// How an execution is ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Stop {
    /// Nothing is known to run: the bootstrap is taken back first.
    Abort {
        /// Since when neither the bootstrap nor its Flink job are seen.
        quiet: Option<Timestamp>,
    },
    Savepoint {
        trigger_id: String,
        directory: String,
    },
    Cancel,
}

/// Why a job does not run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "why", rename_all_fields = "camelCase")]
pub enum End {
    /// The user said so.
    Stopped,
    /// Its parallelism is 0.
    Suspended,
    /// Its cluster was stopped.
    ClusterStopped,
    Finished,
    Canceled,
    Failed {
        message: String,
    },
    /// It never ran.
    NotStarted {
        reason: String,
        message: String,
    },
    /// Its JobManager is gone, and the restart policy does not allow another attempt.
    Lost,
}

/// What a job does once its execution has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "then", rename_all_fields = "camelCase")]
pub enum JobNext {
    Restart,
    Stay { end: End },
    Delete,
}

/// Where a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "name", rename_all_fields = "camelCase")]
pub enum JobPhase {
    #[default]
    New,
    /// The original left it behind in this state: what Flink says of the attempt decides.
    Adopting {
        was: SupervisorStatus,
        /// A stop was under way that was to be followed by a start.
        restart: bool,
    },
    /// To be started as soon as the cluster is ready for it.
    Waiting {
        since: Timestamp,
    },
    /// The attempt is recorded; a bootstrap may submit it.
    Submitting {
        since: Timestamp,
        tries: u32,
    },
    /// The attempt's Flink job was seen.
    Running,
    Stopping {
        stop: Stop,
        next: JobNext,
        since: Timestamp,
    },
    Ended {
        end: End,
        at: Timestamp,
    },
    Terminated,
}

/// The record of a `FlinkJob`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JobRecord {
    pub phase: JobPhase,
    /// The current attempt, or the last one.
    pub attempt: Option<Attempt>,
    /// It was lost with its JobManager, and Flink's high availability may bring it back under the next one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adrift: bool,
    /// Where the next attempt starts.
    pub restore: Restore,
    /// Why the current attempt, or the next one, starts where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_reason: Option<String>,
    /// The last savepoint that is known.
    pub savepoint: Option<String>,
    pub savepoint_at: Option<Timestamp>,
    /// Base of the periodic interval: when a savepoint was last asked for, or recorded.
    pub savepoint_requested: Option<Timestamp>,
    /// The `spec.savepoint.savepointPath` that was taken over.
    pub initial_savepoint: Option<String>,
    pub operation: Option<SavepointOperation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rescaling: Option<Rescaling>,
    pub command: Option<Command>,
    /// No disruptive operation before this: the last one failed.
    pub hold: Option<Timestamp>,
    /// Why the last savepoint failed, until another one is completed or another attempt is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_failure: Option<String>,
    /// The last savepoints that may be deleted one day, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
}

impl JobRecord {
    /// The attempt that a bootstrap may submit now.
    pub fn pending(&self) -> Option<&Attempt> {
        matches!(self.phase, JobPhase::Submitting { .. }).then_some(self.attempt.as_ref()).flatten()
    }
}

/// Reads a record; absent is the initial one.
///
/// # Errors
/// The text of the first thing that does not fit. Nothing may be done to the object then.
pub fn parse<R: DeserializeOwned + Default>(record: Option<&Value>) -> Result<R, serde_json::Error> {
    record.map_or_else(|| Ok(R::default()), R::deserialize)
}
