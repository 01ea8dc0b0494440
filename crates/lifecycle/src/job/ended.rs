//! A job that does not run: stay, or start again as the user's policy says.

use api::RestartPolicy;
use api::record::{End, JobNext, JobPhase, Restore};
use jiff::Timestamp;

use super::{ClusterState, Effect, Observed, Step, Waiting, earlier, end as end_as};
use crate::Notice;

pub(super) fn step(observed: &Observed<'_>, mut step: Step, end: &End, at: Timestamp) -> Step {
    if observed.desired.deleting {
        end_as(&mut step, observed, JobNext::Delete, None);
        return step;
    }
    match observed.cluster.state {
        ClusterState::Terminated => {
            step.effects.push(Effect::RemoveFinalizer);
            return step.wait(Waiting::Cluster { why: "the cluster is being deleted".into() });
        }
        ClusterState::Missing | ClusterState::Stopped | ClusterState::Stopping | ClusterState::Restarting => {
            return step.wait(Waiting::Cluster { why: "the cluster does not run".into() });
        }
        ClusterState::Starting | ClusterState::Started => {}
    }
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

/// A job that never ran takes over another initial savepoint.
fn adopt_savepoint(observed: &Observed<'_>, step: &mut Step) {
    let path = &observed.desired.savepoint_path;
    let untouched = step.record.savepoint == step.record.initial_savepoint;
    let never_ran = untouched && step.record.restore != Restore::Newest;
    if never_ran && *path != step.record.initial_savepoint {
        step.record.initial_savepoint.clone_from(path);
        step.record.savepoint.clone_from(path);
        step.record.restore = path.clone().map_or(Restore::Empty, |path| Restore::Savepoint { path });
    }
}

/// A job that could not start is tried again as soon as its definition is another one, whatever the policy.
fn mended(observed: &Observed<'_>, step: &Step, end: &End) -> bool {
    let failed_to_start = matches!(end, End::NotStarted { .. });
    failed_to_start
        && observed.desired.parallelism > 0
        && step.record.attempt.as_ref().is_some_and(|last| {
            last.digest != observed.desired.digest
                || last.restore != step.record.restore
                || last.parallelism != observed.desired.parallelism
        })
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
