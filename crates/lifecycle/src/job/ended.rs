//! A job that does not run: stay, or start again as the user's policy says.

use api::RestartPolicy;
use api::record::{Attempt, Checkpoints, End, JobNext, JobPhase, JobRecord, Restore, Stop};
use jiff::Timestamp;

use super::recovery::{is_gone, take_up};
use super::{
    BootstrapView, ClusterState, Effect, Observed, SUBMISSION_GRACE, Step, Waiting, begin_stop, earlier, end as end_as,
    flink_job, same_incarnation, stop_of, tidy,
};
use crate::Notice;

pub(super) fn step(observed: &Observed<'_>, mut step: Step, end: &End, at: Timestamp) -> Step {
    take_up(observed, &mut step);
    if let Some(stop) = lives(observed, &step) {
        step.notices.push(Notice::warning("Stopping", "its Flink job lives after all"));
        begin_stop(&mut step, observed, stop, JobNext::Stay { end: end.clone() });
        return step;
    }
    let gone = step.record.attempt.as_ref().is_none_or(|attempt| is_gone(observed, attempt));
    step.record.adrift &= !gone;
    if let Some(until) = in_flight(observed, &step, end, at).filter(|until| observed.now < *until) {
        step.wake = earlier(step.wake, Some(until));
        return step.wait(Waiting::RestartDelay { until });
    }
    if observed.desired.deleting {
        end_as(&mut step, observed, JobNext::Delete, None);
        return step;
    }
    match observed.cluster.state {
        ClusterState::Terminated => {
            return let_go(observed, step);
        }
        ClusterState::Missing | ClusterState::Stopped | ClusterState::Stopping | ClusterState::Restarting => {
            return step.wait(Waiting::Cluster { why: "the cluster does not run".into() });
        }
        ClusterState::Starting | ClusterState::Started => {}
    }
    tidy(observed, &mut step);
    adopt_savepoint(observed, &mut step);
    if mended(observed, &step, end) {
        step.goto(JobPhase::Waiting { since: observed.now });
        return step;
    }
    let Some(delay) = restart(observed, end) else { return step.wait(Waiting::User) };
    let changed = step.record.attempt.as_ref().is_some_and(|last| last.digest != observed.desired.digest);
    let until = if delay && !changed { at + observed.desired.restart_delay } else { at };
    if observed.now < until {
        step.wake = earlier(step.wake, Some(until));
        return step.wait(Waiting::RestartDelay { until });
    }
    step.goto(JobPhase::Waiting { since: observed.now });
    step
}

/// How to end an execution that should have ended.
fn lives(observed: &Observed<'_>, step: &Step) -> Option<Stop> {
    let attempt = step.record.attempt.as_ref()?;
    let job = flink_job(observed, attempt).job().filter(|job| !job.terminal)?;
    let next = JobNext::Stay { end: End::Stopped };
    Some(if job.state == "RUNNING" { stop_of(observed, attempt, &next, false) } else { Stop::Cancel })
}

/// Until when an earlier try of an attempt that was refused may still arrive at its JobManager.
pub(super) fn in_flight(observed: &Observed<'_>, step: &Step, end: &End, at: Timestamp) -> Option<Timestamp> {
    let attempt = step.record.attempt.as_ref().filter(|_| matches!(end, End::NotStarted { .. }))?;
    same_incarnation(observed, attempt).then(|| at + SUBMISSION_GRACE)
}

/// A job without state of its own takes over another initial savepoint.
pub(super) fn adopt_savepoint(observed: &Observed<'_>, step: &mut Step) {
    if !redirected(observed, &step.record, &step.record.restore) {
        return;
    }
    let path = &observed.desired.savepoint_path;
    step.record.initial_savepoint.clone_from(path);
    step.record.savepoint.clone_from(path);
    step.record.restore = path.clone().map_or(Restore::Empty, |path| Restore::Savepoint { path });
    step.record.restore_reason =
        Some("spec.savepoint.savepointPath is another one, and the job has no state of its own".into());
}

/// The job outlives its cluster; what was made to submit it does not.
fn let_go(observed: &Observed<'_>, mut step: Step) -> Step {
    match &observed.bootstrap {
        BootstrapView::Active { uid, .. } | BootstrapView::Ended { uid, .. } => {
            step.effects.push(Effect::DeleteBootstrap { uid: uid.clone() });
        }
        BootstrapView::Absent | BootstrapView::Leaving { .. } => step.effects.push(Effect::RemoveFinalizer),
    }
    step.wait(Waiting::Cluster { why: "the cluster is being deleted".into() })
}

/// The user gives another initial savepoint in place of the one that the job (re)starts from.
fn redirected(observed: &Observed<'_>, record: &JobRecord, restore: &Restore) -> bool {
    let initial = match restore {
        Restore::Empty => record.initial_savepoint.is_none(),
        Restore::Savepoint { path } => Some(path) == record.initial_savepoint.as_ref(),
        Restore::Checkpoint { .. } | Restore::Newest => false,
    };
    initial
        && record.savepoint == record.initial_savepoint
        && observed.desired.savepoint_path != record.initial_savepoint
}

/// Whether a job never ran, so that another definition is worth another try.
pub(crate) fn failed_to_start(end: &End, last: &Attempt) -> bool {
    match end {
        End::NotStarted { .. } => true,
        End::Failed { .. } => last.checkpoints == Checkpoints::Unknown,
        _ => false,
    }
}

/// A job that could not start is tried again as soon as its definition is another one, whatever the policy.
fn mended(observed: &Observed<'_>, step: &Step, end: &End) -> bool {
    let Some(last) = &step.record.attempt else { return false };
    let failed_to_start = failed_to_start(end, last);
    let forgotten_or_adopted = step.record.restore != observed.record.restore;
    let to_be_adopted = step.record.restore == Restore::Newest && redirected(observed, &step.record, &last.restore);
    let changed = last.digest != observed.desired.digest || last.parallelism != observed.desired.parallelism;
    failed_to_start && observed.desired.parallelism > 0 && (changed || forgotten_or_adopted || to_be_adopted)
}

/// Whether the policy allows a restart, and if so whether the delay comes first.
fn restart(observed: &Observed<'_>, end: &End) -> Option<bool> {
    if observed.desired.parallelism == 0 {
        return None;
    }
    match (end, observed.desired.restart_policy) {
        (End::Suspended | End::ClusterStopped, RestartPolicy::Always) => Some(false),
        (_, RestartPolicy::Always)
        | (End::Failed { .. } | End::NotStarted { .. } | End::Lost, RestartPolicy::OnlyIfFailed) => Some(true),
        (_, RestartPolicy::Never | RestartPolicy::OnlyIfFailed) => None,
    }
}

/// One sentence on why a job does not run.
pub(crate) fn describe(end: &End) -> String {
    match end {
        End::Stopped => "stopped on request".into(),
        End::Suspended => "suspended: its parallelism is 0".into(),
        End::ClusterStopped => "stopped with its cluster".into(),
        End::Finished => "finished".into(),
        End::Canceled => "canceled in Flink".into(),
        End::Failed { message } => format!("failed: {message}"),
        End::NotStarted { reason, message } => format!("not started: {reason}: {message}"),
        End::Lost => "its JobManager was lost, and the restart policy is Never".into(),
    }
}

pub(super) fn notice(end: &End) -> Notice {
    let text = describe(end);
    match end {
        End::Finished => Notice::normal("Finished", text),
        End::Stopped | End::Suspended | End::ClusterStopped => Notice::normal("Stopped", text),
        End::Canceled => Notice::warning("Canceled", text),
        End::Failed { .. } => Notice::warning("Failed", text),
        End::NotStarted { .. } => Notice::warning("NotStarted", text),
        End::Lost => Notice::warning("Lost", text),
    }
}
