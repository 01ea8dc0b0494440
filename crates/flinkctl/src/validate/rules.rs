//! What the schema cannot say: whether pods can be made of a definition that an API server would take, and what is probably a mistake.

use api::{FlinkCluster, FlinkClusterSpec, FlinkDeployment, FlinkJob, FlinkJobSpec, SavepointMode, names};
use local::judge::Judge;
use manifests::{Launch, Settings};
use serde_json::Value;

/// Field, message, and whether it is a warning only.
type Found = (String, String, bool);

/// Findings in an object that has no fault by its schema.
pub fn judge(judge: &mut Judge, object: &Value) -> Vec<Found> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let ours = object["apiVersion"] == format!("{}/{}", api::GROUP, api::VERSION);
    match kind {
        "FlinkCluster" if ours => parsed(object, |cluster: FlinkCluster| of_cluster(judge, &cluster, "spec")),
        "FlinkJob" if ours => parsed(object, |job: FlinkJob| of_job(judge, &job)),
        "FlinkDeployment" if ours => parsed(object, |deployment: FlinkDeployment| of_deployment(judge, &deployment)),
        _ => Vec::new(),
    }
}

fn parsed<K: serde::de::DeserializeOwned>(object: &Value, found: impl FnOnce(K) -> Vec<Found>) -> Vec<Found> {
    match serde_json::from_value(object.clone()) {
        Ok(object) => found(object),
        Err(error) => vec![("spec".to_owned(), error.to_string(), false)],
    }
}

fn of_cluster(judge: &mut Judge, cluster: &FlinkCluster, at: &str) -> Vec<Found> {
    let stored = stored(cluster);
    let settings = settings();
    let pods = [
        manifests::job_manager_pod(&stored, 1),
        manifests::task_manager_pod(&stored, 1, "uid", 0),
        manifests::supervisor_deployment(&stored, &settings),
    ];
    let mut found = made(judge, pods, at);
    found.extend(cluster_warnings(&cluster.spec, at));
    found
}

fn of_job(judge: &mut Judge, job: &FlinkJob) -> Vec<Found> {
    let name = job.metadata.name.clone().unwrap_or_default();
    let mut found = Vec::new();
    match name.split_once('-') {
        Some((cluster, short)) if !cluster.is_empty() && !short.is_empty() => {
            found.extend(bootstrap(judge, job, cluster, "spec"));
        }
        _ => found.push((
            "metadata.name".to_owned(),
            "it must begin with the name of a cluster and a dash, or the job belongs to no cluster".to_owned(),
            false,
        )),
    }
    found.extend(job_warnings(&job.spec, "spec"));
    found
}

fn of_deployment(judge: &mut Judge, deployment: &FlinkDeployment) -> Vec<Found> {
    let own = deployment.metadata.name.clone().unwrap_or_default();
    let mut cluster = FlinkCluster::new(&own, deployment.spec.cluster.clone());
    cluster.metadata.namespace.clone_from(&deployment.metadata.namespace);
    let mut found = of_cluster(judge, &cluster, "spec.cluster");
    let mut wanted = 0;
    for (index, entry) in deployment.spec.jobs().iter().enumerate() {
        let at = format!("spec.jobs[{index}].spec");
        let job = FlinkJob::new(&names::job(&own, &entry.name), entry.spec.clone());
        found.extend(bootstrap(judge, &job, &own, &at));
        found.extend(job_warnings(&entry.spec, &at));
        wanted += entry.spec.parallelism();
    }
    let desired = lifecycle::desired::cluster(&cluster);
    let most = lifecycle::cluster::most_slots(&desired);
    if wanted > most {
        let message = format!("the jobs want {wanted} task slots together, and there can be no more than {most}");
        found.push(("spec.cluster.maxTaskManagers".to_owned(), message, true));
    }
    found
}

fn bootstrap(judge: &mut Judge, job: &FlinkJob, cluster: &str, at: &str) -> Vec<Found> {
    let launch = Launch {
        attempt: 1,
        job_id: "0".repeat(32),
        address: "10.0.0.1".to_owned(),
        port: manifests::REST_PORT,
        parallelism: 1,
        savepoint_path: None,
    };
    let mut job = job.clone();
    job.metadata.uid = Some("uid".to_owned());
    job.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    made(judge, [manifests::bootstrap_job(&job, cluster, &launch, &settings())], at)
}

/// Objects that are made of a definition: whether they can be, and whether an API server would take them.
fn made<const N: usize>(judge: &mut Judge, objects: [Result<Value, manifests::Error>; N], at: &str) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for object in objects {
        match object {
            Err(error) => {
                let message = kit::chain(&error);
                let field = match &error {
                    manifests::Error::Invalid { field, .. } => field.replacen("spec", at, 1),
                    manifests::Error::Option { .. } => format!("{at}.flinkConfiguration"),
                    _ => at.to_owned(),
                };
                found.push((field, message, false));
            }
            Ok(object) => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let kind = object["kind"].as_str().unwrap_or_default().to_owned();
                for fault in judge.judge(&object).into_iter().flatten() {
                    let field = if fault.field.is_empty() { String::new() } else { format!("{}: ", fault.field) };
                    let message =
                        format!("the {kind} {name} that is made of it would be refused: {field}{}", fault.message);
                    found.push((section(&name, at), message, false));
                }
            }
        }
    }
    found.dedup_by(|one, other| one.0 == other.0 && one.1 == other.1);
    found
}

/// The section that an object is made of.
fn section(name: &str, at: &str) -> String {
    let sections = [
        ("jobmanager-", "jobManager"),
        ("taskmanager-", "taskManager"),
        ("supervisor-", "supervisor"),
        ("bootstrap-", "bootstrap"),
    ];
    let section = sections.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, section)| *section);
    section.map_or_else(|| at.to_owned(), |section| format!("{at}.{section}"))
}

fn cluster_warnings(spec: &FlinkClusterSpec, at: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let (min, max) = spec.task_manager_limits();
    if min > max {
        let message = format!("{min} is more than maxTaskManagers, {max}, which counts then");
        found.push((format!("{at}.minTaskManagers"), message, true));
    }
    let options = spec.flink_configuration();
    let says = |names: [&str; 2]| names.iter().any(|name| options.contains_key(*name));
    if !says(["execution.checkpointing.dir", "state.checkpoints.dir"]) {
        let message =
            "without execution.checkpointing.dir checkpoints are lost with the JobManager, and jobs with them";
        found.push((format!("{at}.flinkConfiguration"), message.to_owned(), true));
    }
    found
}

fn job_warnings(spec: &FlinkJobSpec, at: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let wanted = spec.job_parallelism.unwrap_or_default();
    if u32::try_from(wanted).is_ok_and(|wanted| wanted != spec.parallelism()) {
        let message = format!("{wanted} is outside of its limits; {} counts", spec.parallelism());
        found.push((format!("{at}.jobParallelism"), message, true));
    }
    if spec.savepoint.mode() == SavepointMode::Automatic && spec.savepoint.target_path().is_none() {
        let message =
            "it is empty, so savepoints need a default directory in Flink's configuration; else no stop can save";
        found.push((format!("{at}.savepoint.savepointTargetPath"), message.to_owned(), true));
    }
    found
}

fn stored(cluster: &FlinkCluster) -> FlinkCluster {
    let mut cluster = cluster.clone();
    cluster.metadata.uid = Some("uid".to_owned());
    cluster.metadata.namespace.get_or_insert_with(|| "default".to_owned());
    cluster
}

fn settings() -> Settings {
    Settings { image: "flinkctl:any".to_owned(), dry_run: false }
}
