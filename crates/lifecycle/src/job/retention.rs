//! Savepoints that were taken without being asked for, and are deleted again by number or age.
//!
//! Invariant: what a job was started from, or could still be started from, is never deleted: not the newest, not one that is recorded as
//! restore point, not one on which checkpoints that count are based. What users asked for, or brought, is theirs. Only Flink deletes, while
//! the job runs, one at a time; what it cannot delete is left alone, and told.

use api::record::{Attempt, JobRecord, Made, Restore};

use super::{Effect, FlinkJobView, Observed, OperationView, Step, earlier};
use crate::Notice;

/// How many are remembered; an older one stays where it is.
const MOST: usize = 64;

/// A savepoint is there that nobody asked for.
pub(super) fn remember(observed: &Observed<'_>, step: &mut Step, path: &str) {
    let made = &mut step.record.made;
    if observed.desired.retention.is_none() || made.iter().any(|known| same(&known.path, path)) {
        return;
    }
    made.push(Made { path: path.to_owned(), at: observed.now, base: false, leaving: false });
    made.drain(..made.len().saturating_sub(MOST));
}

/// A new attempt starts from there.
pub(super) fn restored(record: &mut JobRecord, restore: &Restore) {
    if let Restore::Checkpoint { .. } = restore {
        // It belongs to an execution that may have been started from one of them.
        return;
    }
    for made in &mut record.made {
        made.base = restore.path().is_some_and(|path| same(path, &made.path));
    }
}

/// Deletes the oldest that is not to be kept.
pub(super) fn step(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt, job: &FlinkJobView) {
    if observed.desired.retention.is_none() {
        step.record.made.clear();
        return;
    }
    if let Some(index) = step.record.made.iter().position(|made| made.leaving) {
        see_off(observed, step, attempt, index);
    } else if job.ready && step.record.operation.is_none() {
        let Some(index) = due(observed, step) else { return };
        step.record.made[index].leaving = true;
        delete(step, attempt, index);
    }
}

fn see_off(observed: &Observed<'_>, step: &mut Step, attempt: &Attempt, index: usize) {
    let path = step.record.made[index].path.clone();
    match &observed.disposal {
        OperationView::Unknown | OperationView::InProgress => {}
        OperationView::NotFound if needed(observed, step, &step.record.made[index]) => {
            step.record.made[index].leaving = false;
        }
        OperationView::NotFound => delete(step, attempt, index),
        OperationView::Completed { .. } => {
            step.record.made.remove(index);
            step.notices.push(Notice::normal("SavepointDeleted", path));
        }
        OperationView::Failed { why } => {
            step.record.made.remove(index);
            let text = format!("{path} is left where it is, and not tried again: {why}");
            step.notices.push(Notice::warning("SavepointNotDeleted", text));
        }
    }
}

fn delete(step: &mut Step, attempt: &Attempt, index: usize) {
    let (incarnation, path) = (attempt.incarnation.clone(), step.record.made[index].path.clone());
    step.effects.push(Effect::DeleteSavepoint { incarnation, path });
}

/// The oldest that is not to be kept; if there is none, the step wakes up when one gets too old.
fn due(observed: &Observed<'_>, step: &mut Step) -> Option<usize> {
    let retention = observed.desired.retention?;
    let (made, mut wake) = (&step.record.made, step.wake);
    let all = made.len();
    let too_many = |index: usize| retention.count.is_some_and(|most| all - index > most as usize);
    let found = made.iter().enumerate().take(all.saturating_sub(1)).find(|(index, one)| {
        let until = retention.age.map(|age| one.at + age);
        let over = too_many(*index) || until.is_some_and(|until| until <= observed.now);
        if over && !needed(observed, step, one) {
            return true;
        }
        wake = earlier(wake, until.filter(|until| !over && *until > observed.now));
        false
    });
    let found = found.map(|(index, _)| index);
    if found.is_none() {
        step.wake = wake;
    }
    found
}

/// Whether an execution was started from it, or could be.
fn needed(observed: &Observed<'_>, step: &Step, made: &Made) -> bool {
    let record = &step.record;
    let attempt = record.attempt.as_ref();
    let of_attempt = attempt.into_iter().flat_map(|attempt| [attempt.restore.path(), attempt.savepoint.as_deref()]);
    let recorded = [record.savepoint.as_deref(), record.restore.path(), record.initial_savepoint.as_deref()];
    let wanted = [observed.desired.savepoint_path.as_deref(), observed.desired.recorded_savepoint.as_deref()];
    let newest = record.made.last().is_none_or(|last| last.path == made.path);
    let own_stop = attempt.and_then(|attempt| attempt.stop_directory.as_deref()).map(last_part);
    made.base
        || newest
        || own_stop.is_some_and(|own| made.path.contains(own))
        || of_attempt.chain(recorded).chain(wanted).flatten().any(|path| same(path, &made.path))
}

/// Schemes and slashes are spelled in several ways; Flink gives each savepoint a name that no other one has.
fn same(one: &str, other: &str) -> bool {
    last_part(one) == last_part(other)
}

fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_the_checkpoints_of_later_executions_go_back_to_is_known() {
        let made = |name: &str| Made {
            path: format!("file:/sp/{name}"),
            at: Timestamp::UNIX_EPOCH,
            base: false,
            leaving: false,
        };
        let mut record = JobRecord { made: vec![made("s1"), made("s2")], ..JobRecord::default() };
        let mut bases = |restore: Restore| {
            restored(&mut record, &restore);
            record.made.iter().map(|made| made.base).collect::<Vec<_>>()
        };
        let savepoint = |path: &str| Restore::Savepoint { path: path.into() };
        assert_eq!(bases(savepoint("file:///sp/s1")), [true, false]);
        assert_eq!(bases(Restore::Checkpoint { path: "file:/ck/chk-7".into() }), [true, false], "it goes back to s1");
        assert_eq!(bases(savepoint("file:/sp/s2/")), [false, true]);
        assert_eq!(bases(Restore::Empty), [false, false]);
    }
}
