//! A cluster that the original left running: it keeps its pods.
//!
//! The original sets no owner and keeps no record; its pods are those that nobody owns. Invariant: the cluster counts as started only
//! once all its pods are adopted, so that nothing is created beside them.

use api::SupervisorStatus;
use api::record::{ClusterNext, ClusterPhase, ClusterRecord};
use jiff::Timestamp;

use super::{Effect, Observed, PodState, PodView, Role, Step, Waiting, begin};
use crate::Notice;

/// The incarnation that the original's pods become.
const INCARNATION: u32 = 1;

/// The record of a cluster whose status is the original's.
pub(super) fn record(status: Option<SupervisorStatus>, restart: bool) -> ClusterRecord {
    let phase = match status {
        Some(SupervisorStatus::Started) => ClusterPhase::Adopting,
        Some(SupervisorStatus::Stopping | SupervisorStatus::Stopped) => ClusterPhase::Stopping {
            next: if restart { ClusterNext::Restart } else { ClusterNext::Stay },
            without_savepoint: false,
            since: Timestamp::UNIX_EPOCH,
        },
        None | Some(SupervisorStatus::Unknown | SupervisorStatus::Starting | SupervisorStatus::Terminated) => {
            ClusterPhase::New
        }
    };
    ClusterRecord { phase, ..ClusterRecord::default() }
}

pub(super) fn step(observed: &Observed<'_>, mut step: Step) -> Step {
    let pods: Vec<&PodView> = observed.pods.iter().filter(|pod| !pod.deleting && !pod.state.is_over()).collect();
    let managers: Vec<&&PodView> = pods.iter().filter(|pod| pod.role == Role::JobManager).collect();
    let [manager] = managers.as_slice() else {
        step.notices.push(Notice::warning("JobManagerLost", "no single JobManager was left behind"));
        begin(observed, &mut step, None);
        return step;
    };
    if manager.state != PodState::Running {
        begin(observed, &mut step, None);
        return step;
    }
    let adopt = |pod: &&PodView| Effect::AdoptPod {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        incarnation: INCARNATION,
        job_manager: manager.uid.clone(),
    };
    step.effects.extend(pods.iter().filter(|pod| pod.incarnation != INCARNATION).map(adopt));
    if !step.effects.is_empty() {
        return step.wait(Waiting::Finalizer);
    }
    // Again in any case: it does no harm, and no decision depends on it.
    step.effects.extend(observed.service.iter().map(|service| Effect::AdoptService { uid: service.uid.clone() }));
    step.record.incarnation = INCARNATION;
    step.record.digest.clone_from(&observed.desired.digest);
    step.record.rescaled = Some(observed.now);
    step.notices.push(Notice::normal("TakenOver", format!("{} goes on running", manager.name)));
    step.goto(ClusterPhase::Started { uid: manager.uid.clone() });
    step.wait(Waiting::Next)
}
