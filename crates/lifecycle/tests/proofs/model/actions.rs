//! What can happen, and what comes of it.

use api::annotations::Action;
use lifecycle::command::{self, Inbox};
use lifecycle::job;

use super::world::{Ask, Budget, Object, Progress, Seen, Silence, State, World};
use super::{Laws, clock, looks::request};

/// What becomes of a supervisor's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    Done,
    /// The record is written, then the supervisor dies.
    Crash,
    /// The record is written; the effects come later.
    Late,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    Cluster(Fate),
    Job(Fate),
    /// A supervisor that leads no longer acts on what it knew.
    DeposedCluster,
    DeposedJob,
    RunLate(usize),
    LoseLate(usize),
    Stale,
    Fresh,
    Depose,
    BootstrapAsks,
    BootstrapSubmits,
    /// Flink does not take its job: a wrong class, a missing JAR.
    BootstrapIsRefused,
    /// No more room for TaskManagers; there is room again.
    Full(bool),
    /// It is killed; in the middle of its request, or not.
    BootstrapDies {
        in_flight: bool,
    },
    /// A deleted one is gone; killed in the middle of its request, or not.
    BootstrapGone {
        in_flight: bool,
    },
    Arrives(usize),
    /// Its process ends; its pod stays, or is gone at once.
    JobManagerDies {
        at_once: bool,
    },
    /// It no longer answers, and runs on; it answers again.
    JobManagerIsSilent(bool),
    PodGone(String),
    /// Flink lists what it brings back.
    Recovers,
    /// Flink gives what runs the parallelism that it was asked for.
    Rescales,
    Checkpoint,
    Completes {
        operation: usize,
        success: bool,
    },
    JobFails,
    Asks {
        of_cluster: bool,
        action: Action,
        stamped: bool,
        without_savepoint: bool,
    },
    Changes {
        cluster: bool,
    },
    Deletes {
        cluster: bool,
    },
    Tick,
}

impl Act {
    /// What happens anyway, and brings things forward.
    pub fn goes_on(&self) -> bool {
        matches!(
            self,
            Self::Cluster(Fate::Done)
                | Self::Job(Fate::Done)
                | Self::BootstrapAsks
                | Self::BootstrapSubmits
                | Self::Rescales
                | Self::Completes { success: true, .. }
        )
    }
}

/// Takes one from a budget.
fn take(budget: &mut u8) {
    *budget = budget.saturating_sub(1);
}

/// Whether nothing was asked for before.
fn annotate<R>(object: &mut Object<R>, ask: Ask, stamp: Option<u8>) -> bool {
    object.stamp = stamp.or(object.stamp);
    object.ask.replace(ask).is_none()
}

/// The words of a command that was not reset yet, without another timestamp, are that command.
fn repeats<R>(object: &Object<R>, command: Option<&api::record::Command>) -> bool {
    matches!(command::inbox(command, request(object).as_ref()), Inbox::UnderWay | Inbox::Reset)
}

impl World {
    pub fn act(&mut self, act: Act, laws: &Laws) {
        match act {
            Act::Cluster(fate) => {
                let step = self.decide_cluster(self);
                // Without effects there is nothing to lose.
                let step = step.filter(|step| fate == Fate::Done || !step.effects.is_empty());
                if let (Some(step), Some(base)) = (step, self.cluster.clone()) {
                    self.spend(fate);
                    self.carry_out_cluster(step, &base, fate, laws);
                }
            }
            Act::Job(fate) => {
                let step = self.decide_job(self, laws);
                let step = step.filter(|step| fate == Fate::Done || !step.effects.is_empty());
                if let (Some(step), Some(base)) = (step, self.job.clone()) {
                    self.spend(fate);
                    self.carry_out_job(step, &base, fate, laws);
                }
            }
            Act::DeposedCluster => {
                let Some(known) = self.deposed.take() else { return };
                let step = known.decide_cluster(self);
                if let (Some(step), Some(base)) = (step, known.cluster) {
                    self.carry_out_cluster(step, &base, Fate::Done, laws);
                }
            }
            Act::DeposedJob => {
                let Some(known) = self.deposed.take() else { return };
                let step = known.decide_job(self, laws);
                if let (Some(step), Some(base)) = (step, known.job) {
                    self.carry_out_job(step, &base, Fate::Done, laws);
                }
            }
            Act::RunLate(index) => {
                let late = self.late.remove(index);
                self.run_late(late, laws);
            }
            Act::LoseLate(index) => _ = self.late.remove(index),
            Act::Stale => {
                take(&mut self.budget.stale);
                self.stale = Some(self.seen());
            }
            Act::Fresh => self.stale = None,
            Act::Depose => {
                take(&mut self.budget.deposed);
                self.deposed = Some(Box::new(self.knowledge()));
            }
            Act::Asks { of_cluster, action, stamped, without_savepoint } => {
                self.asks(of_cluster, action, stamped, without_savepoint);
            }
            Act::Changes { cluster: false } => {
                take(&mut self.budget.changes);
                self.job.iter_mut().for_each(|job| job.spec += 1);
            }
            Act::Changes { cluster: true } => {
                take(&mut self.budget.cluster_changes);
                self.cluster.iter_mut().for_each(|cluster| cluster.spec += 1);
            }
            Act::Deletes { cluster: false } => {
                take(&mut self.budget.deletions);
                self.job = self.job.take().filter(|job| job.supervised).map(|job| Object { deleting: true, ..job });
            }
            Act::Deletes { cluster: true } => {
                take(&mut self.budget.cluster_deletions);
                let kept = self.cluster.take().filter(|cluster| cluster.supervised);
                self.cluster = kept.map(|cluster| Object { deleting: true, ..cluster });
            }
            Act::Tick => self.tick(laws),
            other => self.happens(other, laws),
        }
    }

    /// What a supervisor knows: objects as its caches have them, and nothing of Flink, which it asks.
    fn knowledge(&self) -> Self {
        let Seen { pods, bootstrap } = self.seen();
        let (cluster, job, triggers) = (self.cluster.clone(), self.job.clone(), self.triggers);
        Self { cluster, job, pods, bootstrap, triggers, ..Self::new(Budget::NONE) }
    }

    fn spend(&mut self, fate: Fate) {
        match fate {
            Fate::Done => {}
            Fate::Crash => take(&mut self.budget.crashes),
            Fate::Late => take(&mut self.budget.late),
        }
    }

    /// What happens in pods and in Flink.
    fn happens(&mut self, act: Act, laws: &Laws) {
        match act {
            Act::BootstrapAsks => self.bootstrap_asks(laws),
            Act::BootstrapSubmits => {
                let Some(attempt) = self.bootstrap.as_ref().map(|bootstrap| bootstrap.attempt.clone()) else { return };
                let outcome = self.submit(&attempt, laws);
                self.bootstrap.iter_mut().for_each(|own| own.progress = Progress::Ended(outcome.clone()));
            }
            Act::BootstrapIsRefused => {
                take(&mut self.budget.refusals);
                let outcome = job::Outcome::NotSubmitted { reason: "MissingJar".into(), message: String::new() };
                self.bootstrap.iter_mut().for_each(|own| own.progress = Progress::Ended(outcome.clone()));
            }
            Act::Full(full) => {
                self.budget.full_nodes = self.budget.full_nodes.saturating_sub(u8::from(full));
                self.full = full;
                self.pods.iter_mut().for_each(|pod| pod.pending &= full);
            }
            Act::BootstrapDies { in_flight } => {
                take(&mut self.budget.bootstrap_deaths);
                let Some(bootstrap) = self.bootstrap.as_mut() else { return };
                bootstrap.progress = Progress::Ended(job::Outcome::Unknown);
                let attempt = bootstrap.attempt.clone();
                self.in_flight.extend(in_flight.then_some(attempt));
            }
            Act::BootstrapGone { in_flight } => {
                let gone = self.bootstrap.take();
                self.in_flight.extend(gone.filter(|_| in_flight).map(|bootstrap| bootstrap.attempt));
            }
            Act::Arrives(index) => {
                let attempt = self.in_flight.remove(index);
                self.submit(&attempt, laws);
            }
            Act::JobManagerDies { at_once } => {
                take(&mut self.budget.job_manager_deaths);
                let manager = self.pods.iter().find(|pod| pod.is_job_manager() && !pod.over);
                match manager.map(|pod| pod.uid.clone()) {
                    Some(uid) if at_once => self.remove_pod(&uid),
                    Some(uid) => self.end_process(&uid),
                    None => {}
                }
            }
            Act::JobManagerIsSilent(silent) => {
                self.budget.silences -= u8::from(silent);
                let silence = if silent { Silence::Short } else { Silence::None };
                let managers = self.pods.iter_mut().filter(|pod| pod.is_job_manager() && !pod.over);
                managers.for_each(|pod| {
                    pod.silence = silence;
                    pod.settled = false;
                });
            }
            Act::PodGone(uid) => self.remove_pod(&uid),
            Act::Recovers => self.recover(),
            Act::Rescales => {
                let running = self.executions.iter_mut().filter(|execution| execution.state == State::Running);
                running.for_each(|execution| execution.parallelism = execution.asked);
            }
            Act::Checkpoint => {
                take(&mut self.budget.checkpoints);
                let running = self.executions.iter().find(|execution| execution.state == State::Running);
                if let Some(attempt) = running.map(|execution| execution.attempt) {
                    self.checkpoint(attempt, laws);
                }
            }
            Act::Completes { operation, success } => {
                if !success {
                    take(&mut self.budget.savepoint_failures);
                }
                self.complete(operation, success);
            }
            Act::JobFails => {
                take(&mut self.budget.job_failures);
                let running = self.executions.iter_mut().find(|execution| execution.state == State::Running);
                if let Some(execution) = running {
                    execution.state = State::Failed;
                }
            }
            _ => {}
        }
    }

    fn bootstrap_asks(&mut self, laws: &Laws) {
        let pending = self.job.as_ref().and_then(|job| job.record.pending().cloned());
        let Some(bootstrap) = self.bootstrap.as_mut() else { return };
        let asked = pending.is_some_and(|pending| pending.job_id == bootstrap.attempt.job_id);
        bootstrap.progress = if asked || !laws.bootstraps_ask {
            Progress::Checked
        } else {
            Progress::Ended(job::Outcome::NotSubmitted { reason: "NotPending".into(), message: String::new() })
        };
    }

    fn asks(&mut self, of_cluster: bool, action: Action, stamped: bool, without_savepoint: bool) {
        let budget = &mut self.budget;
        take(match (of_cluster, action) {
            (true, Action::Stop) => &mut budget.cluster_stops,
            (true, _) => &mut budget.cluster_starts,
            (false, Action::Stop) => &mut budget.stops,
            (false, Action::Start) if without_savepoint => &mut budget.fresh_starts,
            (false, Action::Start) => &mut budget.starts,
            (false, Action::TriggerSavepoint) => &mut budget.triggers,
            (false, Action::ForgetSavepoint) => &mut budget.forgets,
        });
        self.asked += 1;
        let ask = Ask { serial: self.asked, action, without_savepoint };
        self.stamps += u8::from(stamped);
        let stamp = stamped.then_some(self.stamps);
        let known = if of_cluster {
            self.cluster.as_mut().is_some_and(|cluster| {
                let unseen = annotate(cluster, ask, stamp);
                !unseen && repeats(cluster, cluster.record.command.as_ref())
            })
        } else {
            self.job.as_mut().is_some_and(|job| {
                let unseen = annotate(job, ask, stamp);
                !unseen && repeats(job, job.record.command.as_ref())
            })
        };
        if known {
            self.witness.taken.push(self.asked);
        }
    }

    fn tick(&mut self, laws: &Laws) {
        self.job.iter_mut().for_each(|job| clock::tick_job(&mut job.record));
        self.cluster.iter_mut().for_each(|cluster| clock::tick_cluster(&mut cluster.record));
        self.stale = None;
        if laws.recovery_is_short {
            self.recover();
        }
        if self.highly_available {
            let answering = self.pods.iter_mut().filter(|pod| pod.is_job_manager() && pod.silence == Silence::None);
            answering.for_each(|pod| pod.settled = true);
        }
        let silent = self.pods.iter_mut().filter(|pod| pod.silence != Silence::None);
        silent.for_each(|pod| pod.silence = Silence::Long);
        if laws.submissions_are_short {
            self.in_flight.clear();
        }
    }
}
