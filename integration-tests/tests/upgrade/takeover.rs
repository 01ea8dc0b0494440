//! A running cluster of the original: its supervisor goes before ours comes, and Flink notices nothing of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use integration_tests::world::{UP, World, job_id, status};
use kube::api::{WatchEvent, WatchParams};
use serde_json::Value;

use crate::left::{self, CLUSTER, COUNTER, Left};
use crate::{with_operator, without_operator};

/// F-28
pub async fn what_the_original_left_running_goes_on_and_is_ours(world: Arc<World>) -> Result<()> {
    without_operator(&world).await?;
    let left = left::behind(&world).await?;
    with_operator(&world).await?;

    let job = world.running(COUNTER).await?;
    one_supervisor_after_the_other(&world, &left).await?;
    nothing_was_restarted(&world, &left, &job).await?;
    // What the original could not work with works.
    let terse = world.running("legacy-terse").await?;
    ensure!(status(&terse, "savepointMode") == "Automatic" && status(&terse, "restartPolicy") == "Never", "{terse}");
    let idle = world.when("fj", "legacy-idle", "is looked at", UP, |job| !job["status"]["record"].is_null()).await?;
    ensure!(status(&idle, "supervisorStatus") == "Stopped", "a stopped job stays stopped: {}", idle["status"]);
    ensure!(status(&idle, "savepointPath").starts_with("file:/somewhere/"), "its savepoint is kept");
    let cluster = world.started(CLUSTER).await?;
    let job = world.running(COUNTER).await?;
    nothing_was_restarted(&world, &left, &job).await?;
    belongs_to(&world, &cluster, &left).await?;
    let flag = &job["metadata"]["annotations"]["operator.nextbreakpoint.com/without-savepoint"];
    ensure!(flag == "false", "a flag of months ago does not count for the next command");
    world.counted(COUNTER, &left.job, 100).await?;

    let saved = stops_and_starts(&world, &left).await?;
    ensure!(left::flink_pods(&world).await? == left.flink, "the pods are still those of the original");
    restarts_of_containers_are_noticed(&world, &saved, &left).await?;
    world.local.kubectl(&["delete", "fd", CLUSTER, "--wait=true", "--timeout=90s"]).await?;
    world.leaves_nothing(CLUSTER).await
}

/// Follows the supervisor's pods from before the operator came.
async fn one_supervisor_after_the_other(world: &World, left: &Left) -> Result<()> {
    let mut old: BTreeSet<&String> = left.supervisors.iter().collect();
    let params = WatchParams::default().labels(left::SUPERVISORS).timeout(30);
    let mut events = world.local.api("pod")?.watch(&params, &left.version).await?.boxed();
    while let Some(event) = events.try_next().await? {
        match event {
            WatchEvent::Deleted(pod) => {
                let uid = pod.metadata.uid.unwrap_or_default();
                old.remove(&uid);
            }
            WatchEvent::Added(pod) if !left.supervisors.contains(&pod.metadata.uid.clone().unwrap_or_default()) => {
                ensure!(old.is_empty(), "a supervisor of ours came while {} of the original's were there", old.len());
                return Ok(());
            }
            WatchEvent::Error(error) => bail!("{error}"),
            _ => {}
        }
    }
    bail!("no supervisor of ours was seen")
}

async fn nothing_was_restarted(world: &World, left: &Left, job: &Value) -> Result<()> {
    ensure!(left::flink_pods(world).await? == left.flink, "JobManager and TaskManager are the same pods");
    ensure!(job_id(job) == left.job, "the Flink job is {}, not {}", job_id(job), left.job);
    let started = world.flink(CLUSTER).await?.started(&left.job).await?;
    ensure!(started == left.started, "the Flink job was started at {}, not at {started}", left.started);
    Ok(())
}

/// Everything has an owner now, so that nothing can be left behind again.
async fn belongs_to(world: &World, cluster: &Value, left: &Left) -> Result<()> {
    let owner = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"].clone();
    for (name, _) in &left.flink {
        let pod = world.local.get("pod", name).await?.context("the pod is there")?;
        ensure!(owner(&pod) == left::uid(cluster), "pod {name}: {}", pod["metadata"]["ownerReferences"]);
    }
    for (kind, name) in [("service", "jobmanager-legacy"), ("deployment", "supervisor-legacy")] {
        world.when(kind, name, "belongs to the cluster", UP, |object| owner(object) == left::uid(cluster)).await?;
    }
    let deployment = world.local.get("fd", CLUSTER).await?.context("the deployment is there")?;
    ensure!(owner(cluster) == left::uid(&deployment), "the cluster belongs to its deployment");
    Ok(())
}

/// Returns the Flink job id after the start.
async fn stops_and_starts(world: &World, left: &Left) -> Result<String> {
    world.request("fj", COUNTER, "STOP").await?;
    let stopped = world.stopped(COUNTER).await?;
    let path = status(&stopped, "savepointPath").to_owned();
    ensure!(path.contains("/savepoints/legacy/"), "it was saved: {}", stopped["status"]);
    world.request("fj", COUNTER, "START").await?;
    let job = world.running_again(COUNTER, &left.job).await?;
    world.restored(CLUSTER, job_id(&job), &path).await?;
    world.counted(COUNTER, job_id(&job), 50).await?;
    Ok(job_id(&job).to_owned())
}

/// The original's pods restart their containers in place: such a JobManager has forgotten its jobs, and is not the same any more.
async fn restarts_of_containers_are_noticed(world: &World, before: &str, left: &Left) -> Result<()> {
    let manager = world.pod("clusterName=legacy,role=jobmanager").await?;
    world.local.kill(&manager).await?;
    let job = world.running_again(COUNTER, before).await?;
    world.counted(COUNTER, job_id(&job), 50).await?;
    let pods = left::flink_pods(world).await?;
    ensure!(pods.iter().all(|pod| !left.flink.contains(pod)), "all of the original's pods were replaced: {pods:?}");
    Ok(())
}
