//! Changes of a running job.

use anyhow::{Result, ensure};
use integration_tests::world::{UP, is_running, job_id, status};
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

pub async fn the_adaptive_scheduler_changes_the_parallelism_of_a_job_that_runs(world: Shared) -> Result<()> {
    let state = world.state().to_owned();
    let options = json!({
        "jobmanager.scheduler": "adaptive",
        // Flink 2, and before it: no pause after the last change.
        "jobmanager.adaptive-scheduler.executing.cooldown-after-rescaling": "0 s",
        "jobmanager.adaptive-scheduler.scaling-interval.min": "0 s",
    });
    let cluster = objects::cluster_spec(&state, json!({ "flinkConfiguration": options }));
    let job = objects::counter_spec(&state, "adaptive-job", json!({ "jobParallelism": 2 }));
    world.apply(&[objects::deployment("adaptive", &cluster, &[("job", job)])]).await?;
    let first = world.running("adaptive-job").await?;
    let id = job_id(&first).to_owned();
    let before = world.counted("adaptive-job", &id, 50).await?;
    for parallelism in [3, 2] {
        let begun = std::time::Instant::now();
        world.local.kubectl(&["scale", "fj", "adaptive-job", &format!("--replicas={parallelism}")]).await?;
        let now = world.when("fj", "adaptive-job", "is rescaled", UP, |job| {
            is_running(job) && job["status"]["jobParallelism"] == parallelism
        });
        let now = now.await?;
        ensure!(job_id(&now) == id, "the same execution goes on: {} and not {id}", job_id(&now));
        println!("parallelism {parallelism} after {:.1} s", begun.elapsed().as_secs_f64());
    }
    world.counted("adaptive-job", &id, before.committed() + 50).await?;
    world.local.kubectl(&["delete", "fd", "adaptive", "--timeout=90s"]).await?;
    world.leaves_nothing("adaptive").await
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
