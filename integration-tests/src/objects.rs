//! The objects that scenarios apply, small enough to read in a failure.
//!
//! Each function gives a whole spec that works; a scenario says what it wants otherwise as a merge patch.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The name by which `--image` maps the image of the example jobs to a directory.
pub const EXAMPLES_NAME: &str = "flinkctl-examples";
/// The image that holds the example jobs.
pub const EXAMPLES_IMAGE: &str = "flinkctl-examples:local";
/// The JAR inside that image.
pub const EXAMPLES_JAR: &str = "/flink-jobs.jar";

/// A spec of a cluster whose jobs checkpoint every second below `state`, changed by `patch`.
pub fn cluster_spec(state: &Path, patch: Value) -> Value {
    let role = json!({
        "volumes": [{ "name": "state", "hostPath": { "path": state, "type": "DirectoryOrCreate" } }],
        "volumeMounts": [{ "name": "state", "mountPath": state }],
    });
    let mut job_manager = role.clone();
    job_manager["serviceMode"] = json!("ClusterIP");
    let mut task_manager = role;
    task_manager["taskSlots"] = json!(2);
    merged(
        json!({
            "runtime": { "image": "flink:local" },
            "jobManager": job_manager,
            "taskManager": task_manager,
            "supervisor": { "image": "flinkctl:local", "pollingInterval": 5, "rescaleDelay": 5 },
            "flinkConfiguration": {
                "execution.checkpointing.interval": "1s",
                "execution.checkpointing.dir": url(state, "checkpoints"),
                "jobmanager.memory.process.size": "800m",
                "taskmanager.memory.process.size": "1200m",
            },
        }),
        patch,
    )
}

/// A spec of a job that counts, changed by `patch`. What it commits lies in `state/output/<name>`.
pub fn counter_spec(state: &Path, name: &str, patch: Value) -> Value {
    merged(
        json!({
            "jobParallelism": 1,
            "savepoint": {
                "savepointMode": "Automatic",
                "savepointInterval": 0,
                "savepointTargetPath": url(state, &format!("savepoints/{name}")),
            },
            "restart": { "restartPolicy": "Always", "restartDelay": 1, "restartTimeout": 120 },
            "bootstrap": {
                "image": EXAMPLES_IMAGE,
                "jarPath": EXAMPLES_JAR,
                "className": crate::counter::CLASS,
                "arguments": crate::counter::arguments(&url(state, &format!("output/{name}")), 200),
            },
        }),
        patch,
    )
}

/// A `FlinkDeployment` of one cluster and its jobs.
pub fn deployment(name: &str, cluster: &Value, jobs: &[(&str, Value)]) -> Value {
    let jobs: Vec<Value> = jobs.iter().map(|(name, spec)| json!({ "name": name, "spec": spec })).collect();
    object("FlinkDeployment", name, &json!({ "cluster": cluster, "jobs": jobs }))
}

/// A `FlinkCluster`.
pub fn cluster(name: &str, spec: &Value) -> Value {
    object("FlinkCluster", name, spec)
}

/// A `FlinkJob` of a cluster.
pub fn job(cluster: &str, name: &str, spec: &Value) -> Value {
    object("FlinkJob", &format!("{cluster}-{name}"), spec)
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "nextbreakpoint.com/v1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// An example of this repository, `examples/<name>.yaml`.
pub fn example(name: &str) -> Result<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{name}.yaml"));
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut value: serde_yaml::Value = serde_yaml::from_str(&text)?;
    value.apply_merge()?;
    Ok(serde_json::to_value(value)?)
}

/// The URL of a path below `state`, as Flink wants it.
pub fn url(state: &Path, below: &str) -> String {
    format!("file://{}/{below}", state.display())
}

/// A JSON merge patch: members replace, `null` removes.
pub fn merged(mut base: Value, patch: Value) -> Value {
    merge(&mut base, patch);
    base
}

fn merge(base: &mut Value, patch: Value) {
    match patch {
        Value::Object(members) => {
            if !base.is_object() {
                *base = json!({});
            }
            for (name, value) in members {
                if value.is_null() {
                    base.as_object_mut().expect("it was made one").remove(&name);
                } else {
                    merge(&mut base[name], value);
                }
            }
        }
        other => *base = other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_replaces_adds_and_removes() {
        let base = json!({ "a": { "b": 1, "c": 2 }, "d": [1, 2] });
        let patch = json!({ "a": { "b": null, "e": 3 }, "d": [4] });
        assert_eq!(merged(base, patch), json!({ "a": { "c": 2, "e": 3 }, "d": [4] }));
    }

    #[test]
    fn what_scenarios_apply_can_be_read_as_what_it_is() {
        let state = Path::new("/tmp/somewhere");
        let (spec, counter) = (cluster_spec(state, json!({})), counter_spec(state, "one", json!({})));
        read::<api::FlinkCluster>(cluster("name", &spec));
        read::<api::FlinkJob>(job("name", "one", &counter));
        let deployment = read::<api::FlinkDeployment>(deployment("name", &spec, &[("one", counter)]));
        assert_eq!(deployment.spec.jobs.map(|jobs| jobs.len()), Some(1));
    }

    #[test]
    fn the_examples_can_be_read_as_what_they_are() {
        let deployment = read::<api::FlinkDeployment>(example("deployment").unwrap());
        assert_eq!(deployment.spec.jobs.map(|jobs| jobs.len()), Some(3));
        let cluster = read::<api::FlinkCluster>(example("cluster").unwrap());
        let job = read::<api::FlinkJob>(example("job").unwrap());
        let (cluster, job) = (cluster.metadata.name.unwrap_or_default(), job.metadata.name.unwrap_or_default());
        assert!(job.starts_with(&format!("{cluster}-")), "the example job belongs to the example cluster");
    }

    fn read<T: serde::de::DeserializeOwned>(object: Value) -> T {
        let shown = object.to_string();
        serde_json::from_value(object).unwrap_or_else(|error| panic!("{error} in {shown}"))
    }
}
