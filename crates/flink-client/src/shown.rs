//! Answers that are only shown to people: as Flink gave them, since nothing is decided by them.

use std::collections::BTreeMap;
use std::time::Duration;

use flink::JobId;
use http::Method;
use serde::Deserialize;
use serde_json::Value;

use crate::calls::segment;
use crate::{Client, Error};

/// A JobManager fetches metrics only when it is asked for them, and answers with what it had: nothing at first, and after a while
/// without a question. What it fetches is there a moment later.
const LOOKS: usize = 6;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// The values of metrics by their names.
pub type Metrics = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Metric {
    id: String,
    #[serde(default)]
    value: Option<String>,
}

impl Client {
    /// Details of a job, from Flink's cache, which is a few seconds old at most.
    pub async fn job_details(&self, job: &JobId) -> Result<Value, Error> {
        self.get(&format!("/jobs/{job}")).await
    }

    /// All TaskManagers.
    pub async fn taskmanagers_shown(&self) -> Result<Value, Error> {
        self.get("/taskmanagers").await
    }

    /// Details of a TaskManager, with figures unless it has none.
    pub async fn taskmanager_details(&self, id: &str) -> Result<Value, Error> {
        let path = format!("/taskmanagers/{}", segment(id));
        for _ in 1..LOOKS {
            let details: Value = self.get(&path).await?;
            // No JVM has an empty heap: these figures were not fetched yet.
            if details["metrics"]["heapCommitted"] != 0 {
                return Ok(details);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        self.get(&path).await
    }

    /// Metrics of the JobManager that have these names.
    pub async fn jobmanager_metrics(&self, names: &[&str]) -> Result<Metrics, Error> {
        self.metrics("/jobmanager", names).await
    }

    /// Metrics of a TaskManager; none of one that is not known.
    pub async fn taskmanager_metrics(&self, id: &str, names: &[&str]) -> Result<Metrics, Error> {
        self.metrics(&format!("/taskmanagers/{}", segment(id)), names).await
    }

    /// Metrics of a job; none of one that is not known.
    pub async fn job_metrics(&self, job: &JobId, names: &[&str]) -> Result<Metrics, Error> {
        self.metrics(&format!("/jobs/{job}"), names).await
    }

    async fn metrics(&self, of: &str, names: &[&str]) -> Result<Metrics, Error> {
        let path = format!("{of}/metrics?get={}", names.join(","));
        for _ in 1..LOOKS {
            let found = self.known_metrics(&path).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        self.known_metrics(&path).await
    }

    async fn known_metrics(&self, path: &str) -> Result<Metrics, Error> {
        let answer: Vec<Metric> = self.bare(Method::GET, path).await?.decode()?;
        Ok(answer.into_iter().filter_map(|metric| Some((metric.id, metric.value?))).collect())
    }
}
