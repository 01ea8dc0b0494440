//! The example deployment comes up, each of its jobs stops with a savepoint and goes on from it, and everything is gone in the end.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use integration_tests::flink::Flink;
use integration_tests::objects;
use integration_tests::world::{World, job_id, status};
use serde_json::Value;

/// The cluster of the example.
pub const CLUSTER: &str = "demo";
/// Those that can be saved. Flink cannot save a batch job, which is why there is one more than in the example.
const JOBS: [&str; 3] = ["demo-counter", "demo-clicks", "demo-third"];
const BATCH: &str = "demo-batch";
/// Where the example keeps the state of its jobs.
const STATE: &str = "/tmp/flinkctl-demo";

pub async fn the_example_runs_is_saved_goes_on_and_leaves_nothing(world: Arc<World>) -> Result<()> {
    let applied = Instant::now();
    world.apply(&[example(world.state())?]).await?;
    let mut executions = Vec::new();
    for name in JOBS {
        executions.push(job_id(&world.running(name).await?).to_owned());
    }
    world.running(BATCH).await?;
    println!("all jobs RUNNING {:.1} s after apply", applied.elapsed().as_secs_f64());

    logs(&world).await?;
    inside(&world).await?;
    for name in JOBS {
        world.request("fj", name, "STOP").await?;
    }
    let mut savepoints = Vec::new();
    for name in JOBS {
        let stopped = world.stopped(name).await?;
        let path = status(&stopped, "savepointPath").to_owned();
        ensure!(path.contains("/savepoints/"), "{name} was not saved: {}", stopped["status"]);
        savepoints.push(path);
    }

    for name in JOBS {
        world.request("fj", name, "START").await?;
    }
    for ((name, before), savepoint) in JOBS.into_iter().zip(&executions).zip(&savepoints) {
        let job = world.running_again(name, before).await?;
        world.restored(CLUSTER, job_id(&job), savepoint).await.with_context(|| name.to_owned())?;
    }

    world.local.kubectl(&["delete", "fd", CLUSTER, "--wait=true", "--timeout=90s"]).await?;
    world.leaves_nothing(CLUSTER).await
}

/// Logs come from where the pods run, through the API server.
async fn logs(world: &World) -> Result<()> {
    let pod = world.pod(&format!("clusterName={CLUSTER},role=jobmanager")).await?;
    let whole = world.local.kubectl(&["logs", &pod]).await?;
    ensure!(whole.contains("JobManager") || whole.contains("Dispatcher"), "the log of {pod} is Flink's: {whole}");
    let last = world.local.kubectl(&["logs", &pod, "--tail=1"]).await?;
    ensure!(last.lines().count() == 1, "one line was asked for: {last}");
    let bootstrap = world.local.list("pod", "role=bootstrap").await?;
    let name = bootstrap.first().and_then(|pod| pod["metadata"]["name"].as_str()).context("a bootstrap has run")?;
    let ended = world.local.kubectl(&["logs", "-f", name]).await?;
    ensure!(!ended.is_empty(), "the log of a pod that has ended comes, and ends");
    Ok(())
}

/// Commands in a pod, and a connection to Flink's REST API through a Service, both through the API server.
async fn inside(world: &World) -> Result<()> {
    let pod = world.pod(&format!("clusterName={CLUSTER},role=jobmanager")).await?;
    let name = world.local.kubectl(&["exec", &pod, "--", "printenv", "HOSTNAME"]).await?;
    ensure!(name.trim_end() == pod, "a command runs in the pod that was named, not in {name}");
    let failed = world.local.kubectl(&["exec", &pod, "--", "sh", "-c", "exit 3"]).await;
    ensure!(failed.is_err_and(|why| why.to_string().contains("exit code 3")), "a failure is told with its code");
    let forward = world.local.forward(&format!("svc/jobmanager-{CLUSTER}"), 8081).await?;
    let flink = Flink::behind(forward.address())?;
    ensure!(flink.live_jobs().await?.len() == JOBS.len() + 1, "Flink is reached at {}", forward.address());
    Ok(())
}

/// The example with a third job that counts, and another directory for state, so that a demo may run beside this.
fn example(state: &Path) -> Result<Value> {
    let text = objects::example("deployment")?.to_string();
    ensure!(text.contains(STATE), "the example keeps its state elsewhere than in {STATE}");
    let mut deployment: Value = serde_json::from_str(&text.replace(STATE, &state.to_string_lossy()))?;
    let jobs = deployment["spec"]["jobs"].as_array_mut().context("the example has jobs")?;
    let first = jobs.first().context("the example has a job")?.to_string();
    jobs.push(serde_json::from_str(&first.replace("counter", "third"))?);
    Ok(deployment)
}
