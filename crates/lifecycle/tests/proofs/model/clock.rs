//! Time without end in a finite model: it is always "now", and the past recedes.
//!
//! A tick moves every time in the records back by [`TICK`], as far as it makes a difference: what no decision can tell
//! apart is one state. Storage has a clock of its own, which counts restore points.

use api::record::{ClusterPhase, ClusterRecord, JobPhase, JobRecord, Stop};
use jiff::{SignedDuration, Timestamp};

/// As long as a submission may be under way after its sender is gone.
pub const TICK: SignedDuration = SignedDuration::from_secs(20);
const NOW: i64 = 1000;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a valid time")
}

/// The time of a decision; `draw` makes trigger ids different, and is too short to matter otherwise.
pub fn now(draw: u8) -> Timestamp {
    second(NOW) + SignedDuration::from_nanos(i64::from(draw))
}

/// Long enough ago for every timeout.
pub fn long_ago() -> Timestamp {
    second(NOW) - TICK * 3
}

/// When the restore point at this position was completed.
pub fn completed(position: usize) -> Timestamp {
    second(i64::try_from(position).unwrap_or(i64::MAX))
}

/// How many ticks it takes until a time is as good as any earlier one.
type Ticks = i32;

fn recede(time: &mut Timestamp, matters: Ticks) {
    *time = (*time - TICK).max(second(NOW) - TICK * matters);
}

fn whole(time: &mut Timestamp, _: Ticks) {
    *time = second(time.as_second());
}

/// Forgets a time that has come.
fn to_come(time: &mut Option<Timestamp>) {
    *time = time.filter(|until| *until > second(NOW));
}

fn each_of_job(record: &mut JobRecord, mut change: impl FnMut(&mut Timestamp, Ticks)) {
    match &mut record.phase {
        // Its deadline is more than a tick away.
        JobPhase::Submitting { since, .. } => change(since, 2),
        JobPhase::Ended { at, .. } => change(at, 1),
        JobPhase::Stopping { stop: Stop::Abort { quiet: Some(quiet) }, .. } => change(quiet, 1),
        JobPhase::New
        | JobPhase::Adopting { .. }
        | JobPhase::Waiting { .. }
        | JobPhase::Running
        | JobPhase::Stopping { .. }
        | JobPhase::Terminated => {}
    }
    record.hold.iter_mut().for_each(|hold| change(hold, 1));
    if let Some(rescaling) = &mut record.rescaling {
        // Two minutes.
        rescaling.asked.iter_mut().for_each(|asked| change(asked, 6));
        rescaling.checkpoint.iter_mut().for_each(|checkpoint| change(&mut checkpoint.since, 1));
    }
}

fn each_of_cluster(record: &mut ClusterRecord, mut change: impl FnMut(&mut Timestamp, Ticks)) {
    if let ClusterPhase::Starting { since, not_before } = &mut record.phase {
        change(since, 1);
        if let Some(until) = not_before {
            change(until, 1);
        }
    }
    record.rescaled.iter_mut().for_each(|rescaled| change(rescaled, 3));
    record.task_managers_after.iter_mut().for_each(|after| change(after, 1));
}

pub fn tick_job(record: &mut JobRecord) {
    each_of_job(record, recede);
    to_come(&mut record.hold);
}

pub fn tick_cluster(record: &mut ClusterRecord) {
    each_of_cluster(record, recede);
    if let ClusterPhase::Starting { not_before, .. } = &mut record.phase {
        to_come(not_before);
    }
    to_come(&mut record.task_managers_after);
}

/// Drops what no decision depends on: the draw, and times that are only shown.
pub fn plain_job(record: &mut JobRecord, positions: usize) {
    each_of_job(record, whole);
    record.savepoint_at = None;
    record.savepoint_requested = None;
    if let JobPhase::Waiting { since } | JobPhase::Stopping { since, .. } = &mut record.phase {
        *since = long_ago();
    }
    // All tasks of this world run at once.
    if let Some(operation) = &mut record.operation {
        operation.since = long_ago();
    }
    // Who asks for a checkpoint does not look what becomes of it.
    if let Some(checkpoint) = record.rescaling.as_mut().and_then(|rescaling| rescaling.checkpoint.as_mut()) {
        checkpoint.trigger_id.clear();
    }
    // What was completed up to now is forgotten: a time on storage's clock.
    if let Some(forgotten) = record.attempt.as_mut().and_then(|attempt| attempt.forgotten.as_mut())
        && *forgotten > long_ago()
    {
        *forgotten = completed(positions);
    }
}

pub fn plain_cluster(record: &mut ClusterRecord) {
    each_of_cluster(record, whole);
    if let ClusterPhase::Stopping { since, .. } = &mut record.phase {
        *since = long_ago();
    }
    // Only a crash loop is held back by it; surplus TaskManagers are not in this world.
    if record.failures == 0 {
        record.rescaled = None;
    }
}
