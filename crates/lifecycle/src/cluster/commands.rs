//! What a user may ask of a cluster, and in which phase.

use api::annotations::Action;
use api::record::{ClusterNext, ClusterPhase};

use super::{Effect, Observed, Step, begin, begin_stop};
use crate::command::{Request, Requested};
use crate::step::Admission;

/// Takes in what the annotations say.
pub(super) fn receive(observed: &Observed<'_>, step: &mut Step) {
    let reset = |action| Effect::ResetAction { action };
    let Some((request, action)) = step.receive(observed.desired.request.as_ref(), supersedes, reset, "START, STOP")
    else {
        return;
    };
    let admission = admit(observed, step, action);
    if step.answer(&request, action, &admission) {
        apply(observed, step, action, request.without_savepoint);
    }
}

/// A cluster that cannot start is never done with START: STOP must not wait for it.
fn supersedes(step: &Step, request: &Request) -> bool {
    let stop = request.action == Requested::Known(Action::Stop);
    stop && matches!(step.record.phase, ClusterPhase::Starting { .. })
}

fn admit(observed: &Observed<'_>, step: &Step, action: Action) -> Admission {
    use Admission::{Granted, Later, Refused};
    match (&step.record.phase, action) {
        (_, Action::TriggerSavepoint | Action::ForgetSavepoint) => Refused("a cluster has no savepoints; ask its jobs"),
        _ if observed.desired.deleting => Refused("the cluster is being deleted"),
        (ClusterPhase::New | ClusterPhase::Adopting | ClusterPhase::Stopping { .. } | ClusterPhase::Terminated, _) => {
            Later
        }
        (ClusterPhase::Starting { .. }, Action::Start) => Refused("the cluster is already starting"),
        (ClusterPhase::Stopped, Action::Stop) => Refused("the cluster is already stopped"),
        (ClusterPhase::Starting { .. } | ClusterPhase::Started { .. }, _) | (ClusterPhase::Stopped, Action::Start) => {
            Granted
        }
    }
}

fn apply(observed: &Observed<'_>, step: &mut Step, action: Action, without_savepoint: bool) {
    let stopped = step.record.phase == ClusterPhase::Stopped;
    match action {
        Action::Start if stopped => {
            begin(observed, step, None);
            step.record.anew = without_savepoint.then_some(step.record.incarnation);
        }
        Action::Start => begin_stop(step, ClusterNext::Restart, without_savepoint, observed.now),
        Action::Stop => begin_stop(step, ClusterNext::Stay, without_savepoint, observed.now),
        Action::TriggerSavepoint | Action::ForgetSavepoint => {}
    }
}
