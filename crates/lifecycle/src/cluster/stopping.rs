//! A cluster that stops: its jobs first, then its pods, then its Service.

use api::record::{ClusterNext, ClusterPhase};
use jiff::{SignedDuration, Timestamp};

use super::{Effect, Observed, PodView, Role, Step, Waiting, begin, begin_stop};
use crate::{Notice, Reading, command::Outcome};

/// A deletion waits no longer for a JobManager that does not answer.
const DELETION_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn step(
    observed: &Observed<'_>,
    mut step: Step,
    next: ClusterNext,
    without_savepoint: bool,
    since: Timestamp,
) -> Step {
    let next = if observed.desired.deleting { ClusterNext::Delete } else { next };
    step.goto(ClusterPhase::Stopping { next, without_savepoint, since });
    if next == ClusterNext::Delete && observed.desired.force_delete {
        step.notices.push(Notice::warning("ForceDeleted", "it is let go on request, with whatever is left of it"));
        step.goto(ClusterPhase::Terminated);
        return step;
    }
    let live: Vec<String> = observed.jobs.iter().filter(|job| job.live).map(|job| job.name.clone()).collect();
    if !live.is_empty() {
        give_up(observed, &mut step);
        return step.wait(Waiting::Jobs { names: live });
    }
    if !remove(observed, &mut step) {
        return step.wait(leftovers(observed));
    }
    match next {
        ClusterNext::Restart => {
            begin(observed, &mut step, None);
            if without_savepoint {
                step.record.anew = Some(step.record.incarnation);
            }
        }
        ClusterNext::Delete => step.goto(ClusterPhase::Terminated),
        ClusterNext::Stay => {
            step.notices.push(Notice::normal("Stopped", "the cluster is stopped"));
            step.done(Outcome::Done, "the cluster is stopped");
            step.goto(ClusterPhase::Stopped);
        }
    }
    step.record.failures = 0;
    step.record.failure = None;
    step
}

/// Jobs wait for a JobManager that does not answer; after the task timeout it goes, and they go on without it.
fn give_up(observed: &Observed<'_>, step: &mut Step) {
    let Reading::Unknown { since, why } = &observed.flink else { return };
    let patience = if observed.desired.deleting {
        observed.desired.task_timeout.min(DELETION_PATIENCE)
    } else {
        observed.desired.task_timeout
    };
    let deadline = *since + patience;
    if observed.now < deadline {
        step.wake = Some(deadline);
        return;
    }
    for pod in observed.pods.iter().filter(|pod| pod.role == Role::JobManager && !pod.deleting) {
        step.notices.push(Notice::warning("JobManagerUnreachable", format!("{} does not answer: {why}", pod.name)));
        step.effects.push(Effect::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() });
    }
}

/// Deletes pods and Service; true once all are gone.
fn remove(observed: &Observed<'_>, step: &mut Step) -> bool {
    for pod in observed.pods.iter().filter(|pod| !pod.deleting) {
        step.effects.push(Effect::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() });
    }
    if let Some(service) = &observed.service
        && !service.deleting
    {
        step.effects.push(Effect::DeleteService { uid: service.uid.clone() });
    }
    observed.pods.iter().all(|pod| given_up(observed, pod)) && observed.service.is_none()
}

/// A pod that is on its way out, and of which nothing lives as far as that matters.
fn given_up(observed: &Observed<'_>, pod: &PodView) -> bool {
    pod.deleting && !pod.state.is_over() && !pod.may_live(observed.desired.node_lost_timeout)
}

fn leftovers(observed: &Observed<'_>) -> Waiting {
    let left: Vec<&PodView> = observed.pods.iter().filter(|pod| !given_up(observed, pod)).collect();
    observed.lost(&left).unwrap_or_else(|| Waiting::Pods { names: left.iter().map(|pod| pod.name.clone()).collect() })
}

pub(super) fn stopped(observed: &Observed<'_>, mut step: Step) -> Step {
    if observed.desired.deleting {
        begin_stop(&mut step, ClusterNext::Delete, false, observed.now);
        return step;
    }
    if remove(observed, &mut step) {
        return step.wait(Waiting::User);
    }
    step.wait(leftovers(observed))
}
