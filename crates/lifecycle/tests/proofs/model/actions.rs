//! What can happen next.

use api::annotations::Action;
use api::record::{ClusterPhase, ClusterRecord, JobPhase, JobRecord, Stop};
use lifecycle::command::{self, Inbox, Outcome, Report};
use lifecycle::transitions::{CLUSTER, Edge, JOB};
use lifecycle::{cluster, job};

use super::world::{Ask, Budget, Course, Late, Object, Progress, Seen, Silence, State, World};
use super::{Laws, clock, looks::request};
use crate::table::phase_name;

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
                | Self::Completes { success: true, .. }
        )
    }
}

/// Takes one from a budget.
fn take(budget: &mut u8) {
    *budget = budget.saturating_sub(1);
}

pub fn possible(world: &World, acts: &mut Vec<Act>) {
    supervisors(world, acts);
    bootstraps(world, acts);
    for index in 0..world.in_flight.len() {
        acts.push(Act::Arrives(index));
    }
    for pod in world.pods.iter().filter(|pod| pod.deleting) {
        acts.push(Act::PodGone(pod.uid.clone()));
    }
    let budget = &world.budget;
    if budget.job_manager_deaths > 0 && world.pods.iter().any(|pod| pod.is_job_manager() && !pod.over) {
        acts.extend([Act::JobManagerDies { at_once: false }, Act::JobManagerDies { at_once: true }]);
    }
    match world.pods.iter().filter(|pod| pod.is_job_manager() && !pod.over).map(|pod| pod.silence).max() {
        Some(Silence::None) if budget.silences > 0 => acts.push(Act::JobManagerIsSilent(true)),
        Some(Silence::Short | Silence::Long) => acts.push(Act::JobManagerIsSilent(false)),
        _ => {}
    }
    if world.full {
        acts.push(Act::Full(false));
    } else if budget.full_nodes > 0 {
        acts.push(Act::Full(true));
    }
    flink(world, acts);
    user(world, acts);
    acts.push(Act::Tick);
}

fn supervisors(world: &World, acts: &mut Vec<Act>) {
    let budget = &world.budget;
    for (exists, act) in
        [(world.cluster.is_some(), Act::Cluster as fn(Fate) -> Act), (world.job.is_some(), Act::Job as fn(Fate) -> Act)]
    {
        if !exists {
            continue;
        }
        acts.push(act(Fate::Done));
        if budget.crashes > 0 {
            acts.push(act(Fate::Crash));
        }
        if budget.late > 0 {
            acts.push(act(Fate::Late));
        }
    }
    for index in 0..world.late.len() {
        acts.extend([Act::RunLate(index), Act::LoseLate(index)]);
    }
    if world.stale.is_some() {
        acts.push(Act::Fresh);
    } else if budget.stale > 0 {
        acts.push(Act::Stale);
    }
    if world.deposed.is_some() {
        acts.extend([Act::DeposedCluster, Act::DeposedJob]);
    } else if budget.deposed > 0 {
        acts.push(Act::Depose);
    }
}

fn bootstraps(world: &World, acts: &mut Vec<Act>) {
    let Some(bootstrap) = &world.bootstrap else { return };
    let sends = bootstrap.progress == Progress::Checked;
    match bootstrap.progress {
        Progress::Created => acts.push(Act::BootstrapAsks),
        Progress::Checked => {
            acts.push(Act::BootstrapSubmits);
            if world.budget.refusals > 0 {
                acts.push(Act::BootstrapIsRefused);
            }
        }
        Progress::Ended(_) => {}
    }
    if world.budget.bootstrap_deaths > 0 && !matches!(bootstrap.progress, Progress::Ended(_)) {
        acts.push(Act::BootstrapDies { in_flight: false });
        if sends {
            acts.push(Act::BootstrapDies { in_flight: true });
        }
    }
    if bootstrap.deleting {
        acts.push(Act::BootstrapGone { in_flight: false });
        if sends {
            acts.push(Act::BootstrapGone { in_flight: true });
        }
    }
}

fn flink(world: &World, acts: &mut Vec<Act>) {
    let budget = &world.budget;
    let runs = world.executions.iter().any(|execution| execution.state == State::Running);
    if runs && budget.checkpoints > 0 {
        acts.push(Act::Checkpoint);
    }
    if runs && budget.job_failures > 0 {
        acts.push(Act::JobFails);
    }
    for (operation, _) in
        world.operations.iter().enumerate().filter(|(_, operation)| operation.course == Course::InProgress)
    {
        acts.push(Act::Completes { operation, success: true });
        if budget.savepoint_failures > 0 {
            acts.push(Act::Completes { operation, success: false });
        }
    }
}

fn user(world: &World, acts: &mut Vec<Act>) {
    let budget = &world.budget;
    // The same words again, without a timestamp, are no change of the object.
    let asks = |of_cluster: bool, action, without_savepoint| {
        let ask = match of_cluster {
            true => world.cluster.as_ref().and_then(|cluster| cluster.ask.as_ref()),
            false => world.job.as_ref().and_then(|job| job.ask.as_ref()),
        };
        let same = ask.is_some_and(|ask| ask.action == action);
        let both = [true, false].map(|stamped| Act::Asks { of_cluster, action, stamped, without_savepoint });
        both.into_iter().take(if same { 1 } else { 2 })
    };
    if world.job.as_ref().is_some_and(|job| !job.deleting) {
        let wishes = [
            (budget.stops, Action::Stop, false),
            (budget.starts, Action::Start, false),
            (budget.fresh_starts, Action::Start, true),
            (budget.triggers, Action::TriggerSavepoint, false),
            (budget.forgets, Action::ForgetSavepoint, false),
        ];
        for (_, action, without) in wishes.into_iter().filter(|(left, ..)| *left > 0) {
            acts.extend(asks(false, action, without));
        }
        if budget.changes > 0 {
            acts.push(Act::Changes { cluster: false });
        }
        if budget.deletions > 0 {
            acts.push(Act::Deletes { cluster: false });
        }
    }
    if world.cluster.as_ref().is_some_and(|cluster| !cluster.deleting) {
        for (_, action) in [(budget.cluster_stops, Action::Stop), (budget.cluster_starts, Action::Start)]
            .into_iter()
            .filter(|(left, _)| *left > 0)
        {
            acts.extend(asks(true, action, false));
        }
        if budget.cluster_changes > 0 {
            acts.push(Act::Changes { cluster: true });
        }
        if budget.cluster_deletions > 0 {
            acts.push(Act::Deletes { cluster: true });
        }
    }
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

/// Whether what is reported as done was done.
fn job_has_done(report: &Report, before: &JobRecord, after: &JobRecord) -> bool {
    match report.action.as_str() {
        _ if report.outcome != Outcome::Done => true,
        "START" => after.phase == JobPhase::Running,
        "STOP" => matches!(after.phase, JobPhase::Ended { .. }),
        "TRIGGER_SAVEPOINT" => after.savepoint.is_some() && after.savepoint != before.savepoint,
        _ => after.savepoint.is_none(),
    }
}

fn cluster_has_done(report: &Report, after: &ClusterRecord) -> bool {
    match report.action.as_str() {
        _ if report.outcome != Outcome::Done => true,
        "START" => matches!(after.phase, ClusterPhase::Started { .. }),
        _ => after.phase == ClusterPhase::Stopped,
    }
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
                    self.carry_out_cluster(step, base, fate, laws);
                }
            }
            Act::Job(fate) => {
                let step = self.decide_job(self, laws);
                let step = step.filter(|step| fate == Fate::Done || !step.effects.is_empty());
                if let (Some(step), Some(base)) = (step, self.job.clone()) {
                    self.spend(fate);
                    self.carry_out_job(step, base, fate, laws);
                }
            }
            Act::DeposedCluster => {
                let Some(known) = self.deposed.take() else { return };
                let step = known.decide_cluster(self);
                if let (Some(step), Some(base)) = (step, known.cluster) {
                    self.carry_out_cluster(step, base, Fate::Done, laws);
                }
            }
            Act::DeposedJob => {
                let Some(known) = self.deposed.take() else { return };
                let step = known.decide_job(self, laws);
                if let (Some(step), Some(base)) = (step, known.job) {
                    self.carry_out_job(step, base, Fate::Done, laws);
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
                managers.for_each(|pod| pod.silence = silence);
            }
            Act::PodGone(uid) => self.remove_pod(&uid),
            Act::Checkpoint => {
                take(&mut self.budget.checkpoints);
                let running = self.executions.iter().find(|execution| execution.state == State::Running);
                if let Some(attempt) = running.map(|execution| execution.attempt) {
                    self.checkpoint(attempt);
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
                running.into_iter().for_each(|execution| execution.state = State::Failed);
            }
            _ => {}
        }
    }

    fn bootstrap_asks(&mut self, laws: &Laws) {
        let pending = self.job.as_ref().and_then(|job| job.record.pending().cloned());
        let Some(bootstrap) = self.bootstrap.as_mut() else { return };
        let asked = pending.is_some_and(|pending| pending.job_id == bootstrap.attempt.job_id);
        bootstrap.progress = match asked || !laws.bootstraps_ask {
            true => Progress::Checked,
            false => {
                Progress::Ended(job::Outcome::NotSubmitted { reason: "NotPending".into(), message: String::new() })
            }
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
        let known = match of_cluster {
            true => self.cluster.as_mut().is_some_and(|cluster| {
                let unseen = annotate(cluster, ask, stamp);
                !unseen && repeats(cluster, cluster.record.command.as_ref())
            }),
            false => self.job.as_mut().is_some_and(|job| {
                let unseen = annotate(job, ask, stamp);
                !unseen && repeats(job, job.record.command.as_ref())
            }),
        };
        if known {
            self.witness.taken.push(self.asked);
        }
    }

    fn tick(&mut self, laws: &Laws) {
        self.job.iter_mut().for_each(|job| clock::tick_job(&mut job.record));
        self.cluster.iter_mut().for_each(|cluster| clock::tick_cluster(&mut cluster.record));
        self.stale = None;
        let silent = self.pods.iter_mut().filter(|pod| pod.silence != Silence::None);
        silent.for_each(|pod| pod.silence = Silence::Long);
        if laws.submissions_are_short {
            self.in_flight.clear();
        }
    }

    fn carry_out_job(&mut self, mut step: job::Step, base: Object<JobRecord>, fate: Fate, laws: &Laws) {
        assert!(step.wake.is_none_or(|wake| wake > clock::now(self.triggers)), "a time to wake up that has passed");
        let mut after = base.clone();
        if step.record != base.record {
            if laws.writes_are_guarded && self.job.as_ref() != Some(&base) {
                return;
            }
            let Some(object) = self.job.as_mut() else { return };
            let draws = |record: &JobRecord| match (&record.phase, &record.operation) {
                (JobPhase::Stopping { stop: Stop::Savepoint { trigger_id, .. }, .. }, _) => Some(trigger_id.clone()),
                (_, operation) => operation.as_ref().map(|operation| operation.trigger_id.clone()),
            };
            let drawn = draws(&step.record).filter(|draw| Some(draw) != draws(&base.record).as_ref());
            self.triggers += u8::from(drawn.is_some());
            clock::plain_job(&mut step.record, self.storage.len());
            object.record.clone_from(&step.record);
            after.record = step.record.clone();
            let news = (phase_name(&base.record.phase), phase_name(&step.record.phase));
            let changed = base.record.phase != step.record.phase;
            self.witness_edge(news, changed, JOB);
            let heard = self.position(step.record.attempt.as_ref().and_then(|attempt| attempt.savepoint.as_deref()));
            self.witness.newest = self.witness.newest.max(heard);
            self.witness.untrue |=
                step.report.as_ref().is_some_and(|report| !job_has_done(report, &base.record, &step.record));
            let taken = self.witness_command(&base, &base.record.command, &step.record.command);
            let refused = step.report.as_ref().is_some_and(|report| report.outcome == Outcome::Refused);
            let unsaved = |ask: &Ask| ask.action == Action::Stop && !laws.savepoints_are_automatic;
            let waives = |ask: &Ask| ask.without_savepoint || ask.action == Action::ForgetSavepoint || unsaved(ask);
            self.witness.waived |= taken && !refused && base.ask.as_ref().is_some_and(waives);
        }
        match fate {
            Fate::Done => step.effects.into_iter().for_each(|effect| self.run_job(effect, &after, laws)),
            Fate::Crash => {}
            Fate::Late => {
                let late = |effect| Late::Job(effect, Box::new(after.clone()));
                self.late.extend(step.effects.into_iter().map(late));
            }
        }
    }

    fn carry_out_cluster(&mut self, mut step: cluster::Step, base: Object<ClusterRecord>, fate: Fate, laws: &Laws) {
        assert!(step.wake.is_none_or(|wake| wake > clock::now(self.triggers)), "a time to wake up that has passed");
        let mut after = base.clone();
        if step.record != base.record {
            if laws.writes_are_guarded && self.cluster.as_ref() != Some(&base) {
                return;
            }
            let Some(object) = self.cluster.as_mut() else { return };
            clock::plain_cluster(&mut step.record);
            object.record.clone_from(&step.record);
            after.record = step.record.clone();
            let news = (phase_name(&base.record.phase), phase_name(&step.record.phase));
            let changed = base.record.phase != step.record.phase;
            self.witness_edge(news, changed, CLUSTER);
            self.witness.untrue |= step.report.as_ref().is_some_and(|report| !cluster_has_done(report, &step.record));
            self.witness_command(&base, &base.record.command, &step.record.command);
        }
        match fate {
            Fate::Done => step.effects.into_iter().for_each(|effect| self.run_cluster(effect, &after, laws)),
            Fate::Crash => {}
            Fate::Late => {
                let late = |effect| Late::Cluster(effect, Box::new(after.clone()));
                self.late.extend(step.effects.into_iter().map(late));
            }
        }
    }

    fn witness_edge(&mut self, (from, to): (String, String), changed: bool, published: &[Edge]) {
        if changed && from != to && !published.iter().any(|edge| edge.from == from && edge.to == to) {
            self.witness.unpublished = Some((from, to));
        }
    }

    fn witness_command<R>(
        &mut self,
        object: &Object<R>,
        before: &Option<api::record::Command>,
        after: &Option<api::record::Command>,
    ) -> bool {
        let id = |command: &Option<api::record::Command>| command.as_ref().map(|command| command.id.clone());
        let action = |command: &Option<api::record::Command>| command.as_ref().map(|command| command.action);
        let news = (id(before), action(before)) != (id(after), action(after));
        let asked = request(object).is_some_and(|request| Some(request.id) == id(after));
        let Some(ask) = object.ask.as_ref().filter(|_| news && asked) else { return false };
        self.witness.taken_twice |= self.witness.taken.contains(&ask.serial);
        self.witness.taken.push(ask.serial);
        self.witness.taken.sort_unstable();
        self.witness.taken.dedup();
        true
    }
}
