//! What keeps a job from running, on a cluster that runs.

use anyhow::{Context, Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::world::World;
use serde_json::{Value, json};

use crate::{Shared, advises, explained, state_of};

/// A cluster of one TaskManager with two slots, and a job on it.
async fn create(world: &World, name: &str, patch: Value) -> Result<()> {
    let cluster = cluster_spec(world.state(), json!({ "maxTaskManagers": 1 }));
    world
        .apply(&[
            objects::cluster(name, &cluster),
            objects::job(name, "job", &counter_spec(world.state(), name, patch)),
        ])
        .await
}

fn never() -> Value {
    json!({ "restartPolicy": "Never" })
}

pub async fn a_wrong_class_is_named_with_the_field_to_mend(world: Shared) -> Result<()> {
    create(&world, "class", json!({ "bootstrap": { "className": "com.example.Nowhere" }, "restart": never() })).await?;
    let words = ["stalled", "WrongClass", "com.example.Nowhere", "spec.bootstrap.className"];
    let (_, explanation) = explained(&world, &["job", "class", "job"], &words).await?;
    ensure!(explanation["verdict"] == "Stalled", "{explanation}");
    ensure!(
        explanation["events"].as_array().is_some_and(|events| !events.is_empty()),
        "events are told: {explanation}"
    );
    advises(&explanation, "kubectl edit fj class-job")
}

pub async fn a_job_image_that_is_nowhere_is_named(world: Shared) -> Result<()> {
    create(&world, "image", json!({ "bootstrap": { "image": "nowhere/nothing:1" } })).await?;
    let words = ["blocked", "ImageError", "nowhere/nothing:1", "pullSecrets"];
    let (_, explanation) = explained(&world, &["job", "image", "job"], &words).await?;
    let given_up = explanation["next"].as_array().into_iter().flatten().any(|next| next["at"].is_string());
    ensure!(given_up, "when the submission is given up is told: {explanation}");
    advises(&explanation, "kubectl edit fj image-job")
}

pub async fn a_savepoint_that_is_nowhere_is_named_with_two_ways_out(world: Shared) -> Result<()> {
    let nowhere = objects::url(world.state(), "savepoints/nowhere");
    create(&world, "savepoint", json!({ "savepoint": { "savepointPath": nowhere }, "restart": never() })).await?;
    let words = ["stalled", "RestoreFailed", "savepoints/nowhere", "spec.savepoint.savepointPath", "begin anew"];
    let (_, explanation) = explained(&world, &["job", "savepoint", "job"], &words).await?;
    advises(&explanation, "flinkctl job start --cluster-name=savepoint --job-name=job --without-savepoint")
}

pub async fn a_job_that_wants_more_slots_than_there_can_be_says_how_many(world: Shared) -> Result<()> {
    create(&world, "slots", json!({ "jobParallelism": 5 })).await?;
    let words = ["blocked", "NotEnoughSlots", "it needs 5 task slots", "no more than 2", "spec.maxTaskManagers"];
    let (_, explanation) = explained(&world, &["job", "slots", "job"], &words).await?;
    advises(&explanation, "flinkctl cluster scale --cluster-name=slots")?;
    explained(&world, &["cluster", "slots"], &["NotEnoughSlots", "the jobs need 5 task slots"]).await.map(drop)
}

pub async fn a_job_that_runs_says_so_and_what_comes_next(world: Shared) -> Result<()> {
    create(&world, "well", json!({ "savepoint": { "savepointInterval": 3600 } })).await?;
    world.running("well-job").await?;
    let words = ["FlinkJob well-job: ready", "RUNNING", "a periodic savepoint is taken in 5"];
    let (text, explanation) = explained(&world, &["job", "well", "job"], &words).await?;
    ensure!(!text.contains("What to do") && explanation["causes"] == json!([]), "nothing is to be done: {text}");
    let (_, checks, _) = world.local.flinkctl(&["doctor", "-o", "json"]).await?;
    for (name, word, state) in [
        ("definition flinkjobs.nextbreakpoint.com", "this version", "ok"),
        ("rights of the operator", "flink-operator", "ok"),
        ("supervisor of well", "runs", "ok"),
        ("Flink of well", "answers", "ok"),
        ("checkpoints of well", "disk of each node", "warn"),
    ] {
        ensure!(state_of(&checks, name, word)? == state, "{name}: {checks}");
    }
    let scale = ["job", "scale", "well", "job", "--parallelism=2", "--dry-run", "-o", "json"];
    let (code, ahead, talk) = world.local.flinkctl(&scale).await?;
    let ahead: Value = serde_json::from_str(&ahead).with_context(|| format!("a dry run says: {talk}"))?;
    ensure!(code == Some(0) && ahead["changes"][0]["consequence"] == "Restarts", "{ahead}");
    let job = world.local.get("fj", "well-job").await?.unwrap_or_default();
    ensure!(job["spec"]["jobParallelism"] == 1, "a dry run changes nothing: {job}");
    let (code, _, talk) = world.local.flinkctl(&["explain", "job", "well", "nobody"]).await?;
    ensure!(code == Some(1) && talk.contains("well-nobody"), "{code:?}: {talk}");
    Ok(())
}
