//! The pods of a cluster, now and after a change.

use api::record::ClusterPhase;
use api::{FlinkCluster, FlinkJob, RescalePolicy};
use lifecycle::change::{Change, Consequence};
use lifecycle::cluster::{self, JobView};
use lifecycle::desired;
use manifests::room::{Need, Pods};
use manifests::{Error, Launch, Settings};
use serde_json::Value;

use super::Present;

/// All kinds of pods that there are or will be.
pub fn all(
    present: &Present,
    cluster_then: Option<&FlinkCluster>,
    jobs_then: &[FlinkJob],
    changes: &[Change],
) -> Result<Vec<Pods>, Error> {
    let Some(then) = cluster_then.map(stored) else { return Ok(Vec::new()) };
    let now = present.cluster.as_ref().map(stored);
    let ran = now.as_ref().is_some_and(runs);
    let will_run = now.is_none() || ran;
    let replicas = |cluster: &FlinkCluster| {
        let said = cluster.status.as_ref().and_then(|status| status.task_manager_replicas);
        said.and_then(|number| u32::try_from(number).ok()).unwrap_or_default()
    };
    let views: Vec<JobView> = jobs_then.iter().map(|job| view(job, changes)).collect();
    let wanted = cluster::wanted_for(&desired::cluster(&then), &views).required;
    let managers_now = now.as_ref().filter(|_| ran).map_or(0, replicas);
    let managers_then = if will_run { wanted } else { 0 };
    let supervisors = |cluster: &FlinkCluster| cluster.spec.supervisor.replicas();
    let mut pods = Vec::new();
    let mut add =
        |role: &str, count: (u32, u32), make: &dyn Fn(&FlinkCluster) -> Result<Value, Error>| -> Result<(), Error> {
            let after = Need::of(&make(&then)?, &present.limits);
            let before = now.as_ref().map(make).transpose()?.map(|pod| Need::of(&pod, &present.limits));
            match before.filter(|before| *before != after && count.0 > 0) {
                // The old ones go before the new ones come.
                Some(before) => {
                    pods.push(Pods { role: format!("{role} (as it is)"), now: count.0, then: 0, each: before });
                    pods.push(Pods { role: format!("{role} (as it will be)"), now: 0, then: count.1, each: after });
                }
                None => pods.push(Pods { role: role.to_owned(), now: count.0, then: count.1, each: after }),
            }
            Ok(())
        };
    add("JobManager", (u32::from(ran), u32::from(will_run)), &|cluster| manifests::job_manager_pod(cluster, 1))?;
    add("TaskManager", (managers_now, managers_then), &|cluster| manifests::task_manager_pod(cluster, 1, "uid", 0))?;
    let before = now.as_ref().map_or(0, supervisors);
    add("supervisor", (before, supervisors(&then)), &|cluster| {
        Ok(manifests::supervisor_deployment(cluster, &settings())?["spec"]["template"].clone())
    })?;
    pods.extend(bootstraps(present, &then, jobs_then, changes)?);
    pods.retain(|pods| pods.now > 0 || pods.then > 0);
    Ok(pods)
}

/// What submits the jobs that start: gone again when they run.
fn bootstraps(
    present: &Present,
    cluster: &FlinkCluster,
    jobs: &[FlinkJob],
    changes: &[Change],
) -> Result<Option<Pods>, Error> {
    let starting: Vec<&FlinkJob> = jobs.iter().filter(|job| starts(job, changes)).collect();
    let Some(first) = starting.first() else { return Ok(None) };
    let mut job = (*first).clone();
    job.metadata.uid = Some("uid".to_owned());
    job.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    let launch = Launch {
        attempt: 1,
        job_id: "0".repeat(32),
        address: "10.0.0.1".to_owned(),
        port: manifests::REST_PORT,
        parallelism: 1,
        savepoint_path: None,
    };
    let name = cluster.metadata.name.as_deref().unwrap_or_default();
    let object = manifests::bootstrap_job(&job, name, &launch, &settings())?;
    let each = Need::of(&object["spec"]["template"], &present.limits);
    let then = u32::try_from(starting.len()).unwrap_or(u32::MAX);
    Ok(Some(Pods { role: "bootstrap (while jobs start)".to_owned(), now: 0, then, each }))
}

fn consequence(job: &FlinkJob, changes: &[Change]) -> Option<Consequence> {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    changes.iter().find(|change| change.kind == "FlinkJob" && change.name == name).map(|change| change.consequence)
}

fn starts(job: &FlinkJob, changes: &[Change]) -> bool {
    let starts =
        matches!(consequence(job, changes), Some(Consequence::Restarts | Consequence::Starts | Consequence::Created));
    starts && job.spec.parallelism() > 0
}

/// A job as its cluster will see it.
fn view(job: &FlinkJob, changes: &[Change]) -> JobView {
    let mut view = desired::job_view(job);
    match consequence(job, changes) {
        Some(Consequence::Restarts | Consequence::Rescales | Consequence::Starts | Consequence::Created) => {
            view.slots = job.spec.parallelism();
        }
        Some(Consequence::Stops | Consequence::Deleted) => view.slots = 0,
        _ => {}
    }
    view
}

/// What people should know of the number of TaskManagers.
pub fn notes(cluster: Option<&FlinkCluster>, jobs: &[FlinkJob], changes: &[Change]) -> Vec<String> {
    let Some(cluster) = cluster else { return Vec::new() };
    let desired = desired::cluster(cluster);
    let follows = desired.rescale_policy == RescalePolicy::JobParallelism && !jobs.is_empty();
    let mut notes = Vec::new();
    if follows {
        notes.push(
            "with rescalePolicy JobParallelism the number of TaskManagers follows the jobs, not spec.taskManagers"
                .to_owned(),
        );
    } else if desired.task_managers > desired.max_task_managers {
        notes.push(format!("maxTaskManagers allows no more than {}", desired.max_task_managers));
    }
    let views: Vec<JobView> = jobs.iter().map(|job| view(job, changes)).collect();
    let (wanted, most) = (cluster::required(&views), cluster::most_slots(&desired));
    if wanted > most {
        notes.push(format!("the jobs want {wanted} task slots together, and there can be no more than {most}"));
    }
    notes
}

fn runs(cluster: &FlinkCluster) -> bool {
    let record = cluster::status::record(cluster);
    record.is_ok_and(|record| !matches!(record.phase, ClusterPhase::Stopped | ClusterPhase::Terminated))
}

fn stored(cluster: &FlinkCluster) -> FlinkCluster {
    let mut cluster = cluster.clone();
    cluster.metadata.uid.get_or_insert_with(|| "uid".to_owned());
    cluster.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    cluster
}

fn settings() -> Settings {
    Settings { image: "flinkctl:any".to_owned(), dry_run: false }
}
