//! One job in one JobManager: its states, its progress, and its starts from a snapshot.
//!
//! Progress is not simulated number by number: a position at a time and a rate say where it is at any later time.

use flink::checkpoint::{Counts, Latest};
use flink::{Checkpoints, JobId, JobState, Restored, RunRequest};

use super::config::Config;
use super::ground::{Ground, KeptJob, Live, NEVER};
use super::ledger::{Logical, Run, Start};
use super::making::Making;
use super::operations::Operations;
use super::program::{Kind, Program};
use super::settings::Millis;

/// From where a job goes on.
#[derive(Debug, Clone)]
pub(super) struct Point {
    /// None for a checkpoint in the JobManager's memory.
    pub path: Option<String>,
    pub id: u64,
    pub position: u64,
    pub uncommitted: u64,
    pub run: Run,
    /// Named at submission.
    pub named: bool,
}

/// What a job does now, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    Initializing(Millis),
    /// For slots, since then.
    Waiting(Millis),
    Deploying(Millis),
    Working,
    /// The savepoint of a stop is complete.
    Finishing(Millis),
    Restarting(Millis),
    Cancelling(Millis),
    Over,
}

#[derive(Debug, Clone)]
pub(super) struct Execution {
    pub id: JobId,
    pub manager: usize,
    pub incarnation: String,
    pub cluster: String,
    pub program: Program,
    pub config: Config,
    pub logical: Logical,
    pub state: JobState,
    pub stage: Stage,
    pub start: Millis,
    pub end: Millis,
    pub submitted: u32,
    /// What it runs with, and the bounds of what it may.
    pub parallelism: u32,
    pub lower: u32,
    pub upper: u32,
    pub run: Run,
    pub point: Option<Point>,
    /// Where it was at that time; it goes on from there unless it is frozen.
    pub position: u64,
    pub since: Millis,
    pub began: u64,
    pub frozen: bool,
    /// When it ends, or fails, by itself.
    pub ends: Millis,
    pub committed: u64,
    pub next_checkpoint: Millis,
    pub next_id: u64,
    pub making: Vec<Making>,
    /// The checkpoint that is to be removed when the next one is complete.
    pub newest: Option<String>,
    pub held: Vec<(usize, u32)>,
    /// When the loss of a TaskManager is noticed.
    pub loss: Option<(Millis, String)>,
    pub restarts: u64,
    /// How often its tasks were started.
    pub begun: u64,
    pub counts: Counts,
    pub latest: Latest,
    pub failure: Option<String>,
    /// What cached endpoints show, and since when.
    pub shown: Option<(Millis, Checkpoints)>,
    pub failure_shown: Option<(Millis, Option<String>)>,
    pub vertices_shown: Option<(Millis, u32)>,
}

/// What a step of a job may touch.
pub(super) struct Around<'a> {
    pub now: Millis,
    pub ground: &'a mut Ground,
    pub operations: &'a mut Operations,
}

impl Execution {
    pub fn new(
        id: JobId,
        program: Program,
        request: &RunRequest,
        config: &Config,
        (manager, incarnation, cluster): (usize, &str, &str),
        around: &mut Around<'_>,
    ) -> Self {
        let options = program.options.clone().into_iter().chain(request.flink_configuration.clone());
        let config = config.with(options);
        let logical = around.ground.ledger.open(&program.logical);
        let wanted = config.entries.get(flink::option::PARALLELISM_DEFAULT).and_then(|text| text.parse().ok());
        let parallelism = request.parallelism.or(wanted).unwrap_or(1).max(1);
        if let (Some(root), Some(_)) = (&config.checkpoints, config.interval) {
            let root = super::storage::normal(root);
            for below in ["", "/shared", "/taskowned"] {
                around.ground.storage.make(format!("{root}/{id}{below}"));
            }
        }
        Self {
            id,
            manager,
            incarnation: incarnation.to_owned(),
            cluster: cluster.to_owned(),
            program,
            config,
            logical,
            state: JobState::Initializing,
            stage: Stage::Initializing(around.now + around.ground.settings.initializing),
            start: around.now,
            end: -1,
            submitted: parallelism,
            parallelism,
            lower: 1,
            upper: parallelism,
            run: Run::default(),
            point: None,
            position: 0,
            since: around.now,
            began: 0,
            frozen: true,
            ends: NEVER,
            committed: 0,
            next_checkpoint: NEVER,
            next_id: 1,
            making: Vec::new(),
            newest: None,
            held: Vec::new(),
            loss: None,
            restarts: 0,
            begun: 0,
            counts: Counts::default(),
            latest: Latest::default(),
            failure: None,
            shown: None,
            failure_shown: None,
            vertices_shown: None,
        }
    }

    /// When something happens next by itself. A job that waits for slots looks when a TaskManager comes or another job ends.
    pub fn due(&self) -> Millis {
        let stage = match self.stage {
            Stage::Over => return NEVER,
            Stage::Working => self.next_checkpoint.min(self.ends),
            Stage::Waiting(since) if self.config.adaptive => since + self.config.stabilization.max(1),
            Stage::Waiting(since) => since + self.config.slot_timeout,
            Stage::Initializing(until)
            | Stage::Deploying(until)
            | Stage::Finishing(until)
            | Stage::Restarting(until)
            | Stage::Cancelling(until) => until,
        };
        let making = self.making.iter().map(|making| making.done).min().unwrap_or(NEVER);
        let loss = self.loss.as_ref().map_or(NEVER, |(at, _)| *at);
        stage.min(making).min(loss)
    }

    /// Does what is due.
    pub fn step(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        while let Some(index) = self.making.iter().position(|making| making.done <= now) {
            let making = self.making.remove(index);
            self.complete(&making, around);
        }
        if self.loss.as_ref().is_some_and(|(at, _)| *at <= now) {
            let cause = self.loss.take().map(|(_, cause)| cause).unwrap_or_default();
            self.fail(&cause, around);
        }
        match self.stage {
            Stage::Initializing(until) | Stage::Restarting(until) if until <= now => self.wait(now),
            Stage::Deploying(until) if until <= now => self.work(around),
            Stage::Cancelling(until) if until <= now => self.over(JobState::Canceled, around),
            Stage::Finishing(until) if until <= now => self.over(JobState::Finished, around),
            Stage::Working if self.ends <= now => self.reach_end(around),
            Stage::Working if self.next_checkpoint <= now => self.checkpoint_periodically(around),
            _ => {}
        }
        if let Stage::Waiting(since) = self.stage {
            self.look_for_slots(since, around);
        }
    }

    /// The state is restored before there are slots.
    fn wait(&mut self, now: Millis) {
        if let Some(point) = &self.point {
            self.counts.restored += 1;
            let path = point.path.clone().unwrap_or_default();
            self.latest.restored = Some(Restored::new(point.id, now, point.named, path));
        }
        self.state = if self.config.adaptive { JobState::Created } else { JobState::Running };
        self.stage = Stage::Waiting(now);
    }

    /// The default scheduler takes each slot that is free and waits for the rest; the adaptive one takes what it runs with, at once.
    fn look_for_slots(&mut self, since: Millis, around: &mut Around<'_>) {
        let now = around.now;
        let free = around.ground.free_slots(self.manager);
        let held: u32 = self.held.iter().map(|(_, slots)| slots).sum();
        let patient = now < since + self.config.stabilization;
        let (taken, enough) = if self.config.adaptive {
            let enough = free >= self.upper || (!patient && free >= self.lower);
            (if enough { free.min(self.upper) } else { 0 }, enough)
        } else {
            // The tasks of a batch job run one after the other if need be.
            let needed = if self.program.kind == Kind::Batch { 1 } else { self.upper };
            (free.min(self.upper - held), held + free >= needed)
        };
        self.held.extend(around.ground.take_slots(self.manager, taken));
        if enough {
            self.parallelism = if self.program.kind == Kind::Batch { self.upper } else { held + taken };
            self.state = JobState::Running;
            self.stage = Stage::Deploying(now + around.ground.settings.deploying);
        } else if !self.config.adaptive && now >= since + self.config.slot_timeout {
            let cause = "NoResourceAvailableException: Could not acquire the minimum required resources.";
            self.fail(cause, around);
        } else if self.config.adaptive && !patient {
            self.stage = Stage::Waiting(now);
        }
    }

    /// All tasks run, from the newest snapshot that this execution knows.
    fn work(&mut self, around: &mut Around<'_>) {
        let (now, ground) = (around.now, &mut *around.ground);
        // Flink's own restart takes the newest checkpoint, and no savepoint: what counts then is what was committed.
        let newest = ground
            .storage
            .newest(self.logical)
            .filter(|_| self.begun == 0)
            .map(|(path, one)| (path.to_owned(), one.position));
        if let Some(point) = &self.point {
            ground.ledger.commit(self.logical, point.run, point.uncommitted, point.position, now);
        }
        self.position = self.point.as_ref().map_or(0, |point| point.position);
        self.next_id = self.point.as_ref().map_or(self.next_id, |point| self.next_id.max(point.id + 1));
        self.committed = self.position;
        self.run = ground.ledger.begin(Start {
            logical: self.logical,
            execution: self.id.clone(),
            incarnation: self.incarnation.clone(),
            at: now,
            from: self.point.as_ref().and_then(|point| point.path.clone()),
            position: self.position,
            newest,
            committed: ground.ledger.committed(self.logical),
        });
        let (logical, run, execution) = (self.logical, self.run, self.id.clone());
        let workers = self.held.iter().map(|(worker, _)| *worker).collect();
        ground.enliven(Live { logical, run, execution, orphaned: false, manager: self.manager, workers }, now);
        (self.stage, self.began) = (Stage::Working, self.position);
        self.begun += 1;
        self.go_on(now);
        if self.loss.is_some() {
            self.freeze(now);
        }
    }

    /// The source goes on from its position.
    pub fn go_on(&mut self, now: Millis) {
        (self.since, self.frozen) = (now, false);
        self.next_checkpoint = self.config.interval.map_or(NEVER, |interval| now + interval);
        let bomb = self.program.fails.saturating_sub(self.position - self.began);
        let left = bomb.min(self.program.count.saturating_sub(self.position));
        self.ends = i64::try_from(left.saturating_mul(1000) / self.program.rate)
            .ok()
            .filter(|_| left < u64::MAX / 1000)
            .and_then(|millis| now.checked_add(millis.max(1)))
            .unwrap_or(NEVER);
    }

    /// Everything below was processed by now.
    pub fn progress(&self, now: Millis) -> u64 {
        if self.frozen {
            return self.position;
        }
        let elapsed = u64::try_from(now - self.since).unwrap_or(0);
        self.position.saturating_add(self.program.rate * elapsed / 1000).min(self.program.count)
    }

    pub fn freeze(&mut self, now: Millis) {
        self.position = self.progress(now);
        self.frozen = true;
        (self.next_checkpoint, self.ends) = (NEVER, NEVER);
    }

    fn reach_end(&mut self, around: &mut Around<'_>) {
        if self.program.kind == Kind::Fail {
            let cause = format!("IllegalStateException: planned failure after {} records", self.program.fails);
            return self.fail(&cause, around);
        }
        around.ground.ledger.commit(self.logical, self.run, self.committed, self.program.count, around.now);
        self.over(JobState::Finished, around);
    }

    /// A task fails, or cannot be started.
    pub fn fail(&mut self, cause: &str, around: &mut Around<'_>) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.failure = Some(cause.to_owned());
        if matches!(self.stage, Stage::Cancelling(_)) {
            return self.over(JobState::Canceled, around);
        }
        if self.restarts >= self.config.restarts {
            return self.over(JobState::Failed, around);
        }
        self.restarts += 1;
        self.leave(&format!("CheckpointException: {cause}"), around);
        self.state = JobState::Restarting;
        self.stage = Stage::Restarting(around.now + self.config.restart_delay);
    }

    pub fn cancel(&mut self, around: &mut Around<'_>) {
        if !matches!(self.stage, Stage::Over | Stage::Cancelling(_)) {
            self.freeze(around.now);
            for making in std::mem::take(&mut self.making) {
                let cause = "CheckpointException: Checkpoint Coordinator is suspending.".to_owned();
                self.not_made(&making, cause, around);
            }
            self.freeze(around.now);
            self.state = JobState::Cancelling;
            self.stage = Stage::Cancelling(around.now + around.ground.settings.cancelling);
        }
    }

    /// Goes on with another parallelism from the newest checkpoint.
    pub fn rescale(&mut self, around: &mut Around<'_>) {
        self.leave("CheckpointException: The job is rescaled", around);
        self.state = JobState::Restarting;
        self.stage = Stage::Restarting(around.now + 100);
    }

    /// The tasks end; slots are free; what was being made is not.
    fn leave(&mut self, cause: &str, around: &mut Around<'_>) {
        self.freeze(around.now);
        self.loss = None;
        around.ground.end(self.run);
        around.ground.give_back(&mut self.held);
        for making in std::mem::take(&mut self.making) {
            self.not_made(&making, cause.to_owned(), around);
        }
    }

    /// The job has ended for good.
    pub fn over(&mut self, state: JobState, around: &mut Around<'_>) {
        let finishing = matches!(self.stage, Stage::Finishing(_) | Stage::Working);
        debug_assert!(state != JobState::Finished || finishing, "only what works can finish");
        self.leave(&super::refusal::no_job(&self.id), around);
        self.tidy(&state, around);
        (self.state, self.stage, self.end) = (state, Stage::Over, around.now);
        if let Some(kept) = around.ground.kept.get_mut(&self.cluster) {
            kept.jobs.remove(&self.id);
            kept.results.insert(self.id.clone());
        }
    }

    /// Notes for the next leader from where to go on.
    pub fn note(&self, around: &mut Around<'_>) {
        let kept = around.ground.kept.get_mut(&self.cluster).and_then(|kept| kept.jobs.get_mut(&self.id));
        if let Some(KeptJob { pointer, .. }) = kept {
            pointer.clone_from(&self.point);
        }
    }
}
