//! Where checkpoints and savepoints go: whether there is a place, whether Flink can write to it, and whether it outlives a pod.

use api::cluster::FlinkPodSpec;
use api::conditions::reasons;
use api::{FlinkCluster, FlinkJob, SavepointMode};
use kube::ResourceExt as _;
use serde_json::Value;

use super::{Check, State};

const CHECKPOINTS: [&str; 2] = ["execution.checkpointing.dir", "state.checkpoints.dir"];
const SAVEPOINTS: [&str; 2] = ["execution.checkpointing.savepoint-dir", "state.savepoints.dir"];
/// Schemes and the file systems of Flink's own distribution that serve them.
const PLUGINS: [(&str, &str); 9] = [
    ("s3", "flink-s3-fs"),
    ("s3a", "flink-s3-fs-hadoop"),
    ("s3p", "flink-s3-fs-presto"),
    ("gs", "flink-gs-fs-hadoop"),
    ("oss", "flink-oss-fs-hadoop"),
    ("abfs", "flink-azure-fs-hadoop"),
    ("abfss", "flink-azure-fs-hadoop"),
    ("wasb", "flink-azure-fs-hadoop"),
    ("wasbs", "flink-azure-fs-hadoop"),
];

/// One check for the checkpoints of a cluster, and one for the savepoints of each of its jobs.
pub fn all(cluster: &FlinkCluster, jobs: &[&FlinkJob]) -> Vec<Check> {
    let own = cluster.name_any();
    let mut checks = vec![checkpoints(cluster, &format!("checkpoints of {own}"))];
    checks.extend(jobs.iter().map(|job| savepoints(cluster, job)));
    checks
}

fn option(cluster: &FlinkCluster, names: [&str; 2]) -> Option<String> {
    let options = cluster.spec.flink_configuration();
    names.into_iter().find_map(|name| options.get(name).cloned()).filter(|path| !path.trim().is_empty())
}

fn checkpoints(cluster: &FlinkCluster, name: &str) -> Check {
    match option(cluster, CHECKPOINTS) {
        None => Check::warn(
            name,
            "no directory is configured: checkpoints are lost with the JobManager, unless a job names one itself",
            "set execution.checkpointing.dir in spec.flinkConfiguration to storage that outlives a pod",
        ),
        Some(path) => place(cluster, name, &path),
    }
}

fn savepoints(cluster: &FlinkCluster, job: &FlinkJob) -> Check {
    let name = format!("savepoints of {}", job.name_any());
    let last = job.status.as_ref().and_then(|status| status.last_action.as_ref());
    let failed = last.filter(|last| last.outcome == "Failed" && last.action == "TRIGGER_SAVEPOINT");
    if let Some(failed) = failed {
        let message = format!("the last one failed: {}", failed.message.as_deref().unwrap_or("no reason is known"));
        let explain = format!("flinkctl explain job {} ({})", job.name_any(), reasons::SAVEPOINT_FAILED);
        return Check::fail(name, message, explain);
    }
    let target = job.spec.savepoint.target_path().map(str::to_owned).or_else(|| option(cluster, SAVEPOINTS));
    match target {
        Some(path) => place(cluster, &name, &path),
        None if job.spec.savepoint.mode() == SavepointMode::Automatic => Check::fail(
            name,
            "there is no directory for them, so no stop can save the job",
            "set spec.savepoint.savepointTargetPath, or execution.checkpointing.savepoint-dir in spec.flinkConfiguration of the cluster",
        ),
        None => Check::warn(name, "there is no directory for them", "set spec.savepoint.savepointTargetPath"),
    }
}

/// Whether Flink can write to a path, as far as the definition says.
fn place(cluster: &FlinkCluster, name: &str, path: &str) -> Check {
    let (scheme, below) = path.split_once(':').unwrap_or(("file", path));
    if scheme == "file" {
        return local(cluster, name, path, &format!("/{}", below.trim_start_matches('/')));
    }
    let Some((_, plugin)) = PLUGINS.iter().find(|(known, _)| *known == scheme) else {
        let mend = "see that the image has a file system for it (plugins/ of Flink, or Hadoop)";
        return Check::warn(name, format!("{path}: whether Flink can write there is not known"), mend);
    };
    let enabled = |spec: &FlinkPodSpec| {
        spec.environment.iter().flatten().any(|variable| {
            let raw = variable.raw();
            raw["name"] == "ENABLE_BUILT_IN_PLUGINS"
                && raw["value"]
                    .as_str()
                    .is_some_and(|value| value.split([';', ',']).any(|jar| jar.trim().starts_with(plugin)))
        })
    };
    let spec = &cluster.spec;
    match (enabled(&spec.job_manager.pod), enabled(&spec.task_manager.pod)) {
        (true, true) => Check::ok(name, format!("{path}, by {plugin}")),
        (true, false) | (false, true) => Check::fail(
            name,
            format!("{path}: {plugin} is enabled for JobManager or TaskManagers, not for both"),
            "set ENABLE_BUILT_IN_PLUGINS in environment of spec.jobManager and spec.taskManager",
        ),
        (false, false) => Check::warn(
            name,
            format!(
                "{path}: {plugin} is not enabled by ENABLE_BUILT_IN_PLUGINS, so the image must have it in plugins/"
            ),
            format!(
                "set ENABLE_BUILT_IN_PLUGINS={plugin}…-VERSION.jar in environment of spec.jobManager and spec.taskManager, unless it has"
            ),
        ),
    }
}

/// A path in the file system of the pods has to be the same storage in all of them.
fn local(cluster: &FlinkCluster, name: &str, path: &str, directory: &str) -> Check {
    let spec = &cluster.spec;
    let volumes = (volume(&spec.job_manager.pod, directory), volume(&spec.task_manager.pod, directory));
    let mend = "mount the same shared volume (a PersistentVolumeClaim with ReadWriteMany, or NFS) there in spec.jobManager and spec.taskManager, or use an object store";
    match volumes {
        (Some(one), Some(other)) if one == other => match one.as_str() {
            "emptyDir" => Check::fail(name, format!("{path} lies in an emptyDir, which goes with its pod"), mend),
            "hostPath" => Check {
                state: State::Warn,
                ..Check::warn(name, format!("{path} lies on the disk of each node: all pods must be on one"), mend)
            },
            other => Check::ok(name, format!("{path}, on a volume of type {other}")),
        },
        (Some(one), Some(other)) => {
            Check::fail(name, format!("{path} is {one} for the JobManager and {other} for TaskManagers"), mend)
        }
        _ => Check::fail(
            name,
            format!("{path} is not on a volume that JobManager and TaskManagers have, so each pod has its own"),
            mend,
        ),
    }
}

/// The type of the volume that a directory lies on, in a pod of this definition.
fn volume(spec: &FlinkPodSpec, directory: &str) -> Option<String> {
    let mounts = spec.volume_mounts.iter().flatten().map(|mount| mount.raw());
    let covers = |mount: &&Value| {
        let at = mount["mountPath"].as_str().unwrap_or_default().trim_end_matches('/');
        directory == at || directory.starts_with(&format!("{at}/"))
    };
    let mount = mounts.filter(covers).max_by_key(|mount| mount["mountPath"].as_str().map(str::len))?;
    let volume =
        spec.volumes.iter().flatten().map(|volume| volume.raw()).find(|volume| volume["name"] == mount["name"])?;
    volume.as_object()?.keys().find(|key| *key != "name").cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster(options: &Value, part: &Value) -> FlinkCluster {
        serde_json::from_value(json!({
            "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster", "metadata": { "name": "demo" },
            "spec": {
                "runtime": { "image": "flink" }, "jobManager": part, "taskManager": part, "supervisor": { "image": "f" },
                "flinkConfiguration": options,
            },
        }))
        .unwrap()
    }

    fn job(target: &str) -> FlinkJob {
        serde_json::from_value(json!({
            "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob", "metadata": { "name": "demo-a" },
            "spec": {
                "bootstrap": { "image": "i", "className": "A", "jarPath": "/a" }, "restart": {},
                "savepoint": { "savepointInterval": 0, "savepointTargetPath": target },
            },
        }))
        .unwrap()
    }

    fn state(path: &str, part: &Value) -> State {
        checkpoints(&cluster(&json!({ "execution.checkpointing.dir": path }), part), "c").state
    }

    #[test]
    fn a_local_path_must_be_shared() {
        let mounted = |kind: &str| json!({ "volumes": [{ "name": "v", kind: {} }], "volumeMounts": [{ "name": "v", "mountPath": "/state" }] });
        assert_eq!(state("file:///state/checkpoints", &mounted("persistentVolumeClaim")), State::Ok);
        assert_eq!(state("/state", &mounted("nfs")), State::Ok);
        assert_eq!(state("file:/state/c", &mounted("hostPath")), State::Warn);
        assert_eq!(state("file:///state", &mounted("emptyDir")), State::Fail);
        assert_eq!(state("file:///stateful", &mounted("nfs")), State::Fail);
        assert_eq!(state("file:///tmp", &json!({})), State::Fail);
    }

    #[test]
    fn an_object_store_needs_its_plugin_everywhere() {
        let plugin = |value: &str| json!({ "environment": [{ "name": "ENABLE_BUILT_IN_PLUGINS", "value": value }] });
        assert_eq!(state("s3://bucket/c", &plugin("flink-s3-fs-presto-2.1.3.jar")), State::Ok);
        assert_eq!(state("s3a://bucket/c", &plugin("flink-s3-fs-presto-2.1.3.jar")), State::Warn);
        assert_eq!(state("s3://bucket/c", &json!({})), State::Warn);
        assert_eq!(state("hdfs://h/c", &json!({})), State::Warn);
    }

    #[test]
    fn a_stop_needs_a_directory() {
        let bare = cluster(&json!({}), &json!({}));
        assert_eq!(savepoints(&bare, &job("")).state, State::Fail);
        let default = cluster(&json!({ "state.savepoints.dir": "hdfs://h/s" }), &json!({}));
        assert_eq!(savepoints(&default, &job("")).state, State::Warn);
        assert_eq!(checkpoints(&bare, "c").state, State::Warn);
    }
}
