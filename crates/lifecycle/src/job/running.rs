//! A job that runs: watch it, save it, and notice when it is to end.

use api::annotations::Action;
use api::record::{Attempt, Checkpoints, End, JobNext, Restore, SavepointOperation};
use api::{RecoveryMode, RestartPolicy};

use super::recovery::{Course, awaits, course, goes_on, silent, told};
use super::rescaling;
use super::retention;
use super::{
    ClusterState, Desired, Effect, FlinkJobView, Observed, OperationView, Step, Told, Waiting, begin_stop, earlier,
    finished, flink_job, lost, not_saved, saved, stop_of, tidy, until_tasks_run,
};
use crate::{Notice, command, ids};

pub(super) fn step(observed: &Observed<'_>, mut step: Step) -> Step {
    let Some(attempt) = step.record.attempt.clone() else {
        lost(&mut step, observed, JobNext::Restart, Restore::Newest);
        return step;
    };
    match course(observed, &attempt) {
        Course::Here => {}
        Course::Gone => {
            lost(&mut step, observed, after_loss(observed), Restore::Newest);
            return step;
        }
        Course::Back(incarnation) => {
            goes_on(&mut step, incarnation);
            return step;
        }
        Course::Awaited { .. } if observed.desired.deleting => return unreachable(observed, step, &attempt),
        Course::Awaited { why, until } => return awaits(step, why, until),
    }
    let job = match told(observed, &attempt) {
        Told::Job(job) => job,
        Told::Absent => {
            lost(&mut step, observed, after_loss(observed), Restore::Newest);
            return step;
        }
        Told::Nothing => return unreachable(observed, step, &attempt),
    };
    if job.terminal {
        savepoint(observed, &mut step, &attempt);
        finished(&mut step, observed, job, observed.desired.deleting.then_some(JobNext::Delete));
        return step;
    }
    if rescaling::step(observed, &mut step, &attempt, job) {
        return step;
    }
    if let Some(step) = leave(observed, &step, &attempt, job) {
        return step;
    }
    tidy(observed, &mut step);
    savepoint(observed, &mut step, &attempt);
    retention::step(observed, &mut step, &attempt, job);
    if step.waiting != Waiting::Savepoint || !job.ready {
        step.waiting = if job.ready { Waiting::Settled } else { Waiting::Tasks { state: job.state.clone() } };
    }
    step
}

/// The restart policy decides whether a job whose JobManager is gone goes on.
pub(super) fn after_loss(observed: &Observed<'_>) -> JobNext {
    match (observed.desired.deleting, observed.cluster.state, observed.desired.restart_policy) {
        (true, ..) => JobNext::Delete,
        (_, ClusterState::Stopping | ClusterState::Stopped | ClusterState::Terminated, _) => {
            JobNext::Stay { end: End::ClusterStopped }
        }
        (_, ClusterState::Restarting, _) | (.., RestartPolicy::Always | RestartPolicy::OnlyIfFailed) => {
            JobNext::Restart
        }
        (.., RestartPolicy::Never) => JobNext::Stay { end: End::Lost },
    }
}

/// A JobManager that does not answer is not a JobManager without jobs.
fn unreachable(observed: &Observed<'_>, mut step: Step, attempt: &Attempt) -> Step {
    if let Some((next, _)) = reason_to_leave(observed, &step, attempt)
        && next == JobNext::Delete
    {
        begin_stop(&mut step, observed, api::record::Stop::Cancel, next);
        return step;
    }
    step.wait(silent(observed))
}

fn leave(observed: &Observed<'_>, step: &Step, attempt: &Attempt, job: &FlinkJobView) -> Option<Step> {
    let (next, why) = reason_to_leave(observed, step, attempt)?;
    let mut step = step.clone();
    if let Some(until) = step.record.hold
        && observed.now < until
        && next != JobNext::Delete
    {
        step.wake = earlier(step.wake, Some(until));
        savepoint(observed, &mut step, attempt);
        if !job.ready {
            return Some(step.wait(Waiting::Tasks { state: job.state.clone() }));
        }
        return Some(step.wait(Waiting::Held { until }));
    }
    step.notices.push(Notice::normal("Stopping", why));
    let retained = !matches!(attempt.checkpoints, Checkpoints::Directory { retained: false, .. });
    // A job that is failing over cannot be saved, and makes no progress: its newest checkpoint is its state.
    let counts = observed.desired.recovery_mode == RecoveryMode::LatestState;
    let stop = if job.state == "RUNNING" || !retained || !counts {
        stop_of(observed, attempt, &next, false)
    } else {
        api::record::Stop::Cancel
    };
    begin_stop(&mut step, observed, stop, next);
    Some(step)
}

fn reason_to_leave(observed: &Observed<'_>, step: &Step, attempt: &Attempt) -> Option<(JobNext, &'static str)> {
    let desired = observed.desired;
    if desired.deleting {
        return Some((JobNext::Delete, "the job is being deleted"));
    }
    match observed.cluster.state {
        ClusterState::Stopping | ClusterState::Stopped | ClusterState::Terminated => {
            return Some((JobNext::Stay { end: End::ClusterStopped }, "the cluster is stopping"));
        }
        ClusterState::Restarting => return Some((JobNext::Restart, "the cluster is restarting")),
        ClusterState::Missing | ClusterState::Starting | ClusterState::Started => {}
    }
    let rescaling = || (JobNext::Restart, "its parallelism could not be changed while it runs");
    changed(desired, attempt).or_else(|| rescaling::has_failed(&step.record).then(rescaling))
}

/// Why an execution is not what is wanted any more, and what follows.
pub(crate) fn changed(desired: &Desired, attempt: &Attempt) -> Option<(JobNext, &'static str)> {
    if desired.parallelism == 0 {
        return Some((JobNext::Stay { end: End::Suspended }, "its parallelism was set to 0"));
    }
    if desired.digest != attempt.digest {
        return Some((JobNext::Restart, "its bootstrap section was changed"));
    }
    (desired.parallelism != attempt.parallelism).then_some((JobNext::Restart, "its parallelism was changed"))
}

/// Sees a savepoint through, or asks for the next periodic one.
pub(super) fn savepoint(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt) {
    let Some(operation) = step.record.operation.clone() else {
        periodic(observed, step, attempt);
        return;
    };
    match &observed.operation {
        OperationView::Unknown | OperationView::InProgress => {}
        OperationView::NotFound => {
            let job = flink_job(observed, attempt).job();
            match job.and_then(|job| until_tasks_run(observed, job, operation.since)) {
                Some(until) => step.wake = earlier(step.wake, Some(until)),
                None => step.effects.push(Effect::TriggerSavepoint {
                    incarnation: attempt.incarnation.clone(),
                    job_id: attempt.job_id.clone(),
                    trigger_id: operation.trigger_id,
                    directory: observed.desired.savepoint_target.trim().to_owned(),
                }),
            }
        }
        OperationView::Completed { path } => {
            step.record.operation = None;
            saved(observed, step, path);
            if !step.under_way(Action::TriggerSavepoint) {
                retention::remember(observed, step, path);
            }
            report(step, command::Outcome::Done, path);
            return;
        }
        OperationView::Failed { why } => {
            step.record.operation = None;
            not_saved(step, why, ", the job runs on");
            report(step, command::Outcome::Failed, why);
            return;
        }
    }
    step.waiting = Waiting::Savepoint;
}

fn report(step: &mut Step, outcome: command::Outcome, message: &str) {
    if step.under_way(Action::TriggerSavepoint) {
        step.done(outcome, message);
    }
}

fn periodic(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt) {
    let Some(interval) = observed.desired.savepoint_interval else { return };
    let due = step.record.savepoint_requested.map_or(observed.now, |last| last + interval);
    if observed.now < due {
        step.wake = earlier(step.wake, Some(due));
        return;
    }
    let trigger_id = ids::trigger_id(&observed.desired.uid, attempt.number, observed.now);
    step.record.operation = Some(SavepointOperation { trigger_id, since: observed.now });
    step.record.savepoint_requested = Some(observed.now);
    step.waiting = Waiting::Savepoint;
}
