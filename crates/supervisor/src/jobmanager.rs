//! What the current JobManager answers, with its age.
//!
//! One kept-alive connection an incarnation, spoken to at the pod's address, so that an answer belongs to that pod.
//! An answer that did not come is unknown since the first one that did not come.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use api::record::{Attempt, Checkpoints};
use flink::option;
use flink_client::{Error, Flink};
use jiff::{SignedDuration, Timestamp};
use kit::Clock;
use lifecycle::Reading;
use lifecycle::cluster::{FlinkView, TaskManagerView};
use lifecycle::job::{FlinkJobView, OperationView};

use crate::edge::Edge;

const PORT: u16 = 8081;
const DEADLINE: Duration = Duration::from_secs(3);
/// A listing runs a program on the JobManager, which looks into remote storage.
const LISTING_DEADLINE: Duration = Duration::from_secs(30);

/// Answers of one JobManager pod.
pub struct JobManager<F> {
    pub uid: String,
    pub client: F,
    pub lister: F,
    pub flink: Reading<FlinkView>,
    pub jobs: Reading<Vec<FlinkJobView>>,
    clock: Clock,
    /// When it was last asked, by the monotonic clock.
    asked: Option<Duration>,
    failing: Option<Timestamp>,
    /// Since when it has answered, and no job has vanished from its list, by the monotonic clock.
    steady: Option<Duration>,
    highly_available: bool,
    /// `execution.checkpointing.dir`; known, if there is none, once the configuration was read.
    root: Reading<Option<String>>,
    /// `execution.checkpointing.savepoint-dir`, read with it.
    savepoints: Option<String>,
    checkpoints: HashMap<String, (Checkpoints, bool)>,
    failures: HashMap<String, String>,
}

impl<F: Flink> JobManager<F> {
    pub fn new(uid: &str, address: &str, edge: &impl Edge<Flink = F>) -> Self {
        let (address, now) = (format!("{address}:{PORT}"), edge.clock().now());
        let unknown = || "it was not asked yet".to_owned();
        Self {
            uid: uid.to_owned(),
            client: edge.flink(&address, DEADLINE),
            lister: edge.flink(&address, LISTING_DEADLINE),
            flink: Reading::Unknown { why: unknown(), since: now },
            jobs: Reading::Unknown { why: unknown(), since: now },
            clock: edge.clock().clone(),
            asked: None,
            failing: None,
            steady: None,
            highly_available: false,
            root: Reading::Unknown { why: unknown(), since: now },
            savepoints: None,
            checkpoints: HashMap::new(),
            failures: HashMap::new(),
        }
    }

    /// Asks again if the last answer is older than that.
    pub async fn refresh(&mut self, age: Duration, idle: bool, now: Timestamp) {
        if self.asked.is_some_and(|asked| self.clock.monotonic().saturating_sub(asked) < age) {
            return;
        }
        match self.ask(idle).await {
            Ok((view, jobs)) => {
                self.failing = None;
                let listed = |known: &FlinkJobView| jobs.iter().any(|job| job.id == known.id);
                if self.steady.is_none() || !self.jobs.known().is_none_or(|known| known.iter().all(listed)) {
                    self.steady = Some(self.clock.monotonic());
                }
                self.flink = Reading::Known(view);
                self.jobs = Reading::Known(jobs);
            }
            Err(error) => {
                self.steady = None;
                let since = *self.failing.get_or_insert(now);
                let why = kit::chain(&error);
                self.flink = Reading::Unknown { why: why.clone(), since };
                self.jobs = Reading::Unknown { why, since };
            }
        }
        self.asked = Some(self.clock.monotonic());
    }

    async fn ask(&mut self, idle: bool) -> Result<(FlinkView, Vec<FlinkJobView>), Error> {
        let overview = self.client.overview().await?;
        let jobs = self.client.jobs_overview().await?.jobs;
        if self.root.known().is_none() {
            let config = self.client.jobmanager_config().await?;
            self.highly_available = option::is_highly_available(&config);
            self.savepoints = option::savepoint_directory(&config).map(str::to_owned);
            self.root = Reading::Known(option::checkpoint_directory(&config).map(str::to_owned));
        }
        let task_managers = if idle { self.task_managers().await? } else { Vec::new() };
        let mut views = Vec::with_capacity(jobs.len());
        for job in &jobs {
            views.push(FlinkJobView {
                id: job.id.to_string(),
                state: job.state.as_str().to_owned(),
                terminal: job.state.is_terminal(),
                ready: job.is_fully_running(),
                failure: self.failures.get(job.id.as_str()).cloned(),
            });
        }
        let view = FlinkView {
            version: overview.flink_version.to_string(),
            supported: overview.flink_version.is_supported(),
            highly_available: self.highly_available,
            slots_total: overview.slots_total,
            task_managers,
            live_jobs: views.iter().filter(|job| !job.terminal).map(|job| job.id.clone()).collect(),
        };
        Ok((view, views))
    }

    async fn task_managers(&self) -> Result<Vec<TaskManagerView>, Error> {
        let answer = self.client.taskmanagers().await?;
        Ok(answer
            .taskmanagers
            .iter()
            .filter_map(|manager| {
                let host = manager.host()?;
                // Flink writes every part of an IPv6 address, Kubernetes the short form.
                let address = host.parse::<IpAddr>().map_or_else(|_| host.to_owned(), |address| address.to_string());
                Some(TaskManagerView { address, idle: manager.free_slots == manager.slots })
            })
            .collect())
    }

    /// For how long it has answered, and no job has vanished from its list.
    pub fn answering_for(&self) -> SignedDuration {
        let lasts = self.steady.map(|since| self.clock.monotonic().saturating_sub(since)).unwrap_or_default();
        SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX)
    }

    /// The cluster's checkpoint directory, if it has one.
    pub fn checkpoint_root(&self) -> Option<&str> {
        self.root.known()?.as_deref()
    }

    /// Where savepoints go that name no target, if that is set.
    pub fn savepoint_directory(&self) -> Option<&str> {
        self.savepoints.as_deref()
    }

    /// Whether it is known that savepoints must name a target.
    pub fn has_no_savepoint_directory(&self) -> bool {
        self.root.known().is_some() && self.savepoints.is_none()
    }

    /// Whether the job is listed, and over.
    pub fn has_ended(&self, job: &str) -> bool {
        self.jobs.known().is_some_and(|jobs| jobs.iter().any(|known| known.id == job && known.terminal))
    }

    /// The savepoint that ended a job, of whose operation nothing is known any more: the one in the directory of the stop, or, if the
    /// stop has none of its own, one that nothing of this job came after.
    pub async fn last_savepoint(&self, job: &str, directory: &str) -> OperationView {
        let Ok(id) = flink::JobId::try_from(job.to_owned()) else { return OperationView::NotFound };
        let Ok(checkpoints) = self.client.checkpoints(&id).await else { return OperationView::Unknown };
        let latest = checkpoints.latest;
        let newest = latest.completed.as_ref().map_or(0, |checkpoint| checkpoint.id);
        // Schemes and slashes are spelled in several ways; the last part of the directory is ours and unique.
        let own = directory.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let savepoint = latest.savepoint.as_ref().filter(|savepoint| savepoint.id >= newest);
        match savepoint.and_then(flink::Checkpoint::path).filter(|path| path.contains(own)) {
            Some(path) => OperationView::Completed { path: path.to_owned() },
            None => OperationView::NotFound,
        }
    }

    /// Why a job failed; Flink shows it a moment after the state.
    pub async fn failure(&mut self, job: &str) -> Option<String> {
        if let Some(known) = self.failures.get(job) {
            return Some(known.clone());
        }
        let id = flink::JobId::try_from(job.to_owned()).ok()?;
        let deadline = self.clock.monotonic() + Duration::from_secs(1);
        loop {
            if let Ok(Some(why)) = self.client.job_exceptions(&id).await {
                self.failures.insert(job.to_owned(), why.clone());
                return Some(why);
            }
            if self.clock.monotonic() >= deadline {
                return None;
            }
            self.clock.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where an attempt keeps its checkpoints, as far as it can be told yet.
    pub async fn checkpoints(&mut self, attempt: &Attempt, now: Timestamp) -> Reading<Checkpoints> {
        if let Some((known, true)) = self.checkpoints.get(&attempt.job_id) {
            return Reading::Known(known.clone());
        }
        match self.ask_checkpoints(attempt).await {
            Ok((seen, sure)) => {
                self.checkpoints.insert(attempt.job_id.clone(), (seen.clone(), sure));
                Reading::Known(seen)
            }
            Err(error) => Reading::Unknown { why: kit::chain(&error), since: now },
        }
    }

    async fn ask_checkpoints(&self, attempt: &Attempt) -> Result<(Checkpoints, bool), Error> {
        let Ok(id) = flink::JobId::try_from(attempt.job_id.clone()) else {
            return Ok((Checkpoints::Unknown, true));
        };
        let config = match self.client.checkpoint_config(&id).await? {
            Some(config) if config.is_periodic() => config,
            _ => return Ok((Checkpoints::Disabled, true)),
        };
        let retained = config.retains();
        let latest = self.client.checkpoints(&id).await?.latest.completed;
        let seen = latest.as_ref().and_then(|checkpoint| checkpoint.path());
        if let Some((directory, _)) = seen.and_then(|path| path.trim_end_matches('/').rsplit_once('/')) {
            return Ok((Checkpoints::Directory { path: directory.to_owned(), retained }, true));
        }
        if config.checkpoint_storage.contains("JobManagerCheckpointStorage") {
            return Ok((Checkpoints::InMemory, latest.is_some()));
        }
        let guess = self.checkpoint_root().map(|root| Checkpoints::Directory {
            path: format!("{}/{}", root.trim_end_matches('/'), attempt.job_id),
            retained,
        });
        Ok((guess.unwrap_or_default(), false))
    }

    /// How a savepoint operation stands.
    pub async fn operation(&self, job: &str, trigger: &str) -> OperationView {
        let ids = (flink::JobId::try_from(job.to_owned()), flink::TriggerId::try_from(trigger.to_owned()));
        let (Ok(job), Ok(trigger)) = ids else { return OperationView::Unknown };
        match self.client.savepoint_operation(&job, &trigger).await {
            Ok(flink::Operation::InProgress) => OperationView::InProgress,
            Ok(flink::Operation::Completed { location }) => OperationView::Completed { path: location },
            Ok(flink::Operation::Failed { cause }) => OperationView::Failed { why: cause },
            Ok(flink::Operation::NotFound) => OperationView::NotFound,
            Err(_) => OperationView::Unknown,
        }
    }
}
