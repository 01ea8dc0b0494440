//! What can go wrong with a call.

use std::time::Duration;

use flink::ErrorBody;

/// An error of one call; its text reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there, or the connection broke.
    #[error("reach the JobManager at {address}: {cause}")]
    Unreachable { address: String, cause: String },
    /// No whole answer within the deadline.
    #[error("get an answer to {call} from the JobManager at {address} within {deadline:?}")]
    Timeout { call: String, address: String, deadline: Duration },
    /// The JobManager answered, but not with success.
    #[error("{call}: the JobManager answered {code}: {reason}")]
    Status { call: String, code: u16, reason: String, refusal: Refusal },
    /// The JobManager answered something that is not understood.
    #[error("understand the answer to {call}: {cause}")]
    Decode { call: String, cause: String },
    /// A file of ours could not be read.
    #[error("read {path}: {source}")]
    File { path: String, source: std::io::Error },
}

/// What a refusal is about, where it makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The JobManager is starting (503): ask again.
    NotReady,
    /// The JobManager does not know the job.
    JobNotFound,
    /// The JobManager does not know the TaskManager.
    TaskManagerNotFound,
    /// The job id was used before: the job was submitted already.
    DuplicateSubmission,
    /// Anything else; the reason says it.
    Other,
}

impl Refusal {
    pub(crate) fn of(code: u16, body: Option<&ErrorBody>) -> Self {
        match body {
            _ if code == 503 => Self::NotReady,
            Some(body) if body.is_duplicate_submission() => Self::DuplicateSubmission,
            Some(body) if body.is_taskmanager_not_found() => Self::TaskManagerNotFound,
            Some(body) if body.is_job_not_found() => Self::JobNotFound,
            _ => Self::Other,
        }
    }
}

impl Error {
    /// A name for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "FlinkUnreachable",
            Self::Timeout { .. } => "FlinkTimeout",
            Self::Status { refusal: Refusal::NotReady, .. } => "FlinkNotReady",
            Self::Status { .. } => "FlinkRefused",
            Self::Decode { .. } => "FlinkAnswerUnknown",
            Self::File { .. } => "FileUnreadable",
        }
    }

    /// Whether the JobManager read the request and said no. All other errors leave open what happened.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Status { refusal: Refusal::NotReady, .. } => None,
            Self::Status { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// Whether the JobManager says that it does not know the job.
    pub fn is_job_not_found(&self) -> bool {
        self.refusal() == Some(Refusal::JobNotFound)
    }

    /// Whether the JobManager says that the job id was submitted before.
    pub fn is_duplicate_submission(&self) -> bool {
        self.refusal() == Some(Refusal::DuplicateSubmission)
    }
}
