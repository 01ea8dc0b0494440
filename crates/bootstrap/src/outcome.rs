//! How a submission ended: for the supervisor as a termination message, for people as a log line, for scripts as an exit code.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

const LONGEST_MESSAGE: usize = 2000;

/// What became of the submission. The words are part of the contract with the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The job was handed to Flink, now or by an earlier try.
    Submitted,
    DryRun,
    /// The attempt is not the one that waits to be submitted.
    NotPending,
    MissingJar,
    WrongClass,
    RestoreFailed,
    JobRejected,
    /// The JobManager; nothing is known of what it may have done.
    Unreachable,
    KubernetesUnreachable,
}

impl Reason {
    /// The exit code of the process. 1 and 2 are left to panics and usage errors.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Submitted | Self::DryRun => 0,
            Self::NotPending => 3,
            Self::MissingJar => 4,
            Self::WrongClass => 5,
            Self::RestoreFailed => 6,
            Self::JobRejected => 7,
            Self::Unreachable => 8,
            Self::KubernetesUnreachable => 9,
        }
    }
}

/// The end of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub reason: Reason,
    pub message: String,
}

/// Why nothing was submitted.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    NotPending(String),
    #[error(
        "the JAR {path} cannot be read in this image: {source}; check spec.bootstrap.jarPath and spec.bootstrap.image"
    )]
    MissingJar { path: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Refused(Refused),
    #[error("the JobManager cannot be reached: {0}")]
    Unreachable(#[source] flink_client::Error),
    #[error("the FlinkJob cannot be read: {0}")]
    Kubernetes(String),
}

/// A refusal of Flink, sorted by what the user has to mend.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the JAR has no main class {class}: {why}; check spec.bootstrap.className")]
    Class { class: String, why: String },
    #[error("Flink cannot restore the job from {path}: {why}")]
    Restore { path: String, why: String },
    #[error("Flink refuses the job: {0}")]
    Other(String),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        let reason = match &failure {
            Failure::NotPending(_) => Reason::NotPending,
            Failure::MissingJar { .. } => Reason::MissingJar,
            Failure::Refused(Refused::Class { .. }) => Reason::WrongClass,
            Failure::Refused(Refused::Restore { .. }) => Reason::RestoreFailed,
            Failure::Refused(Refused::Other(_)) => Reason::JobRejected,
            Failure::Unreachable(_) => Reason::Unreachable,
            Failure::Kubernetes(_) => Reason::KubernetesUnreachable,
        };
        Self { reason, message: failure.to_string() }
    }
}

impl Outcome {
    pub(crate) fn done(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The line that the kubelet puts into the pod's status.
    pub fn termination_message(&self) -> String {
        let message = kit::error::shorten(&self.message, LONGEST_MESSAGE);
        serde_json::json!({"reason": self.reason, "message": message}).to_string()
    }

    /// Leaves the line where the kubelet looks for it.
    pub fn write_termination_message(&self) {
        kit::process::leave_message(&self.termination_message());
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, Outcome, Reason, Refused};

    #[test]
    fn the_termination_message_is_one_line_of_json() {
        let refused = Refused::Class { class: "a.B".into(), why: "ClassNotFoundException:\n\"a.B\"".into() };
        let outcome = Outcome::from(Failure::Refused(refused));
        let line = outcome.termination_message();
        assert!(!line.contains('\n'));
        let read: Outcome = serde_json::from_str(&line).unwrap();
        assert_eq!(read.reason, Reason::WrongClass);
        assert!(read.message.contains("spec.bootstrap.className"));
    }

    #[test]
    fn exit_codes_tell_the_reasons_apart() {
        let reasons = [
            Reason::NotPending,
            Reason::MissingJar,
            Reason::WrongClass,
            Reason::RestoreFailed,
            Reason::JobRejected,
            Reason::Unreachable,
            Reason::KubernetesUnreachable,
        ];
        let codes: std::collections::BTreeSet<u8> = reasons.iter().map(|reason| reason.exit_code()).collect();
        assert_eq!(codes.len(), reasons.len());
        assert!(codes.iter().all(|code| *code > 2));
        assert_eq!(Reason::Submitted.exit_code(), 0);
    }
}
