//! What users get wrong: each ends in a condition and an event that say what is wrong, and mending the spec mends the job.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::objects::{EXAMPLES_IMAGE, EXAMPLES_JAR};
use integration_tests::wait::until;
use integration_tests::world::job_id;
use integration_tests::{counter, objects, setup};
use serde_json::{Value, json};

use crate::{Shared, create, run};

/// SC-041, SC-042
pub async fn a_wrong_class_is_explained_and_mended(world: Shared) -> Result<()> {
    create(&world, "class", json!({ "bootstrap": { "className": "com.example.Nowhere" } })).await?;
    world.explains("fj", "shared-class", "com.example.Nowhere").await?;
    mend(&world, "class", &json!({ "bootstrap": { "className": counter::CLASS } })).await
}

pub async fn a_missing_jar_is_explained_and_mended(world: Shared) -> Result<()> {
    create(&world, "jar", json!({ "bootstrap": { "jarPath": "/nowhere.jar" } })).await?;
    world.explains("fj", "shared-jar", "/nowhere.jar").await?;
    mend(&world, "jar", &json!({ "bootstrap": { "jarPath": EXAMPLES_JAR } })).await
}

/// SC-039, SC-040
pub async fn a_missing_image_is_explained_and_mended(world: Shared) -> Result<()> {
    create(&world, "image", json!({ "bootstrap": { "image": "nowhere/nothing:1" } })).await?;
    world.explains("fj", "shared-image", "nowhere/nothing:1").await?;
    mend(&world, "image", &json!({ "bootstrap": { "image": EXAMPLES_IMAGE } })).await
}

pub async fn a_missing_savepoint_is_explained_and_mended(world: Shared) -> Result<()> {
    let nowhere = objects::url(world.state(), "savepoints/nowhere");
    create(&world, "path", json!({ "savepoint": { "savepointPath": nowhere } })).await?;
    world.explains("fj", "shared-path", "savepoints/nowhere").await?;
    // Nothing was started from an older or an empty state meanwhile.
    ensure!(counter::read(&world.output("path"))?.executions() == 0, "nothing ran without the savepoint");

    let donor = run(&world, "donor", json!({})).await?;
    world.counted("donor", job_id(&donor), 20).await?;
    world.request("fj", "shared-donor", "TRIGGER_SAVEPOINT").await?;
    let has = |job: &Value| job["status"]["savepointPath"].as_str().is_some_and(|path| !path.is_empty());
    let donor = world.when("fj", "shared-donor", "has a savepoint", integration_tests::world::UP, has).await?;
    let path = donor["status"]["savepointPath"].as_str().context("it has one")?;
    world.patch("fj", "shared-path", &json!({ "spec": { "savepoint": { "savepointPath": path } } })).await?;
    let job = world.running("shared-path").await?;
    world.restored("shared", job_id(&job), path).await
}

/// F-40
pub async fn a_job_that_nobody_declared_is_shown_and_left_alone(world: Shared) -> Result<()> {
    // A declared job brings the cluster up; the same program is then run by hand.
    let declared = run(&world, "foreign", json!({})).await?;
    let flink = world.flink("shared").await?;
    let arguments = counter::arguments(&objects::url(world.state(), "output/by-hand"), 50);
    let jar = setup::examples()?.join(EXAMPLES_JAR.trim_start_matches('/'));
    let by_hand = flink.run_by_hand(&jar, counter::CLASS, &arguments).await?;
    let shows = |cluster: &Value| cluster["status"].to_string().contains(&by_hand);
    world.when("fc", "shared", "shows the job", integration_tests::world::SOON, shows).await?;
    let committed = world.counted("by-hand", &by_hand, 200).await?;
    ensure!(committed.executions() == 1, "it was not restarted");

    world.patch("fc", "shared", &json!({ "spec": { "supervisor": { "unmanagedJobs": "Cancel" } } })).await?;
    until("the job that nobody declared is canceled", Duration::from_mins(1), async || {
        Ok((flink.state(&by_hand).await? == "CANCELED").then_some(()))
    })
    .await?;
    ensure!(flink.state(job_id(&declared)).await? == "RUNNING", "the declared job is not touched");
    world.patch("fc", "shared", &json!({ "spec": { "supervisor": { "unmanagedJobs": "Keep" } } })).await
}

async fn mend(world: &Shared, name: &str, patch: &Value) -> Result<()> {
    let job = format!("shared-{name}");
    world.patch("fj", &job, &json!({ "spec": patch })).await?;
    let running = world.running(&job).await?;
    world.counted(name, job_id(&running), 20).await?;
    world.condition("fj", &job, "Ready", "True").await?;
    Ok(())
}
