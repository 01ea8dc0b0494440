//! Checkpoints and savepoints of a job, from their trigger to their end.

use flink::{Checkpoint, JobState, Operation, TriggerId};

use super::config::Retention;
use super::execution::{Around, Execution, Point, Stage};
use super::ground::{Commit, NEVER};
use super::program::Kind;
use super::settings::Millis;
use super::storage::{self, Snapshot};
use super::{refusal, storage::normal};

/// What is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Checkpoint,
    Savepoint,
    /// A savepoint after which the job ends, one way or the other.
    Stop,
}

#[derive(Debug, Clone)]
pub(super) struct Making {
    pub what: What,
    pub trigger: Option<TriggerId>,
    pub id: u64,
    pub position: u64,
    pub started: Millis,
    pub done: Millis,
    /// None for a checkpoint that stays in the JobManager's memory.
    pub path: Option<String>,
}

/// File systems that Flink can write to here.
const SCHEMES: [&str; 3] = ["file", "s3", "hdfs"];

impl Execution {
    pub(super) fn checkpoint_periodically(&mut self, around: &mut Around<'_>) {
        let interval = self.config.interval.unwrap_or(NEVER / 2);
        self.next_checkpoint = around.now + interval;
        // One at a time.
        if !self.making.iter().any(|making| making.what == What::Checkpoint) {
            self.checkpoint(None, around);
        }
    }

    /// Begins a checkpoint.
    pub(super) fn checkpoint(&mut self, trigger: Option<TriggerId>, around: &mut Around<'_>) {
        if self.stage != Stage::Working || self.loss.is_some() {
            return self.refuse(trigger, refusal::not_running(), around);
        }
        let root = self.config.checkpoints.as_deref().map(normal);
        let path = root.map(|root| format!("{root}/{}/chk-{}", self.id, self.next_id));
        let took = around.ground.settings.checkpointing;
        self.begin(What::Checkpoint, trigger, path, took, around);
    }

    /// Begins a savepoint, or fails the operation.
    pub(super) fn savepoint(&mut self, what: What, trigger: TriggerId, target: &str, around: &mut Around<'_>) {
        let scheme = storage::scheme(target);
        let cause = if self.stage != Stage::Working {
            Some(refusal::not_running())
        } else if self.program.kind == Kind::Batch {
            Some(refusal::blocking())
        } else if !SCHEMES.contains(&scheme) {
            Some(refusal::no_file_system(scheme))
        } else if around.ground.settings.mishaps.storage_fails {
            Some(refusal::not_writable(&normal(target)))
        } else {
            None
        };
        if let Some(cause) = cause {
            return self.refuse(Some(trigger), cause, around);
        }
        let name = format!("savepoint-{}-{:012x}", &self.id.as_str()[..6], around.ground.dice.below(1 << 48));
        around.ground.storage.make(normal(target));
        let took = around.ground.settings.savepointing;
        self.begin(what, Some(trigger), Some(format!("{}/{name}", normal(target))), took, around);
        if what == What::Stop {
            self.freeze(around.now);
        }
    }

    fn begin(
        &mut self,
        what: What,
        trigger: Option<TriggerId>,
        path: Option<String>,
        took: Millis,
        around: &mut Around<'_>,
    ) {
        // While a lost TaskManager is not noticed, nothing gets done.
        let lost = self.loss.is_some();
        let done = if lost { NEVER } else { around.now + took + around.ground.settings.mishaps.storage_slow };
        let making = Making {
            what,
            trigger,
            id: self.next_id,
            position: self.progress(around.now),
            started: around.now,
            done,
            path,
        };
        self.next_id += 1;
        self.counts.total += 1;
        self.counts.in_progress += 1;
        if let Some(path) = &making.path {
            around.ground.storage.put(path.clone(), self.snapshot(&making, None));
        }
        self.making.push(making);
    }

    fn snapshot(&self, making: &Making, completed: Option<Millis>) -> Snapshot {
        Snapshot {
            logical: self.logical,
            id: making.id,
            savepoint: making.what != What::Checkpoint,
            position: making.position,
            uncommitted: self.committed,
            run: self.run,
            completed,
            class: self.program.class.clone(),
        }
    }

    pub(super) fn complete(&mut self, making: &Making, around: &mut Around<'_>) {
        if around.ground.settings.mishaps.storage_fails {
            let path = making.path.clone().unwrap_or_default();
            return self.not_made(making, format!("IOException: Could not write {path}/_metadata"), around);
        }
        self.counts.in_progress -= 1;
        self.counts.completed += 1;
        if let Some(path) = &making.path {
            around.ground.storage.put(path.clone(), self.snapshot(making, Some(around.now)));
        }
        let shown = Checkpoint::completed(
            making.id,
            making.what != What::Checkpoint,
            (making.started, around.now),
            making.path.clone().unwrap_or_default(),
        );
        match making.what {
            What::Checkpoint => {
                self.latest.completed = Some(shown);
                self.complete_checkpoint(making, around);
            }
            What::Savepoint => {
                self.latest.savepoint = Some(shown);
                self.tell(making, around);
            }
            What::Stop => {
                self.latest.savepoint = Some(shown);
                self.complete_stop(making, around);
            }
        }
    }

    fn complete_checkpoint(&mut self, making: &Making, around: &mut Around<'_>) {
        if making.position < self.committed {
            // A savepoint that ends the job has overtaken it.
            return;
        }
        if let Some(before) = self.newest.take() {
            around.ground.storage.remove(&before);
        }
        self.newest.clone_from(&making.path);
        let Making { id, position, path, .. } = making.clone();
        self.point = Some(Point { path, id, position, uncommitted: self.committed, run: self.run, named: false });
        self.commit(position, around);
        self.note(around);
        if let Some(trigger) = &making.trigger {
            let location = making.id.to_string();
            let forgotten = around.now + around.ground.settings.keeping_results;
            around.operations.end(&self.id, trigger, Operation::Completed { location }, forgotten);
        }
        let possible = (around.ground.free_slots(self.manager) + self.parallelism).min(self.upper);
        let stopping = self.making.iter().any(|making| making.what == What::Stop);
        let wanted = possible != self.parallelism && possible >= self.lower;
        if self.config.adaptive && wanted && !stopping && self.stage == Stage::Working {
            self.rescale(around);
        }
    }

    fn complete_stop(&mut self, making: &Making, around: &mut Around<'_>) {
        if around.ground.settings.mishaps.finishing_fails {
            let (path, job) = (making.path.clone().unwrap_or_default(), self.id.clone());
            let cause = format!(
                "StopWithSavepointStoppingException: A savepoint has been created at: {path}, but the corresponding job \
                 {job} failed during stopping. The savepoint is consistent, but might have uncommitted transactions."
            );
            self.refuse(making.trigger.clone(), cause.clone(), around);
            return self.fail(&cause, around);
        }
        self.commit(making.position, around);
        self.tell(making, around);
        self.stage = Stage::Finishing(around.now + around.ground.settings.finishing);
    }

    /// The tasks will hear that what they wrote up to there can be committed.
    fn commit(&mut self, to: u64, around: &mut Around<'_>) {
        let at = around.now + around.ground.settings.committing;
        let (logical, run, from) = (self.logical, self.run, self.committed);
        around.ground.commits.push(Commit { at, logical, run, from, to });
        self.committed = self.committed.max(to);
    }

    /// The operation has succeeded.
    fn tell(&self, making: &Making, around: &mut Around<'_>) {
        if let (Some(trigger), Some(location)) = (&making.trigger, making.path.clone()) {
            let forgotten = around.now + around.ground.settings.keeping_results;
            around.operations.end(&self.id, trigger, Operation::Completed { location }, forgotten);
        }
    }

    /// The operation has failed.
    fn refuse(&self, trigger: Option<TriggerId>, cause: String, around: &mut Around<'_>) {
        if let Some(trigger) = trigger {
            let forgotten = around.now + around.ground.settings.keeping_results;
            around.operations.end(&self.id, &trigger, Operation::Failed { cause }, forgotten);
        }
    }

    /// Something that was being made will not be. A job whose stop fails goes on.
    pub(super) fn not_made(&mut self, making: &Making, cause: String, around: &mut Around<'_>) {
        self.counts.in_progress -= 1;
        self.counts.failed += 1;
        if let Some(path) = &making.path {
            around.ground.storage.remove(path);
        }
        self.refuse(making.trigger.clone(), cause, around);
        if making.what == What::Stop && self.stage == Stage::Working {
            self.go_on(around.now);
        }
    }

    /// Removes the checkpoint that is not to be kept.
    pub(super) fn tidy(&mut self, state: &JobState, around: &mut Around<'_>) {
        let kept = match self.config.retention {
            Retention::None => false,
            Retention::DeleteOnCancellation => *state == JobState::Failed,
            Retention::RetainOnCancellation => *state != JobState::Finished,
        };
        if let Some(path) = self.newest.take().filter(|_| !kept) {
            around.ground.storage.remove(&path);
        }
    }
}
