//! What scenarios say about a running system, in the words of its users.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::counter;
use crate::flink::Flink;
use crate::local::Local;
use crate::wait::until;

/// Long enough for a cluster and its jobs to come up while other scenarios use the same two cores.
pub const UP: Duration = Duration::from_secs(90);
/// Long enough for a change that needs no new JVM.
pub const SOON: Duration = Duration::from_secs(45);

const ACTION: &str = "operator.nextbreakpoint.com/requested-action";

/// A running system and a directory for the state of its jobs, the same path inside and outside of pods.
pub struct World {
    pub local: Local,
    pub state: TempDir,
}

impl World {
    /// The directory for state.
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// Where the counter job of this name commits its numbers.
    pub fn output(&self, name: &str) -> PathBuf {
        self.state().join("output").join(name)
    }

    /// Applies objects with kubectl.
    pub async fn apply(&self, objects: &[Value]) -> Result<()> {
        self.local.apply(objects).await.map(drop)
    }

    /// Requests an action with `kubectl annotate`, as users do.
    pub async fn request(&self, kind: &str, name: &str, action: &str) -> Result<()> {
        self.local.kubectl(&["annotate", kind, name, "--overwrite", &format!("{ACTION}={action}")]).await.map(drop)
    }

    /// Changes a spec with `kubectl patch --type=merge`.
    pub async fn patch(&self, kind: &str, name: &str, patch: &Value) -> Result<()> {
        self.local.kubectl(&["patch", kind, name, "--type=merge", "-p", &patch.to_string()]).await.map(drop)
    }

    /// Waits until an object is as `condition` wants it, and returns it.
    pub async fn when(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        deadline: Duration,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        let found = until(&format!("{kind}/{name} {what}"), deadline, async || {
            last = self.local.get(kind, name).await?.with_context(|| format!("there is no {kind}/{name}"))?;
            Ok(condition(&last).then(|| last.clone()))
        })
        .await;
        found.with_context(|| format!("its status is {}", brief(&last["status"])))
    }

    /// Waits until a job is ready and runs in Flink.
    pub async fn running(&self, job: &str) -> Result<Value> {
        self.when("fj", job, "runs", UP, is_running).await
    }

    /// Waits until a job runs with another Flink job id than `before`.
    pub async fn running_again(&self, job: &str, before: &str) -> Result<Value> {
        self.when("fj", job, "runs again", UP, |job| is_running(job) && job_id(job) != before).await
    }

    /// Waits until a job is stopped.
    pub async fn stopped(&self, job: &str) -> Result<Value> {
        self.when("fj", job, "is stopped", UP, |job| status(job, "supervisorStatus") == "Stopped").await
    }

    /// Waits until a cluster is started with all its TaskManagers.
    pub async fn started(&self, cluster: &str) -> Result<Value> {
        let ready = |cluster: &Value| {
            status(cluster, "supervisorStatus") == "Started" && status(cluster, "resourceStatus") == "Updated"
        };
        self.when("fc", cluster, "is started", UP, ready).await
    }

    /// Waits until the requested action was taken: the annotation is `NONE` again.
    pub async fn consumed(&self, kind: &str, name: &str) -> Result<Value> {
        let none =
            |object: &Value| object["metadata"]["annotations"][ACTION].as_str().is_none_or(|action| action == "NONE");
        self.when(kind, name, "has no requested action", SOON, none).await
    }

    /// Waits until a condition has this status, and returns the whole object.
    pub async fn condition(&self, kind: &str, name: &str, condition: &str, wanted: &str) -> Result<Value> {
        let what = format!("has {condition}={wanted}");
        self.when(kind, name, &what, UP, |object| {
            find_condition(object, condition).is_some_and(|one| one["status"] == wanted)
        })
        .await
    }

    /// Waits until conditions and events of an object contain `words`: what is wrong is said where a user looks.
    pub async fn explains(&self, kind: &str, name: &str, words: &str) -> Result<()> {
        let contains = |object: &Value| object["status"]["conditions"].to_string().contains(words);
        self.when(kind, name, &format!("has a condition about `{words}`"), UP, contains).await?;
        until(&format!("an event of {name} says `{words}`"), SOON, async || {
            let events = self.local.list("event", "").await?;
            Ok(events.iter().any(|event| about(event, name) && event.to_string().contains(words)).then_some(()))
        })
        .await
    }

    /// Waits until an object is gone.
    pub async fn gone(&self, kind: &str, name: &str) -> Result<()> {
        until(&format!("{kind}/{name} is gone"), UP, async || {
            Ok(self.local.get(kind, name).await?.is_none().then_some(()))
        })
        .await
    }

    /// Waits until a list with a selector has this many objects, and returns them.
    pub async fn count(&self, kind: &str, selector: &str, wanted: usize) -> Result<Vec<Value>> {
        until(&format!("there are {wanted} {kind}s with {selector}"), UP, async || {
            let found = self.local.list(kind, selector).await?;
            Ok((found.len() == wanted).then_some(found))
        })
        .await
    }

    /// Waits until the execution with this Flink job id has committed at least `wanted` numbers, and checks that all executions together
    /// committed each number exactly once.
    pub async fn counted(&self, name: &str, execution: &str, wanted: u64) -> Result<counter::Report> {
        let output = self.output(name);
        let report =
            until(&format!("execution {execution} of {name} has committed {wanted} numbers"), UP, async || {
                let report = counter::read(&output)?;
                Ok((report.committed_by(execution) >= wanted).then_some(report))
            })
            .await?;
        report.exact().with_context(|| format!("the output of {name} in {}", output.display()))?;
        Ok(report)
    }

    /// The one pod with this selector.
    pub async fn pod(&self, selector: &str) -> Result<String> {
        let pods = self.local.list("pod", selector).await?;
        let alive: Vec<&Value> = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect();
        match alive.as_slice() {
            [pod] => Ok(name_of(pod).to_owned()),
            other => bail!("{} pods have the labels {selector}, not one", other.len()),
        }
    }

    /// The REST API of a cluster's JobManager.
    pub async fn flink(&self, cluster: &str) -> Result<Flink> {
        let pod = self.pod(&format!("clusterName={cluster},role=jobmanager")).await?;
        let object = self.local.get("pod", &pod).await?.with_context(|| format!("there is no pod {pod}"))?;
        Flink::at(object["status"]["podIP"].as_str().with_context(|| format!("pod {pod} has no address"))?)
    }

    /// Fails unless Flink says that this execution was restored from this savepoint or checkpoint.
    pub async fn restored(&self, cluster: &str, execution: &str, path: &str) -> Result<()> {
        let flink = self.flink(cluster).await?;
        // Flink answers from a cache, which may be older than the execution.
        let restored = until(&format!("Flink says from what {execution} was restored"), SOON, async || {
            flink.restored_from(execution).await
        })
        .await?;
        ensure!(
            plain(&restored) == plain(path),
            "execution {execution} was restored from `{restored}`, not from `{path}`"
        );
        Ok(())
    }

    /// Waits until Flink has no live job with this id.
    pub async fn flink_job_ends(&self, cluster: &str, execution: &str) -> Result<()> {
        let flink = self.flink(cluster).await?;
        until(&format!("job {execution} has ended in Flink"), SOON, async || {
            Ok((!flink.live_jobs().await?.iter().any(|job| job == execution)).then_some(()))
        })
        .await
    }

    /// Waits until nothing of a cluster is left, objects nor processes.
    pub async fn leaves_nothing(&self, cluster: &str) -> Result<()> {
        for kind in ["fd", "fc", "fj", "pod", "job", "deployment", "replicaset", "service"] {
            until(&format!("no {kind} of {cluster} is left"), UP, async || {
                let left = self.local.list(kind, "").await?;
                let left: Vec<&str> = left.iter().map(name_of).filter(|name| belongs(name, cluster)).collect();
                if left.is_empty() { Ok(Some(())) } else { bail!("left: {}", left.join(", ")) }
            })
            .await?;
        }
        until(&format!("no process of {cluster} is left"), SOON, async || {
            let left = self.local.processes();
            let left: Vec<String> = left
                .iter()
                .filter_map(|process| {
                    process
                        .variable("POD_NAME")
                        .filter(|pod| belongs(pod, cluster))
                        .map(|pod| format!("{} {pod}", process.pid))
                })
                .collect();
            if left.is_empty() { Ok(Some(())) } else { bail!("left: {}", left.join(", ")) }
        })
        .await
    }
}

/// A field of a status as text; empty where there is none.
pub fn status<'a>(object: &'a Value, field: &str) -> &'a str {
    object["status"][field].as_str().unwrap_or_default()
}

/// The Flink job id that a job's status names.
pub fn job_id(job: &Value) -> &str {
    status(job, "jobId")
}

/// The name of an object.
pub fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// A condition of an object.
pub fn find_condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

/// A path without the different ways of writing `file:`.
fn plain(url: &str) -> &str {
    url.strip_prefix("file:").unwrap_or(url).trim_start_matches('/').trim_end_matches('/')
}

/// Whether a job is ready and runs in Flink.
pub fn is_running(job: &Value) -> bool {
    let ready = find_condition(job, "Ready").is_some_and(|condition| condition["status"] == "True");
    ready && status(job, "jobStatus") == "RUNNING" && !job_id(job).is_empty()
}

fn belongs(name: &str, cluster: &str) -> bool {
    ["", "jobmanager-", "taskmanager-", "supervisor-", "bootstrap-"].iter().any(|role| {
        name.strip_prefix(role)
            .and_then(|rest| rest.strip_prefix(cluster))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    })
}

fn about(event: &Value, name: &str) -> bool {
    ["involvedObject", "regarding"].iter().any(|field| event[*field]["name"] == name)
}

fn brief(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(members) = status.as_object_mut() {
        members.remove("record");
        members.remove("digest");
    }
    if status.is_null() { json!({}) } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_belong_to_a_cluster_by_the_names_that_users_see() {
        for name in [
            "demo",
            "demo-counter",
            "jobmanager-demo",
            "taskmanager-demo-1-0",
            "supervisor-demo",
            "bootstrap-demo-counter",
        ] {
            assert!(belongs(name, "demo"), "{name}");
        }
        for name in ["demonstration", "jobmanager-other", "flink-operator"] {
            assert!(!belongs(name, "demo"), "{name}");
        }
    }
}
