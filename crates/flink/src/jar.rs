//! Uploading and running a JAR: `POST /jars/upload` and `POST /jars/:id/run`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::JobId;

/// The answer to an upload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UploadAnswer {
    filename: String,
}

impl UploadAnswer {
    /// The id under which the JAR is run and deleted: the last part of its path.
    pub fn jar_id(&self) -> &str {
        self.filename.rsplit(['/', '\\']).next().unwrap_or(&self.filename)
    }
}

/// The name under which a JAR is uploaded to be run as a job: whoever finds it later knows what it was for.
pub fn upload_name(job: &JobId, file: &str) -> String {
    format!("{UPLOADED}{job}-{file}")
}

const UPLOADED: &str = "flinkctl-";

/// The job that a JAR was uploaded for, by the JAR's id, which is a number of Flink's, `_`, and the JAR's name.
pub fn uploaded_for(jar_id: &str) -> Option<JobId> {
    let (_, name) = jar_id.split_once('_')?;
    let (job, _) = name.strip_prefix(UPLOADED)?.split_once('-')?;
    JobId::try_from(job.to_owned()).ok()
}

/// `GET /jars`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Jars {
    #[serde(default)]
    pub files: Vec<JarFile>,
}

/// An uploaded JAR.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JarFile {
    pub id: String,
}

/// Who owns the files of a restored savepoint or checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimMode {
    /// Flink owns them and deletes them when they are no longer needed.
    #[serde(rename = "CLAIM")]
    Claim,
    /// They stay as they are (Flink's default).
    #[serde(rename = "NO_CLAIM")]
    NoClaim,
}

/// The body of a run. Flink 2.x ignores a single argument string without a word, so arguments are always a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRequest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_class: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub program_args_list: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_non_restored_state: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_mode: Option<ClaimMode>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flink_configuration: BTreeMap<String, String>,
}

/// The answer to a run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunAnswer {
    #[serde(rename = "jobid")]
    pub job_id: JobId,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F-31
    #[test]
    fn a_jar_tells_what_it_was_uploaded_for() {
        let job = JobId::from_bytes([2; 16]);
        let name = upload_name(&job, "my_job-1.jar");
        assert_eq!(name, "flinkctl-02020202020202020202020202020202-my_job-1.jar");
        assert_eq!(uploaded_for(&format!("0c5d8a3e-26c1_{name}")), Some(job));
        assert_eq!(uploaded_for("0c5d8a3e-26c1_my_job-1.jar"), None);
        assert_eq!(uploaded_for("0c5d8a3e-26c1_flinkctl-lister.jar"), None);
    }

    #[test]
    fn an_empty_request_is_an_empty_object() {
        assert_eq!(serde_json::to_string(&RunRequest::default()).unwrap(), "{}");
    }

    /// F-32
    #[test]
    fn a_full_request_has_the_names_of_flink() {
        let request = RunRequest {
            entry_class: Some("a.B".to_owned()),
            program_args_list: vec!["--x".to_owned(), "a b".to_owned()],
            parallelism: Some(2),
            job_id: Some(JobId::from_bytes([2; 16])),
            savepoint_path: Some("file:/sp".to_owned()),
            allow_non_restored_state: Some(false),
            claim_mode: Some(ClaimMode::NoClaim),
            flink_configuration: BTreeMap::from([("a.b".to_owned(), "c".to_owned())]),
        };
        assert_eq!(
            serde_json::to_value(&request).unwrap(),
            serde_json::json!({
                "entryClass": "a.B", "programArgsList": ["--x", "a b"], "parallelism": 2,
                "jobId": "02020202020202020202020202020202", "savepointPath": "file:/sp",
                "allowNonRestoredState": false, "claimMode": "NO_CLAIM", "flinkConfiguration": {"a.b": "c"}
            })
        );
    }
}
