//! Conditions in status: their types, reasons, and how one is set.
//!
//! The transition time changes only when the status of a condition changes; a settled object is therefore never rewritten.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The resource does what its spec says.
pub const READY: &str = "Ready";
/// Something is being done to bring the resource there.
pub const PROGRESSING: &str = "Progressing";
/// Nothing more can be done until somebody acts; the message says what.
pub const STALLED: &str = "Stalled";
/// The last savepoint that was asked for failed; the message says why. Absent otherwise.
pub const SAVEPOINT_FAILED: &str = "SavepointFailed";

/// Reasons of conditions.
pub mod reasons {
    macro_rules! words {
        ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
            $($(#[$doc])* pub const $name: &str = $word;)+

            /// All of them: what is not here is no reason of a condition.
            pub const ALL: &[&str] = &[$($name),+];
        };
    }

    words! {
        /// Nobody has looked at it yet.
        UNKNOWN = "Unknown",
        STARTING = "Starting",
        RUNNING = "Running",
        UPDATING = "Updating",
        UPDATED = "Updated",
        STOPPING = "Stopping",
        STOPPED = "Stopped",
        SUSPENDED = "Suspended",
        CLUSTER_STOPPED = "ClusterStopped",
        FINISHED = "Finished",
        FAILED = "Failed",
        CANCELED = "Canceled",
        LOST = "Lost",
        TERMINATED = "Terminated",
        DELETING = "Deleting",
        /// There is no cluster that a job could belong to.
        NO_CLUSTER = "NoCluster",
        /// The cluster of a job does not run yet, or not any more.
        WAITING_FOR_CLUSTER = "WaitingForCluster",
        NOT_ENOUGH_SLOTS = "NotEnoughSlots",
        UNREACHABLE = "Unreachable",
        /// Flink's high availability brings a job back.
        RECOVERING = "Recovering",
        /// A pod is on a node that does not answer, so that it may still run.
        NODE_LOST = "NodeLost",
        /// Something keeps a resource that is being deleted from going.
        DELETION_BLOCKED = "DeletionBlocked",
        /// JobManagers end one after the other.
        JOB_MANAGER_FAILING = "JobManagerFailing",
        /// TaskManagers end one after the other.
        TASK_MANAGER_FAILING = "TaskManagerFailing",
        UNSUPPORTED_FLINK = "UnsupportedFlink",
        INVALID = "Invalid",
        NAME_TAKEN = "NameTaken",
        IMAGE_REPLACED = "ImageReplaced",
        IMAGE_ERROR = "ImageError",
        /// No node has room for a pod.
        UNSCHEDULABLE = "Unschedulable",
        /// A pod will not run by itself, for any other reason.
        POD_TROUBLE = "PodTrouble",
        QUOTA_EXCEEDED = "QuotaExceeded",
        /// Kubernetes does not allow what has to be done.
        FORBIDDEN = "Forbidden",
        KUBERNETES_FAILED = "KubernetesFailed",
        /// The supervisor itself does not work, so that nobody looks after cluster and jobs.
        SUPERVISOR_FAILING = "SupervisorFailing",
        MISSING_JAR = "MissingJar",
        WRONG_CLASS = "WrongClass",
        JOB_REJECTED = "JobRejected",
        NOT_PENDING = "NotPending",
        TIMEOUT = "Timeout",
        BOOTSTRAP_LOST = "BootstrapLost",
        NOT_STARTED = "NotStarted",
        RESTORE_FAILED = "RestoreFailed",
        SAVEPOINT_FAILED = "SavepointFailed",
        SAVEPOINT_MISSING = "SavepointMissing",
        CHECKPOINTS_LOST = "CheckpointsLost",
        CHECKPOINTS_UNKNOWN = "CheckpointsUnknown",
        RESTORE_POINT_UNKNOWN = "RestorePointUnknown",
        RECORD_UNREADABLE = "RecordUnreadable",
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Is {
    True,
    False,
    Unknown,
}

impl Is {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for Is {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// Sets one condition and says whether anything changed. `now` is used only if its status changed.
#[expect(clippy::too_many_arguments, reason = "they are the members of a condition, in their order")]
pub fn set_condition(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: impl Into<Is>,
    reason: &str,
    message: impl Into<String>,
    observed_generation: Option<i64>,
    now: Timestamp,
) -> bool {
    let mut wanted = Condition {
        type_: type_.to_owned(),
        status: status.into().as_str().to_owned(),
        reason: reason.to_owned(),
        message: message.into(),
        observed_generation,
        last_transition_time: Time(now),
    };
    let Some(current) = conditions.iter_mut().find(|condition| condition.type_ == type_) else {
        conditions.push(wanted);
        return true;
    };
    if current.status == wanted.status {
        wanted.last_transition_time = current.last_transition_time.clone();
    }
    let changed = *current != wanted;
    *current = wanted;
    changed
}

/// Whether a condition is just so, whenever it became so.
pub fn is_set(
    conditions: &[Condition],
    type_: &str,
    status: impl Into<Is>,
    reason: &str,
    message: &str,
    observed_generation: Option<i64>,
) -> bool {
    condition(conditions, type_).is_some_and(|current| {
        current.status == status.into().as_str()
            && current.reason == reason
            && current.message == message
            && current.observed_generation == observed_generation
    })
}

/// A condition by its type.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// D-05
    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut conditions = Vec::new();
        assert!(set_condition(&mut conditions, READY, false, reasons::STARTING, "", Some(1), at(1)));
        assert!(!set_condition(&mut conditions, READY, false, reasons::STARTING, "", Some(1), at(2)));
        assert!(is_set(&conditions, READY, false, reasons::STARTING, "", Some(1)));
        assert!(!is_set(&conditions, READY, false, reasons::STARTING, "", Some(2)));
        assert!(!is_set(&conditions, STALLED, false, reasons::STARTING, "", Some(1)));
        assert!(set_condition(&mut conditions, READY, false, reasons::UPDATING, "", Some(2), at(3)));
        assert_eq!(conditions[0].last_transition_time, Time(at(1)));
        assert!(set_condition(&mut conditions, READY, true, reasons::RUNNING, "", Some(2), at(4)));
        assert_eq!(condition(&conditions, READY).unwrap().last_transition_time, Time(at(4)));
        assert_eq!(conditions.len(), 1);
    }
}
