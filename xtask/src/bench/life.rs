//! The life of one cluster with three jobs: how fast it comes up, how quiet it is, how much it takes, how short a restart is.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::world::{World, job_id};
use serde_json::json;

use super::figures::Figure;
use crate::ui::{self, Step};

const JOBS: [&str; 3] = ["one", "two", "three"];

/// Measures one cluster from apply to deletion.
pub async fn measure(world: &World, window: u64) -> Result<Vec<Figure>> {
    let mut figures = vec![up(world).await?];
    figures.extend(rest(world, window).await?);
    figures.extend(restart(world).await?);
    world.local.kubectl(&["delete", "fd", "life", "--timeout=90s"]).await?;
    world.leaves_nothing("life").await?;
    Ok(figures)
}

async fn up(world: &World) -> Result<Figure> {
    let step = Step::start("Measure from apply to three jobs RUNNING");
    let state = world.state().to_owned();
    let jobs = JOBS.map(|name| {
        (name, counter_spec(&state, &format!("life-{name}"), json!({ "restart": { "restartPolicy": "Never" } })))
    });
    let started = Instant::now();
    world.apply(&[objects::deployment("life", &cluster_spec(&state, json!({ "taskManagers": 2 })), &jobs)]).await?;
    for name in JOBS {
        world.running(&format!("life-{name}")).await?;
    }
    let taken = started.elapsed().as_secs_f64();
    step.done();
    Ok(Figure::promised("apply to three jobs RUNNING", taken, "s", 30.0))
}

/// A minute in which jobs checkpoint every second and nobody asks for anything.
async fn rest(world: &World, window: u64) -> Result<Vec<Figure>> {
    let step = Step::start("Count writes at rest, with a checkpoint every second");
    // Settling ends with the last write; from then on nothing may be written.
    settled(world).await?;
    let before = versions(world).await?;
    let end = Instant::now() + Duration::from_secs(window);
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        step.progress(&format!("{} s to go", end.saturating_duration_since(Instant::now()).as_secs()));
    }
    let after = versions(world).await?;
    let written: Vec<&String> = after.iter().filter(|one| !before.contains(one)).collect();
    let supervisor = memory(world, "clusterName=life,role=supervisor").await?;
    let operator = memory(world, "component=flink-operator").await?;
    step.done();
    for object in &written {
        ui::say(format!("written at rest: {object}"));
    }
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    let written = written.len() as f64;
    Ok(vec![
        Figure::promised(format!("objects written in {window} s of rest"), written, "", 0.0),
        Figure::promised("memory of the operator (RSS)", operator, "MiB", 16.0),
        Figure::promised("memory of the supervisor (RSS)", supervisor, "MiB", 16.0),
    ])
}

async fn restart(world: &World) -> Result<Vec<Figure>> {
    let step = Step::start("Measure a stop with savepoint and a start from it");
    let before = world.running("life-one").await?;
    let asked = Instant::now();
    world.request("fj", "life-one", "STOP").await?;
    world.stopped("life-one").await?;
    let stopped = asked.elapsed();
    let asked = Instant::now();
    world.request("fj", "life-one", "START").await?;
    let after = world.running_again("life-one", job_id(&before)).await?;
    let started = asked.elapsed();
    world.counted("life-one", job_id(&after), 50).await?;
    step.done();
    Ok(vec![
        Figure::plain("STOP to stopped with a savepoint", stopped.as_secs_f64(), "s"),
        Figure::plain("START to RUNNING from the savepoint", started.as_secs_f64(), "s"),
        Figure::plain("down time of the two together", (stopped + started).as_secs_f64(), "s"),
    ])
}

/// Waits until five seconds pass without a write.
async fn settled(world: &World) -> Result<()> {
    let mut last = versions(world).await?;
    let mut since = Instant::now();
    integration_tests::wait::until("the cluster settles", Duration::from_mins(1), async || {
        let now = versions(world).await?;
        if now != last {
            last = now;
            since = Instant::now();
        }
        Ok((since.elapsed() > Duration::from_secs(5)).then_some(()))
    })
    .await
}

/// Every object that operator or supervisor could write, with its version.
async fn versions(world: &World) -> Result<Vec<String>> {
    let mut versions = Vec::new();
    for kind in ["fd", "fc", "fj", "pod", "job", "deployment", "service", "event", "lease"] {
        for object in world.local.list(kind, "").await? {
            versions.push(format!("{kind}/{} {}", object["metadata"]["name"], object["metadata"]["resourceVersion"]));
        }
    }
    Ok(versions)
}

/// Resident memory of a pod's processes in MiB, as the kernel says.
async fn memory(world: &World, selector: &str) -> Result<f64> {
    let pod = world.pod(selector).await?;
    let mut largest = 0.0_f64;
    for process in world.local.processes_of(&pod).await? {
        let status = fs::read_to_string(format!("/proc/{}/status", process.pid))
            .context("a process ended while it was measured")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
        largest = largest.max(kib / 1024.0);
    }
    Ok(largest)
}
