//! Savepoints and stops: asynchronous operations with a trigger and a result.
//!
//! Invariant: `COMPLETED` with a failure cause is a failure, so that no caller can take one for the other.

use serde::{Deserialize, Serialize};

use crate::failure;
use crate::id::TriggerId;

/// The body of `POST /jobs/:id/savepoints`. Field names differ from those of a stop: that is Flink's API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavepointRequest {
    #[serde(rename = "target-directory", skip_serializing_if = "Option::is_none")]
    pub target_directory: Option<String>,
    #[serde(rename = "cancel-job")]
    pub cancel_job: bool,
    #[serde(rename = "triggerId")]
    pub trigger_id: TriggerId,
}

/// The body of `POST /jobs/:id/stop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StopRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_directory: Option<String>,
    /// True flushes windows and timers: such a savepoint ends the job for good.
    pub drain: bool,
    pub trigger_id: TriggerId,
}

/// The body of `POST /savepoint-disposal`. A savepoint that is not there makes the operation fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DisposalRequest {
    #[serde(rename = "savepoint-path")]
    pub savepoint_path: String,
}

/// The answer to a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TriggerAnswer {
    #[serde(rename = "request-id")]
    pub request_id: TriggerId,
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum Operation {
    InProgress,
    Completed {
        location: String,
    },
    Failed {
        cause: String,
    },
    /// The JobManager does not know the operation: never triggered, forgotten (5 minutes after its end), or another
    /// incarnation. It says nothing about whether a savepoint was made.
    NotFound,
}

/// `GET /jobs/:id/savepoints/:trigger`, for both kinds of operation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OperationAnswer {
    status: QueueStatus,
    #[serde(default)]
    operation: Option<Outcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct QueueStatus {
    id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Outcome {
    #[serde(default)]
    location: Option<String>,
    #[serde(default)]
    failure_cause: Option<FailureCause>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FailureCause {
    #[serde(default)]
    class: String,
    #[serde(default)]
    stack_trace: String,
}

impl OperationAnswer {
    /// Of an operation that leaves nothing behind, such as a disposal: the location is empty.
    pub fn without_location(mut self) -> Operation {
        let failed = self.operation.as_ref().is_some_and(|outcome| outcome.failure_cause.is_some());
        if !failed {
            self.operation = Some(Outcome { location: Some(String::new()), failure_cause: None });
        }
        self.into()
    }
}

impl From<OperationAnswer> for Operation {
    fn from(answer: OperationAnswer) -> Self {
        if answer.status.id != "COMPLETED" {
            return Self::InProgress;
        }
        match answer.operation {
            Some(Outcome { failure_cause: Some(cause), .. }) => {
                let text = if cause.stack_trace.is_empty() { &cause.class } else { &cause.stack_trace };
                Self::Failed { cause: failure::reason(text) }
            }
            Some(Outcome { location: Some(location), .. }) => Self::Completed { location },
            _ => Self::Failed { cause: "completed without a location".to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Operation {
        serde_json::from_str::<OperationAnswer>(json).unwrap().into()
    }

    /// SC-550, SC-554
    #[test]
    fn an_operation_is_in_progress_until_it_says_completed() {
        assert_eq!(parse(r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#), Operation::InProgress);
        assert_eq!(parse(r#"{"status":{"id":"IN_PROGRESS"}}"#), Operation::InProgress);
        assert_eq!(parse(r#"{"status":{"id":"QUEUED"}}"#), Operation::InProgress);
    }

    /// SC-553
    #[test]
    fn completed_without_a_location_is_a_failure() {
        let failed = Operation::Failed { cause: "completed without a location".to_owned() };
        assert_eq!(parse(r#"{"status":{"id":"COMPLETED"},"operation":null}"#), failed);
        assert_eq!(parse(r#"{"status":{"id":"COMPLETED"},"operation":{}}"#), failed);
    }

    #[test]
    fn a_disposal_has_no_location() {
        let told = |json: &str| serde_json::from_str::<OperationAnswer>(json).unwrap().without_location();
        let done = Operation::Completed { location: String::new() };
        assert_eq!(told(r#"{"status":{"id":"COMPLETED"},"operation":{}}"#), done);
        assert_eq!(told(r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":null}}"#), done);
        assert_eq!(told(r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#), Operation::InProgress);
        let failed = told(
            r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"a.B","stack-trace":"a.B: gone"}}}"#,
        );
        assert!(matches!(failed, Operation::Failed { .. }), "{failed:?}");
    }

    /// SC-551
    #[test]
    fn a_failure_cause_wins_over_a_location() {
        let operation = parse(
            r#"{"status":{"id":"COMPLETED"},"operation":{"location":"file:/sp","failure-cause":
               {"class":"a.B","stack-trace":"a.B: outer\n\tat x\nCaused by: java.io.IOException: disk full\n\tat y"}}}"#,
        );
        assert_eq!(operation, Operation::Failed { cause: "IOException: disk full".to_owned() });
    }

    /// SC-274, SC-322, F-26
    #[test]
    fn requests_have_the_names_of_flink() {
        let trigger_id = TriggerId::from_bytes([1; 16]);
        let stop =
            StopRequest { target_directory: Some("file:/a".to_owned()), drain: false, trigger_id: trigger_id.clone() };
        assert_eq!(
            serde_json::to_string(&stop).unwrap(),
            r#"{"targetDirectory":"file:/a","drain":false,"triggerId":"01010101010101010101010101010101"}"#
        );
        let savepoint = SavepointRequest { target_directory: None, cancel_job: false, trigger_id };
        assert_eq!(
            serde_json::to_string(&savepoint).unwrap(),
            r#"{"cancel-job":false,"triggerId":"01010101010101010101010101010101"}"#
        );
    }
}
