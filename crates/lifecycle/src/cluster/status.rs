//! The record and what was observed, as the documented status of a `FlinkCluster`.
//!
//! Pure and stable: the same knowledge gives the same status, so that a settled cluster causes no write.

use std::borrow::Cow;

use api::cluster::ClusterDigest;
use api::conditions::{PROGRESSING, READY, STALLED, is_set, reasons, set_condition};
use api::record::{ClusterPhase, ClusterRecord};
use api::{
    FlinkCluster, FlinkClusterStatus, ResourceStatus, ServiceMode, SupervisorStatus, annotations, timestamp as text,
};

use super::{Effect, Observed, PodView, Role, Step, Waiting, adopting, outdated, wanted};
use crate::notice::{Notice, trouble_reason};
use crate::step::put;
use crate::{Reading, Refusal, deletion};

/// How many jobs that are not ours are listed.
const MOST_SHOWN: usize = 256;

/// What the status also says, which no decision depends on.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub generation: Option<i64>,
    pub selector: String,
    pub service_mode: ServiceMode,
    pub digest: ClusterDigest,
    /// What Kubernetes refused when an effect of the same step was last tried.
    pub refused: Option<Refusal>,
}

/// JobManagers or TaskManagers that end this often in a row are in trouble.
const LOOP: u32 = 2;

/// The status after a step; the one before, if nothing changes. `timestamp` moves only if anything else does.
pub fn status<'a>(
    before: &'a FlinkClusterStatus,
    observed: &Observed<'_>,
    step: &Step,
    facts: &Facts,
) -> Cow<'a, FlinkClusterStatus> {
    let mut after = Cow::Borrowed(before);
    let replicas = working(observed, step).count();
    let slots = u32::try_from(replicas).unwrap_or(u32::MAX).saturating_mul(observed.desired.task_slots);
    let resource = match step.waiting {
        Waiting::Settled | Waiting::Idle { .. } if leaving(observed, step) => ResourceStatus::Updating,
        Waiting::Settled | Waiting::User | Waiting::Idle { .. } | Waiting::Deletion => ResourceStatus::Updated,
        _ => ResourceStatus::Updating,
    };
    put!(after.supervisor_status, Some(supervisor_status(&step.record.phase)));
    put!(after.resource_status, Some(resource));
    put!(after.cluster_health, Some(health(observed, step).to_owned()));
    put!(after.label_selector, Some(facts.selector.clone()));
    put!(after.service_mode, Some(facts.service_mode));
    put!(after.task_managers, i32::try_from(wanted(observed).declared).ok());
    put!(after.task_slots, i32::try_from(observed.desired.task_slots).ok());
    put!(after.task_manager_replicas, i32::try_from(replicas).ok());
    put!(after.total_task_slots, i32::try_from(slots).ok());
    put!(after.rescale_timestamp, step.record.rescaled.map(text));
    put!(after.observed_generation, facts.generation);
    if after.digest.as_ref() != Some(&facts.digest) {
        after.to_mut().digest = Some(facts.digest.clone());
    }
    unmanaged(&mut after, observed, step);
    conditions(&mut after, observed, step, facts);
    if let Some(report) = &step.report {
        put!(after.last_action, Some(report.last_action(observed.now)));
    }
    if after.record.is_none() || step.record != *observed.record {
        put!(after.record, serde_json::to_value(&step.record).ok());
    }
    if let Cow::Owned(after) = &mut after
        && after != before
    {
        after.timestamp = Some(text(observed.now));
    }
    after
}

/// Told only while nothing of ours is under way, when what is not ours can be told apart.
fn unmanaged(after: &mut Cow<'_, FlinkClusterStatus>, observed: &Observed<'_>, step: &Step) {
    let running = matches!(step.record.phase, ClusterPhase::Started { .. });
    if !running {
        put!(after.unmanaged_jobs, Vec::new());
    }
    let Reading::Known(flink) = &observed.flink else { return };
    if running && observed.jobs.iter().all(|job| job.settled) {
        let ours = |id: &String| observed.jobs.iter().any(|job| job.flink_id.as_ref() == Some(id));
        let others = flink.live_jobs.iter().filter(|id| !ours(id)).take(MOST_SHOWN);
        let mut others: Vec<String> = others.cloned().collect();
        others.sort();
        put!(after.unmanaged_jobs, others);
    }
}

fn working<'a>(observed: &'a Observed<'_>, step: &Step) -> impl Iterator<Item = &'a PodView> {
    let incarnation = step.record.incarnation;
    observed.pods.iter().filter(move |pod| {
        pod.role == Role::TaskManager && pod.incarnation == incarnation && !pod.deleting && !pod.state.is_over()
    })
}

/// TaskManagers that were too many are on their way out.
fn leaving(observed: &Observed<'_>, step: &Step) -> bool {
    let told = |uid: &String| {
        step.effects.iter().any(|effect| matches!(effect, Effect::DeletePod { uid: deleted, .. } if deleted == uid))
    };
    observed.pods.iter().any(|pod| pod.role == Role::TaskManager && (pod.deleting || told(&pod.uid)))
}

fn supervisor_status(phase: &ClusterPhase) -> SupervisorStatus {
    match phase {
        ClusterPhase::New => SupervisorStatus::Unknown,
        ClusterPhase::Starting { .. } => SupervisorStatus::Starting,
        ClusterPhase::Adopting | ClusterPhase::Started { .. } => SupervisorStatus::Started,
        ClusterPhase::Stopping { .. } => SupervisorStatus::Stopping,
        ClusterPhase::Stopped => SupervisorStatus::Stopped,
        ClusterPhase::Terminated => SupervisorStatus::Terminated,
    }
}

fn health(observed: &Observed<'_>, step: &Step) -> &'static str {
    match (&step.record.phase, &observed.flink) {
        (ClusterPhase::Started { .. }, Reading::Known(_)) => "HEALTHY",
        (ClusterPhase::Started { .. }, Reading::Unknown { .. }) => "UNHEALTHY",
        _ => "",
    }
}

fn conditions(after: &mut Cow<'_, FlinkClusterStatus>, observed: &Observed<'_>, step: &Step, facts: &Facts) {
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
        (None, None) => summary(observed, step),
    };
    let started = matches!(step.record.phase, ClusterPhase::Started { .. });
    let settled = matches!(step.waiting, Waiting::Settled | Waiting::Idle { .. });
    set(READY, started && settled && refused.is_none(), reason, &message);
    let unsupported = matches!(step.waiting, Waiting::Unsupported { .. });
    let at_rest = at_rest(&step.waiting) || unsupported;
    set(PROGRESSING, !at_rest, reason, &message);
    set(STALLED, unsupported, reason, &message);
}

/// Why a deletion takes long, if it does.
fn blocked(observed: &Observed<'_>, step: &Step) -> Option<String> {
    const PRICE: &str =
        ": its pods are removed at once, and what of them lives on a node that does not answer is left behind";
    let waits = !matches!(step.waiting, Waiting::Next | Waiting::Deletion) && !observed.desired.force_delete;
    let since = observed.desired.deleting_since.filter(|_| waits);
    deletion::blocked(since, observed.now, &explain(&step.waiting), PRICE)
}

/// Reason and message of the conditions.
fn summary(observed: &Observed<'_>, step: &Step) -> (&'static str, String) {
    let message = explain(&step.waiting);
    let record = &step.record;
    let failure = record.failure.as_deref().unwrap_or("no reason is known");
    match (&step.waiting, &record.phase) {
        (Waiting::Unsupported { .. }, _) => (reasons::UNSUPPORTED_FLINK, message),
        (Waiting::Trouble { detail }, _) => (trouble_reason(detail), message),
        (Waiting::NodeLost { .. }, _) => (reasons::NODE_LOST, message),
        (Waiting::Slots { required, most, .. }, _) if required > most => (reasons::NOT_ENOUGH_SLOTS, message),
        (_, ClusterPhase::Starting { .. }) if record.failures >= LOOP => {
            let text = format!("{} JobManagers in a row have ended, the last one because: {failure}", record.failures);
            (reasons::JOB_MANAGER_FAILING, format!("{text}; {message}"))
        }
        (Waiting::Slots { .. }, _) if record.task_manager_failures >= LOOP => {
            let count = record.task_manager_failures;
            let text = format!("{count} TaskManagers have ended, the last one because: {failure}");
            (reasons::TASK_MANAGER_FAILING, format!("{text}; {message}"))
        }
        (Waiting::Flink { .. }, _) => (reasons::UNREACHABLE, message),
        (Waiting::User, _) if !record.digest.is_empty() && outdated(&record.digest, observed.desired) => {
            (reasons::STOPPED, format!("{message}, which takes up what was changed meanwhile"))
        }
        (_, phase) => (phase_reason(phase), message),
    }
}

fn phase_reason(phase: &ClusterPhase) -> &'static str {
    match phase {
        ClusterPhase::New | ClusterPhase::Adopting => reasons::UNKNOWN,
        ClusterPhase::Starting { .. } => reasons::STARTING,
        ClusterPhase::Started { .. } => reasons::RUNNING,
        ClusterPhase::Stopping { .. } => reasons::STOPPING,
        ClusterPhase::Stopped => reasons::STOPPED,
        ClusterPhase::Terminated => reasons::TERMINATED,
    }
}

/// A trouble that the last status did not tell of yet.
pub fn new_trouble(before: &FlinkClusterStatus, step: &Step) -> Option<Notice> {
    match &step.waiting {
        Waiting::Trouble { detail } => Notice::new_trouble(&before.conditions, detail),
        _ => None,
    }
}

/// What the cluster waits for, in one sentence.
pub fn explain(waiting: &Waiting) -> String {
    match waiting {
        Waiting::Next => "the next step follows".into(),
        Waiting::Settled => "the JobManager answers, and there are as many TaskManagers as wanted".into(),
        Waiting::Finalizer => "being taken over".into(),
        Waiting::Deletion => "being deleted".into(),
        Waiting::OldPods { names } => format!("earlier JobManagers are still there: {}", names.join(", ")),
        Waiting::NodeLost { names, until } => {
            let when = until.map_or_else(
                || "spec.jobManager.nodeLostTimeout is not set".to_owned(),
                |until| format!("at {until:.0} (spec.jobManager.nodeLostTimeout) that is not waited for any more"),
            );
            format!(
                "the node of {} does not answer, so that it may still run and write; it is over when the pod or the node is gone, or the \
                 node has the taint node.kubernetes.io/out-of-service; {when}",
                names.join(", ")
            )
        }
        Waiting::Backoff { until } => format!("the next JobManager starts at {until:.0}"),
        Waiting::Trouble { detail } => detail.clone(),
        Waiting::JobManager { detail } => format!("the JobManager is starting: {detail}"),
        Waiting::Slots { registered, required, most } if required > most => format!(
            "the jobs need {required} task slots, {registered} are registered, and there can be no more than {most} \
             (the greatest number of TaskManagers times taskSlots)"
        ),
        Waiting::Slots { registered, required, .. } => format!("{registered} of {required} task slots are registered"),
        Waiting::Idle { surplus } => format!("{surplus} TaskManagers more than wanted go once they are idle"),
        Waiting::Jobs { names } => format!("waiting for jobs: {}", names.join(", ")),
        Waiting::Pods { names } if names.is_empty() => "the Service is being removed".into(),
        Waiting::Pods { names } => format!("pods are being removed: {}", names.join(", ")),
        Waiting::Flink { why } => format!("the JobManager does not answer: {why}"),
        Waiting::Unsupported { version } => {
            format!("Flink {version} cannot be run; use an image with Flink 1.18 or newer")
        }
        Waiting::User => "waiting for START".into(),
    }
}

/// Whether nothing is under way.
pub fn at_rest(waiting: &Waiting) -> bool {
    matches!(waiting, Waiting::Settled | Waiting::User | Waiting::Deletion | Waiting::Idle { .. })
}

/// The record of a cluster, whose status may also be that of another version, or of the original.
///
/// # Errors
/// The record is there but cannot be read.
pub fn record(cluster: &FlinkCluster) -> Result<ClusterRecord, serde_json::Error> {
    let status = cluster.status.as_ref();
    match status.and_then(|status| status.record.as_ref()) {
        Some(record) => api::record::parse(Some(record)),
        None => Ok(adopting::record(
            status.and_then(|status| status.supervisor_status),
            annotations::should_restart(cluster.metadata.annotations.as_ref()),
        )),
    }
}
