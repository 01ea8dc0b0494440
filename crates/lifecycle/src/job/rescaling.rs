//! Another parallelism for an execution that runs: by Flink itself where its scheduler can, without an end and a new start.
//!
//! Flink ends the tasks and starts them again from the newest checkpoint, under the same job id. Invariant: what it does is recorded
//! before it is asked for, and believed once it is seen; where it does not come about, the job is restarted with a savepoint instead.

use api::record::{Attempt, Checkpoints, JobRecord, Rescaling, SavepointOperation};
use jiff::SignedDuration;

use super::running::savepoint;
use super::{ClusterState, Desired, Effect, FlinkJobView, InPlace, Observed, Slots, Step, Waiting, earlier};
use crate::{Notice, Reading, ids};

/// A checkpoint that is complete while Flink still pauses after the last change counts for nothing, and the next periodic one may be far.
const CHECKPOINT_AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// Sees to it that Flink changes the parallelism; false if that is not its business, or not any more.
pub(super) fn step(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt, job: &FlinkJobView) -> bool {
    if !stays(observed) || observed.desired.digest != attempt.digest || observed.desired.parallelism == 0 {
        return false;
    }
    match step.record.rescaling.clone() {
        None => begin(observed, step, attempt, job),
        Some(Rescaling { given_up: true, .. }) => false,
        Some(rescaling) if rescaling.asked.is_some() => see_through(observed, step, attempt, job, rescaling),
        Some(rescaling) => ask(observed, step, attempt, rescaling),
    }
}

/// Whether the execution is to go on where it is.
fn stays(observed: &Observed<'_>) -> bool {
    let cluster = match observed.cluster.state {
        ClusterState::Missing | ClusterState::Starting | ClusterState::Started => true,
        ClusterState::Restarting | ClusterState::Stopping | ClusterState::Stopped | ClusterState::Terminated => false,
    };
    cluster && !observed.desired.deleting
}

/// Whether nothing but a parallelism that an adaptive scheduler can change keeps the execution from being what is wanted.
pub(crate) fn possible(desired: &Desired, attempt: &Attempt) -> bool {
    // Without checkpoints Flink would start the tasks from where the execution began.
    let restorable = matches!(attempt.checkpoints, Checkpoints::Directory { .. } | Checkpoints::InMemory);
    let differs = desired.parallelism > 0 && desired.parallelism != attempt.parallelism;
    // At 1 operators that follow the job cannot be told from those that the program keeps at 1.
    restorable && differs && desired.digest == attempt.digest && attempt.parallelism > 1
}

/// Whether it was tried in vain.
pub(super) fn has_failed(record: &JobRecord) -> bool {
    record.rescaling.as_ref().is_some_and(|rescaling| rescaling.given_up)
}

fn begin(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt, job: &FlinkJobView) -> bool {
    let held = step.record.hold.is_some_and(|until| observed.now < until);
    if !possible(observed.desired, attempt) || held || !job.ready {
        return false;
    }
    match &observed.in_place {
        Reading::Known(InPlace::Cannot { .. }) => return false,
        Reading::Unknown { why, .. } => step.waiting = Waiting::Flink { why: why.clone() },
        Reading::Known(InPlace::Can { .. }) => {
            let (from, to) = (attempt.parallelism, observed.desired.parallelism);
            let rescaling = Rescaling { parallelism: to, asked: None, checkpoint: None, given_up: false };
            step.record.rescaling = Some(rescaling);
            step.notices.push(Notice::normal("Rescaling", format!("from {from} to {to}, while it runs")));
            step.waiting = Waiting::Next;
        }
    }
    true
}

/// What is recorded brings TaskManagers; the job runs on until there are slots.
fn ask(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt, mut rescaling: Rescaling) -> bool {
    let to = rescaling.parallelism;
    if observed.desired.parallelism != to {
        step.record.rescaling = None;
        step.waiting = Waiting::Next;
        return true;
    }
    match &observed.in_place {
        Reading::Known(InPlace::Can { .. }) => {}
        Reading::Known(InPlace::Cannot { .. }) => {
            step.record.rescaling = None;
            return false;
        }
        Reading::Unknown { why, .. } => {
            step.waiting = Waiting::Flink { why: why.clone() };
            return true;
        }
    }
    let missing = match observed.cluster.slots {
        Slots::Missing { wanted, free, most } if to > attempt.parallelism => {
            Some(Waiting::Slots { wanted, free, most })
        }
        Slots::Missing { .. } | Slots::Enough => None,
    };
    // One at a time: a change would end the savepoint.
    if missing.is_some() || step.record.operation.is_some() {
        step.waiting = missing.unwrap_or(Waiting::Next);
        savepoint(observed, step, attempt);
        return true;
    }
    rescaling.asked = Some(observed.now);
    order(observed, step, attempt, rescaling);
    true
}

fn order(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt, mut rescaling: Rescaling) {
    let (from, to, now) = (attempt.parallelism, rescaling.parallelism, observed.now);
    let recent = |checkpoint: &SavepointOperation| now < checkpoint.since + CHECKPOINT_AGAIN;
    let checkpoint = rescaling.checkpoint.take().filter(recent).unwrap_or_else(|| {
        let trigger_id = ids::trigger_id(&observed.desired.uid, attempt.number, now);
        SavepointOperation { trigger_id, since: now }
    });
    step.wake = earlier(step.wake, Some(checkpoint.since + CHECKPOINT_AGAIN));
    step.effects.push(Effect::Rescale {
        incarnation: attempt.incarnation.clone(),
        job_id: attempt.job_id.clone(),
        from,
        to,
        trigger_id: checkpoint.trigger_id.clone(),
    });
    rescaling.checkpoint = Some(checkpoint);
    step.record.rescaling = Some(rescaling);
    step.waiting = Waiting::Rescale { detail: format!("Flink is asked to change its parallelism from {from} to {to}") };
}

fn see_through(
    observed: &Observed<'_>,
    step: &mut Step,
    attempt: &Attempt,
    job: &FlinkJobView,
    rescaling: Rescaling,
) -> bool {
    let to = rescaling.parallelism;
    let deadline = rescaling.deadline().unwrap_or(observed.now);
    match &observed.in_place {
        Reading::Known(InPlace::Cannot { why }) => return give_up(step, rescaling, why),
        Reading::Known(InPlace::Can { running, .. }) if *running == to && job.ready => {
            if let Some(attempt) = &mut step.record.attempt {
                attempt.parallelism = to;
            }
            step.record.rescaling = None;
            step.notices.push(Notice::normal("Rescaled", format!("it runs with parallelism {to}")));
            step.waiting = Waiting::Next;
            return true;
        }
        Reading::Known(_) | Reading::Unknown { .. } if observed.now >= deadline => {
            return give_up(step, rescaling, "Flink has not changed the parallelism in time");
        }
        Reading::Known(InPlace::Can { asked, .. }) => {
            let again = rescaling.checkpoint.as_ref().map(|checkpoint| checkpoint.since + CHECKPOINT_AGAIN);
            if *asked != to || again.is_none_or(|again| observed.now >= again) {
                order(observed, step, attempt, rescaling);
            } else {
                step.wake = earlier(step.wake, again);
                let detail = format!("Flink changes its parallelism from {} to {to}", attempt.parallelism);
                step.waiting = Waiting::Rescale { detail };
            }
        }
        Reading::Unknown { why, .. } => step.waiting = Waiting::Flink { why: why.clone() },
    }
    step.wake = earlier(step.wake, Some(deadline));
    true
}

/// A restart brings the parallelism along, whatever Flink has made of it.
fn give_up(step: &mut Step, rescaling: Rescaling, why: &str) -> bool {
    step.record.rescaling = Some(Rescaling { given_up: true, ..rescaling });
    step.notices.push(Notice::warning("RescaleFailed", format!("{why}; the job is restarted instead")));
    false
}
