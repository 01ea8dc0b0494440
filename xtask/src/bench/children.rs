//! From the creation of a deployment to its children.
//!
//! The deployments name an image that does not exist, so that no JVM disturbs the measurement: what counts is operator and API server.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use integration_tests::objects;
use integration_tests::world::World;
use kube::api::{DeleteParams, DynamicObject, PostParams, WatchParams};
use serde_json::json;

use super::figures::{Figure, percentile};
use crate::ui::Step;

/// Each deployment has a cluster, its supervisor, and a job.
const CHILDREN: [&str; 3] = ["fc", "fj", "deployment"];

/// Creates deployments one after the other and measures each.
pub async fn measure(world: &World, deployments: usize) -> Result<Vec<Figure>> {
    let step = Step::start("Measure from deployment to children");
    let mut samples = Vec::new();
    for number in 0..deployments {
        step.progress(&format!("{number} of {deployments}"));
        samples.push(one(world, &format!("bench{number}")).await?);
    }
    let median = percentile(&mut samples, 0.5);
    let high = percentile(&mut samples, 0.99);
    step.done_with(&format!("{deployments} deployments"));
    Ok(vec![
        Figure::plain("deployment created to children created, p50", median, "ms"),
        Figure::promised("deployment created to children created, p99", high, "ms", 250.0),
    ])
}

async fn one(world: &World, name: &str) -> Result<Duration> {
    let cluster = objects::cluster_spec(world.state(), json!({ "runtime": { "image": "nowhere/flink:1" } }));
    let job = objects::counter_spec(world.state(), name, json!({}));
    let object: DynamicObject = serde_json::from_value(objects::deployment(name, &cluster, &[("job", job)]))?;
    let deployments = world.local.api("fd")?;
    // The watches are open before the clock starts.
    let mut children = Vec::new();
    for kind in CHILDREN {
        let api = world.local.api(kind)?;
        let version = api
            .list(&kube::api::ListParams::default().limit(1))
            .await?
            .metadata
            .resource_version
            .context("a list has a version")?;
        children.push(api.watch(&WatchParams::default(), &version).await?.boxed());
    }
    let started = Instant::now();
    deployments.create(&PostParams::default(), &object).await.context("cannot create a deployment")?;
    for (kind, stream) in CHILDREN.iter().zip(&mut children) {
        tokio::time::timeout(Duration::from_secs(10), until_named(stream, name))
            .await
            .with_context(|| format!("no {kind} of {name} within ten seconds"))??;
    }
    let taken = started.elapsed();
    deployments.delete(name, &DeleteParams::background()).await?;
    world.gone("fd", name).await?;
    Ok(taken)
}

async fn until_named(
    stream: &mut (impl futures::Stream<Item = kube::Result<kube::api::WatchEvent<DynamicObject>>> + Unpin),
    name: &str,
) -> Result<()> {
    while let Some(event) = stream.try_next().await? {
        if let kube::api::WatchEvent::Added(object) = event
            && object.metadata.name.is_some_and(|found| {
                found == name || found == format!("{name}-job") || found == format!("supervisor-{name}")
            })
        {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended")
}
