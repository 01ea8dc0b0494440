//! The main job, step by step: three jobs come up; one is saved, stopped and started again; its numbers prove that nothing was lost.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration_tests::counter;
use integration_tests::flink::Flink;
use integration_tests::local::Local;
use integration_tests::wait::until;
use serde_json::Value;

use super::stage::{NAMESPACE, STATE};
use crate::ui::{self, Step};
use crate::workspace;

/// The cluster of `examples/deployment.yaml`.
pub const CLUSTER: &str = "demo";
/// Its jobs.
const JOBS: &[&str] = &["demo-counter", "demo-clicks", "demo-batch"];
/// The one that the story is about.
const COUNTER: &str = "demo-counter";

/// Far more than it takes: two cores need less than thirty seconds.
const UP: Duration = Duration::from_mins(2);
const ACTION: &str = "operator.nextbreakpoint.com/requested-action";

/// Tells the story on a running instance.
pub async fn tell(local: &Local) -> Result<()> {
    operator_is_ready(local).await?;
    apply(local).await?;
    show(local, &["get", "fd,fc,fj"]).await?;
    let first = job(local, COUNTER).await?;
    savepoint(local).await?;
    let saved = stop(local).await?;
    let second = start(local, &first).await?;
    prove(&first, &second).await?;
    next(local, &saved).await
}

async fn operator_is_ready(local: &Local) -> Result<()> {
    let step = Step::start("Wait for the operator");
    until("the operator is available", UP, async || {
        let deployment = local.get("deployment", "flink-operator").await?.context("there is no operator")?;
        Ok((deployment["status"]["availableReplicas"].as_i64() > Some(0)).then_some(()))
    })
    .await?;
    step.done();
    Ok(())
}

async fn apply(local: &Local) -> Result<()> {
    let manifest = workspace::root().join("examples/deployment.yaml");
    let step = Step::start("Apply examples/deployment.yaml and wait for three jobs");
    let applied = Instant::now();
    local.kubectl(&["apply", "-f", &manifest.to_string_lossy()]).await?;
    until("three jobs are RUNNING", UP, async || {
        let mut running = Vec::new();
        for name in JOBS {
            // A batch job may have come to its end while the others still start.
            let state = status(&job(local, name).await?, "jobStatus").to_owned();
            if state == "RUNNING" || state == "FINISHED" {
                running.push(*name);
            }
        }
        step.progress(&format!("{} of {}", running.len(), JOBS.len()));
        Ok((running.len() == JOBS.len()).then_some(()))
    })
    .await?;
    step.done_with(&format!("three jobs are RUNNING, {} after apply", ui::seconds(applied.elapsed())));
    Ok(())
}

async fn savepoint(local: &Local) -> Result<()> {
    let step = Step::start("Trigger a savepoint of the counter");
    request(local, "TRIGGER_SAVEPOINT").await?;
    let path = until("the savepoint is recorded", UP, async || {
        let path = status(&job(local, COUNTER).await?, "savepointPath").to_owned();
        Ok((!path.is_empty()).then_some(path))
    })
    .await?;
    step.done_with(&path);
    Ok(())
}

async fn stop(local: &Local) -> Result<String> {
    let step = Step::start("Stop the counter");
    request(local, "STOP").await?;
    let path = until("the counter is stopped", UP, async || {
        let job = job(local, COUNTER).await?;
        Ok((status(&job, "supervisorStatus") == "Stopped").then(|| status(&job, "savepointPath").to_owned()))
    })
    .await?;
    step.done_with(&format!("saved in {path}"));
    Ok(path)
}

async fn start(local: &Local, first: &Value) -> Result<Value> {
    let step = Step::start("Start the counter from its savepoint");
    request(local, "START").await?;
    let job = until("the counter is RUNNING again", UP, async || {
        let job = job(local, COUNTER).await?;
        let another = !status(&job, "jobId").is_empty() && status(&job, "jobId") != status(first, "jobId");
        Ok((another && status(&job, "jobStatus") == "RUNNING").then_some(job))
    })
    .await?;
    step.done_with(&format!("Flink job {}", status(&job, "jobId")));
    Ok(job)
}

async fn prove(first: &Value, second: &Value) -> Result<()> {
    let step = Step::start("Check every number that the counter committed");
    let output = output();
    let report = until("the second run commits numbers", UP, async || {
        let report = counter::read(&output)?;
        Ok((report.committed_by(status(second, "jobId")) > 100).then_some(report))
    })
    .await?;
    report.exact()?;
    let (before, after) = (report.committed_by(status(first, "jobId")), report.committed_by(status(second, "jobId")));
    ensure!(report.executions() == 2, "two executions committed, not {}", report.executions());
    step.done_with(&format!("{before} before the stop and {after} after it, none missing, none twice"));
    Ok(())
}

async fn next(local: &Local, savepoint: &str) -> Result<()> {
    let pod = local.list("pod", &format!("clusterName={CLUSTER},role=jobmanager")).await?;
    let address =
        pod.first().and_then(|pod| pod["status"]["podIP"].as_str()).context("the JobManager has an address")?;
    show(local, &["get", "fd,fc,fj"]).await?;
    println!("Flink web UI:    {}", Flink::at(address)?.url());
    println!("Kubeconfig:      {}", local.kubeconfig().display());
    println!("Last savepoint:  {savepoint}");
    println!("Try:");
    println!("  export KUBECONFIG={}", local.kubeconfig().display());
    println!("  kubectl -n {NAMESPACE} get fj -w");
    println!("  kubectl -n {NAMESPACE} scale fj demo-clicks --replicas=2");
    println!("  kubectl -n {NAMESPACE} annotate fj {COUNTER} --overwrite {ACTION}=STOP");
    Ok(())
}

/// Prints what kubectl prints.
async fn show(local: &Local, arguments: &[&str]) -> Result<()> {
    println!("\n$ kubectl {}\n{}", arguments.join(" "), local.kubectl(arguments).await?);
    Ok(())
}

async fn request(local: &Local, action: &str) -> Result<()> {
    local.kubectl(&["annotate", "fj", COUNTER, "--overwrite", &format!("{ACTION}={action}")]).await.map(drop)
}

async fn job(local: &Local, name: &str) -> Result<Value> {
    local.get("fj", name).await?.with_context(|| format!("there is no FlinkJob {name}"))
}

fn status<'a>(job: &'a Value, field: &str) -> &'a str {
    job["status"][field].as_str().unwrap_or_default()
}

fn output() -> PathBuf {
    Path::new(STATE).join("output/counter")
}
