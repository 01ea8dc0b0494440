//! Supervisor and operator are killed while nothing happens.

use std::sync::Arc;

use anyhow::{Result, ensure};
use integration_tests::counter;
use integration_tests::wait::until;
use integration_tests::world::{UP, World, job_id};

use crate::{counting, finish};

/// SC-579
pub async fn a_killed_supervisor_or_operator_disturbs_nobody(world: Arc<World>) -> Result<()> {
    let job = counting(&world, "bystander").await?;
    for selector in ["clusterName=bystander,role=supervisor", "component=flink-operator"] {
        let pods = world.local.list("pod", selector).await?;
        ensure!(pods.len() == 1, "there is one pod with {selector}");
        let pod = integration_tests::world::name_of(&pods[0]).to_owned();
        let before: Vec<i32> = world.local.processes_of(&pod).await?.iter().map(|process| process.pid).collect();
        world.local.kill(&pod).await?;
        until(&format!("{selector} runs again"), UP, async || {
            let now = world.local.list("pod", selector).await?;
            for one in &now {
                let processes = world.local.processes_of(integration_tests::world::name_of(one)).await?;
                if processes.iter().any(|process| !before.contains(&process.pid)) {
                    return Ok(Some(()));
                }
            }
            Ok(None)
        })
        .await?;
    }
    let so_far = counter::read(&world.output("bystander-job"))?.committed_by(job_id(&job));
    let report = world.counted("bystander-job", job_id(&job), so_far + 400).await?;
    ensure!(report.executions() == 1, "the job was not restarted");
    // They work again: a command is still obeyed.
    world.request("fj", "bystander-job", "STOP").await?;
    world.when("fj", "bystander-job", "has a savepoint", UP, |job| job["status"]["savepointPath"] != "").await?;
    finish(&world, "bystander").await
}
