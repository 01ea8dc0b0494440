//! One Flink job: from what was observed to what is done next.
//!
//! Invariants: at most one execution lives, and no execution starts from an older state than one that exists,
//! unless the user said so. The caller persists [`Step::record`] with the observed resourceVersion before it runs
//! [`Step::effects`].

mod adopting;
mod commands;
mod ended;
mod newest;
mod recovery;
mod rescaling;
mod retention;
mod running;
pub mod status;
mod stopping;
mod submitting;
mod view;
mod waiting;

pub use newest::{Choice, Evidence, Found, Looked, Places, Rule, Stall, places, resolve};
pub use view::{
    BootstrapView, Cluster, ClusterState, Desired, Effect, FlinkJobView, InPlace, JobManager, Observed, OperationView,
    Outcome, Retention, Slots, Step, Waiting,
};

pub(crate) use ended::failed_to_start;
pub(crate) use rescaling::possible as can_be_rescaled;
pub(crate) use running::changed;

use api::annotations::Action;
use api::record::{Attempt, Checkpoints, End, JobNext, JobPhase, Restore, Stop};
use jiff::{SignedDuration, Timestamp};

use crate::{Notice, Reading, ahead, command, ids};

/// How long a bootstrap that is gone may still be answered by a JobManager that runs its program.
const SUBMISSION_GRACE: SignedDuration = SignedDuration::from_secs(20);
/// How long nothing disruptive is tried after a stop failed.
const STOP_BACKOFF: SignedDuration = SignedDuration::from_secs(30);
/// How long a savepoint waits for tasks that are still being deployed: until they run Flink refuses it.
const TASKS_GRACE: SignedDuration = SignedDuration::from_secs(30);
/// How often a submission whose fate is unknown is repeated, with the same id.
const SUBMISSION_TRIES: u32 = 5;

/// Decides what to do next. Total, deterministic, free of I/O.
#[must_use]
pub fn step(observed: &Observed<'_>) -> Step {
    let mut step = Step::from(observed.record.clone());
    if ahead::correct_job(&mut step.record, observed.now, STOP_BACKOFF) {
        return step;
    }
    let goes_on = match step.record.phase {
        JobPhase::New => observed.desired.supervised,
        JobPhase::Terminated => true,
        _ => observed.desired.supervised || observed.desired.deleting,
    };
    if !goes_on {
        return unsupervised(observed, step);
    }
    commands::receive(observed, &mut step);
    // One transition at a time: what a command began is looked at afresh.
    if !step.effects.is_empty() || step.record.phase != observed.record.phase {
        return step;
    }
    if let JobPhase::Running | JobPhase::Stopping { .. } = step.record.phase {
        checkpoints(observed, &mut step);
    }
    match step.record.phase.clone() {
        JobPhase::New => initialise(observed, step),
        JobPhase::Adopting { was, restart } => adopting::step(observed, step, was, restart),
        JobPhase::Waiting { since } => waiting::step(observed, step, since),
        JobPhase::Submitting { since, tries } => submitting::step(observed, step, since, tries),
        JobPhase::Running => running::step(observed, step),
        JobPhase::Stopping { stop, next, since } => stopping::step(observed, step, stop, next, since),
        JobPhase::Ended { end, at } => ended::step(observed, step, &end, at),
        JobPhase::Terminated => terminated(observed, step),
    }
}

/// Corrects where the checkpoints are, should the first completed one tell otherwise.
fn checkpoints(observed: &Observed<'_>, step: &mut Step) {
    if let (Reading::Known(seen), Some(attempt)) = (&observed.checkpoints, step.record.attempt.as_mut())
        && *seen != Checkpoints::Unknown
        && attempt.checkpoints != *seen
    {
        attempt.checkpoints = seen.clone();
    }
}

/// Without our finalizer the object could vanish under a running job: it comes first. It cannot be put on an object
/// that is being deleted: what runs is then stopped for as long as the object is there.
fn unsupervised(observed: &Observed<'_>, mut step: Step) -> Step {
    if observed.desired.deleting {
        step.record.phase = JobPhase::Terminated;
        step.waiting = Waiting::Deletion;
    } else if matches!(observed.cluster.state, ClusterState::Terminated | ClusterState::Missing) {
        // Nobody would take the finalizer off again once the supervisor is gone with its cluster.
        step.waiting = Waiting::Cluster { why: "there is no cluster, or it is being deleted".into() };
    } else {
        step.effects.push(Effect::AddFinalizer);
        step.waiting = Waiting::Finalizer;
    }
    step
}

fn initialise(observed: &Observed<'_>, mut step: Step) -> Step {
    let path = observed.desired.recorded_savepoint.clone().or_else(|| observed.desired.savepoint_path.clone());
    step.record.initial_savepoint.clone_from(&observed.desired.savepoint_path);
    step.record.restore = path.clone().map_or(Restore::Empty, |path| Restore::Savepoint { path });
    step.record.restore_reason = Some(match (&observed.desired.recorded_savepoint, &path) {
        (Some(_), _) => "the savepoint in its status".into(),
        (None, Some(_)) => "spec.savepoint.savepointPath".into(),
        (None, None) => "its first run".into(),
    });
    step.record.savepoint_at = path.is_some().then_some(observed.now);
    step.record.savepoint = path;
    step.record.savepoint_requested = Some(observed.now);
    step.goto(JobPhase::Waiting { since: observed.now });
    step.waiting = Waiting::Cluster { why: "taken over".into() };
    step
}

/// Deletes what a bootstrap has uploaded and could not delete any more. Flink has a copy of what runs.
fn tidy(observed: &Observed<'_>, step: &mut Step) {
    let at_work = match &observed.bootstrap {
        BootstrapView::Absent | BootstrapView::Ended { .. } => false,
        BootstrapView::Active { .. } | BootstrapView::Leaving { .. } => true,
    };
    let Some(manager) = observed.cluster.job_manager.as_ref().filter(|_| !at_work) else { return };
    let incarnation = api::record::Incarnation { number: manager.number, uid: manager.uid.clone() };
    let delete = |jar: &String| Effect::DeleteJar { incarnation: incarnation.clone(), jar_id: jar.clone() };
    step.effects.extend(observed.jars.iter().map(delete));
}

/// Lets the object go once nothing of it can live.
fn terminated(observed: &Observed<'_>, mut step: Step) -> Step {
    let last = step.record.attempt.as_ref().filter(|attempt| !same_incarnation(observed, attempt));
    if let Some(number) = last.map(|attempt| attempt.incarnation.number)
        && observed.cluster.alive.contains(&number)
        && !observed.desired.force_delete
    {
        // The tasks of a JobManager that is gone live on in its TaskManagers for a while.
        return step.wait(Waiting::OldPods { incarnations: vec![number] });
    }
    if observed.desired.supervised {
        if let Some(waiting) = recovery::haunts(observed, &mut step).filter(|_| !observed.desired.force_delete) {
            return step.wait(waiting);
        }
        step.effects.push(Effect::RemoveFinalizer);
    }
    step.wait(Waiting::Deletion)
}

/// Ends the attempt: from here on nothing may start it again.
fn end(step: &mut Step, observed: &Observed<'_>, next: JobNext, restore: Option<Restore>) {
    if let Some(restore) = restore.filter(|restore| *restore != step.record.restore) {
        step.record.restore_reason = match restore {
            Restore::Savepoint { .. } => Some("the savepoint that it was stopped with".into()),
            Restore::Empty | Restore::Checkpoint { .. } | Restore::Newest => None,
        };
        step.record.restore = restore;
    }
    drop_operation(step);
    step.record.rescaling = None;
    match next {
        JobNext::Restart => step.goto(JobPhase::Waiting { since: observed.now }),
        JobNext::Delete => step.goto(JobPhase::Terminated),
        JobNext::Stay { end } => {
            step.notices.push(ended::notice(&end));
            commands::settle(step, &end);
            step.goto(JobPhase::Ended { end, at: observed.now });
        }
    }
    step.waiting = Waiting::Next;
}

/// The attempt's JobManager is gone, and with it the job.
fn lost(step: &mut Step, observed: &Observed<'_>, next: JobNext, restore: Restore) {
    step.notices.push(Notice::warning("JobManagerLost", "the JobManager that ran the job is gone"));
    let gone = step.record.attempt.as_ref().is_none_or(|attempt| recovery::is_gone(observed, attempt));
    step.record.adrift = observed.cluster.highly_available && !gone;
    end(step, observed, next, Some(restore));
}

/// Nothing more will be heard of a savepoint that was asked for.
fn drop_operation(step: &mut Step) {
    step.record.operation = None;
    if step.under_way(Action::TriggerSavepoint) {
        step.done(command::Outcome::Failed, "the job stopped before the savepoint was completed");
    }
}

/// Begins to end an execution that may live.
fn begin_stop(step: &mut Step, observed: &Observed<'_>, stop: Stop, next: JobNext) {
    if let (Stop::Savepoint { directory, .. }, Some(attempt)) = (&stop, step.record.attempt.as_mut()) {
        attempt.stop_directory = Some(directory.clone()).filter(|directory| !directory.is_empty());
    }
    drop_operation(step);
    step.goto(JobPhase::Stopping { stop, next, since: observed.now });
    step.waiting = Waiting::Next;
}

/// Stop with savepoint, or cancel where the user wants none.
fn stop_of(observed: &Observed<'_>, attempt: &Attempt, next: &JobNext, without_savepoint: bool) -> Stop {
    let wanted = observed.desired.savepoint_automatic
        && *next != JobNext::Delete
        && !without_savepoint
        && !observed.cluster.without_savepoint;
    if !wanted {
        return Stop::Cancel;
    }
    let trigger_id = ids::trigger_id(&observed.desired.uid, attempt.number, observed.now);
    let target = observed.desired.savepoint_target.trim().trim_end_matches('/');
    // Without a target Flink's own default is used, below which no directory can be named.
    let directory = if target.is_empty() { String::new() } else { format!("{target}/stop-{trigger_id}") };
    Stop::Savepoint { directory, trigger_id }
}

/// Whether the attempt's own JobManager is the one that is seen now.
fn same_incarnation(observed: &Observed<'_>, attempt: &Attempt) -> bool {
    observed.cluster.job_manager.as_ref().is_some_and(|manager| manager.uid == attempt.incarnation.uid)
}

/// The attempt's Flink job as its JobManager tells.
enum Told<'a> {
    /// It does not answer, or another one does.
    Nothing,
    /// It has no such job.
    Absent,
    Job(&'a FlinkJobView),
}

impl<'a> Told<'a> {
    fn job(self) -> Option<&'a FlinkJobView> {
        match self {
            Self::Job(job) => Some(job),
            Self::Nothing | Self::Absent => None,
        }
    }
}

fn flink_job<'a>(observed: &'a Observed<'_>, attempt: &Attempt) -> Told<'a> {
    match observed.cluster.jobs.known().filter(|_| same_incarnation(observed, attempt)) {
        None => Told::Nothing,
        Some(jobs) => jobs.iter().find(|job| job.id == attempt.job_id).map_or(Told::Absent, Told::Job),
    }
}

/// Until when a savepoint that was decided on at `since` waits for the job's tasks; `None` if it need not.
fn until_tasks_run(observed: &Observed<'_>, job: &FlinkJobView, since: Timestamp) -> Option<Timestamp> {
    let until = since + TASKS_GRACE;
    (!job.ready && !job.terminal && observed.now < until).then_some(until)
}

/// A savepoint is there, and is the one that is known from now on.
fn saved(observed: &Observed<'_>, step: &mut Step, path: &str) {
    step.record.savepoint = Some(path.to_owned());
    step.record.savepoint_at = Some(observed.now);
    step.record.savepoint_requested = Some(observed.now);
    step.record.savepoint_failure = None;
    if let Some(attempt) = step.record.attempt.as_mut() {
        attempt.savepoint = Some(path.to_owned());
    }
    step.notices.push(Notice::normal("SavepointCompleted", path));
}

/// A savepoint failed, as a condition tells until another one is there.
fn not_saved(step: &mut Step, why: &str, consequence: &str) {
    let message = format!("the savepoint failed{consequence}: {why}");
    step.notices.push(Notice::warning("SavepointFailed", message.clone()));
    step.record.savepoint_failure = Some(message);
}

/// What a FAILED, FINISHED or CANCELED execution leaves to do.
fn finished(step: &mut Step, observed: &Observed<'_>, job: &FlinkJobView, next: Option<JobNext>) {
    let end_of = match job.state.as_str() {
        "FINISHED" => End::Finished,
        "CANCELED" => End::Canceled,
        _ => End::Failed { message: job.failure.clone().unwrap_or_else(|| "no reason was given".into()) },
    };
    end(step, observed, next.unwrap_or(JobNext::Stay { end: end_of }), Some(Restore::Newest));
}

/// The earlier of two wake-up times.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
