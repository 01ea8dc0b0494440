//! What a JobManager says instead of an answer, in the words that are left of it when a client has read it.

use flink::JobId;
use flink_client::{Error, Refusal};

pub(super) fn unreachable(address: &str) -> Error {
    Error::Unreachable { address: address.to_owned(), cause: "Connection refused (os error 111)".to_owned() }
}

pub(super) fn refused(call: String, code: u16, refusal: Refusal, reason: impl Into<String>) -> Error {
    Error::Status { call, code, reason: reason.into(), refusal }
}

pub(super) fn not_ready(call: String) -> Error {
    let reason = "Service temporarily unavailable due to an ongoing leader election. Please refresh.";
    refused(call, 503, Refusal::NotReady, reason)
}

pub(super) fn no_job(job: &JobId) -> String {
    format!("FlinkJobNotFoundException: Could not find Flink job ({job})")
}

pub(super) fn no_such_job(call: String, code: u16, job: &JobId) -> Error {
    refused(call, code, Refusal::JobNotFound, no_job(job))
}

pub(super) fn duplicate(call: String) -> Error {
    let reason = "DuplicateJobSubmissionException: Job has already been submitted.";
    refused(call, 400, Refusal::DuplicateSubmission, reason)
}

pub(super) fn no_savepoint(path: &str) -> String {
    let scheme = super::storage::scheme(path);
    format!(
        "FileNotFoundException: Cannot find checkpoint or savepoint file/directory '{path}' on file system '{scheme}'."
    )
}

pub(super) fn not_running() -> String {
    "CheckpointException: Checkpoint triggering task of the job is not being executed at the moment. Aborting \
     checkpoint. Failure reason: Not all required tasks are currently running."
        .to_owned()
}

/// A savepoint of a batch job: what its tasks write is read when they have ended.
pub(super) fn blocking() -> String {
    "CheckpointException: Blocking output edge exists in running tasks.".to_owned()
}

pub(super) fn no_file_system(scheme: &str) -> String {
    format!(
        "UnsupportedFileSystemSchemeException: Could not find a file system implementation for scheme '{scheme}'. The \
         scheme is not directly supported by Flink"
    )
}

pub(super) fn not_writable(path: &str) -> String {
    format!("IOException: Failed to create savepoint directory at {path}")
}
