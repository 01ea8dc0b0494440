//! Restart policies, and jobs that end by themselves.

use anyhow::{Result, ensure};
use integration_tests::counter;
use integration_tests::world::{UP, job_id, status};
use serde_json::json;

use crate::{Shared, create, run};

/// SC-058, SC-582
pub async fn a_failed_job_is_restarted_only_if_its_policy_says_so(world: Shared) -> Result<()> {
    let failing = json!({
        "restart": { "restartPolicy": "Never" },
        "bootstrap": { "className": counter::FAILING_CLASS, "arguments": counter::failing_arguments(200) },
    });
    create(&world, "fail", failing).await?;
    let failed = world.when("fj", "shared-fail", "has failed", UP, |job| status(job, "jobStatus") == "FAILED").await?;
    let stopped = world.stopped("shared-fail").await?;
    ensure!(job_id(&stopped) == job_id(&failed), "policy Never leaves a failed job alone");
    world.explains("fj", "shared-fail", "planned failure after 200 records").await?;

    world.patch("fj", "shared-fail", &json!({ "spec": { "restart": { "restartPolicy": "OnlyIfFailed" } } })).await?;
    let other = |job: &serde_json::Value| !job_id(job).is_empty() && job_id(job) != job_id(&failed);
    world.when("fj", "shared-fail", "is tried again", UP, other).await?;
    world.local.kubectl(&["delete", "fj", "shared-fail", "--timeout=60s"]).await?;
    Ok(())
}

/// SC-035, SC-036
pub async fn a_finished_batch_job_stays_finished_unless_its_policy_is_always(world: Shared) -> Result<()> {
    let batch = json!({
        "restart": { "restartPolicy": "OnlyIfFailed" },
        "bootstrap": { "className": counter::BATCH_CLASS, "arguments": counter::batch_arguments(500) },
    });
    create(&world, "batch", batch).await?;
    let finished =
        world.when("fj", "shared-batch", "is finished", UP, |job| status(job, "jobStatus") == "FINISHED").await?;
    let stopped = world.stopped("shared-batch").await?;
    ensure!(job_id(&stopped) == job_id(&finished), "a finished job keeps its Flink job id");

    world.patch("fj", "shared-batch", &json!({ "spec": { "restart": { "restartPolicy": "Always" } } })).await?;
    let other = |job: &serde_json::Value| !job_id(job).is_empty() && job_id(job) != job_id(&finished);
    world.when("fj", "shared-batch", "runs again", UP, other).await?;
    world.local.kubectl(&["delete", "fj", "shared-batch", "--timeout=60s"]).await?;
    // The suite's other jobs were not disturbed by that.
    run(&world, "batch-neighbour", json!({})).await?;
    Ok(())
}
