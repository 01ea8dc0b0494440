//! Time without end in a finite model: it is always "now", and the past recedes.
//!
//! A tick moves every time in the records back by [`TICK`], as far as it makes a difference. Storage has a clock of
//! its own, which counts restore points.

use api::record::{ClusterPhase, ClusterRecord, JobPhase, JobRecord, Stop};
use jiff::{SignedDuration, Timestamp};

/// As long as a submission may be under way after its sender is gone.
pub const TICK: SignedDuration = SignedDuration::from_secs(20);
/// Longer ago than any delay.
const LONG_AGO: i64 = 940;
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
    second(LONG_AGO)
}

/// When the restore point at this position was completed.
pub fn completed(position: usize) -> Timestamp {
    second(i64::try_from(position).unwrap_or(i64::MAX))
}

fn recede(time: &mut Timestamp) {
    *time = (*time - TICK).max(second(LONG_AGO));
}

fn whole(time: &mut Timestamp) {
    *time = second(time.as_second());
}

fn each_of_job(record: &mut JobRecord, mut change: impl FnMut(&mut Timestamp)) {
    match &mut record.phase {
        JobPhase::Waiting { since } | JobPhase::Submitting { since, .. } | JobPhase::Ended { at: since, .. } => {
            change(since);
        }
        JobPhase::Stopping { stop, since, .. } => {
            change(since);
            if let Stop::Abort { quiet: Some(quiet) } = stop {
                change(quiet);
            }
        }
        JobPhase::New | JobPhase::Running | JobPhase::Terminated => {}
    }
    record.savepoint_at.iter_mut().for_each(&mut change);
    record.savepoint_requested.iter_mut().for_each(&mut change);
    record.hold.iter_mut().for_each(&mut change);
    if let Some(operation) = &mut record.operation {
        change(&mut operation.since);
    }
}

fn each_of_cluster(record: &mut ClusterRecord, mut change: impl FnMut(&mut Timestamp)) {
    match &mut record.phase {
        ClusterPhase::Starting { since, not_before } => {
            change(since);
            not_before.iter_mut().for_each(&mut change);
        }
        ClusterPhase::Stopping { since, .. } => change(since),
        ClusterPhase::New | ClusterPhase::Started { .. } | ClusterPhase::Stopped | ClusterPhase::Terminated => {}
    }
    record.rescaled.iter_mut().for_each(&mut change);
    record.task_managers_after.iter_mut().for_each(&mut change);
}

pub fn tick_job(record: &mut JobRecord) {
    each_of_job(record, recede);
}

pub fn tick_cluster(record: &mut ClusterRecord) {
    each_of_cluster(record, recede);
    if let ClusterPhase::Starting { not_before, .. } = &mut record.phase {
        *not_before = not_before.filter(|until| *until > second(NOW));
    }
    record.task_managers_after = record.task_managers_after.filter(|until| *until > second(NOW));
}

/// Drops what no decision depends on: the draw, and times that are only shown.
pub fn plain_job(record: &mut JobRecord, positions: usize) {
    each_of_job(record, whole);
    record.savepoint_at = None;
    record.savepoint_requested = None;
    if let JobPhase::Waiting { since } = &mut record.phase {
        *since = second(LONG_AGO);
    }
    if let JobPhase::Stopping { since, .. } = &mut record.phase {
        *since = second(LONG_AGO);
    }
    // What was completed up to now is forgotten: a time on storage's clock.
    if let Some(forgotten) = record.attempt.as_mut().and_then(|attempt| attempt.forgotten.as_mut())
        && *forgotten > second(LONG_AGO)
    {
        *forgotten = completed(positions);
    }
}

pub fn plain_cluster(record: &mut ClusterRecord) {
    each_of_cluster(record, whole);
    if let ClusterPhase::Stopping { since, .. } = &mut record.phase {
        *since = second(LONG_AGO);
    }
    // Only a crash loop is held back by it; surplus TaskManagers are not in this world.
    if record.failures == 0 {
        record.rescaled = None;
    }
}
