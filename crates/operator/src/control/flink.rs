//! What Flink says of jobs, JobManagers and TaskManagers: asked over one kept-alive connection a cluster, with a deadline.
//!
//! A JobManager is spoken to at its pod's address, which is looked up once and remembered until it fails.

mod address;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::flink::JobId;
use control_api::metrics::{self, Metric};
use control_api::{Kind, Problem, flink as shapes};
use flink_client::{Client, Error, Refusal};
use kit::projection::Parsed;
use serde_json::Value;

pub use address::Reach;
use address::Way;

use super::dialect::Reply;
use super::names::Names;
use super::read::readable;
use super::{Control, text};

/// How long Flink is waited for, the look-up of its address included.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one call to Flink is waited for: less, so that its error tells more.
const CALL: Duration = Duration::from_secs(4);

/// The clients of the JobManagers that were asked lately.
#[derive(Debug)]
pub struct Clients {
    reach: Reach,
    known: Mutex<HashMap<String, Known>>,
}

/// A client, with what its address needs.
#[derive(Clone, Debug)]
struct Known {
    client: Client,
    way: Way,
}

impl Clients {
    pub fn new(reach: Reach) -> Self {
        Self { reach, known: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Control {
    pub(super) async fn job_details(&self, names: &Names) -> Result<Reply, Problem> {
        let id = self.flink_job(names)?;
        let details = self
            .ask(names, |flink| {
                let id = id.clone();
                async move { flink.job_details(&id).await }
            })
            .await?;
        Ok(Reply::Answer(text(&shapes::JOB.of(&details))?.into()))
    }

    pub(super) async fn job_metrics(&self, names: &Names) -> Result<Reply, Problem> {
        let id = self.flink_job(names)?;
        let wanted = wanted(metrics::JOB);
        let wanted = &wanted;
        let found = self
            .ask(names, |flink| {
                let id = id.clone();
                async move { flink.job_metrics(&id, wanted).await }
            })
            .await?;
        shown(metrics::JOB, &found)
    }

    pub(super) async fn job_manager_metrics(&self, names: &Names) -> Result<Reply, Problem> {
        let wanted = wanted(metrics::PROCESS);
        let wanted = &wanted;
        let found = self.ask(names, |flink| async move { flink.jobmanager_metrics(wanted).await }).await?;
        shown(metrics::PROCESS, &found)
    }

    pub(super) async fn task_managers(&self, names: &Names) -> Result<Reply, Problem> {
        let answer = self.ask(names, |flink| async move { flink.taskmanagers_shown().await }).await?;
        Ok(Reply::Answer(text(&shapes::TASK_MANAGERS.of(&answer["taskmanagers"]))?.into()))
    }

    pub(super) async fn task_manager_details(&self, names: &Names) -> Result<Reply, Problem> {
        let id = names.taskmanager.as_deref().unwrap_or_default();
        let answer = self.ask(names, |flink| async move { flink.taskmanager_details(id).await }).await?;
        Ok(Reply::Answer(text(&shapes::task_manager_details(answer))?.into()))
    }

    pub(super) async fn task_manager_metrics(&self, names: &Names) -> Result<Reply, Problem> {
        let id = names.taskmanager.as_deref().unwrap_or_default();
        let wanted = wanted(metrics::PROCESS);
        let wanted = &wanted;
        let found = self
            .ask(names, |flink| async move {
                let found = flink.taskmanager_metrics(id, wanted).await?;
                if found.is_empty() {
                    // Flink has no metrics of a TaskManager that it does not know; its details it refuses.
                    flink.taskmanager_details(id).await?;
                }
                Ok(found)
            })
            .await?;
        shown(metrics::PROCESS, &found)
    }

    /// Flink's id of the job that the path names.
    fn flink_job(&self, names: &Names) -> Result<JobId, Problem> {
        let found = self.find::<api::FlinkJob>(names)?;
        let job = readable(&found)?;
        let id = job.status.as_ref().and_then(|status| status.job_id.clone()).filter(|id| !id.is_empty());
        let none = || {
            let name = job.metadata.name.as_deref().unwrap_or_default();
            Problem::new(Kind::NotFound, format!("Job {name} does not run: Flink has no job for it"))
        };
        JobId::try_from(id.ok_or_else(none)?).map_err(|_| none())
    }

    /// Asks the JobManager of the cluster. An address that does not answer any more is looked up again, once.
    async fn ask<T, F>(&self, names: &Names, question: impl Fn(Client) -> F) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let cluster = names.cluster.as_deref().unwrap_or_default();
        let asked = async {
            let known = self.0.flink.lock().get(cluster).cloned();
            if let Some(client) = known {
                match question(client.client).await {
                    Err(Error::Unreachable { .. }) => self.0.flink.lock().remove(cluster).map_or((), drop),
                    answer => return answer.map_err(|error| problem(&error)),
                }
            }
            let Known { client, way } = self.connect(cluster).await?;
            question(client).await.map_err(|error| match way.trouble() {
                Some(why) => Problem::new(Kind::FlinkUnreachable, format!("failed to reach the JobManager: {why}")),
                None => problem(&error),
            })
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| {
            Err(Problem::new(Kind::FlinkUnreachable, format!("the JobManager did not answer within {PATIENCE:?}")))
        });
        if answer.as_ref().is_err_and(|problem| problem.kind == Kind::FlinkUnreachable) {
            self.0.flink.lock().remove(cluster);
        }
        answer
    }

    /// A client of the cluster's JobManager.
    async fn connect(&self, cluster: &str) -> Result<Known, Problem> {
        let Some(found) = self.cache::<api::FlinkCluster>()?.get(cluster) else {
            return Err(Problem::not_found("Cluster", cluster));
        };
        let way = self.0.flink.reach.find(&self.0.client, &self.0.namespace, cluster).await;
        let way = way.map_err(|problem| with_reason(problem, &found))?;
        let client = Known { client: Client::new(&way.address).with_deadline(CALL), way };
        let clusters = self.0.caches.clusters.clone();
        let mut known = self.0.flink.lock();
        known.retain(|cluster, _| clusters.get(cluster).is_some());
        known.insert(cluster.to_owned(), client.clone());
        Ok(client)
    }
}

/// A problem with what the cluster says of itself.
fn with_reason(mut problem: Problem, cluster: &Parsed<api::FlinkCluster>) -> Problem {
    let status = cluster.valid().and_then(|cluster| cluster.status.as_ref());
    if let Some(ready) =
        status.and_then(|status| api::conditions::condition(&status.conditions, api::conditions::READY))
    {
        problem.detail = format!("{}; the cluster says: {}", problem.detail, ready.message);
    }
    problem
}

fn wanted(metrics: &[Metric]) -> Vec<&'static str> {
    metrics::wanted(metrics).collect()
}

fn shown(metrics: &[Metric], found: &flink_client::Metrics) -> Result<Reply, Problem> {
    let read: Value = metrics::read(metrics, |name| found.get(name).cloned());
    Ok(Reply::Answer(text(&read)?.into()))
}

fn problem(error: &Error) -> Problem {
    let kind = match error {
        Error::Unreachable { .. } | Error::Timeout { .. } | Error::Status { refusal: Refusal::NotReady, .. } => {
            Kind::FlinkUnreachable
        }
        Error::Status { refusal: Refusal::JobNotFound | Refusal::TaskManagerNotFound, .. } => Kind::UnknownToFlink,
        Error::Status { .. } | Error::Decode { .. } | Error::File { .. } => Kind::FlinkRefused,
    };
    Problem::new(kind, format!("failed to {}", kit::chain(error)))
}
