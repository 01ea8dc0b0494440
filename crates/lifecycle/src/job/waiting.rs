//! A job that is to start: everything that must be true before a new attempt is made.

use api::record::{Attempt, End, Incarnation, JobNext, JobPhase, JobRecord, Restore};
use jiff::Timestamp;

use super::commands;
use super::ended::adopt_savepoint;
use super::recovery::{take_up, unsettled};
use super::retention;
use super::{
    BootstrapView, ClusterState, Effect, FlinkJobView, JobManager, Observed, Rule, Slots, Stall, Step, Waiting,
    begin_stop, end, resolve, stop_of,
};
use crate::{Notice, Reading, command, ids};

/// How many earlier attempts are looked for among Flink's jobs.
const STRAYS: u64 = 16;

pub(super) fn step(observed: &Observed<'_>, mut step: Step, _since: Timestamp) -> Step {
    if let Some(next) = leave(observed) {
        end(&mut step, observed, next, None);
        return step;
    }
    let manager = match ready(observed, &step.record) {
        Ok(manager) => manager,
        Err(waiting) => return step.wait(waiting),
    };
    if begins_anew(observed, &step.record) {
        commands::forget(observed, &mut step);
    }
    match &observed.bootstrap {
        BootstrapView::Absent => {}
        BootstrapView::Leaving { .. } => return step.wait(Waiting::OldBootstrap),
        BootstrapView::Active { uid, .. } | BootstrapView::Ended { uid, .. } => {
            step.effects.push(Effect::DeleteBootstrap { uid: uid.clone() });
            return step.wait(Waiting::OldBootstrap);
        }
    }
    let jobs = match &observed.cluster.jobs {
        Reading::Known(jobs) => jobs,
        Reading::Unknown { why, .. } => return step.wait(Waiting::Flink { why: why.clone() }),
    };
    if let Some(step) = earlier_execution(observed, &mut step, manager, jobs) {
        return step;
    }
    if step.record.restore == Restore::Newest {
        return newest(observed, step);
    }
    if let Slots::Missing { wanted, free, most } = observed.cluster.slots {
        return step.wait(Waiting::Slots { wanted, free, most });
    }
    attempt(observed, step, manager)
}

/// The user has started the cluster without savepoints, and the job has not run since: what it has is to be forgotten.
fn begins_anew(observed: &Observed<'_>, record: &JobRecord) -> bool {
    let earlier = |last: &Attempt| observed.cluster.anew.is_some_and(|first| last.incarnation.number < first);
    let has_state = record.restore != Restore::Empty || record.savepoint.is_some();
    has_state && record.attempt.as_ref().is_some_and(earlier)
}

fn leave(observed: &Observed<'_>) -> Option<JobNext> {
    if observed.desired.deleting {
        return Some(JobNext::Delete);
    }
    match observed.cluster.state {
        ClusterState::Stopping | ClusterState::Stopped | ClusterState::Terminated => {
            Some(JobNext::Stay { end: End::ClusterStopped })
        }
        ClusterState::Missing | ClusterState::Starting | ClusterState::Started | ClusterState::Restarting => {
            (observed.desired.parallelism == 0).then_some(JobNext::Stay { end: End::Suspended })
        }
    }
}

fn ready<'a>(observed: &'a Observed<'_>, record: &JobRecord) -> Result<&'a JobManager, Waiting> {
    let cluster = &observed.cluster;
    let manager = match (cluster.state, &cluster.job_manager) {
        (ClusterState::Started, Some(manager)) => manager,
        (ClusterState::Missing, _) => return Err(Waiting::Cluster { why: "there is no such cluster".into() }),
        (ClusterState::Restarting, _) => return Err(Waiting::Cluster { why: "the cluster is restarting".into() }),
        _ => return Err(Waiting::Cluster { why: "the cluster is starting".into() }),
    };
    let old: Vec<u32> = cluster.alive.iter().copied().filter(|number| *number != manager.number).collect();
    if !old.is_empty() {
        return Err(Waiting::OldPods { incarnations: old });
    }
    let listed =
        |attempt: &Attempt| cluster.jobs.known().is_some_and(|jobs| jobs.iter().any(|job| job.id == attempt.job_id));
    match unsettled(observed) {
        Some(until) if record.attempt.as_ref().is_some_and(|last| !listed(last)) => {
            let why = "the JobManager may still bring an earlier execution back".into();
            Err(Waiting::Recovery { why, until: Some(until) })
        }
        _ => Ok(manager),
    }
}

/// An execution of an earlier attempt that still lives is ended first.
fn earlier_execution(
    observed: &Observed<'_>,
    step: &mut Step,
    manager: &JobManager,
    jobs: &[FlinkJobView],
) -> Option<Step> {
    take_up(observed, step);
    let last = step.record.attempt.clone()?;
    let lives = |id: &str| jobs.iter().find(|job| job.id == id && !job.terminal);
    if let Some(job) = lives(&last.job_id).filter(|_| last.incarnation.uid == manager.uid) {
        let stop = match job.state.as_str() {
            "RUNNING" => stop_of(observed, &last, &JobNext::Restart, false),
            _ => api::record::Stop::Cancel,
        };
        begin_stop(step, observed, stop, JobNext::Restart);
        return Some(step.clone());
    }
    let strays = (last.number.saturating_sub(STRAYS).max(1)..=last.number)
        .map(|number| ids::job_id(&observed.desired.uid, number))
        .find(|id| lives(id).is_some())?;
    let incarnation = Incarnation { number: manager.number, uid: manager.uid.clone() };
    step.effects.push(Effect::CancelJob { incarnation, job_id: strays });
    Some(step.clone().wait(Waiting::Cancellation))
}

fn newest(observed: &Observed<'_>, mut step: Step) -> Step {
    let Some(last) = &step.record.attempt else {
        step.record.restore = Restore::Empty;
        return step;
    };
    let evidence = match &observed.evidence {
        Reading::Known(evidence) => evidence,
        Reading::Unknown { why, .. } => return step.wait(Waiting::NewestState { why: why.clone() }),
    };
    match resolve(last, evidence, rule(observed, &step.record)) {
        Ok(choice) => {
            step.record.restore = choice.restore;
            step.record.restore_reason = Some(choice.why);
            adopt_savepoint(observed, &mut step);
            let restore = step.record.restore.clone();
            let from = restore.path().map_or_else(|| "no state".to_owned(), str::to_owned);
            let why = step.record.restore_reason.as_deref().unwrap_or_default();
            step.notices.push(Notice::normal("RestorePointFound", format!("the job goes on from {from}: {why}")));
            if let Restore::Savepoint { path } = &restore {
                step.record.savepoint = Some(path.clone());
                step.record.savepoint_at = Some(observed.now);
            }
            step
        }
        Err(stall) => {
            // The user's answer to this is another command.
            step.done(command::Outcome::Failed, stall.message.clone());
            step.wait(Waiting::Stalled { reason: stall.reason, message: stall.message })
        }
    }
}

/// Why the newest state cannot be told, if that is what the job waits for.
pub(super) fn stall(observed: &Observed<'_>, record: &JobRecord) -> Option<Stall> {
    let evidence = observed.evidence.known().filter(|_| record.restore == Restore::Newest)?;
    resolve(record.attempt.as_ref()?, evidence, rule(observed, record)).err()
}

fn rule<'a>(observed: &Observed<'_>, record: &'a JobRecord) -> Rule<'a> {
    Rule { mode: observed.desired.recovery_mode, recorded: record.savepoint.as_deref() }
}

fn attempt(observed: &Observed<'_>, mut step: Step, manager: &JobManager) -> Step {
    let number = step.record.attempt.as_ref().map_or(1, |last| last.number + 1);
    let attempt = Attempt {
        number,
        job_id: ids::job_id(&observed.desired.uid, number),
        incarnation: Incarnation { number: manager.number, uid: manager.uid.clone() },
        restore: step.record.restore.clone(),
        parallelism: observed.desired.parallelism,
        digest: observed.desired.digest.clone(),
        checkpoints: api::record::Checkpoints::Unknown,
        savepoint: None,
        stop_directory: None,
        forgotten: None,
    };
    step.notices.push(Notice::normal("Starting", format!("attempt {number} as Flink job {}", attempt.job_id)));
    retention::restored(&mut step.record, &attempt.restore);
    step.record.adrift = false;
    // It told of an execution that is over.
    step.record.savepoint_failure = None;
    step.record.attempt = Some(attempt.clone());
    // It counts for this attempt alone, also if the command goes on to the next one.
    if let Some(command) = &mut step.record.command {
        command.without_savepoint = false;
    }
    step.effects.push(Effect::CreateBootstrap { attempt });
    step.goto(JobPhase::Submitting { since: observed.now, tries: 1 });
    step.wait(Waiting::Submission { detail: "the bootstrap is being created".into() })
}
