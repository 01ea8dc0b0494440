//! A cluster whose JobManager answered: keep it, and as many TaskManagers as are wanted.

use jiff::{SignedDuration, Timestamp};

use super::{Effect, FlinkView, Node, Observed, PodState, PodView, Step, Waiting, leave, replace, sweep, taskmanagers};
use crate::{Notice, Reading};

/// A JobManager that answers for this long has not failed to start.
const HEALTHY_AFTER: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn step(observed: &Observed<'_>, mut step: Step, uid: &str) -> Step {
    let manager = observed.job_manager(step.record.incarnation).filter(|pod| pod.uid == uid);
    let Some(manager) = manager else {
        let ended = observed.pods.iter().find(|pod| pod.uid == uid);
        let detail = ended.and_then(|pod| match &pod.state {
            PodState::Over { detail } => detail.as_deref(),
            PodState::Pending { .. } | PodState::Running => None,
        });
        replace(observed, &mut step, "the JobManager is gone", detail);
        return step;
    };
    if leave(observed, &mut step) {
        return step;
    }
    sweep(observed, &mut step);
    if observed.service.is_none() {
        step.effects.push(Effect::CreateService);
    }
    match &observed.flink {
        Reading::Unknown { why, since } => unreachable(observed, step, manager, why, *since),
        // Only one that was taken over can be: nothing is done to it that its Flink may not understand.
        Reading::Known(flink) if !flink.supported => step.wait(Waiting::Unsupported { version: flink.version.clone() }),
        Reading::Known(flink) => converge(observed, step, manager, flink),
    }
}

/// Counted from the first request that failed, not from the last change of anything.
fn unreachable(observed: &Observed<'_>, mut step: Step, manager: &PodView, why: &str, since: Timestamp) -> Step {
    let deadline = since + observed.desired.task_timeout;
    // It is not waited for any longer than what else would be waited for.
    let lost = match manager.node {
        Node::Fine => false,
        Node::Silent { .. } => step.record.highly_available || !manager.may_live(observed.desired.node_lost_timeout),
        Node::Gone => true,
    };
    if observed.now < deadline && !lost {
        step.wake = Some(deadline);
    } else {
        let text = format!("the JobManager {} has not answered since {since}: {why}", manager.name);
        step.notices.push(Notice::warning("JobManagerUnreachable", text));
        step.effects.push(Effect::DeletePod { name: manager.name.clone(), uid: manager.uid.clone() });
    }
    taskmanagers::create_missing(observed, &mut step, &manager.uid);
    step.wait(Waiting::Flink { why: why.to_owned() })
}

fn converge(observed: &Observed<'_>, mut step: Step, manager: &PodView, flink: &FlinkView) -> Step {
    forgive(observed, &mut step);
    if observed.jobs.iter().all(|job| job.settled) {
        step.record.anew = None;
    }
    step.record.highly_available = flink.highly_available;
    let rescale = taskmanagers::wanted(observed);
    if rescale.required != rescale.declared {
        step.record.rescaled = Some(observed.now);
        step.effects.push(Effect::Scale { task_managers: rescale.required });
        return step.wait(slots(observed, flink));
    }
    let missing = taskmanagers::create_missing(observed, &mut step, &manager.uid);
    let surplus = taskmanagers::remove_surplus(observed, &mut step, flink);
    unmanaged(observed, &mut step, manager, flink);
    let required = taskmanagers::required(&observed.jobs);
    if flink.slots_total < required || missing > 0 {
        let waiting = match taskmanagers::trouble(observed, &step) {
            Some(detail) if required <= taskmanagers::most_slots(observed.desired) => Waiting::Trouble { detail },
            _ => slots(observed, flink),
        };
        return step.wait(waiting);
    }
    if surplus > 0 {
        return step.wait(Waiting::Idle { surplus });
    }
    step.wait(Waiting::Settled)
}

fn slots(observed: &Observed<'_>, flink: &FlinkView) -> Waiting {
    let required = taskmanagers::required(&observed.jobs);
    Waiting::Slots { registered: flink.slots_total, required, most: taskmanagers::most_slots(observed.desired) }
}

/// Failures of the past no longer slow down the next start.
fn forgive(observed: &Observed<'_>, step: &mut Step) {
    if step.record.failures == 0 && step.record.task_manager_failures == 0 {
        return;
    }
    match step.record.rescaled {
        Some(changed) if observed.now < changed + HEALTHY_AFTER => step.wake = Some(changed + HEALTHY_AFTER),
        Some(_) => {
            step.record.failures = 0;
            step.record.failure = None;
            step.record.task_manager_failures = 0;
            step.record.task_managers_after = None;
        }
        None => step.record.rescaled = Some(observed.now),
    }
}

/// Cancels what flinkctl did not start, where the user wants that, and once nothing of ours is under way.
fn unmanaged(observed: &Observed<'_>, step: &mut Step, manager: &PodView, flink: &FlinkView) {
    if !observed.desired.cancel_unmanaged || observed.jobs.iter().any(|job| !job.settled) {
        return;
    }
    let ours = |id: &String| observed.jobs.iter().any(|job| job.flink_id.as_ref() == Some(id));
    for id in flink.live_jobs.iter().filter(|id| !ours(id)) {
        step.effects.push(Effect::CancelJob { job_manager: manager.uid.clone(), job_id: id.clone() });
    }
}
