//! What keeps a cluster from running, and so its jobs.

use anyhow::{Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::world::World;
use serde_json::{Value, json};

use crate::{Shared, advises, explained};

async fn create(world: &World, name: &str, patch: Value) -> Result<()> {
    let cluster = objects::cluster(name, &cluster_spec(world.state(), patch));
    world.apply(&[cluster, objects::job(name, "job", &counter_spec(world.state(), name, json!({})))]).await
}

pub async fn a_flink_image_that_is_nowhere_is_named(world: Shared) -> Result<()> {
    create(&world, "runtime", json!({ "runtime": { "image": "nowhere/nothing:1" } })).await?;
    let words = ["blocked", "ImageError", "nowhere/nothing:1", "jobmanager-runtime-1"];
    let (_, explanation) = explained(&world, &["cluster", "runtime"], &words).await?;
    advises(&explanation, "kubectl edit fc runtime")?;
    // The job says what the cluster waits for.
    let words = ["FlinkCluster runtime", "nowhere/nothing:1"];
    let (_, explanation) = explained(&world, &["job", "runtime", "job"], &words).await?;
    ensure!(explanation["verdict"] == "Blocked", "{explanation}");
    advises(&explanation, "kubectl edit fc runtime")
}

pub async fn too_little_memory_for_the_jobmanager_is_told_in_flinks_words(world: Shared) -> Result<()> {
    create(&world, "memory", json!({ "flinkConfiguration": { "jobmanager.memory.process.size": "100m" } })).await?;
    let words =
        ["JobManagerFailing", "JobManagers in a row", "emory", "jobmanager.memory.process.size", "another JobManager"];
    let (_, explanation) = explained(&world, &["cluster", "memory"], &words).await?;
    advises(&explanation, "kubectl edit fc memory")?;
    let (_, explanation) =
        explained(&world, &["job", "memory", "job"], &["FlinkCluster memory", "JobManagerFailing"]).await?;
    advises(&explanation, "kubectl edit fc memory")?;
    world
        .patch(
            "fc",
            "memory",
            &json!({ "spec": { "flinkConfiguration": { "jobmanager.memory.process.size": "800m" } } }),
        )
        .await?;
    world.running("memory-job").await.map(drop)
}
