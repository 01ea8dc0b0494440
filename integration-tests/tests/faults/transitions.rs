//! Something is killed in the middle of a transition.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::wait::until;
use integration_tests::world::{UP, World, job_id, name_of, status};
use serde_json::{Value, json};

use crate::{counting, finish};

pub async fn a_supervisor_killed_in_the_middle_of_a_stop_finishes_it(world: Arc<World>) -> Result<()> {
    let first = counting(&world, "midstop").await?;
    world.patch("fj", "midstop-job", &json!({ "spec": { "restart": { "restartPolicy": "Never" } } })).await?;
    world.request("fj", "midstop-job", "STOP").await?;
    world.when("fj", "midstop-job", "is stopping", UP, |job| status(job, "supervisorStatus") == "Stopping").await?;
    world.local.kill(&world.pod("clusterName=midstop,role=supervisor").await?).await?;

    let stopped = world.stopped("midstop-job").await?;
    ensure!(
        status(&stopped, "savepointPath").contains("savepoint"),
        "the savepoint was found again: {}",
        stopped["status"]
    );
    world.consumed("fj", "midstop-job").await?;
    world.request("fj", "midstop-job", "START").await?;
    let second = world.running_again("midstop-job", job_id(&first)).await?;
    world.restored("midstop", job_id(&second), status(&stopped, "savepointPath")).await?;
    let report = world.counted("midstop-job", job_id(&second), 50).await?;
    ensure!(report.executions() == 2, "it was stopped once and started once: {}", report.executions());
    finish(&world, "midstop").await
}

/// SC-578, F-03
pub async fn a_job_manager_killed_in_the_middle_of_a_stop_costs_no_number(world: Arc<World>) -> Result<()> {
    let first = counting(&world, "lost").await?;
    world.request("fj", "lost-job", "STOP").await?;
    world.when("fj", "lost-job", "is stopping", UP, |job| status(job, "supervisorStatus") == "Stopping").await?;
    // The stop may already have ended; then there is less to lose, and the rest must hold all the same.
    world.local.kill(&world.pod("clusterName=lost,role=jobmanager").await?).await?;
    world.consumed("fj", "lost-job").await?;
    world.started("lost").await?;
    let settled = |job: &Value| matches!(status(job, "supervisorStatus"), "Stopped" | "Started");
    let job = world.when("fj", "lost-job", "has settled", UP, settled).await?;
    if status(&job, "supervisorStatus") == "Stopped" {
        world.request("fj", "lost-job", "START").await?;
    }
    let second = world.running_again("lost-job", job_id(&first)).await?;
    world.counted("lost-job", job_id(&second), 50).await?;
    finish(&world, "lost").await
}

/// F-12
pub async fn a_bootstrap_killed_in_the_middle_submits_once(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    world
        .apply(&[objects::deployment(
            "bootstrap",
            &cluster_spec(&state, json!({})),
            &[("job", counter_spec(&state, "bootstrap-job", json!({})))],
        )])
        .await?;
    // As soon as the pod has a process: before, during or after the submission, whichever it happens to be.
    until("a bootstrap pod is killed", UP, async || {
        let pods = world.local.list("pod", "clusterName=bootstrap,role=bootstrap").await?;
        let pod = name_of(pods.first().context("there is no pod yet")?);
        world.local.kill(pod).await.map(Some)
    })
    .await?;
    let job = world.running("bootstrap-job").await?;
    world.counted("bootstrap-job", job_id(&job), 50).await?;
    let live = world.flink("bootstrap").await?.live_jobs().await?;
    ensure!(live == [job_id(&job)], "one execution runs, the one that status names: {live:?}");
    finish(&world, "bootstrap").await
}

pub async fn an_operator_killed_in_the_middle_of_a_creation_finishes_it(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let job = |name: &str| counter_spec(&state, &format!("creation-{name}"), json!({}));
    let deployment =
        objects::deployment("creation", &cluster_spec(&state, json!({})), &[("one", job("one")), ("two", job("two"))]);
    world.apply(&[deployment]).await?;
    let operators = world.local.list("pod", "component=flink-operator").await?;
    world.local.kill(name_of(operators.first().context("there is an operator")?)).await?;
    for name in ["one", "two"] {
        let running = world.running(&format!("creation-{name}")).await?;
        world.counted(&format!("creation-{name}"), job_id(&running), 20).await?;
    }
    finish(&world, "creation").await
}
