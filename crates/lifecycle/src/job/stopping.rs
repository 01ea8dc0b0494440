//! An execution that is being ended, with its state saved or given up on purpose.

use api::record::{Attempt, Checkpoints, End, JobNext, JobPhase, Restore, Stop};
use api::{OnFailure, RecoveryMode};
use jiff::{SignedDuration, Timestamp};

use super::recovery::{Course, awaits, course, goes_on, silent, told};
use super::retention;
use super::{
    BootstrapView, Effect, FlinkJobView, Observed, OperationView, STOP_BACKOFF, SUBMISSION_GRACE, Step, Told, Waiting,
    begin_stop, commands, earlier, end, lost, not_saved, saved, stop_of, until_tasks_run,
};
use crate::{Notice, command};

/// A deletion by force tries for so long to end the execution first.
const FORCE_AFTER: SignedDuration = SignedDuration::from_secs(10);

pub(super) fn step(observed: &Observed<'_>, mut step: Step, stop: Stop, next: JobNext, since: Timestamp) -> Step {
    let Some(attempt) = step.record.attempt.clone() else {
        end(&mut step, observed, next, None);
        return step;
    };
    let next = if observed.desired.deleting { JobNext::Delete } else { next };
    if next == JobNext::Delete && observed.desired.force_delete && observed.now >= since + FORCE_AFTER {
        let text = "it is let go on request; its Flink job may run on";
        step.notices.push(Notice::warning("ForceDeleted", text));
        end(&mut step, observed, next, None);
        return step;
    }
    match course(observed, &attempt) {
        Course::Here => {}
        Course::Gone => {
            let restore = match stop {
                Stop::Cancel => canceled(&mut step, observed, &next),
                Stop::Abort { .. } | Stop::Savepoint { .. } => Restore::Newest,
            };
            lost(&mut step, observed, next, restore);
            return step;
        }
        // It is stopped there then.
        Course::Back(incarnation) => {
            goes_on(&mut step, incarnation);
            return step;
        }
        Course::Awaited { why, until } => return awaits(step, why, until),
    }
    match stop {
        Stop::Abort { quiet } => abort(observed, step, &attempt, next, (quiet, since)),
        Stop::Cancel => cancel(observed, step, &attempt, next),
        // A deletion takes no savepoint, and does not wait for one.
        Stop::Savepoint { .. } if next == JobNext::Delete => {
            begin_stop(&mut step, observed, Stop::Cancel, next);
            step
        }
        Stop::Savepoint { trigger_id, directory } => {
            save(observed, step, &attempt, next, (trigger_id, directory, since))
        }
    }
}

/// Takes a submission back: the bootstrap goes first; what it may have submitted is then stopped.
///
/// A bootstrap that is not seen, or was not seen to start, may have run all the same between two looks: what it sent
/// is waited for in any case.
fn abort(
    observed: &Observed<'_>,
    mut step: Step,
    attempt: &Attempt,
    next: JobNext,
    (quiet, since): (Option<Timestamp>, Timestamp),
) -> Step {
    if let BootstrapView::Active { uid, .. } | BootstrapView::Ended { uid, .. } = &observed.bootstrap {
        step.effects.push(Effect::DeleteBootstrap { uid: uid.clone() });
    }
    if observed.bootstrap != BootstrapView::Absent {
        step.goto(JobPhase::Stopping { stop: Stop::Abort { quiet: None }, next, since });
        return step.wait(Waiting::OldBootstrap);
    }
    match told(observed, attempt) {
        Told::Nothing => step.wait(silent(observed)),
        Told::Job(job) if job.terminal => {
            end(&mut step, observed, next, Some(Restore::Newest));
            step
        }
        Told::Job(job) => {
            let stop = match job.state.as_str() {
                "RUNNING" => stop_of(observed, attempt, &next, false),
                _ => Stop::Cancel,
            };
            begin_stop(&mut step, observed, stop, next);
            step
        }
        Told::Absent => {
            let quiet = quiet.unwrap_or(observed.now);
            let until = quiet + SUBMISSION_GRACE;
            if observed.now < until {
                step.goto(JobPhase::Stopping { stop: Stop::Abort { quiet: Some(quiet) }, next, since });
                step.wake = earlier(step.wake, Some(until));
                return step.wait(Waiting::Submission { detail: "it may still arrive".into() });
            }
            end(&mut step, observed, next, Some(attempt.restore.clone()));
            step
        }
    }
}

fn cancel(observed: &Observed<'_>, mut step: Step, attempt: &Attempt, next: JobNext) -> Step {
    match told(observed, attempt) {
        Told::Nothing => step.wait(silent(observed)),
        Told::Job(job) if !job.terminal => {
            if job.state != "CANCELLING" {
                step.effects.push(Effect::CancelJob {
                    incarnation: attempt.incarnation.clone(),
                    job_id: attempt.job_id.clone(),
                });
            }
            step.wait(Waiting::Cancellation)
        }
        Told::Job(_) | Told::Absent => {
            let restore = canceled(&mut step, observed, &next);
            end(&mut step, observed, next, Some(restore.clone()));
            step.record.restore_reason = match restore {
                Restore::Empty => Some("it is started without state on request".into()),
                Restore::Savepoint { .. } => {
                    Some("it was stopped without a savepoint: the last one that is recorded".into())
                }
                Restore::Checkpoint { .. } | Restore::Newest => None,
            };
            step
        }
    }
}

/// A user who stops without a savepoint goes on from the recorded one; anything automatic from the newest state.
fn canceled(step: &mut Step, observed: &Observed<'_>, next: &JobNext) -> Restore {
    let command = step.record.command.as_ref().filter(|command| !command.done);
    let fresh = command.is_some_and(|command| {
        command.without_savepoint && command.action == api::annotations::Action::Start && *next == JobNext::Restart
    });
    let unsaved = !observed.desired.savepoint_automatic || command.is_some_and(|command| command.without_savepoint);
    if fresh {
        commands::forget(observed, step);
        return Restore::Empty;
    }
    match next {
        JobNext::Stay { end: End::Stopped } if unsaved => commands::recorded(step).unwrap_or(Restore::Newest),
        _ => Restore::Newest,
    }
}

fn save(
    observed: &Observed<'_>,
    mut step: Step,
    attempt: &Attempt,
    next: JobNext,
    (trigger_id, directory, since): (String, String, Timestamp),
) -> Step {
    let job = match told(observed, attempt) {
        Told::Nothing => return step.wait(silent(observed)),
        Told::Absent => None,
        Told::Job(job) => Some(job),
    };
    match (&observed.operation, job) {
        (OperationView::Completed { path }, Some(job)) if !job.terminal => {
            saved_once(observed, &mut step, path);
            step.wait(Waiting::Tasks { state: job.state.clone() })
        }
        (OperationView::Completed { path }, _) => {
            saved_once(observed, &mut step, path);
            let restore = Restore::Savepoint { path: path.clone() };
            end(&mut step, observed, next, Some(restore));
            step
        }
        // The answer was lost, or the job ended otherwise: what there is tells.
        (_, None | Some(FlinkJobView { terminal: true, .. })) => {
            end(&mut step, observed, next, Some(Restore::Newest));
            step
        }
        (OperationView::Failed { why }, Some(_)) if anyway(observed, attempt, &next) => {
            not_saved(&mut step, why, ", the job is stopped without it");
            begin_stop(&mut step, observed, Stop::Cancel, next);
            step
        }
        // What has no tasks cannot be saved, and waiting for tasks that nobody brings would never end.
        (OperationView::Failed { why }, Some(job)) if !job.ready && outlives(observed, attempt) => {
            not_saved(&mut step, why, ", its tasks do not run: its newest checkpoint is its state");
            begin_stop(&mut step, observed, Stop::Cancel, next);
            step
        }
        (OperationView::Failed { why }, Some(_)) => keep_running(observed, step, why),
        (OperationView::NotFound, Some(job)) => {
            if let Some(until) = until_tasks_run(observed, job, since) {
                step.wake = earlier(step.wake, Some(until));
                return step.wait(Waiting::Tasks { state: job.state.clone() });
            }
            step.effects.push(Effect::StopWithSavepoint {
                incarnation: attempt.incarnation.clone(),
                job_id: attempt.job_id.clone(),
                trigger_id,
                directory,
            });
            step.wait(Waiting::Savepoint)
        }
        (OperationView::InProgress | OperationView::Unknown, Some(_)) => step.wait(Waiting::Savepoint),
    }
}

fn saved_once(observed: &Observed<'_>, step: &mut Step, path: &str) {
    if step.record.savepoint.as_deref() != Some(path) {
        saved(observed, step, path);
        retention::remember(observed, step, path);
    }
}

/// Whether the user wants the stop more than the savepoint. A job that is only to be restarted is not set back by that: it keeps
/// running unless it can go on from a checkpoint that outlives its cancellation.
fn anyway(observed: &Observed<'_>, attempt: &Attempt, next: &JobNext) -> bool {
    observed.desired.on_failure == OnFailure::StopAnyway
        && (outlives(observed, attempt) || !matches!(next, JobNext::Restart))
}

/// Whether the job can go on from a checkpoint that outlives its cancellation.
fn outlives(observed: &Observed<'_>, attempt: &Attempt) -> bool {
    observed.desired.recovery_mode == RecoveryMode::LatestState
        && matches!(attempt.checkpoints, Checkpoints::Directory { retained: true, .. })
}

/// A job that could not be saved goes on; nothing is given up.
fn keep_running(observed: &Observed<'_>, mut step: Step, why: &str) -> Step {
    not_saved(&mut step, why, ", the job keeps running");
    step.done(command::Outcome::Failed, format!("the savepoint failed, the job keeps running: {why}"));
    step.record.hold = Some(observed.now + STOP_BACKOFF);
    step.goto(JobPhase::Running);
    step
}
