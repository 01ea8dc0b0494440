//! The Job that submits a Flink job once.
//!
//! flinkctl comes from the operator's image through an init container, so that any image that holds a JAR will do and no other
//! bootstrap ever runs. Neither the Job nor its pod is tried again: an attempt is repeated by the supervisor, or not at all.

use api::{FlinkJob, labels, names};
use serde_json::{Value, json};

use crate::{
    Error, GRACE_SECONDS, Settings,
    container::{pod_variables, pull_secrets, resources, same_node, security},
    metadata::{Owner, present},
};

const DIRECTORY: &str = "/flinkctl-bin";
const EXECUTABLE: &str = "/flinkctl-bin/flinkctl";

/// One attempt to run a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Number of the attempt.
    pub attempt: u64,
    /// Flink's id of the job, 32 hexadecimal digits, chosen beforehand.
    pub job_id: String,
    /// Address of the JobManager pod.
    pub address: String,
    /// Port of its REST API.
    pub port: u16,
    pub parallelism: u32,
    /// Savepoint or checkpoint to start from.
    pub savepoint_path: Option<String>,
}

/// Job `bootstrap-<cluster>-<job>`.
pub fn bootstrap_job(job: &FlinkJob, cluster: &str, launch: &Launch, settings: &Settings) -> Result<Value, Error> {
    let owner = Owner::new("FlinkJob", &job.metadata)?;
    let short = names::short_job_name(cluster, owner.name)
        .ok_or_else(|| Error::NotOfCluster { job: owner.name.to_owned(), cluster: cluster.to_owned() })?;
    let spec = &job.spec.bootstrap;
    let name = names::bootstrap(cluster, short);
    let labels = labels::bootstrap(cluster, short);
    let near = same_node(100, &labels);
    let mut numbered = labels;
    numbered.insert(labels::ATTEMPT.to_owned(), launch.attempt.to_string());

    let mounts = json!([{ "name": "flinkctl-bin", "mountPath": DIRECTORY }]);
    let resources = resources(spec.resources.as_ref(), "spec.bootstrap.resources")?;
    let security = security(spec.security_context.as_ref(), "spec.bootstrap.securityContext")?;
    let install = json!({
        "name": "install",
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["bootstrap", "install", "--to", EXECUTABLE],
        "env": pod_variables(),
        "volumeMounts": mounts,
        "resources": resources,
        "securityContext": security,
    });
    let main = json!({
        "name": "bootstrap",
        "image": spec.image,
        "imagePullPolicy": spec.pull_policy(),
        "command": [EXECUTABLE],
        "args": arguments(job, &owner, (cluster, short), launch, settings.dry_run),
        "env": pod_variables(),
        "volumeMounts": mounts,
        "resources": resources,
        "securityContext": security,
    });
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": owner.child(&name, &numbered),
        "spec": {
            "completions": u8::from(!settings.dry_run),
            "parallelism": 1,
            "backoffLimit": 0,
            "template": {
                "metadata": { "name": name, "labels": numbered },
                "spec": present(json!({
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": GRACE_SECONDS,
                    "serviceAccountName": spec.service_account(),
                    "imagePullSecrets": pull_secrets(spec.pull_secrets.as_deref()),
                    "initContainers": [install],
                    "containers": [main],
                    "volumes": [{ "name": "flinkctl-bin", "emptyDir": {} }],
                    "affinity": { "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [near] } },
                })),
            },
        },
    }))
}

fn arguments(
    job: &FlinkJob,
    owner: &Owner<'_>,
    (cluster, short): (&str, &str),
    launch: &Launch,
    dry_run: bool,
) -> Vec<String> {
    let spec = &job.spec.bootstrap;
    let mut args = vec![
        "bootstrap".to_owned(),
        "run".to_owned(),
        format!("--namespace={}", owner.namespace),
        format!("--cluster-name={cluster}"),
        format!("--job-name={short}"),
        format!("--jar-path={}", spec.jar_path),
        format!("--class-name={}", spec.class_name),
        format!("--parallelism={}", launch.parallelism),
    ];
    args.extend(dry_run.then(|| "--dry-run".to_owned()));
    args.extend(launch.savepoint_path.iter().map(|path| format!("--savepoint-path={path}")));
    args.push(format!("--attempt={}", launch.attempt));
    args.push(format!("--job-id={}", launch.job_id));
    args.push(format!("--flink-hostname={}", launch.address));
    args.push(format!("--port-forward={}", launch.port));
    args.extend(spec.arguments().iter().map(|argument| format!("--argument={argument}")));
    args
}
