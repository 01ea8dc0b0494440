//! Times in a record that lie ahead: written by a clock that has been set back since, or by one that was wrong.
//!
//! Without this, a pause of a second would last for as long as the clock was ahead. What has been becomes now, a pause that is
//! longer than any that is ever decided on is over. Times that tell which state is newer stay as they are.

use api::record::{ClusterPhase, ClusterRecord, JobPhase, JobRecord, Stop};
use jiff::{SignedDuration, Timestamp};

/// Corrects a cluster's record; whether anything was to correct. `longest` is the longest pause.
pub(crate) fn correct_cluster(record: &mut ClusterRecord, now: Timestamp, longest: SignedDuration) -> bool {
    let mut corrected = false;
    match &mut record.phase {
        ClusterPhase::Starting { since, not_before } => {
            corrected |= has_been(since, now);
            corrected |= pauses(not_before, now, longest);
        }
        ClusterPhase::Stopping { since, .. } => corrected |= has_been(since, now),
        ClusterPhase::New
        | ClusterPhase::Adopting
        | ClusterPhase::Started { .. }
        | ClusterPhase::Stopped
        | ClusterPhase::Terminated => {}
    }
    corrected |= pauses(&mut record.task_managers_after, now, longest);
    corrected | may_have_been(&mut record.rescaled, now)
}

/// Corrects a job's record; whether anything was to correct. `longest` is the longest pause.
pub(crate) fn correct_job(record: &mut JobRecord, now: Timestamp, longest: SignedDuration) -> bool {
    let mut corrected = false;
    match &mut record.phase {
        JobPhase::Waiting { since } | JobPhase::Submitting { since, .. } => corrected |= has_been(since, now),
        JobPhase::Stopping { stop, since, .. } => {
            corrected |= has_been(since, now);
            if let Stop::Abort { quiet } = stop {
                corrected |= may_have_been(quiet, now);
            }
        }
        JobPhase::Ended { at, .. } => corrected |= has_been(at, now),
        JobPhase::New | JobPhase::Adopting { .. } | JobPhase::Running | JobPhase::Terminated => {}
    }
    if let Some(operation) = &mut record.operation {
        corrected |= has_been(&mut operation.since, now);
    }
    if let Some(rescaling) = &mut record.rescaling {
        corrected |= may_have_been(&mut rescaling.asked, now);
        if let Some(checkpoint) = &mut rescaling.checkpoint {
            corrected |= has_been(&mut checkpoint.since, now);
        }
    }
    corrected |= may_have_been(&mut record.savepoint_requested, now);
    corrected | pauses(&mut record.hold, now, longest)
}

fn has_been(time: &mut Timestamp, now: Timestamp) -> bool {
    let ahead = *time > now;
    *time = (*time).min(now);
    ahead
}

fn may_have_been(time: &mut Option<Timestamp>, now: Timestamp) -> bool {
    time.as_mut().is_some_and(|time| has_been(time, now))
}

fn pauses(until: &mut Option<Timestamp>, now: Timestamp, longest: SignedDuration) -> bool {
    let ahead = until.is_some_and(|until| until.duration_since(now) > longest);
    if ahead {
        *until = None;
    }
    ahead
}

#[cfg(test)]
mod tests {
    use api::record::{End, SavepointOperation};

    use super::*;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);
    const LONGEST: SignedDuration = SignedDuration::from_mins(5);

    fn ahead() -> Timestamp {
        NOW + SignedDuration::from_hours(24 * 3650)
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_no_cluster_waiting() {
        let phase = ClusterPhase::Starting { since: ahead(), not_before: Some(ahead()) };
        let after = Some(ahead());
        let mut record =
            ClusterRecord { phase, task_managers_after: after, rescaled: after, ..ClusterRecord::default() };
        assert!(correct_cluster(&mut record, NOW, LONGEST));
        assert_eq!(record.phase, ClusterPhase::Starting { since: NOW, not_before: None });
        assert_eq!((record.task_managers_after, record.rescaled), (None, Some(NOW)));
        assert!(!correct_cluster(&mut record, NOW, LONGEST), "once is enough");
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_no_job_waiting() {
        let operation = SavepointOperation { trigger_id: "t".into(), since: ahead() };
        let mut record = JobRecord {
            phase: JobPhase::Ended { end: End::Stopped, at: ahead() },
            operation: Some(operation),
            savepoint_requested: Some(ahead()),
            savepoint_at: Some(ahead()),
            hold: Some(ahead()),
            ..JobRecord::default()
        };
        assert!(correct_job(&mut record, NOW, LONGEST));
        assert_eq!(record.phase, JobPhase::Ended { end: End::Stopped, at: NOW });
        assert_eq!(record.operation.as_ref().map(|operation| operation.since), Some(NOW));
        assert_eq!((record.savepoint_requested, record.hold), (Some(NOW), None));
        assert_eq!(record.savepoint_at, Some(ahead()), "which state is newer is not decided here");
    }

    #[test]
    fn an_ordinary_pause_is_kept() {
        let until = Some(NOW + LONGEST);
        let phase = ClusterPhase::Starting { since: NOW, not_before: until };
        let mut record = ClusterRecord { phase: phase.clone(), ..ClusterRecord::default() };
        assert!(!correct_cluster(&mut record, NOW, LONGEST));
        assert_eq!(record.phase, phase);
    }
}
