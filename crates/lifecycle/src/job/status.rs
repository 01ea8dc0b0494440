//! The record and what was observed, as the documented status of a `FlinkJob`.
//!
//! Pure and stable: the same knowledge gives the same status, so that a settled job causes no write.

use std::borrow::Cow;

use api::conditions::{PROGRESSING, READY, SAVEPOINT_FAILED, STALLED, condition, is_set, reasons, set_condition};
use api::job::{JobDigest, RestorePoint};
use api::record::{End, JobPhase, JobRecord, Restore};
use api::{FlinkJob, FlinkJobStatus, ResourceStatus, SavepointMode, SupervisorStatus, timestamp as text};

use super::ended::describe;
use super::{ClusterState, Observed, Step, Waiting, adopting};
use crate::notice::{Notice, trouble_reason};
use crate::step::put;
use crate::{Reading, Refusal, deletion};

/// What the status also says, which no decision depends on.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub generation: Option<i64>,
    pub cluster: String,
    pub selector: String,
    pub digest: JobDigest,
    /// What Kubernetes refused when an effect of the same step was last tried.
    pub refused: Option<Refusal>,
}

/// The status after a step; the one before, if nothing changes. `timestamp` moves only if anything else does.
pub fn status<'a>(
    before: &'a FlinkJobStatus,
    observed: &Observed<'_>,
    step: &Step,
    facts: &Facts,
) -> Cow<'a, FlinkJobStatus> {
    let record = &step.record;
    let desired = observed.desired;
    let mut after = Cow::Borrowed(before);
    let resource = match step.waiting {
        Waiting::Settled | Waiting::User | Waiting::Deletion => ResourceStatus::Updated,
        _ => ResourceStatus::Updating,
    };
    let mode = if desired.savepoint_automatic { SavepointMode::Automatic } else { SavepointMode::Manual };
    put!(after.supervisor_status, Some(supervisor_status(&record.phase)));
    put!(after.resource_status, Some(resource));
    put!(after.cluster_name, Some(facts.cluster.clone()));
    put!(after.cluster_health, Some(health(observed).to_owned()));
    put!(after.label_selector, Some(facts.selector.clone()));
    put!(after.savepoint_mode, Some(mode));
    put!(after.restart_policy, Some(desired.restart_policy));
    put!(after.observed_generation, facts.generation);
    if after.digest.as_ref() != Some(&facts.digest) {
        after.to_mut().digest = Some(facts.digest.clone());
    }
    execution(&mut after, record, observed);
    savepoints(&mut after, record);
    put!(after.restore_point, restore_point(record));
    conditions(&mut after, observed, step, facts);
    if let Some(report) = &step.report {
        put!(after.last_action, Some(report.last_action(observed.now)));
    }
    if after.record.is_none() || record != observed.record {
        put!(after.record, serde_json::to_value(record).ok());
    }
    if let Cow::Owned(after) = &mut after
        && after != before
    {
        after.timestamp = Some(text(observed.now));
    }
    after
}

fn supervisor_status(phase: &JobPhase) -> SupervisorStatus {
    match phase {
        JobPhase::New => SupervisorStatus::Unknown,
        JobPhase::Adopting { was, .. } => *was,
        JobPhase::Waiting { .. } | JobPhase::Submitting { .. } => SupervisorStatus::Starting,
        JobPhase::Running => SupervisorStatus::Started,
        JobPhase::Stopping { .. } => SupervisorStatus::Stopping,
        JobPhase::Ended { .. } => SupervisorStatus::Stopped,
        JobPhase::Terminated => SupervisorStatus::Terminated,
    }
}

fn health(observed: &Observed<'_>) -> &'static str {
    match (observed.cluster.state, &observed.cluster.jobs) {
        (ClusterState::Started, Reading::Known(_)) => "HEALTHY",
        (ClusterState::Started, Reading::Unknown { .. }) => "UNHEALTHY",
        _ => "",
    }
}

/// Which Flink job runs, and how.
fn execution(after: &mut Cow<'_, FlinkJobStatus>, record: &JobRecord, observed: &Observed<'_>) {
    let attempt = record.attempt.as_ref();
    let seen = attempt.and_then(|attempt| {
        observed.cluster.jobs.known()?.iter().find(|job| job.id == attempt.job_id).map(|job| job.state.clone())
    });
    let (id, state, parallelism) = match &record.phase {
        JobPhase::New | JobPhase::Waiting { .. } | JobPhase::Terminated => (None, Some(String::new()), None),
        JobPhase::Submitting { .. } => (attempt, Some(seen.unwrap_or_default()), attempt),
        JobPhase::Adopting { .. } | JobPhase::Running | JobPhase::Stopping { .. } => (attempt, seen, attempt),
        JobPhase::Ended { end, .. } => match end {
            End::Finished => (attempt, Some("FINISHED".into()), None),
            End::Canceled => (attempt, Some("CANCELED".into()), None),
            End::Failed { .. } => (attempt, Some("FAILED".into()), None),
            _ => (None, Some(String::new()), None),
        },
    };
    put!(after.job_id, Some(id.map(|attempt| attempt.job_id.clone()).unwrap_or_default()));
    if let Some(state) = state {
        put!(after.job_status, Some(state));
    }
    let starting = matches!(record.phase, JobPhase::Waiting { .. });
    let parallelism = match parallelism {
        Some(attempt) => attempt.parallelism,
        None if starting => observed.desired.parallelism,
        None => 0,
    };
    put!(after.job_parallelism, i32::try_from(parallelism).ok());
}

fn savepoints(after: &mut Cow<'_, FlinkJobStatus>, record: &JobRecord) {
    put!(after.savepoint_path, Some(record.savepoint.clone().unwrap_or_default()));
    put!(after.savepoint_timestamp, record.savepoint_at.map(text));
    put!(after.savepoint_request_timestamp, record.savepoint_requested.map(text));
    let pending = record.operation.as_ref();
    let job = pending.and(record.attempt.as_ref()).map(|attempt| attempt.job_id.clone());
    put!(after.savepoint_job_id, Some(job.unwrap_or_default()));
    put!(after.savepoint_trigger_id, Some(pending.map(|operation| operation.trigger_id.clone()).unwrap_or_default()));
}

/// What the execution was started from, or will be; nothing while that is to be found out.
fn restore_point(record: &JobRecord) -> Option<RestorePoint> {
    let of_attempt = matches!(
        record.phase,
        JobPhase::Adopting { .. } | JobPhase::Submitting { .. } | JobPhase::Running | JobPhase::Stopping { .. }
    );
    let attempt = record.attempt.as_ref().filter(|_| of_attempt);
    let restore = attempt.map_or(&record.restore, |attempt| &attempt.restore);
    let kind = match restore {
        Restore::Newest => return None,
        Restore::Empty if record.phase == JobPhase::New => return None,
        Restore::Empty => "None",
        Restore::Savepoint { .. } => "Savepoint",
        Restore::Checkpoint { .. } => "Checkpoint",
    };
    let path = restore.path().map(str::to_owned);
    Some(RestorePoint { kind: kind.into(), path, reason: record.restore_reason.clone() })
}

fn conditions(after: &mut Cow<'_, FlinkJobStatus>, observed: &Observed<'_>, step: &Step, facts: &Facts) {
    let generation = facts.generation;
    let mut set = |type_, holds: bool, reason: &str, message: &str| {
        if !is_set(&after.conditions, type_, holds, reason, message, generation) {
            let conditions = &mut after.to_mut().conditions;
            set_condition(conditions, type_, holds, reason, message, generation, observed.now);
        }
    };
    let refused = facts.refused.as_ref().filter(|_| !step.effects.is_empty());
    let (reason, message) = match (refused, blocked(observed, step)) {
        (Some(refusal), _) => refusal.over(&explain(&step.waiting)),
        (None, Some(message)) => (reasons::DELETION_BLOCKED, message),
        (None, None) => summary(step),
    };
    let running = matches!(step.record.phase, JobPhase::Running);
    let ready = running && matches!(step.waiting, Waiting::Settled | Waiting::Savepoint | Waiting::Held { .. });
    set(READY, ready && refused.is_none(), reason, &message);
    let at_rest =
        matches!(step.waiting, Waiting::Settled | Waiting::User | Waiting::Deletion | Waiting::Stalled { .. });
    set(PROGRESSING, !at_rest, reason, &message);
    set(STALLED, stalled(step), reason, &message);
    match &step.record.savepoint_failure {
        Some(failure) => set(SAVEPOINT_FAILED, true, reasons::SAVEPOINT_FAILED, failure),
        None if condition(&after.conditions, SAVEPOINT_FAILED).is_some() => {
            after.to_mut().conditions.retain(|condition| condition.type_ != SAVEPOINT_FAILED);
        }
        None => {}
    }
}

/// Why a deletion takes long, if it does.
fn blocked(observed: &Observed<'_>, step: &Step) -> Option<String> {
    let waits = !matches!(step.waiting, Waiting::Next | Waiting::Deletion) && !observed.desired.force_delete;
    let since = observed.desired.deleting_since.filter(|_| waits);
    deletion::blocked(since, observed.now, &explain(&step.waiting), ", which leaves behind what may still run")
}

/// A person has to act before the job can go on.
fn stalled(step: &Step) -> bool {
    matches!(
        (&step.record.phase, &step.waiting),
        (_, Waiting::Stalled { .. })
            | (JobPhase::Ended { end: End::NotStarted { .. } | End::Failed { .. }, .. }, Waiting::User)
    )
}

/// Reason and message of the conditions.
fn summary(step: &Step) -> (&'static str, String) {
    if let Waiting::Stalled { reason, message } = &step.waiting {
        return (reason, message.clone());
    }
    if let Waiting::Trouble { detail } = &step.waiting {
        return (trouble_reason(detail), detail.clone());
    }
    let message = explain(&step.waiting);
    match (&step.record.phase, &step.waiting) {
        (JobPhase::Ended { end, .. }, waiting) => (end_reason(end), ended(end, waiting)),
        (JobPhase::Waiting { .. }, Waiting::Slots { wanted, most, .. }) if wanted > most => {
            (reasons::NOT_ENOUGH_SLOTS, message)
        }
        (JobPhase::Waiting { .. }, Waiting::Cluster { .. } | Waiting::OldPods { .. } | Waiting::Slots { .. }) => {
            (reasons::WAITING_FOR_CLUSTER, message)
        }
        (phase, Waiting::Recovery { .. }) if !matches!(phase, JobPhase::Stopping { .. }) => {
            (reasons::RECOVERING, message)
        }
        (JobPhase::Waiting { .. }, Waiting::NewestState { .. }) => (reasons::RESTORE_POINT_UNKNOWN, message),
        (JobPhase::Running, Waiting::Rescale { .. }) => (reasons::UPDATING, message),
        (JobPhase::Running, Waiting::Slots { wanted, most, .. }) if wanted > most => {
            (reasons::NOT_ENOUGH_SLOTS, message)
        }
        (JobPhase::Running, Waiting::Held { .. }) => {
            let why = step.record.savepoint_failure.as_deref().map_or_else(String::new, |why| format!("; {why}"));
            (reasons::SAVEPOINT_FAILED, format!("{message}{why}"))
        }
        (JobPhase::Waiting { .. } | JobPhase::Submitting { .. } | JobPhase::Running, Waiting::Flink { .. }) => {
            (reasons::UNREACHABLE, message)
        }
        (phase, _) => (phase_reason(phase), message),
    }
}

fn phase_reason(phase: &JobPhase) -> &'static str {
    match phase {
        JobPhase::New | JobPhase::Adopting { .. } => reasons::UNKNOWN,
        JobPhase::Waiting { .. } | JobPhase::Submitting { .. } => reasons::STARTING,
        JobPhase::Running => reasons::RUNNING,
        JobPhase::Stopping { .. } => reasons::STOPPING,
        JobPhase::Ended { end, .. } => end_reason(end),
        JobPhase::Terminated => reasons::TERMINATED,
    }
}

fn ended(end: &End, waiting: &Waiting) -> String {
    match waiting {
        Waiting::RestartDelay { until } => format!("{}; it is started again at {until:.0}", describe(end)),
        _ => describe(end),
    }
}

/// The condition reason of an end. Reasons of a bootstrap are the ones that it reports.
fn end_reason(end: &End) -> &'static str {
    match end {
        End::Stopped => reasons::STOPPED,
        End::Suspended => reasons::SUSPENDED,
        End::ClusterStopped => reasons::CLUSTER_STOPPED,
        End::Finished => reasons::FINISHED,
        End::Canceled => reasons::CANCELED,
        End::Failed { .. } => reasons::FAILED,
        End::Lost => reasons::LOST,
        End::NotStarted { reason, .. } => bootstrap_reason(reason),
    }
}

fn bootstrap_reason(reason: &str) -> &'static str {
    const KNOWN: [&str; 11] = [
        reasons::MISSING_JAR,
        reasons::WRONG_CLASS,
        reasons::RESTORE_FAILED,
        reasons::JOB_REJECTED,
        reasons::UNREACHABLE,
        reasons::NOT_PENDING,
        reasons::TIMEOUT,
        reasons::IMAGE_ERROR,
        reasons::UNSCHEDULABLE,
        reasons::POD_TROUBLE,
        reasons::BOOTSTRAP_LOST,
    ];
    KNOWN.into_iter().find(|known| *known == reason).unwrap_or(reasons::NOT_STARTED)
}

/// A trouble that the last status did not tell of yet.
pub fn new_trouble(before: &FlinkJobStatus, step: &Step) -> Option<Notice> {
    match &step.waiting {
        Waiting::Trouble { detail } => Notice::new_trouble(&before.conditions, detail),
        _ => None,
    }
}

/// What the job waits for, in one sentence.
pub fn explain(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Next => "the next step follows".into(),
        Waiting::Settled => "all tasks run".into(),
        Waiting::Finalizer => "being taken over".into(),
        Waiting::Deletion => "being deleted".into(),
        Waiting::Cluster { why } => why.clone(),
        Waiting::OldPods { incarnations } => {
            format!("pods of earlier JobManagers ({incarnations:?}) are still there")
        }
        Waiting::OldBootstrap => "the last bootstrap is being removed".into(),
        Waiting::Slots { wanted, free, most } if wanted > most => format!(
            "it needs {wanted} task slots, {free} are free, and there can be no more than {most} for it \
             (the greatest number of TaskManagers times taskSlots, less what other jobs hold)"
        ),
        Waiting::Slots { wanted, free, .. } => format!("it needs {wanted} task slots, and {free} are free"),
        Waiting::Flink { why } => format!("the JobManager does not answer: {why}"),
        Waiting::Recovery { why, until: None } => format!("Flink's high availability brings it back: {why}"),
        Waiting::Recovery { why, until: Some(until) } => {
            format!("Flink's high availability may bring it back: {why}; it is not waited for after {until:.0}")
        }
        Waiting::Adrift { why } => format!(
            "Flink's high availability keeps its last execution, which can be cancelled only once a JobManager has brought it back: {why}"
        ),
        Waiting::Submission { detail } | Waiting::Trouble { detail } | Waiting::Rescale { detail } => detail.clone(),
        Waiting::Tasks { state } => format!("Flink says {state}; not all tasks run"),
        Waiting::Savepoint => "a savepoint is in progress".into(),
        Waiting::Cancellation => "Flink cancels the job".into(),
        Waiting::NewestState { why } => format!("the newest state is being looked for: {why}"),
        Waiting::Stalled { message, .. } => message.clone(),
        Waiting::RestartDelay { until } => format!("started again at {until:.0}"),
        Waiting::Held { until } => format!("the last stop failed; it is tried again at {until:.0}"),
        Waiting::User => "waiting for START".into(),
    }
}

/// Whether anything but the given time would make a difference.
pub fn at_rest(waiting: &Waiting) -> bool {
    matches!(
        waiting,
        Waiting::Settled
            | Waiting::User
            | Waiting::Deletion
            | Waiting::RestartDelay { .. }
            | Waiting::Held { .. }
            | Waiting::Stalled { .. }
    )
}

/// The record of a job, whose status may also be that of another version, or of the original.
///
/// # Errors
/// The record is there but cannot be read.
pub fn record(job: &FlinkJob) -> Result<JobRecord, serde_json::Error> {
    let Some(status) = &job.status else { return Ok(JobRecord::default()) };
    match &status.record {
        Some(record) => api::record::parse(Some(record)),
        None => Ok(adopting::record(job, status)),
    }
}
