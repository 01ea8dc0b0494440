//! Savepoints: triggered, periodic, forgotten, and the manual mode.

use std::path::Path;

use anyhow::{Result, ensure};
use integration_tests::counter;
use integration_tests::wait::until;
use integration_tests::world::{SOON, UP, job_id, status};
use serde_json::{Value, json};

use crate::{Shared, run};

/// SC-011, SC-012
pub async fn a_triggered_savepoint_is_recorded_where_users_expect_it_and_can_be_forgotten(world: Shared) -> Result<()> {
    let job = run(&world, "trigger", json!({})).await?;
    world.request("fj", "shared-trigger", "TRIGGER_SAVEPOINT").await?;
    let saved = world
        .when("fj", "shared-trigger", "has a savepoint", UP, |job| !status(job, "savepointPath").is_empty())
        .await?;
    world.consumed("fj", "shared-trigger").await?;
    let path = status(&saved, "savepointPath").to_owned();
    // Directly below the target: only a stop uses a directory of its own.
    let target = integration_tests::objects::url(world.state(), "savepoints/trigger");
    let below = path.trim_start_matches("file:").trim_start_matches('/');
    let inside = below.strip_prefix(target.trim_start_matches("file:").trim_start_matches('/')).unwrap_or_default();
    ensure!(inside.trim_matches('/').starts_with("savepoint-"), "{path} lies directly in {target}");
    ensure!(job_id(&saved) == job_id(&job), "a savepoint does not restart the job");

    world.request("fj", "shared-trigger", "FORGET_SAVEPOINT").await?;
    world.when("fj", "shared-trigger", "has forgotten it", SOON, |job| status(job, "savepointPath").is_empty()).await?;
    let after = world.consumed("fj", "shared-trigger").await?;
    ensure!(job_id(&after) == job_id(&job), "forgetting does not restart the job");
    Ok(())
}

/// SC-013
pub async fn savepoints_are_taken_periodically_and_deleted_when_there_are_enough(world: Shared) -> Result<()> {
    let savepoint = json!({ "savepointInterval": 3, "retention": { "maxCount": 2 } });
    let job = run(&world, "periodic", json!({ "savepoint": savepoint })).await?;
    let first = world
        .when("fj", "shared-periodic", "has a savepoint", UP, |job| !status(job, "savepointPath").is_empty())
        .await?;
    let path = status(&first, "savepointPath").to_owned();
    let another = |job: &Value| !status(job, "savepointPath").is_empty() && status(job, "savepointPath") != path;
    let second = world.when("fj", "shared-periodic", "has another savepoint", UP, another).await?;
    ensure!(job_id(&second) == job_id(&job), "a savepoint does not restart the job");
    let exists = |path: &str| Path::new(path.trim_start_matches("file:")).join("_metadata").exists();
    until("the first savepoint is deleted", UP, async || Ok((!exists(&path)).then_some(()))).await?;
    let last = world.when("fj", "shared-periodic", "is there", SOON, |_| true).await?;
    ensure!(exists(status(&last, "savepointPath")), "the newest is kept");
    world.patch("fj", "shared-periodic", &json!({ "spec": { "savepoint": { "savepointInterval": 0 } } })).await?;
    world.counted("periodic", job_id(&job), 100).await?;
    Ok(())
}

pub async fn manual_mode_stops_without_a_savepoint_and_resumes_from_the_recorded_one(world: Shared) -> Result<()> {
    let manual = json!({ "savepoint": { "savepointMode": "Manual" }, "restart": { "restartPolicy": "Never" } });
    let first = run(&world, "manual", manual).await?;
    world.counted("manual", job_id(&first), 50).await?;
    world.request("fj", "shared-manual", "TRIGGER_SAVEPOINT").await?;
    let saved = world
        .when("fj", "shared-manual", "has a savepoint", UP, |job| !status(job, "savepointPath").is_empty())
        .await?;
    let path = status(&saved, "savepointPath").to_owned();

    world.request("fj", "shared-manual", "STOP").await?;
    let stopped = world.stopped("shared-manual").await?;
    ensure!(status(&stopped, "savepointPath") == path, "a stop in manual mode takes no savepoint");
    world.request("fj", "shared-manual", "START").await?;
    let second = world.running_again("shared-manual", job_id(&first)).await?;
    ensure!(status(&second, "savepointPath") == path, "it resumes from the recorded savepoint");
    world.restored("shared", job_id(&second), &path).await?;

    // FORGET is the user's word: no savepoint and no checkpoint that exists by then is used afterwards.
    world.request("fj", "shared-manual", "STOP").await?;
    world.stopped("shared-manual").await?;
    world.request("fj", "shared-manual", "FORGET_SAVEPOINT").await?;
    world.when("fj", "shared-manual", "has forgotten it", SOON, |job| status(job, "savepointPath").is_empty()).await?;
    world.consumed("fj", "shared-manual").await?;
    world.request("fj", "shared-manual", "START").await?;
    let third = world.running_again("shared-manual", job_id(&second)).await?;
    // It counts from nothing again, as it was told to.
    let output = world.output("manual");
    until("the third execution commits the number 0", UP, async || {
        let report = counter::read(&output)?;
        Ok(report.duplicates.get(&0).is_some_and(|who| who.iter().any(|one| one == job_id(&third))).then_some(()))
    })
    .await
}
