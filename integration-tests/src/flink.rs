//! Flink's own word on a cluster: its REST API, asked directly, so that a test does not have to believe the supervisor.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// The REST API of one JobManager.
pub struct Flink {
    base: String,
    client: reqwest::Client,
}

impl Flink {
    /// The JobManager at this address.
    pub fn at(address: &str) -> Result<Self> {
        Self::behind(&format!("{address}:8081"))
    }

    /// The JobManager behind this address and port.
    pub fn behind(address: &str) -> Result<Self> {
        // Another copy of the same provider may have been installed already; either serves.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(20))
            .build()
            .context("cannot build an HTTP client")?;
        Ok(Self { base: format!("http://{address}"), client })
    }

    /// Where a person looks at the cluster.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// The state of a job, such as `RUNNING`.
    pub async fn state(&self, job: &str) -> Result<String> {
        let answer = self.get(&format!("/jobs/{job}/status")).await?;
        Ok(answer["status"].as_str().unwrap_or_default().to_owned())
    }

    /// When a job was started, in milliseconds since 1970.
    pub async fn started(&self, job: &str) -> Result<u64> {
        self.get(&format!("/jobs/{job}")).await?["start-time"].as_u64().context("Flink tells when the job started")
    }

    /// The savepoint or checkpoint from which a job was last restored.
    pub async fn restored_from(&self, job: &str) -> Result<Option<String>> {
        let answer = self.get(&format!("/jobs/{job}/checkpoints")).await?;
        Ok(answer["latest"]["restored"]["external_path"].as_str().map(str::to_owned))
    }

    /// Uploads and runs a JAR, as somebody without flinkctl would, and returns the job's id.
    pub async fn run_by_hand(&self, jar: &Path, class: &str, arguments: &[String]) -> Result<String> {
        let bytes = std::fs::read(jar).with_context(|| format!("cannot read {}", jar.display()))?;
        let part = Part::bytes(bytes).file_name("by-hand.jar").mime_str("application/x-java-archive")?;
        let upload =
            self.client.post(format!("{}/jars/upload", self.base)).multipart(Form::new().part("jarfile", part));
        let uploaded: Value = upload.send().await?.error_for_status()?.json().await?;
        let id =
            uploaded["filename"].as_str().and_then(|path| path.rsplit('/').next()).context("Flink names the JAR")?;
        let body = json!({ "entryClass": class, "programArgsList": arguments, "parallelism": 1 });
        let answer = self.client.post(format!("{}/jars/{id}/run", self.base)).json(&body).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        Ok(answer["jobid"].as_str().context("Flink names the job")?.to_owned())
    }

    /// The ids of the jobs that are not in a final state.
    pub async fn live_jobs(&self) -> Result<Vec<String>> {
        let answer = self.get("/jobs").await?;
        let jobs = answer["jobs"].as_array().cloned().unwrap_or_default();
        let live =
            jobs.iter().filter(|job| !matches!(job["status"].as_str(), Some("FINISHED" | "FAILED" | "CANCELED")));
        Ok(live.filter_map(|job| job["id"].as_str().map(str::to_owned)).collect())
    }

    /// How many TaskManagers have registered.
    pub async fn task_managers(&self) -> Result<u64> {
        Ok(self.get("/overview").await?["taskmanagers"].as_u64().unwrap_or(0))
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self
            .client
            .get(format!("{}{path}", self.base))
            .send()
            .await
            .with_context(|| format!("cannot ask Flink for {path}"))?;
        let answer = answer.error_for_status().with_context(|| format!("Flink refuses {path}"))?;
        answer.json().await.with_context(|| format!("Flink's answer to {path} is no JSON"))
    }
}
