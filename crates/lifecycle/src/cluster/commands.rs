//! What a user may ask of a cluster, and in which phase.

use api::annotations::Action;
use api::record::{ClusterNext, ClusterPhase};

use super::{Effect, Observed, Step, begin, begin_stop};
use crate::Notice;
use crate::command::{self, Inbox, Outcome, Request, Requested};

/// Takes in what the annotations say.
pub(super) fn receive(observed: &Observed<'_>, step: &mut Step) {
    let request = observed.desired.request.as_ref();
    match command::inbox(step.record.command.as_ref(), request) {
        Inbox::Nothing | Inbox::UnderWay => {}
        Inbox::Forget => step.record.command = None,
        Inbox::Reset => {
            if let Some(command) = &step.record.command {
                step.effects.push(Effect::ResetAction { action: command.action.as_str().to_owned() });
            }
        }
        Inbox::New(request) => new(observed, step, &request),
        // A cluster that cannot start is never done with START: STOP must not wait for it.
        Inbox::Meanwhile(request) => {
            let stop = request.action == Requested::Known(Action::Stop);
            if stop && matches!(step.record.phase, ClusterPhase::Starting { .. }) {
                new(observed, step, &request);
            }
        }
    }
}

fn new(observed: &Observed<'_>, step: &mut Step, request: &Request) {
    let action = match &request.action {
        Requested::Known(action) => *action,
        Requested::Invalid(text) => {
            let message = format!("{text:?} is no action; use START, STOP or NONE");
            step.notices.push(Notice::warning("ActionRefused", message.clone()));
            step.report = Some(command::report(request, Outcome::Refused, message));
            step.effects.push(Effect::ResetAction { action: text.clone() });
            return;
        }
    };
    let phase = &step.record.phase;
    let refused = match (phase, action) {
        (_, Action::TriggerSavepoint | Action::ForgetSavepoint) => Some("a cluster has no savepoints; ask its jobs"),
        _ if observed.desired.deleting => Some("the cluster is being deleted"),
        (ClusterPhase::New | ClusterPhase::Stopping { .. } | ClusterPhase::Terminated, _) => return,
        (ClusterPhase::Starting { .. }, Action::Start) => Some("the cluster is already starting"),
        (ClusterPhase::Stopped, Action::Stop) => Some("the cluster is already stopped"),
        (ClusterPhase::Starting { .. } | ClusterPhase::Started { .. }, _) | (ClusterPhase::Stopped, Action::Start) => {
            None
        }
    };
    let (mut command, mut report) = command::accept(request, action);
    if let Some(why) = refused {
        step.notices.push(Notice::warning("ActionRefused", format!("{action}: {why}")));
        command.done = true;
        report = command::report(request, Outcome::Refused, why);
    } else {
        apply(observed, step, action, request.without_savepoint);
    }
    step.record.command = Some(command);
    step.report = Some(report);
}

fn apply(observed: &Observed<'_>, step: &mut Step, action: Action, without_savepoint: bool) {
    let stopped = step.record.phase == ClusterPhase::Stopped;
    match action {
        Action::Start if stopped => begin(observed, step, None),
        Action::Start => begin_stop(step, ClusterNext::Restart, without_savepoint, observed.now),
        Action::Stop => begin_stop(step, ClusterNext::Stay, without_savepoint, observed.now),
        Action::TriggerSavepoint | Action::ForgetSavepoint => {}
    }
}

/// Reports the command as done, if one is under way.
pub(super) fn done(step: &mut Step, outcome: Outcome, message: &str) {
    if let Some(report) = command::finish(&mut step.record.command, outcome, message) {
        step.report = Some(report);
    }
}
