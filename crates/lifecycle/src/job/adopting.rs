//! A job that the original left behind: a running one is not restarted, a stopped one not started, a stop under way is finished.
//!
//! Its status is all there is: the Flink job id and the last savepoint. What Flink says of that id decides; where Flink does not have
//! it, the job was lost, and goes on as any lost job does.

use api::record::{
    Attempt, Checkpoints, End, Incarnation, JobNext, JobPhase, JobRecord, Restore, SavepointOperation, Stop,
};
use api::{FlinkJob, FlinkJobStatus, SupervisorStatus, annotations, digest};
use jiff::Timestamp;

use super::{
    BootstrapView, ClusterState, Effect, Observed, Step, Told, Waiting, begin_stop, end, flink_job, initialise, stop_of,
};
use crate::{Notice, Reading};

/// The record of a job whose status is the original's.
pub(super) fn record(job: &FlinkJob, status: &FlinkJobStatus) -> JobRecord {
    let was = status.supervisor_status.unwrap_or_default();
    let savepoint = status.savepoint_path().map(str::to_owned);
    let restart = annotations::should_restart(job.metadata.annotations.as_ref());
    let phase = match was {
        SupervisorStatus::Unknown | SupervisorStatus::Terminated => return JobRecord::default(),
        SupervisorStatus::Started | SupervisorStatus::Starting | SupervisorStatus::Stopping => {
            JobPhase::Adopting { was, restart }
        }
        SupervisorStatus::Stopped => JobPhase::Ended {
            end: last_end(status),
            at: time(status.timestamp.as_ref()).unwrap_or(Timestamp::UNIX_EPOCH),
        },
    };
    let failed = matches!(phase, JobPhase::Ended { end: End::Failed { .. }, .. });
    let origin = savepoint.clone().map_or(Restore::Empty, |path| Restore::Savepoint { path });
    JobRecord {
        attempt: attempt(job, status, &origin),
        restore: if failed { Restore::Newest } else { origin },
        savepoint_at: time(status.savepoint_timestamp.as_ref()),
        savepoint_requested: time(status.savepoint_request_timestamp.as_ref()),
        savepoint,
        initial_savepoint: job.spec.savepoint.path().map(str::to_owned),
        operation: operation(status).filter(|_| matches!(phase, JobPhase::Adopting { .. })),
        phase,
        ..JobRecord::default()
    }
}

fn attempt(job: &FlinkJob, status: &FlinkJobStatus, origin: &Restore) -> Option<Attempt> {
    let job_id = status.job_id.clone().filter(|id| !id.is_empty())?;
    let wanted = job.spec.parallelism();
    Some(Attempt {
        number: 1,
        job_id,
        incarnation: Incarnation { number: 0, uid: String::new() },
        restore: origin.clone(),
        parallelism: status
            .job_parallelism
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number > 0)
            .unwrap_or(wanted),
        // The original's digests are made otherwise; what it runs counts as what is declared.
        digest: digest::job(&job.spec).bootstrap.unwrap_or_default(),
        checkpoints: Checkpoints::Unknown,
        savepoint: origin.path().map(str::to_owned),
        stop_directory: None,
        forgotten: None,
    })
}

/// A savepoint that the original had asked for, and that Flink may not have completed yet.
fn operation(status: &FlinkJobStatus) -> Option<SavepointOperation> {
    let trigger_id = status.savepoint_trigger_id.clone().filter(|id| !id.is_empty())?;
    (status.savepoint_job_id == status.job_id).then(|| SavepointOperation {
        trigger_id,
        since: time(status.savepoint_request_timestamp.as_ref()).unwrap_or(Timestamp::UNIX_EPOCH),
    })
}

/// Why a job stopped is in the last state of its Flink job.
fn last_end(status: &FlinkJobStatus) -> End {
    match status.job_status.as_deref() {
        Some("FINISHED") => End::Finished,
        Some("CANCELED") => End::Canceled,
        Some("FAILED") => End::Failed { message: "it had failed before it was taken over".into() },
        _ => End::Stopped,
    }
}

fn time(text: Option<&String>) -> Option<Timestamp> {
    text.and_then(|text| text.parse().ok())
}

pub(super) fn step(observed: &Observed<'_>, mut step: Step, was: SupervisorStatus, restart: bool) -> Step {
    if let BootstrapView::Active { uid, .. } | BootstrapView::Ended { uid, .. } = &observed.bootstrap {
        // The original's tries again by itself, and asks nobody.
        step.effects.push(Effect::DeleteBootstrap { uid: uid.clone() });
    }
    if observed.bootstrap != BootstrapView::Absent && !(observed.desired.deleting && observed.desired.force_delete) {
        return step.wait(Waiting::OldBootstrap);
    }
    let Some(attempt) = &mut step.record.attempt else { return without_execution(observed, step, was, restart) };
    let deleting = observed.desired.deleting;
    if observed.cluster.state == ClusterState::Starting && !deleting {
        return step.wait(Waiting::Cluster { why: "the cluster is being taken over".into() });
    }
    let known = attempt.clone();
    let manager = observed.cluster.job_manager.as_ref();
    if let Some(manager) = manager {
        attempt.incarnation = Incarnation { number: manager.number, uid: manager.uid.clone() };
    }
    let attempt = attempt.clone();
    let told = flink_job(observed, &attempt);
    let lives = matches!(told, Told::Job(job) if !job.terminal);
    match (was, told) {
        (_, Told::Nothing) if manager.is_some() && !deleting => {
            let why = match &observed.cluster.jobs {
                Reading::Unknown { why, .. } => why.clone(),
                Reading::Known(_) => "another JobManager answered".into(),
            };
            step.record.attempt = Some(known);
            step.wait(Waiting::Flink { why })
        }
        (SupervisorStatus::Stopping, _) if lives || step.record.operation.is_some() => {
            let next = after_stop(restart);
            let stop = match (stop_of(observed, &attempt, &next, false), step.record.operation.take()) {
                (Stop::Savepoint { directory, .. }, Some(operation)) => {
                    Stop::Savepoint { trigger_id: operation.trigger_id, directory }
                }
                (stop, _) => stop,
            };
            begin_stop(&mut step, observed, stop, next);
            step
        }
        (SupervisorStatus::Stopping, _) => {
            // A savepoint that ended it is recorded, unless nobody heard of it: then it is the newest state.
            end(&mut step, observed, after_stop(restart), Some(Restore::Newest));
            step
        }
        (SupervisorStatus::Starting, Told::Absent | Told::Job(_)) if !lives => {
            // The id is that of an earlier execution, which the original stopped with the savepoint that it recorded.
            step.record.attempt = None;
            initialise(observed, step)
        }
        _ => {
            if lives {
                let text = format!("Flink job {} goes on running", attempt.job_id);
                step.notices.push(Notice::normal("TakenOver", text));
            }
            step.goto(JobPhase::Running);
            step.wait(Waiting::Next)
        }
    }
}

fn after_stop(restart: bool) -> JobNext {
    if restart { JobNext::Restart } else { JobNext::Stay { end: End::Stopped } }
}

/// Nothing of it runs: what was to be stopped is stopped, anything else starts from what was recorded.
fn without_execution(observed: &Observed<'_>, mut step: Step, was: SupervisorStatus, restart: bool) -> Step {
    if was == SupervisorStatus::Stopping && !restart {
        end(&mut step, observed, after_stop(restart), None);
        return step;
    }
    initialise(observed, step)
}
