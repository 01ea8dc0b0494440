//! What the current JobManager answers, with its age.
//!
//! One kept-alive connection an incarnation, spoken to at the pod's address, so that an answer belongs to that pod.
//! An answer that did not come is unknown since the first one that did not come.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::record::{Attempt, Checkpoints};
use flink::{Requirements, option};
use flink_client::{Error, Flink};
use jiff::{SignedDuration, Timestamp};
use kit::Clock;
use lifecycle::Reading;
use lifecycle::cluster::{FlinkView, TaskManagerView};
use lifecycle::job::{FlinkJobView, InPlace, OperationView};

use crate::edge::Edge;

const PORT: u16 = 8081;
const DEADLINE: Duration = Duration::from_secs(3);
/// A listing runs a program on the JobManager, which looks into remote storage.
const LISTING_DEADLINE: Duration = Duration::from_secs(30);

/// Between two listings of JARs.
const JARS_EVERY: Duration = Duration::from_mins(1);
/// How many earlier attempts of a job may have left a JAR.
const ATTEMPTS: u64 = 16;

/// A request to delete a savepoint.
#[derive(Clone)]
enum Disposal {
    Asked(flink::TriggerId),
    Refused(String),
}

/// How many of them are remembered.
const DISPOSALS: usize = 64;

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
    /// Since when it does not answer, by the monotonic clock.
    failing: Option<Duration>,
    /// Since when it has answered, and no job has vanished from its list, by the monotonic clock.
    steady: Option<Duration>,
    highly_available: bool,
    /// Its scheduler changes the parallelism of jobs that run.
    adaptive: bool,
    /// `execution.checkpointing.dir`; known, if there is none, once the configuration was read.
    root: Reading<Option<String>>,
    /// `execution.checkpointing.savepoint-dir`, read with it.
    savepoints: Option<String>,
    /// JARs with the jobs that they were uploaded for, and when they were last listed, by the monotonic clock.
    jars: Vec<(flink::JobId, String)>,
    jars_listed: Option<Duration>,
    /// What came of the last requests to delete savepoints, by their paths. Flink chooses their ids, so that they are known here alone.
    disposals: Mutex<HashMap<String, Disposal>>,
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
            adaptive: false,
            root: Reading::Unknown { why: unknown(), since: now },
            savepoints: None,
            jars: Vec::new(),
            jars_listed: None,
            disposals: Mutex::default(),
            checkpoints: HashMap::new(),
            failures: HashMap::new(),
        }
    }

    /// Asks again if the last answer is to a question that is older than that; whether it did.
    pub async fn refresh(&mut self, age: Duration, idle: bool, now: Timestamp) -> bool {
        let asking = self.clock.monotonic();
        if self.asked.is_some_and(|asked| asking.saturating_sub(asked) < age) {
            return false;
        }
        self.asked = Some(asking);
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
                self.failing.get_or_insert(self.clock.monotonic());
                let since = now;
                let why = kit::chain(&error);
                self.flink = Reading::Unknown { why: why.clone(), since };
                self.jobs = Reading::Unknown { why, since };
            }
        }
        self.list_jars().await;
        true
    }

    /// What it tells of the cluster. For how long it has not answered is counted by the monotonic clock: one that is set gives no
    /// JobManager up.
    pub fn overview(&self, now: Timestamp) -> Reading<FlinkView> {
        match (&self.flink, self.failing) {
            (Reading::Unknown { why, .. }, Some(failing)) => {
                let lasts = SignedDuration::try_from(self.clock.monotonic().saturating_sub(failing));
                Reading::Unknown { why: why.clone(), since: now - lasts.unwrap_or_default() }
            }
            (reading, _) => reading.clone(),
        }
    }

    /// Where JARs cannot be listed there are none that could be deleted.
    async fn list_jars(&mut self) {
        let now = self.clock.monotonic();
        if self.flink.known().is_none() || self.jars_listed.is_some_and(|at| now.saturating_sub(at) < JARS_EVERY) {
            return;
        }
        self.jars_listed = Some(now);
        let files = self.client.jars().await.unwrap_or_default().files;
        let known = files.into_iter().filter_map(|file| Some((flink::jar::uploaded_for(&file.id)?, file.id)));
        self.jars = known.collect();
    }

    /// JARs that were uploaded for the last attempts of a job, each told once a listing.
    pub fn take_jars(&mut self, uid: &str, last: u64) -> Vec<String> {
        if self.jars.is_empty() {
            return Vec::new();
        }
        let attempts = last.saturating_sub(ATTEMPTS).max(1)..=last;
        let own: Vec<String> = attempts.map(|number| lifecycle::ids::job_id(uid, number)).collect();
        let is_own = |job: &flink::JobId| own.iter().any(|id| job.as_str() == id);
        let (taken, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.jars).into_iter().partition(|(job, _)| is_own(job));
        self.jars = left;
        taken.into_iter().map(|(_, id)| id).collect()
    }

    async fn ask(&mut self, idle: bool) -> Result<(FlinkView, Vec<FlinkJobView>), Error> {
        let overview = self.client.overview().await?;
        let jobs = self.client.jobs_overview().await?.jobs;
        if self.root.known().is_none() {
            let config = self.client.jobmanager_config().await?;
            self.adaptive = option::is_adaptive(&config);
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

    /// Whether, and how far, Flink changes the parallelism of an execution to `to` while it runs.
    pub async fn in_place(&self, attempt: &Attempt, to: u32, now: Timestamp) -> Reading<InPlace> {
        let cannot = |why: String| Reading::Known(InPlace::Cannot { why });
        if !self.adaptive {
            return cannot("the scheduler is not the adaptive one".into());
        }
        let Ok(id) = flink::JobId::try_from(attempt.job_id.clone()) else {
            return cannot("it has no id of Flink's".into());
        };
        match self.ask_parallelism(&id).await {
            Ok((requirements, parallelism)) => {
                Reading::Known(spread(&requirements, &parallelism, attempt.parallelism, to))
            }
            Err(error) if error.refusal().is_some() => cannot(kit::chain(&error)),
            Err(error) => Reading::Unknown { why: kit::chain(&error), since: now },
        }
    }

    async fn ask_parallelism(&self, id: &flink::JobId) -> Result<(Requirements, BTreeMap<String, u32>), Error> {
        Ok((self.client.resource_requirements(id).await?, self.client.parallelism(id).await?))
    }

    /// Asks for a savepoint to be deleted. What came of it is told by [`Self::disposal`].
    pub async fn dispose(&self, path: &str) {
        let disposal = match self.client.dispose_savepoint(path).await {
            Ok(trigger) => Disposal::Asked(trigger),
            Err(error) if error.refusal().is_some() => Disposal::Refused(kit::chain(&error)),
            Err(error) => {
                tracing::info!(savepoint = path, error = kit::chain(&error), "it is asked again");
                return;
            }
        };
        let mut known = self.disposals.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DISPOSALS {
            known.clear();
        }
        known.insert(path.to_owned(), disposal);
    }

    /// How the deletion of a savepoint stands.
    pub async fn disposal(&self, path: &str) -> OperationView {
        let known = self.disposals.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        match known {
            None => OperationView::NotFound,
            Some(Disposal::Refused(why)) => OperationView::Failed { why },
            Some(Disposal::Asked(trigger)) => view(self.client.savepoint_disposal(&trigger).await),
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
        view(self.client.savepoint_operation(&job, &trigger).await)
    }
}

fn view(answer: Result<flink::Operation, Error>) -> OperationView {
    match answer {
        Ok(flink::Operation::InProgress) => OperationView::InProgress,
        Ok(flink::Operation::Completed { location }) => OperationView::Completed { path: location },
        Ok(flink::Operation::Failed { cause }) => OperationView::Failed { why: cause },
        Ok(flink::Operation::NotFound) => OperationView::NotFound,
        Err(_) => OperationView::Unknown,
    }
}

/// Operators that follow the job's parallelism are those that have it, or, since all are changed at once, the next one.
fn spread(requirements: &Requirements, parallelism: &BTreeMap<String, u32>, from: u32, to: u32) -> InPlace {
    let upper = |number: u32| requirements.iter().filter(move |(_, one)| one.parallelism.upper_bound == number);
    let asked = if upper(from).next().is_some() { from } else { to };
    if upper(asked).next().is_none() {
        return InPlace::Cannot { why: "no operator follows the parallelism of the job".into() };
    }
    if asked == from && to > 1 && upper(to).next().is_some() {
        return InPlace::Cannot { why: format!("an operator that has {to} already could not be told from the others") };
    }
    let runs = upper(asked).all(|(id, _)| parallelism.get(id) == Some(&asked));
    InPlace::Can { asked, running: if runs { asked } else { from } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flink::{Bounds, Requirement};

    #[test]
    fn operators_tell_by_their_numbers_how_far_a_change_is() {
        let spread = |asked: [u32; 2], running: [u32; 2]| {
            let bounds = |upper_bound| Requirement { parallelism: Bounds { lower_bound: 1, upper_bound } };
            let names = ["source", "sink"].map(str::to_owned);
            let requirements = names.clone().into_iter().zip(asked.map(bounds)).collect();
            super::spread(&requirements, &names.into_iter().zip(running).collect(), 2, 4)
        };
        assert_eq!(spread([1, 2], [1, 2]), InPlace::Can { asked: 2, running: 2 });
        assert_eq!(spread([1, 4], [1, 2]), InPlace::Can { asked: 4, running: 2 });
        assert_eq!(spread([1, 4], [1, 4]), InPlace::Can { asked: 4, running: 4 });
        assert!(matches!(spread([2, 4], [2, 4]), InPlace::Cannot { .. }), "one has a number of its own");
        assert!(matches!(spread([1, 8], [1, 8]), InPlace::Cannot { .. }));
    }
}
