//! Changes of a running job.

use anyhow::{Result, ensure};
use integration_tests::world::{UP, job_id, status};
use integration_tests::{counter, objects};
use serde_json::json;

use crate::{Shared, run};

pub async fn a_scaled_job_goes_on_from_a_savepoint(world: Shared) -> Result<()> {
    let first = run(&world, "scale", json!({})).await?;
    world.counted("scale", job_id(&first), 50).await?;
    world.local.kubectl(&["scale", "fj", "shared-scale", "--replicas=2"]).await?;
    let second = world.running_again("shared-scale", job_id(&first)).await?;
    ensure!(
        second["status"]["jobParallelism"] == 2,
        "the parallelism in force: {}",
        second["status"]["jobParallelism"]
    );
    ensure!(
        world
            .local
            .kubectl(&["get", "fj", "shared-scale", "--subresource=scale", "-o", "jsonpath={.status.replicas}"])
            .await?
            == "2"
    );
    world.counted("scale", job_id(&second), 50).await?;
    Ok(())
}

pub async fn changed_arguments_restart_the_job_from_a_savepoint(world: Shared) -> Result<()> {
    let first = run(&world, "arguments", json!({})).await?;
    world.counted("arguments", job_id(&first), 50).await?;
    let arguments = counter::arguments(&objects::url(world.state(), "output/arguments"), 400);
    world.patch("fj", "shared-arguments", &json!({ "spec": { "bootstrap": { "arguments": arguments } } })).await?;
    let second = world.running_again("shared-arguments", job_id(&first)).await?;
    ensure!(!status(&second, "savepointPath").is_empty(), "it restarted from a savepoint");
    world.counted("arguments", job_id(&second), 50).await?;
    Ok(())
}

/// SC-054
pub async fn a_job_is_suspended_with_parallelism_zero(world: Shared) -> Result<()> {
    let first = run(&world, "suspend", json!({})).await?;
    world.counted("suspend", job_id(&first), 50).await?;
    world.local.kubectl(&["scale", "fj", "shared-suspend", "--replicas=0"]).await?;
    let suspended = world.when("fj", "shared-suspend", "is suspended", UP, |job| {
        job["status"]["jobParallelism"] == 0 && job_id(job).is_empty()
    });
    ensure!(!status(&suspended.await?, "savepointPath").is_empty(), "a suspended job keeps its state");
    world.local.kubectl(&["scale", "fj", "shared-suspend", "--replicas=1"]).await?;
    let second = world.running_again("shared-suspend", job_id(&first)).await?;
    world.counted("suspend", job_id(&second), 50).await?;
    Ok(())
}
