//! Commands by annotation.

use anyhow::{Result, ensure};
use integration_tests::world::{job_id, status};
use serde_json::json;

use crate::{Shared, run};

/// SC-007, SC-008, SC-059
pub async fn a_stopped_job_goes_on_from_its_savepoint(world: Shared) -> Result<()> {
    let first = run(&world, "stop", json!({ "restart": { "restartPolicy": "Never" } })).await?;
    world.counted("stop", job_id(&first), 100).await?;

    world.request("fj", "shared-stop", "STOP").await?;
    let stopped = world.stopped("shared-stop").await?;
    world.consumed("fj", "shared-stop").await?;
    ensure!(status(&stopped, "savepointPath").contains("savepoints/stop"), "a stop is saved: {}", stopped["status"]);
    ensure!(job_id(&stopped).is_empty(), "a stopped job has no Flink job");
    let before = integration_tests::counter::read(&world.output("stop"))?;
    before.exact()?;

    world.request("fj", "shared-stop", "START").await?;
    let second = world.running_again("shared-stop", job_id(&first)).await?;
    let report = world.counted("stop", job_id(&second), 100).await?;
    ensure!(report.executions() == 2, "both executions committed: {}", report.executions());
    Ok(())
}

/// SC-010, F-05
pub async fn a_start_without_savepoint_begins_anew_and_only_once(world: Shared) -> Result<()> {
    let first = run(&world, "anew", json!({ "restart": { "restartPolicy": "Never" } })).await?;
    world.counted("anew", job_id(&first), 50).await?;
    world.request("fj", "shared-anew", "STOP").await?;
    world.stopped("shared-anew").await?;

    let without = "operator.nextbreakpoint.com/without-savepoint";
    let start = "operator.nextbreakpoint.com/requested-action=START";
    world.local.kubectl(&["annotate", "fj", "shared-anew", "--overwrite", start, &format!("{without}=true")]).await?;
    let second = world.running_again("shared-anew", job_id(&first)).await?;
    ensure!(status(&second, "savepointPath").is_empty(), "it began anew: {}", second["status"]["savepointPath"]);
    let cleared = |job: &serde_json::Value| job["metadata"]["annotations"][without].as_str() != Some("true");
    world.when("fj", "shared-anew", "has used up the annotation", integration_tests::world::SOON, cleared).await?;

    // The word counts once: the next stop and start keep the state.
    world.request("fj", "shared-anew", "STOP").await?;
    let stopped = world.stopped("shared-anew").await?;
    ensure!(!status(&stopped, "savepointPath").is_empty(), "the second stop is saved");
    world.request("fj", "shared-anew", "START").await?;
    let third = world.running_again("shared-anew", job_id(&second)).await?;
    ensure!(!status(&third, "savepointPath").is_empty(), "the third run goes on");
    Ok(())
}

/// SC-031
pub async fn a_deleted_job_leaves_nothing(world: Shared) -> Result<()> {
    let job = run(&world, "delete", json!({})).await?;
    world.counted("delete", job_id(&job), 20).await?;
    world.local.kubectl(&["delete", "fj", "shared-delete", "--wait=true", "--timeout=60s"]).await?;
    world.leaves_nothing("shared-delete").await?;
    world.flink_job_ends("shared", job_id(&job)).await
}
