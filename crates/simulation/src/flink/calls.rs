//! The calls of a client, with the names and types of `flink_client::Client`.

use std::collections::BTreeMap;

use flink::checkpoint::{Externalization, Summary};
use flink::cluster::{ConfigEntry, Resource, config_map};
use flink::{
    Bounds, CheckpointConfig, Checkpoints, JarFile, Jars, Job, JobId, JobState, JobsOverview, Listing, Operation,
    Overview, Requirement, Requirements, RunRequest, TaskManager, TaskManagers, Tasks, TriggerId,
};
use flink_client::{Error, Refusal};
use jiff::Timestamp;

use super::Flink;
use super::config::Retention;
use super::execution::{Around, Execution, Point, Stage};
use super::ground::KeptJob;
use super::making::What;
use super::manager::Manager;
use super::program::Program;
use super::refusal;
use super::settings::Millis;

/// The greatest parallelism that a job can be given, unless it says otherwise itself.
const MOST: u32 = 128;

/// Operations that belong to none.
fn no_job() -> JobId {
    JobId::from_bytes([0; 16])
}

fn vertex(number: usize) -> String {
    format!("{:032x}", number + 1)
}

impl Flink {
    /// The JobManager, if it answers at all.
    fn answering(&mut self, uid: &str, now: Timestamp) -> Result<(&mut Manager, Millis), Error> {
        let now = self.reach(now);
        let index = self.manager(uid).ok_or_else(|| refusal::unreachable(uid))?;
        let manager = &mut self.managers[index];
        if manager.died.is_some() || now < manager.answers {
            Err(refusal::unreachable(uid))
        } else {
            Ok((manager, now))
        }
    }

    /// The JobManager, if it leads.
    fn leading(&mut self, uid: &str, call: impl Fn() -> String, now: Timestamp) -> Result<(usize, Millis), Error> {
        let (manager, now) = self.answering(uid, now)?;
        if manager.leads { Ok((manager.index, now)) } else { Err(refusal::not_ready(call())) }
    }

    pub fn overview(&mut self, uid: &str, now: Timestamp) -> Result<Overview, Error> {
        let (index, _) = self.leading(uid, || "GET /overview".to_owned(), now)?;
        let all: Vec<_> = self.ground.workers.iter().filter(|worker| worker.manager == Some(index)).collect();
        Ok(Overview {
            flink_version: self.ground.settings.version.parse().expect("the settings name a version"),
            task_managers: u32::try_from(all.len()).unwrap_or(u32::MAX),
            slots_total: all.iter().map(|worker| worker.slots).sum(),
            slots_available: all.iter().map(|worker| worker.slots - worker.used).sum(),
        })
    }

    /// While it elects itself it may already answer, with an empty list.
    pub fn jobs_overview(&mut self, uid: &str, now: Timestamp) -> Result<JobsOverview, Error> {
        let (manager, _) = self.answering(uid, now)?;
        Ok(JobsOverview { jobs: manager.jobs.iter().map(shown).collect() })
    }

    pub fn job_status(&mut self, uid: &str, job: &JobId, now: Timestamp) -> Result<Option<JobState>, Error> {
        let (index, _) = self.leading(uid, || format!("GET /jobs/{job}/status"), now)?;
        Ok(self.job(index, job).map(|job| job.state.clone()))
    }

    pub fn checkpoints(&mut self, uid: &str, job: &JobId, now: Timestamp) -> Result<Checkpoints, Error> {
        let call = || format!("GET /jobs/{job}/checkpoints");
        let (index, now) = self.leading(uid, call, now)?;
        let Some(execution) = self.job(index, job) else { return Err(refusal::no_such_job(call(), 404, job)) };
        if execution.config.interval.is_none() && execution.program.kind == super::Kind::Batch {
            return Err(refusal::refused(call(), 404, Refusal::Other, "Checkpointing has not been enabled."));
        }
        let refresh = execution.config.refresh;
        if let Some((_, known)) = execution.shown.as_ref().filter(|(since, _)| now < since + refresh) {
            return Ok(known.clone());
        }
        let (counts, latest) = (execution.counts, execution.latest.clone());
        let fresh = Checkpoints { counts, latest, summary: Summary::default() };
        execution.shown = Some((now, fresh.clone()));
        Ok(fresh)
    }

    pub fn checkpoint_config(
        &mut self,
        uid: &str,
        job: &JobId,
        now: Timestamp,
    ) -> Result<Option<CheckpointConfig>, Error> {
        let call = || format!("GET /jobs/{job}/checkpoints/config");
        let (index, _) = self.leading(uid, call, now)?;
        let Some(execution) = self.job(index, job) else { return Err(refusal::no_such_job(call(), 404, job)) };
        if execution.program.kind == super::Kind::Batch {
            return Ok(None);
        }
        let (config, stored) = (&execution.config, execution.config.checkpoints.is_some());
        Ok(Some(CheckpointConfig {
            interval: config.interval.unwrap_or(i64::MAX),
            externalization: Externalization {
                enabled: config.retention != Retention::None,
                delete_on_cancellation: config.retention != Retention::RetainOnCancellation,
            },
            checkpoint_storage: if stored { "FileSystemCheckpointStorage" } else { "JobManagerCheckpointStorage" }
                .to_owned(),
        }))
    }

    pub fn jobmanager_config(&mut self, uid: &str, now: Timestamp) -> Result<BTreeMap<String, String>, Error> {
        let (index, _) = self.leading(uid, || "GET /jobmanager/config".to_owned(), now)?;
        let entries = self.managers[index].config.entries.clone().into_iter();
        Ok(config_map(entries.map(|(key, value)| ConfigEntry { key, value }).collect()))
    }

    pub fn taskmanagers(&mut self, uid: &str, now: Timestamp) -> Result<TaskManagers, Error> {
        let (index, _) = self.leading(uid, || "GET /taskmanagers".to_owned(), now)?;
        let all = self.ground.workers.iter().filter(|worker| worker.manager == Some(index));
        let taskmanagers = all.map(|worker| TaskManager {
            id: worker.uid.clone(),
            path: format!("pekko.tcp://flink@{}:6122/user/rpc/taskmanager_0", worker.host),
            slots: worker.slots,
            free_slots: worker.slots - worker.used,
            total_resource: Resource { cpu_cores: Some(1.0) },
        });
        Ok(TaskManagers { taskmanagers: taskmanagers.collect() })
    }

    pub fn job_exceptions(&mut self, uid: &str, job: &JobId, now: Timestamp) -> Result<Option<String>, Error> {
        let call = || format!("GET /jobs/{job}/exceptions?maxExceptions=1");
        let (index, now) = self.leading(uid, call, now)?;
        let Some(execution) = self.job(index, job) else { return Err(refusal::no_such_job(call(), 404, job)) };
        let refresh = execution.config.refresh;
        if let Some((_, known)) = execution.failure_shown.as_ref().filter(|(since, _)| now < since + refresh) {
            return Ok(known.clone());
        }
        execution.failure_shown = Some((now, execution.failure.clone()));
        Ok(execution.failure.clone())
    }

    pub fn savepoint_operation(
        &mut self,
        uid: &str,
        job: &JobId,
        trigger: &TriggerId,
        now: Timestamp,
    ) -> Result<Operation, Error> {
        let (index, now) = self.leading(uid, || format!("GET /jobs/{job}/savepoints/{trigger}"), now)?;
        Ok(self.managers[index].operations.get(job, trigger, now))
    }

    pub fn list_checkpoints(&mut self, uid: &str, paths: &[String], now: Timestamp) -> Result<Vec<Listing>, Error> {
        self.leading(uid, || "POST /jars/upload".to_owned(), now)?;
        if self.ground.settings.mishaps.storage_unreadable {
            let cause = "ConnectException: Connection refused".to_owned();
            let failed = |path: &String| Listing {
                path: path.clone(),
                outcome: flink::ListingOutcome::Failed { cause: cause.clone() },
            };
            return Ok(paths.iter().map(failed).collect());
        }
        Ok(paths.iter().map(|path| self.ground.storage.list(path)).collect())
    }

    /// Uploads a JAR; all JARs hold the same programs.
    pub fn upload_jar(&mut self, uid: &str, name: &str, now: Timestamp) -> Result<String, Error> {
        let (index, _) = self.leading(uid, || "POST /jars/upload".to_owned(), now)?;
        let id = format!("{:032x}_{name}", u128::from_be_bytes(self.ground.dice.bytes()));
        self.managers[index].jars.push(id.clone());
        Ok(id)
    }

    pub fn delete_jar(&mut self, uid: &str, jar_id: &str, now: Timestamp) -> Result<(), Error> {
        let call = || format!("DELETE /jars/{jar_id}");
        let (index, _) = self.leading(uid, call, now)?;
        let jars = &mut self.managers[index].jars;
        let Some(found) = jars.iter().position(|jar| jar == jar_id) else {
            let reason = format!("File {jar_id} does not exist in /tmp/flink-web-upload.");
            return Err(refusal::refused(call(), 400, Refusal::Other, reason));
        };
        jars.remove(found);
        Ok(())
    }

    /// The JARs that were uploaded.
    pub fn jars(&mut self, uid: &str, now: Timestamp) -> Result<Jars, Error> {
        let (index, _) = self.leading(uid, || "GET /jars".to_owned(), now)?;
        Ok(Jars { files: self.managers[index].jars.iter().map(|id| JarFile { id: id.clone() }).collect() })
    }

    pub fn run_jar(&mut self, uid: &str, jar_id: &str, request: &RunRequest, now: Timestamp) -> Result<JobId, Error> {
        let call = || format!("POST /jars/{jar_id}/run");
        let (index, now) = self.leading(uid, call, now)?;
        let fault = |code: u16, reason: String| refusal::refused(call(), code, Refusal::Other, reason);
        if !self.managers[index].jars.iter().any(|jar| jar == jar_id) {
            return Err(fault(500, format!("Jar file /tmp/flink-web-upload/{jar_id} does not exist")));
        }
        let class = request.entry_class.clone().unwrap_or_default();
        let kind = self.kinds.get(&class).ok_or_else(|| fault(500, format!("ClassNotFoundException: {class}")))?;
        let program =
            Program::new(*kind, request).map_err(|why| fault(400, format!("IllegalArgumentException: {why}")))?;
        let id = request.job_id.clone().unwrap_or_else(|| JobId::from_bytes(self.ground.dice.bytes()));
        if self.was_submitted(index, &id) {
            return Err(refusal::duplicate(call()));
        }
        let restored = self.restorable(&program, request);
        let manager = &mut self.managers[index];
        let mut execution = manager.execution(id.clone(), program, request, now, &mut self.ground);
        let answer = match restored {
            Ok(point) => {
                execution.point = point;
                let kept = self.ground.kept.get_mut(&manager.cluster).filter(|_| manager.config.highly_available);
                if let Some(kept) = kept {
                    let pointer = execution.point.clone();
                    kept.jobs.insert(
                        id.clone(),
                        KeptJob { request: request.clone(), pointer, bounds: None, submitted: now },
                    );
                }
                Ok(id)
            }
            Err(why) => {
                (execution.state, execution.stage, execution.end) = (JobState::Failed, Stage::Over, now);
                execution.failure = Some(why.clone());
                Err(fault(400, why))
            }
        };
        manager.jobs.push(execution);
        self.plan();
        answer
    }

    fn was_submitted(&self, index: usize, id: &JobId) -> bool {
        let manager = &self.managers[index];
        let kept = self.ground.kept.get(&manager.cluster).filter(|_| manager.config.highly_available);
        manager.jobs.iter().any(|job| job.id == *id)
            || kept.is_some_and(|kept| kept.jobs.contains_key(id) || kept.results.contains(id))
    }

    /// The state that a job is to be started from, or why it cannot be read.
    fn restorable(&self, program: &Program, request: &RunRequest) -> Result<Option<Point>, String> {
        // A program that does not checkpoint takes no notice of a path, whether there is something or not.
        let path = request.savepoint_path.as_ref().filter(|_| program.kind != super::Kind::Batch);
        let Some(path) = path else { return Ok(None) };
        if self.ground.settings.mishaps.storage_unreadable {
            return Err("ConnectException: Connection refused".to_owned());
        }
        let snapshot = self.ground.storage.get(path).ok_or_else(|| refusal::no_savepoint(path))?;
        if snapshot.class != program.class && request.allow_non_restored_state != Some(true) {
            return Err(format!(
                "IllegalStateException: Failed to rollback to checkpoint/savepoint {path}. Cannot map \
                 checkpoint/savepoint state for operator to the new program, because the operator is not available."
            ));
        }
        Ok(Some(Point {
            path: Some(super::storage::normal(path)),
            id: snapshot.id,
            position: snapshot.position,
            uncommitted: snapshot.uncommitted,
            run: snapshot.run,
            named: true,
        }))
    }

    pub fn cancel_job(&mut self, uid: &str, job: &JobId, now: Timestamp) -> Result<(), Error> {
        let call = || format!("PATCH /jobs/{job}?mode=cancel");
        let (index, now) = self.leading(uid, call, now)?;
        let done = self.with(index, job, now, |execution, around| {
            execution.cancel(around);
            matches!(execution.state, JobState::Cancelling | JobState::Canceled)
        });
        self.plan();
        match done {
            Some(true) => Ok(()),
            Some(false) => {
                let reason = "Job cancellation failed because the job has already reached another terminal state.";
                Err(refusal::refused(call(), 409, Refusal::Other, reason))
            }
            None => Err(refusal::no_such_job(call(), 404, job)),
        }
    }

    pub fn trigger_savepoint(
        &mut self,
        uid: &str,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
        now: Timestamp,
    ) -> Result<TriggerId, Error> {
        self.trigger(uid, What::Savepoint, (job, trigger), target, now)
    }

    pub fn stop_with_savepoint(
        &mut self,
        uid: &str,
        job: &JobId,
        trigger: &TriggerId,
        target: Option<&str>,
        now: Timestamp,
    ) -> Result<TriggerId, Error> {
        self.trigger(uid, What::Stop, (job, trigger), target, now)
    }

    /// Triggers a checkpoint; its operation is told like that of a savepoint, with the checkpoint's number.
    pub fn trigger_checkpoint(
        &mut self,
        uid: &str,
        job: &JobId,
        trigger: &TriggerId,
        now: Timestamp,
    ) -> Result<TriggerId, Error> {
        self.trigger(uid, What::Checkpoint, (job, trigger), Some(""), now)
    }

    fn trigger(
        &mut self,
        uid: &str,
        what: What,
        (job, trigger): (&JobId, &TriggerId),
        target: Option<&str>,
        now: Timestamp,
    ) -> Result<TriggerId, Error> {
        let call = || format!("POST /jobs/{job}/{}", if what == What::Stop { "stop" } else { "savepoints" });
        let (index, now) = self.leading(uid, call, now)?;
        let manager = &mut self.managers[index];
        let Some(target) = target.map(str::to_owned).or_else(|| manager.config.savepoints.clone()) else {
            let reason = "Config key [execution.checkpointing.savepoint-dir] is not set. Property [target-directory] \
                          must be provided.";
            return Err(refusal::refused(call(), 400, Refusal::Other, reason));
        };
        if !manager.operations.begin(job, trigger, now) {
            return Ok(trigger.clone());
        }
        let known = self.with(index, job, now, |execution, around| match (&execution.stage, what) {
            (Stage::Over, _) => false,
            (_, What::Checkpoint) => {
                execution.checkpoint(Some(trigger.clone()), around);
                true
            }
            _ => {
                execution.savepoint(what, trigger.clone(), &target, around);
                true
            }
        });
        if known != Some(true) {
            let forgotten = now + self.ground.settings.keeping_results;
            let failed = Operation::Failed { cause: refusal::no_job(job) };
            self.managers[index].operations.end(job, trigger, failed, forgotten);
        }
        self.plan();
        Ok(trigger.clone())
    }

    /// Deletes a savepoint, or a checkpoint, whoever made it.
    pub fn dispose_savepoint(&mut self, uid: &str, path: &str, now: Timestamp) -> Result<TriggerId, Error> {
        let (index, now) = self.leading(uid, || "POST /savepoint-disposal".to_owned(), now)?;
        let trigger = TriggerId::from_bytes(self.ground.dice.bytes());
        let outcome = if self.ground.settings.mishaps.storage_unreadable {
            Operation::Failed { cause: "ConnectException: Connection refused".to_owned() }
        } else if self.ground.storage.remove(path) {
            Operation::Completed { location: String::new() }
        } else {
            Operation::Failed { cause: refusal::no_savepoint(path) }
        };
        let forgotten = now + self.ground.settings.keeping_results;
        let operations = &mut self.managers[index].operations;
        operations.begin(&no_job(), &trigger, now);
        operations.end(&no_job(), &trigger, outcome, forgotten);
        Ok(trigger)
    }

    pub fn savepoint_disposal(&mut self, uid: &str, trigger: &TriggerId, now: Timestamp) -> Result<Operation, Error> {
        let (index, now) = self.leading(uid, || format!("GET /savepoint-disposal/{trigger}"), now)?;
        Ok(self.managers[index].operations.get(&no_job(), trigger, now))
    }

    /// Wants the vertices of a job to run with so many tasks, which takes effect at its next checkpoint.
    pub fn set_resource_requirements(
        &mut self,
        uid: &str,
        job: &JobId,
        wanted: &Requirements,
        now: Timestamp,
    ) -> Result<(), Error> {
        let call = || format!("PUT /jobs/{job}/resource-requirements");
        let known = self.resource_requirements(uid, job, now)?;
        let (index, now) = self.leading(uid, call, now)?;
        let fault = |reason: String| Err(refusal::refused(call(), 400, Refusal::Other, reason));
        if let Some(missing) = known.keys().find(|id| !wanted.contains_key(*id)) {
            return fault(format!("The request is incomplete, missing job vertex [{missing}]."));
        }
        for Requirement { parallelism: Bounds { lower_bound, upper_bound } } in wanted.values() {
            if *lower_bound == 0 || lower_bound > upper_bound || *upper_bound > MOST {
                return fault(format!("The requested bounds [{lower_bound}, {upper_bound}] cannot be."));
            }
        }
        let bounds = self.with(index, job, now, |execution, _| {
            let follows = execution.program.vertices(execution.submitted).iter().zip(wanted.values());
            let bounds = follows.filter(|(follows, _)| **follows).map(|(_, one)| one.parallelism).next();
            let bounds = bounds.map_or((execution.lower, execution.upper), |one| (one.lower_bound, one.upper_bound));
            (execution.lower, execution.upper) = bounds;
            bounds
        });
        let cluster = &self.managers[index].cluster;
        if let Some(kept) = self.ground.kept.get_mut(cluster).and_then(|kept| kept.jobs.get_mut(job)) {
            kept.bounds = bounds;
        }
        self.plan();
        Ok(())
    }

    /// What the vertices of a job are required to run with.
    pub fn resource_requirements(&mut self, uid: &str, job: &JobId, now: Timestamp) -> Result<Requirements, Error> {
        let call = || format!("GET /jobs/{job}/resource-requirements");
        let (index, _) = self.leading(uid, call, now)?;
        let execution = self.job(index, job).filter(|one| one.stage != Stage::Over);
        let execution = execution.ok_or_else(|| refusal::no_such_job(call(), 500, job))?;
        if !execution.config.adaptive || execution.program.kind == super::Kind::Batch {
            let reason = "UnsupportedOperationException: The DefaultScheduler does not support changing the \
                          parallelism without a job restart.";
            return Err(refusal::refused(call(), 500, Refusal::Other, reason));
        }
        let bounds = |follows| {
            let (lower_bound, upper_bound) = if follows { (execution.lower, execution.upper) } else { (1, 1) };
            Bounds { lower_bound, upper_bound }
        };
        let follows = execution.program.vertices(execution.submitted).iter().enumerate();
        Ok(follows.map(|(number, follows)| (vertex(number), Requirement { parallelism: bounds(*follows) })).collect())
    }

    /// How many tasks the vertices of a job have, from the cache.
    pub fn parallelism(&mut self, uid: &str, job: &JobId, now: Timestamp) -> Result<BTreeMap<String, u32>, Error> {
        let call = || format!("GET /jobs/{job}");
        let (index, now) = self.leading(uid, call, now)?;
        let Some(execution) = self.job(index, job) else { return Err(refusal::no_such_job(call(), 404, job)) };
        let refresh = execution.config.refresh;
        let parallelism = match execution.vertices_shown {
            Some((since, known)) if now < since + refresh => known,
            _ => execution.parallelism,
        };
        if execution.vertices_shown.is_none_or(|(since, _)| now >= since + refresh) {
            execution.vertices_shown = Some((now, parallelism));
        }
        let follows = execution.program.vertices(execution.submitted).iter().enumerate();
        Ok(follows.map(|(number, follows)| (vertex(number), if *follows { parallelism } else { 1 })).collect())
    }

    fn job(&mut self, index: usize, job: &JobId) -> Option<&mut Execution> {
        self.managers[index].jobs.iter_mut().find(|one| one.id == *job)
    }

    fn with<T>(
        &mut self,
        index: usize,
        job: &JobId,
        now: Millis,
        change: impl FnOnce(&mut Execution, &mut Around<'_>) -> T,
    ) -> Option<T> {
        let manager = &mut self.managers[index];
        let mut around = Around { now, ground: &mut self.ground, operations: &mut manager.operations };
        manager.jobs.iter_mut().find(|one| one.id == *job).map(|one| change(one, &mut around))
    }
}

fn shown(job: &Execution) -> Job {
    Job {
        id: job.id.clone(),
        name: job.program.name.clone(),
        state: job.state.clone(),
        start_time: job.start,
        end_time: job.end,
        tasks: tasks(job),
    }
}

fn tasks(job: &Execution) -> Tasks {
    let total = job.program.tasks(job.submitted, job.parallelism);
    let none = Tasks { total, ..Tasks::default() };
    match job.stage {
        Stage::Initializing(_) => Tasks::default(),
        Stage::Waiting(_) if job.config.adaptive => Tasks { created: total, ..none },
        // A batch job runs in stages; only the source is in the first.
        Stage::Waiting(_) if job.program.kind == super::Kind::Batch => {
            Tasks { scheduled: 1, created: total - 1, ..none }
        }
        Stage::Waiting(_) => Tasks { scheduled: total, ..none },
        Stage::Deploying(_) => Tasks { initializing: total, ..none },
        Stage::Working | Stage::Finishing(_) => Tasks { running: total, ..none },
        Stage::Restarting(_) => Tasks { canceled: total, ..none },
        Stage::Cancelling(_) => Tasks { canceling: total, ..none },
        Stage::Over => match job.state {
            JobState::Finished => Tasks { finished: total, ..none },
            // It failed before it had tasks.
            JobState::Failed if job.begun == 0 => Tasks::default(),
            JobState::Failed => Tasks { failed: 1, canceled: total - 1, ..none },
            _ => Tasks { canceled: total, ..none },
        },
    }
}
