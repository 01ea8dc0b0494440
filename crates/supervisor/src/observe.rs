//! From caches and answers to what a decision may look at. Nothing is decided here.

use std::sync::Arc;

use api::record::{ClusterNext, ClusterPhase, ClusterRecord, JobPhase, JobRecord, Restore, Stop};
use api::{RecoveryMode, annotations};
use api::{labels, names};
use flink_client::Flink;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use lifecycle::Reading;
use lifecycle::cluster::{JobView, PodState, PodView, Role, ServiceView};
use lifecycle::job::{
    self, BootstrapView, Cluster, ClusterState, Evidence, Found, InPlace, Looked, OperationView, Outcome, Slots,
};

use serde::Deserialize;

use crate::caches::{Caches, ContainerStatus, JobObject, PodObject};
use crate::jobmanager::JobManager;
use crate::nodes::Nodes;

/// Whether the object, of which we have no record yet, still says what an earlier command of the original's days was to do without.
pub fn has_leftover(meta: &ObjectMeta, recorded: bool) -> bool {
    !recorded && annotations::leftover_without_savepoint(meta.annotations.as_ref())
}

/// JobManager and TaskManager pods that the cluster owns, and those that the original left without an owner.
pub fn pods(caches: &Caches, nodes: &Nodes, cluster_uid: &str) -> Vec<PodView> {
    let pods = caches.pods.all();
    let mut views: Vec<PodView> = pods.iter().filter_map(|pod| flink_pod(pod, cluster_uid)).collect();
    nodes.place(&mut views, &pods);
    views
}

fn flink_pod(pod: &PodObject, cluster_uid: &str) -> Option<PodView> {
    let meta = &pod.metadata;
    let labels = meta.labels.as_ref()?;
    let role = match labels.get(labels::ROLE).map(String::as_str) {
        Some("jobmanager") => Role::JobManager,
        Some("taskmanager") => Role::TaskManager,
        _ => return None,
    };
    if !owned_by(meta, cluster_uid) && !ownerless(meta) {
        return None;
    }
    let name = meta.name.clone()?;
    let index = name.rsplit_once('-').and_then(|(_, index)| index.parse().ok()).unwrap_or_default();
    Some(PodView {
        uid: meta.uid.clone()?,
        role,
        incarnation: labels.get(labels::INCARNATION).and_then(|text| text.parse().ok()).unwrap_or_default(),
        index: if role == Role::TaskManager { index } else { 0 },
        deleting: meta.deletion_timestamp.is_some(),
        state: if restarted(pod) {
            PodState::Over { detail: Some("its container was restarted".into()) }
        } else {
            pod_state(pod)
        },
        node: lifecycle::cluster::Node::Fine,
        address: pod.status.pod_ip.clone().filter(|address| !address.is_empty()),
        name,
    })
}

fn owned_by(meta: &ObjectMeta, uid: &str) -> bool {
    meta.owner_references.iter().flatten().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// Made by the original, which sets no owner.
fn ownerless(meta: &ObjectMeta) -> bool {
    !meta.owner_references.iter().flatten().any(|owner| owner.controller == Some(true))
}

/// The original's pods restart their containers, and a JobManager that was restarted has forgotten its jobs under the same uid. Ours
/// never do.
fn restarted(pod: &PodObject) -> bool {
    let known = pod.metadata.annotations.as_ref().and_then(|all| all.get(labels::ADOPTED_RESTARTS));
    known.is_some_and(|known| restarts(pod).to_string() != *known)
}

/// How often the containers of a pod were restarted.
fn restarts(pod: &PodObject) -> u32 {
    pod.status.container_statuses.iter().map(|container| container.restart_count).sum()
}

fn pod_state(pod: &PodObject) -> PodState {
    match pod.status.phase.as_str() {
        "Failed" | "Succeeded" => PodState::Over { detail: ended(pod) },
        "Running" => PodState::Running,
        _ => PodState::Pending { detail: trouble(pod) },
    }
}

fn containers(pod: &PodObject) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses)
}

fn ended(pod: &PodObject) -> Option<String> {
    let terminated = containers(pod).find_map(|container| {
        let terminated = container.state.terminated.as_ref().filter(|terminated| terminated.exit_code != 0)?;
        let reason = terminated.reason.as_deref().unwrap_or("Error");
        let words = terminated.message.as_deref().and_then(flink::last_words);
        let words = words.map(|words| format!(": {words}")).unwrap_or_default();
        Some(format!("container {} ended with exit code {} ({reason}){words}", container.name, terminated.exit_code))
    });
    terminated.or_else(|| pod.status.message.clone()).or_else(|| pod.status.reason.clone())
}

/// What keeps a pod from running that will not pass by itself.
fn trouble(pod: &PodObject) -> Option<String> {
    let unplaced = pod.status.conditions.iter().find(|condition| {
        condition.type_ == "PodScheduled"
            && condition.status == "False"
            && condition.reason.as_deref() == Some("Unschedulable")
    });
    if let Some(unplaced) = unplaced {
        return Some(format!("Unschedulable: {}", unplaced.message.as_deref().unwrap_or("no node takes the pod")));
    }
    containers(pod).find_map(|container| {
        let waiting = container.state.waiting.as_ref()?;
        let reason = waiting.reason.as_deref()?;
        if matches!(reason, "ContainerCreating" | "PodInitializing") {
            return None;
        }
        let message = waiting.message.as_deref().unwrap_or_default();
        Some(format!("container {}: {reason}: {message}", container.name))
    })
}

/// The JobManager's Service.
pub fn service(caches: &Caches, name: &str, cluster_uid: &str) -> Option<ServiceView> {
    let service = caches.services.get(name)?;
    let meta = &service.metadata;
    (owned_by(meta, cluster_uid) || ownerless(meta))
        .then(|| ServiceView { uid: meta.uid.clone().unwrap_or_default(), deleting: meta.deletion_timestamp.is_some() })
}

/// The slots for a job among the registered ones, of which there can be `most`. A job that wants more than there can be keeps no other
/// one waiting.
pub fn slots(jobs: &[JobView], name: &str, registered: u32, most: u32) -> Slots {
    let held: u32 = jobs.iter().filter(|job| job.live && job.name != name).map(|job| job.slots).sum();
    let wanted = jobs.iter().find(|job| job.name == name).map_or(0, |job| job.slots);
    let free = registered.saturating_sub(held);
    if free >= wanted { Slots::Enough } else { Slots::Missing { wanted, free, most: most.saturating_sub(held) } }
}

/// Flink pods of an earlier cluster of this name may still live; they are not ours to delete.
pub fn foreign_pods(caches: &Caches, cluster_uid: &str) -> bool {
    caches.pods.all().iter().any(|pod| {
        let role = pod.metadata.labels.as_ref().and_then(|labels| labels.get(labels::ROLE));
        let flink = role.is_some_and(|role| matches!(role.as_str(), "jobmanager" | "taskmanager"));
        flink && !owned_by(&pod.metadata, cluster_uid) && !ownerless(&pod.metadata) && !pod_state(pod).is_over()
    })
}

/// The cluster as a job sees it; a pod on a silent node counts as ended after `patience`.
pub fn cluster_of<F: Flink>(
    record: &ClusterRecord,
    (pods, patience): (&[PodView], Option<SignedDuration>),
    foreign: bool,
    slots: impl Fn(u32) -> Slots,
    manager: Option<&JobManager<F>>,
    now: Timestamp,
) -> Cluster {
    let (state, without_savepoint) = match &record.phase {
        ClusterPhase::New | ClusterPhase::Adopting | ClusterPhase::Starting { .. } => (ClusterState::Starting, false),
        ClusterPhase::Started { .. } => (ClusterState::Started, false),
        ClusterPhase::Stopping { next: ClusterNext::Restart, without_savepoint, .. } => {
            (ClusterState::Restarting, *without_savepoint)
        }
        ClusterPhase::Stopping { without_savepoint, .. } => (ClusterState::Stopping, *without_savepoint),
        ClusterPhase::Stopped => (ClusterState::Stopped, false),
        ClusterPhase::Terminated => (ClusterState::Terminated, false),
    };
    let mut alive: Vec<u32> = pods.iter().filter(|pod| pod.may_live(patience)).map(|pod| pod.incarnation).collect();
    alive.extend(foreign.then_some(0));
    alive.sort_unstable();
    alive.dedup();
    let pod = current_job_manager(record, pods);
    let answering = manager.filter(|manager| pod.is_some_and(|pod| pod.uid == manager.uid));
    let flink = answering.and_then(|manager| manager.flink.known());
    let registered = flink.map_or(0, |flink| flink.slots_total);
    Cluster {
        state,
        without_savepoint,
        anew: record.anew,
        job_manager: pod.and_then(|pod| {
            let address = pod.address.clone()?;
            Some(job::JobManager { number: pod.incarnation, uid: pod.uid.clone(), address })
        }),
        highly_available: flink.map_or(record.highly_available, |flink| flink.highly_available),
        answering_for: answering.map_or(SignedDuration::ZERO, JobManager::answering_for),
        alive,
        slots: slots(registered),
        jobs: answering.map_or_else(
            || Reading::Unknown { why: "there is no JobManager".into(), since: now },
            |manager| manager.jobs.clone(),
        ),
    }
}

/// The JobManager pod that lives now.
pub fn current_job_manager<'a>(record: &ClusterRecord, pods: &'a [PodView]) -> Option<&'a PodView> {
    pods.iter().find(|pod| {
        pod.role == Role::JobManager && pod.incarnation == record.incarnation && !pod.deleting && !pod.state.is_over()
    })
}

/// The bootstrap Job of a FlinkJob, and its pods. `short` is the job's name within its cluster.
pub fn bootstrap(caches: &Caches, cluster: &str, short: &str, job_uid: &str) -> BootstrapView {
    let object = caches.bootstraps.get(&names::bootstrap(cluster, short));
    let object = object.filter(|object| owned_by(&object.metadata, job_uid) || ownerless(&object.metadata));
    let pods = caches.pods.matching(|pod| {
        let says = |key: &str, value: &str| {
            pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)).is_some_and(|label| label == value)
        };
        says(labels::ROLE, "bootstrap") && says(labels::JOB_NAME, short)
    });
    let lives = |pod: &Arc<PodObject>| !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
    match object {
        None if pods.iter().any(lives) => BootstrapView::Leaving { started: pods.iter().any(started) },
        None => BootstrapView::Absent,
        Some(object) if object.metadata.deletion_timestamp.is_some() => {
            BootstrapView::Leaving { started: pods.iter().any(started) }
        }
        Some(object) => present(&object, &pods),
    }
}

fn present(object: &JobObject, pods: &[Arc<PodObject>]) -> BootstrapView {
    let meta = &object.metadata;
    let uid = meta.uid.clone().unwrap_or_default();
    let labels = meta.labels.as_ref();
    let attempt =
        labels.and_then(|labels| labels.get(labels::ATTEMPT)).and_then(|text| text.parse().ok()).unwrap_or_default();
    let own: Vec<&Arc<PodObject>> = pods.iter().filter(|pod| owned_by(&pod.metadata, &uid)).collect();
    let over = own.iter().find(|pod| matches!(pod.status.phase.as_str(), "Succeeded" | "Failed"));
    match over {
        Some(pod) => BootstrapView::Ended { uid, attempt, outcome: outcome(pod) },
        None => BootstrapView::Active {
            uid,
            attempt,
            started: own.iter().any(|pod| started(pod)),
            detail: own.iter().find_map(|pod| trouble(pod)),
        },
    }
}

/// The container that submits has been started.
fn started(pod: &Arc<PodObject>) -> bool {
    pod.status.container_statuses.iter().any(|container| {
        container.state.running.is_some()
            || container.state.terminated.is_some()
            || container.last_state.terminated.is_some()
    })
}

fn outcome(pod: &PodObject) -> Outcome {
    let Some(terminated) =
        pod.status.container_statuses.iter().find_map(|container| container.state.terminated.as_ref())
    else {
        let failed =
            pod.status.init_container_statuses.iter().any(|container| {
                container.state.terminated.as_ref().is_some_and(|terminated| terminated.exit_code != 0)
            });
        let message = ended(pod).unwrap_or_else(|| "its init container failed".into());
        return if failed { Outcome::NotSubmitted { reason: "ImageError".into(), message } } else { Outcome::Unknown };
    };
    if terminated.exit_code == 0 {
        return Outcome::Submitted;
    }
    let report: Option<Report> =
        terminated.message.as_deref().and_then(|message| serde_json::from_str(message.trim()).ok());
    match report {
        Some(Report { reason, message }) if REFUSALS.contains(&reason.as_str()) => {
            Outcome::NotSubmitted { reason, message }
        }
        _ => Outcome::Unknown,
    }
}

/// Reasons of a bootstrap after which Flink surely has no job. All others leave that open, and the attempt is repeated.
const REFUSALS: [&str; 4] = ["MissingJar", "WrongClass", "RestoreFailed", "JobRejected"];

/// The termination message of a bootstrap.
#[derive(Debug, Deserialize)]
struct Report {
    reason: String,
    message: String,
}

/// How the operation that the record names stands. `target` is where savepoints go, with Flink's own default applied.
pub async fn operation<F: Flink>(record: &JobRecord, target: &str, manager: Option<&JobManager<F>>) -> OperationView {
    let Some(attempt) = &record.attempt else { return OperationView::Unknown };
    let (trigger, stop) = match (&record.phase, &record.operation) {
        (JobPhase::Stopping { stop: Stop::Savepoint { trigger_id, directory }, .. }, _) => {
            (trigger_id, Some(directory))
        }
        (JobPhase::Running, Some(operation)) => (&operation.trigger_id, None),
        _ => return OperationView::Unknown,
    };
    let Some(manager) = manager.filter(|manager| manager.uid == attempt.incarnation.uid) else {
        return OperationView::Unknown;
    };
    let directory = stop.map_or(target, String::as_str).trim();
    match manager.operation(&attempt.job_id, trigger).await {
        // Flink would refuse it each time it is asked.
        OperationView::NotFound if directory.is_empty() && manager.has_no_savepoint_directory() => {
            OperationView::Failed {
                why: "there is no directory for savepoints; set spec.savepoint.savepointTargetPath, or \
                      execution.checkpointing.savepoint-dir in spec.flinkConfiguration"
                    .into(),
            }
        }
        OperationView::NotFound if stop.is_some() && manager.has_ended(&attempt.job_id) => {
            manager.last_savepoint(&attempt.job_id, directory).await
        }
        view => view,
    }
}

/// How the deletion of the savepoint that the record names stands.
pub async fn disposal<F: Flink>(record: &JobRecord, manager: Option<&JobManager<F>>) -> OperationView {
    let uid = record.attempt.as_ref().map(|attempt| attempt.incarnation.uid.as_str());
    let leaving = record.made.iter().find(|made| made.leaving).filter(|_| record.phase == JobPhase::Running);
    match (leaving, manager.filter(|manager| Some(manager.uid.as_str()) == uid)) {
        (Some(made), Some(manager)) => manager.disposal(&made.path).await,
        _ => OperationView::Unknown,
    }
}

/// JARs that were uploaded for the job, once they are of no more use; each is told once a listing.
pub fn jars<F: Flink>(record: &JobRecord, uid: &str, manager: Option<&mut JobManager<F>>) -> Vec<String> {
    let of_no_use = matches!(record.phase, JobPhase::Running | JobPhase::Ended { .. });
    match (&record.attempt, manager) {
        (Some(last), Some(manager)) if of_no_use => manager.take_jars(uid, last.number),
        _ => Vec::new(),
    }
}

/// How Flink changes the parallelism of the execution, while it is to be another one.
pub async fn in_place<F: Flink>(
    record: &JobRecord,
    wanted: u32,
    manager: Option<&JobManager<F>>,
    now: Timestamp,
) -> Reading<InPlace> {
    let unknown = |why: &str| Reading::Unknown { why: why.to_owned(), since: now };
    let (JobPhase::Running, Some(attempt)) = (&record.phase, &record.attempt) else {
        return unknown("it does not run");
    };
    let to = record.rescaling.as_ref().map_or(wanted, |rescaling| rescaling.parallelism);
    let manager =
        manager.filter(|manager| manager.uid == attempt.incarnation.uid && to != attempt.parallelism && to > 0);
    match manager {
        Some(manager) => manager.in_place(attempt, to, now).await,
        None => unknown("its parallelism is to stay as it is"),
    }
}

/// What the last attempt left behind, where that is to be found out.
pub async fn evidence<F: Flink>(
    record: &JobRecord,
    mode: RecoveryMode,
    cluster: &Cluster,
    manager: Option<&JobManager<F>>,
    now: Timestamp,
) -> Reading<Looked> {
    let unknown = |why: &str| Reading::Unknown { why: why.to_owned(), since: now };
    let (JobPhase::Waiting { .. }, Restore::Newest, Some(attempt)) = (&record.phase, &record.restore, &record.attempt)
    else {
        return unknown("it is not to be found out now");
    };
    let (ClusterState::Started, Some(manager)) = (cluster.state, manager) else {
        return unknown("there is no JobManager to look for it");
    };
    if cluster.alive.iter().any(|number| cluster.job_manager.as_ref().is_none_or(|pod| pod.number != *number)) {
        return unknown("earlier pods may still write");
    }
    let places = job::places(attempt, manager.checkpoint_root(), mode);
    let paths: Vec<String> = places.checkpoints.iter().chain(&places.savepoints).cloned().collect();
    let listings = match manager.lister.list_checkpoints(&paths).await {
        Ok(listings) => listings,
        Err(error) => return unknown(&kit::chain(&error)),
    };
    let mut found = Evidence::default();
    for listing in &listings {
        if let flink::ListingOutcome::Failed { cause } = &listing.outcome {
            return unknown(&format!("{}: {cause}", listing.path));
        }
        for snapshot in listing.snapshots() {
            let modified = Timestamp::from_millisecond(snapshot.modified).unwrap_or(Timestamp::UNIX_EPOCH);
            let one = Found { path: snapshot.path.clone(), number: snapshot.checkpoint.unwrap_or_default(), modified };
            match snapshot.checkpoint {
                Some(_) => found.checkpoints.push(one),
                None => found.savepoints.push(one),
            }
        }
    }
    Reading::Known(Looked { found, known_place: places.checkpoints.is_some() })
}

#[cfg(test)]
mod tests;
