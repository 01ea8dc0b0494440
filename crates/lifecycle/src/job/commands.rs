//! What a user may ask of a job, and in which phase.

use api::annotations::Action;
use api::record::{End, JobNext, JobPhase, Restore, SavepointOperation, Stop};

use super::ended::in_flight;
use super::waiting::stall;
use super::{ClusterState, Effect, Observed, Step, Waiting, begin_stop, end, stop_of};
use crate::command::{Outcome, Request, Requested};
use crate::ids;
use crate::step::Admission;

/// Takes in what the annotations say.
pub(super) fn receive(observed: &Observed<'_>, step: &mut Step) {
    let reset = |action| Effect::ResetAction { action };
    let actions = "START, STOP, TRIGGER_SAVEPOINT, FORGET_SAVEPOINT";
    let Some((request, action)) = step.receive(observed.desired.request.as_ref(), supersedes, reset, actions) else {
        return;
    };
    let admission = admit(observed, step, action, request.without_savepoint);
    if step.answer(&request, action, &admission) {
        apply(observed, step, action, request.without_savepoint);
    }
}

/// A start that cannot go on is never done: what takes it back must not wait for it.
fn supersedes(step: &Step, request: &Request) -> bool {
    matches!(
        (&step.record.phase, &request.action),
        (JobPhase::Waiting { .. } | JobPhase::Submitting { .. }, Requested::Known(Action::Stop))
            | (JobPhase::Waiting { .. }, Requested::Known(Action::ForgetSavepoint))
    )
}

fn admit(observed: &Observed<'_>, step: &Step, action: Action, without_savepoint: bool) -> Admission {
    use Admission::{Granted, Later, Refused};
    if observed.desired.deleting {
        return Refused("the job is being deleted");
    }
    let cluster_runs = matches!(observed.cluster.state, ClusterState::Started | ClusterState::Starting);
    match (&step.record.phase, action) {
        (JobPhase::New | JobPhase::Adopting { .. } | JobPhase::Stopping { .. } | JobPhase::Terminated, _) => Later,
        (JobPhase::Running, Action::TriggerSavepoint) if step.record.operation.is_some() => {
            Refused("a savepoint is already in progress")
        }
        (JobPhase::Running, _)
        | (JobPhase::Waiting { .. } | JobPhase::Submitting { .. }, Action::Stop)
        | (JobPhase::Waiting { .. } | JobPhase::Ended { .. }, Action::ForgetSavepoint) => Granted,
        // While the newest state is only being looked for, START must not pick an older one.
        (JobPhase::Waiting { .. }, Action::Start) if stall(observed, &step.record).is_some() => {
            if without_savepoint || step.record.savepoint.is_some() {
                Granted
            } else {
                Refused("no savepoint is recorded; FORGET_SAVEPOINT starts the job without state")
            }
        }
        (JobPhase::Ended { end, at }, Action::Start) => {
            if cluster_runs && in_flight(observed, step, end, *at).is_none_or(|until| observed.now >= until) {
                Granted
            } else {
                Later
            }
        }
        (JobPhase::Waiting { .. } | JobPhase::Submitting { .. }, Action::Start) => {
            Refused("the job is already starting")
        }
        (JobPhase::Ended { .. }, Action::Stop) => Refused("the job is already stopped"),
        (
            JobPhase::Waiting { .. } | JobPhase::Submitting { .. } | JobPhase::Ended { .. },
            Action::TriggerSavepoint | Action::ForgetSavepoint,
        ) => Refused("the job does not run"),
    }
}

fn apply(observed: &Observed<'_>, step: &mut Step, action: Action, without_savepoint: bool) {
    match action {
        Action::Start => start(observed, step, without_savepoint),
        Action::Stop => stop(observed, step, without_savepoint),
        Action::TriggerSavepoint => trigger(observed, step),
        Action::ForgetSavepoint => {
            forget(observed, step);
            step.done(Outcome::Done, "all restore points recorded so far are forgotten");
        }
    }
}

fn start(observed: &Observed<'_>, step: &mut Step, without_savepoint: bool) {
    if matches!(step.record.phase, JobPhase::Running) {
        if let Some(attempt) = step.record.attempt.clone() {
            let stop = stop_of(observed, &attempt, &JobNext::Restart, without_savepoint);
            begin_stop(step, observed, stop, JobNext::Restart);
        }
        return;
    }
    if without_savepoint {
        forget(observed, step);
    } else if matches!(step.record.phase, JobPhase::Waiting { .. }) {
        // The newest state cannot be found; the user says to go on from what is recorded.
        step.record.restore = recorded(step).unwrap_or_default();
        step.record.restore_reason = Some("START, since the newest state cannot be told".into());
    }
    step.goto(JobPhase::Waiting { since: observed.now });
}

fn stop(observed: &Observed<'_>, step: &mut Step, without_savepoint: bool) {
    let next = JobNext::Stay { end: End::Stopped };
    match (&step.record.phase, step.record.attempt.clone()) {
        (JobPhase::Running, Some(attempt)) => {
            let stop = stop_of(observed, &attempt, &next, without_savepoint);
            begin_stop(step, observed, stop, next);
        }
        (JobPhase::Submitting { .. }, _) => {
            begin_stop(step, observed, Stop::Abort { quiet: None }, next);
        }
        _ => end(step, observed, next, None),
    }
}

fn trigger(observed: &Observed<'_>, step: &mut Step) {
    let Some(attempt) = &step.record.attempt else { return };
    let trigger_id = ids::trigger_id(&observed.desired.uid, attempt.number, observed.now);
    step.record.operation = Some(SavepointOperation { trigger_id, since: observed.now });
    step.record.savepoint_requested = Some(observed.now);
    step.waiting = Waiting::Next;
}

/// Drops every restore point recorded so far, checkpoints included.
pub(super) fn forget(observed: &Observed<'_>, step: &mut Step) {
    step.record.restore = Restore::Empty;
    step.record.restore_reason = Some("what was there is forgotten on request".into());
    step.record.savepoint_at = step.record.savepoint.is_some().then_some(observed.now);
    step.record.savepoint = None;
    if let Some(attempt) = step.record.attempt.as_mut() {
        attempt.forgotten = Some(observed.now);
        attempt.savepoint = None;
        attempt.stop_directory = None;
    }
}

/// The recorded savepoint as a restore point.
pub(super) fn recorded(step: &Step) -> Option<Restore> {
    step.record.savepoint.clone().map(|path| Restore::Savepoint { path })
}

/// The job has come to an end: so has the command that asked for it, or for the opposite.
pub(super) fn settle(step: &mut Step, end: &End) {
    if step.under_way(Action::Stop) {
        let message = match &step.record.restore {
            Restore::Savepoint { path } => format!("stopped; savepoint {path}"),
            Restore::Checkpoint { path } => format!("stopped; checkpoint {path}"),
            Restore::Newest => "stopped; it goes on from its newest checkpoint or savepoint".into(),
            Restore::Empty => "stopped; there is no state to go on from".into(),
        };
        step.done(Outcome::Done, message);
    } else {
        step.done(Outcome::Failed, super::ended::describe(end));
    }
}
