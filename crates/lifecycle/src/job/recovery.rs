//! What becomes of an execution whose JobManager is another one by now: with Flink's high availability it is brought back under its own
//! id; otherwise it is gone.
//!
//! Invariant: while Flink may still bring it back, nothing is submitted in its place. A JobManager that starts lists nothing at first, so
//! that an empty list means something only after a while.

use api::record::{Attempt, Incarnation};
use jiff::{SignedDuration, Timestamp};

use super::{ClusterState, Effect, Observed, Step, Told, Waiting, earlier, flink_job, same_incarnation};
use crate::{Notice, Reading};

/// How long a JobManager that answers may take until it lists all jobs that it brings back.
const RECOVERY: SignedDuration = SignedDuration::from_secs(30);

/// Where an execution is.
pub(super) enum Course {
    /// Its own JobManager stands: ask it.
    Here,
    /// It went with its JobManager.
    Gone,
    /// Flink may bring it back.
    Awaited { why: String, until: Option<Timestamp> },
    /// Flink has brought it back, under this one.
    Back(Incarnation),
}

pub(super) fn course(observed: &Observed<'_>, attempt: &Attempt) -> Course {
    if same_incarnation(observed, attempt) {
        return Course::Here;
    }
    let cluster = &observed.cluster;
    if !cluster.highly_available {
        return Course::Gone;
    }
    let Some(manager) = &cluster.job_manager else {
        return match cluster.state {
            ClusterState::Starting | ClusterState::Started => {
                Course::Awaited { why: "another JobManager is being started".into(), until: None }
            }
            // No other one comes before all jobs of the cluster have ended.
            ClusterState::Missing
            | ClusterState::Restarting
            | ClusterState::Stopping
            | ClusterState::Stopped
            | ClusterState::Terminated => Course::Gone,
        };
    };
    match &cluster.jobs {
        Reading::Unknown { why, .. } => {
            Course::Awaited { why: format!("the new JobManager does not answer yet: {why}"), until: None }
        }
        Reading::Known(jobs) if jobs.iter().any(|job| job.id == attempt.job_id) => {
            Course::Back(Incarnation { number: manager.number, uid: manager.uid.clone() })
        }
        Reading::Known(_) => match unsettled(observed) {
            Some(until) => {
                Course::Awaited { why: "the new JobManager does not list it yet".into(), until: Some(until) }
            }
            None => Course::Gone,
        },
    }
}

/// Until when a JobManager may come to list more jobs than it does.
pub(super) fn unsettled(observed: &Observed<'_>) -> Option<Timestamp> {
    let left = RECOVERY - observed.cluster.answering_for;
    (observed.cluster.highly_available && left.is_positive()).then(|| observed.now + left)
}

/// What the JobManager of an execution that ran tells of it. A highly available one that does not list it may have lost the lead for a
/// moment.
pub(super) fn told<'a>(observed: &'a Observed<'_>, attempt: &Attempt) -> Told<'a> {
    match flink_job(observed, attempt) {
        Told::Absent if unsettled(observed).is_some() => Told::Nothing,
        told => told,
    }
}

/// Why a JobManager tells nothing of an execution.
pub(super) fn silent(observed: &Observed<'_>) -> Waiting {
    match (&observed.cluster.jobs, unsettled(observed)) {
        (Reading::Unknown { why, .. }, _) => Waiting::Flink { why: why.clone() },
        (Reading::Known(_), Some(until)) => {
            Waiting::Recovery { why: "the JobManager does not list it".into(), until: Some(until) }
        }
        (Reading::Known(_), None) => Waiting::Flink { why: "another JobManager answered".into() },
    }
}

/// Whether a JobManager that stands knows for sure that it will not run again.
pub(super) fn is_gone(observed: &Observed<'_>, attempt: &Attempt) -> bool {
    let cluster = &observed.cluster;
    let Some(jobs) = cluster.jobs.known().filter(|_| cluster.job_manager.is_some()) else { return false };
    match jobs.iter().find(|job| job.id == attempt.job_id) {
        Some(job) => job.terminal,
        None => unsettled(observed).is_none(),
    }
}

/// What keeps a job that is deleted from being forgotten: the next JobManager would bring its last execution back, and nobody would look
/// after it.
pub(super) fn haunts(observed: &Observed<'_>, step: &mut Step) -> Option<Waiting> {
    let attempt = step.record.attempt.clone().filter(|_| step.record.adrift)?;
    let cluster = &observed.cluster;
    let why = match cluster.state {
        ClusterState::Missing | ClusterState::Terminated => return None,
        ClusterState::Stopped => "the cluster is stopped: START it, so that the job can be cancelled",
        ClusterState::Starting | ClusterState::Started | ClusterState::Restarting | ClusterState::Stopping => {
            "there is no JobManager yet"
        }
    };
    let Some(manager) = &cluster.job_manager else { return Some(Waiting::Adrift { why: why.to_owned() }) };
    if is_gone(observed, &attempt) {
        return None;
    }
    let Reading::Known(jobs) = &cluster.jobs else { return Some(silent(observed)) };
    let Some(job) = jobs.iter().find(|job| job.id == attempt.job_id) else {
        step.wake = earlier(step.wake, unsettled(observed));
        return Some(Waiting::Adrift { why: "the JobManager does not list it yet".to_owned() });
    };
    if job.state != "CANCELLING" {
        let incarnation = Incarnation { number: manager.number, uid: manager.uid.clone() };
        step.effects.push(Effect::CancelJob { incarnation, job_id: attempt.job_id });
    }
    Some(Waiting::Cancellation)
}

/// The execution goes on under this JobManager.
pub(super) fn goes_on(step: &mut Step, incarnation: Incarnation) {
    let Some(attempt) = &mut step.record.attempt else { return };
    let text = format!("Flink has brought job {} back under JobManager {}", attempt.job_id, incarnation.number);
    attempt.incarnation = incarnation;
    step.record.adrift = false;
    step.notices.push(Notice::normal("Recovered", text));
    step.waiting = Waiting::Next;
}

pub(super) fn awaits(mut step: Step, why: String, until: Option<Timestamp>) -> Step {
    step.wake = earlier(step.wake, until);
    step.wait(Waiting::Recovery { why, until })
}

/// An execution that was given up, and that Flink has brought back all the same, is one that lives.
pub(super) fn take_up(observed: &Observed<'_>, step: &mut Step) {
    let Some(attempt) = &step.record.attempt else { return };
    let Course::Back(incarnation) = course(observed, attempt) else { return };
    let jobs = observed.cluster.jobs.known();
    if jobs.is_some_and(|jobs| jobs.iter().any(|job| job.id == attempt.job_id && !job.terminal)) {
        goes_on(step, incarnation);
    }
}
