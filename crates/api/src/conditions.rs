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

/// Reasons of conditions and events.
pub mod reasons {
    pub const UNKNOWN: &str = "Unknown";
    pub const STARTING: &str = "Starting";
    pub const RUNNING: &str = "Running";
    pub const UPDATING: &str = "Updating";
    pub const UPDATED: &str = "Updated";
    pub const STOPPING: &str = "Stopping";
    pub const STOPPED: &str = "Stopped";
    pub const SUSPENDED: &str = "Suspended";
    pub const FINISHED: &str = "Finished";
    pub const FAILED: &str = "Failed";
    pub const CANCELED: &str = "Canceled";
    pub const TERMINATED: &str = "Terminated";
    pub const DELETING: &str = "Deleting";
    pub const NO_CLUSTER: &str = "NoCluster";
    pub const UNREACHABLE: &str = "Unreachable";
    pub const INVALID: &str = "Invalid";
    pub const UNSUPPORTED_FLINK: &str = "UnsupportedFlink";
    pub const IMAGE_REPLACED: &str = "ImageReplaced";
    pub const IMAGE_ERROR: &str = "ImageError";
    pub const SUBMISSION_FAILED: &str = "SubmissionFailed";
    pub const RESTORE_FAILED: &str = "RestoreFailed";
    pub const SAVEPOINT_FAILED: &str = "SavepointFailed";
    pub const RESTORE_POINT_UNKNOWN: &str = "RestorePointUnknown";
    pub const ACTION_ACCEPTED: &str = "ActionAccepted";
    pub const ACTION_REFUSED: &str = "ActionRefused";
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

/// A condition by its type.
pub fn condition<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut conditions = Vec::new();
        assert!(set_condition(&mut conditions, READY, false, reasons::STARTING, "", Some(1), at(1)));
        assert!(!set_condition(&mut conditions, READY, false, reasons::STARTING, "", Some(1), at(2)));
        assert!(set_condition(&mut conditions, READY, false, reasons::UPDATING, "", Some(2), at(3)));
        assert_eq!(conditions[0].last_transition_time, Time(at(1)));
        assert!(set_condition(&mut conditions, READY, true, reasons::RUNNING, "", Some(2), at(4)));
        assert_eq!(condition(&conditions, READY).unwrap().last_transition_time, Time(at(4)));
        assert_eq!(conditions.len(), 1);
    }
}
