//! Flink's own processes are killed.

use std::sync::Arc;

use anyhow::{Result, ensure};
use integration_tests::wait::until;
use integration_tests::world::{UP, World, job_id, name_of};

use crate::{counting, finish};

/// SC-578, F-03
pub async fn a_killed_job_manager_costs_no_number(world: Arc<World>) -> Result<()> {
    let first = counting(&world, "jobmanager").await?;
    let lost = world.pod("clusterName=jobmanager,role=jobmanager").await?;
    let workers = world.local.list("pod", "clusterName=jobmanager,role=taskmanager").await?;
    ensure!(!workers.is_empty(), "there are TaskManagers");
    world.local.kill(&lost).await?;

    let second = world.running_again("jobmanager-job", job_id(&first)).await?;
    // The tasks of the lost JobManager would go on writing for up to a heartbeat timeout: their TaskManagers are gone by now.
    for worker in &workers {
        let left = world.local.get("pod", name_of(worker)).await?;
        ensure!(
            left.is_none(),
            "{} of the lost incarnation is gone before the job is submitted again",
            name_of(worker)
        );
    }
    ensure!(world.local.get("pod", &lost).await?.is_none(), "a lost JobManager never comes back under the same name");
    let flink = world.flink("jobmanager").await?;
    let restored =
        until("Flink says from what it was restored", UP, async || flink.restored_from(job_id(&second)).await).await?;
    ensure!(restored.contains("chk-"), "it goes on from the newest checkpoint, not from `{restored}`");
    let report = world.counted("jobmanager-job", job_id(&second), 50).await?;
    ensure!(report.executions() == 2, "both executions committed: {}", report.executions());
    finish(&world, "jobmanager").await
}

/// SC-578, F-16
pub async fn a_killed_task_manager_costs_no_number(world: Arc<World>) -> Result<()> {
    let first = counting(&world, "taskmanager").await?;
    let lost = world.pod("clusterName=taskmanager,role=taskmanager").await?;
    world.local.kill(&lost).await?;
    until("another TaskManager takes its place", UP, async || {
        let pods = world.local.list("pod", "clusterName=taskmanager,role=taskmanager").await?;
        Ok(pods.iter().any(|pod| name_of(pod) != lost && pod["status"]["phase"] == "Running").then_some(()))
    })
    .await?;
    // Either the same execution goes on or another takes over, as Flink's own restart strategy has it; the numbers decide.
    let now = world.running("taskmanager-job").await?;
    let so_far = integration_tests::counter::read(&world.output("taskmanager-job"))?.committed_by(job_id(&now));
    world.counted("taskmanager-job", job_id(&now), so_far + 100).await?;
    ensure!(job_id(&now) == job_id(&first), "a lost TaskManager is Flink's own business: the job keeps its id");
    finish(&world, "taskmanager").await
}
