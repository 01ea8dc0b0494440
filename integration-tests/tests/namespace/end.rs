//! `kubectl delete namespace`, with clusters and jobs in full swing.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::process::Process;
use integration_tests::world::{World, job_id};
use serde_json::json;

/// D-06
pub async fn a_namespace_that_is_deleted_takes_everything_with_it(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let spec = cluster_spec(&state, json!({}));
    world
        .apply(&[
            objects::deployment("end", &spec, &[("one", counter_spec(&state, "end-one", json!({})))]),
            // A cluster and a job of nobody's.
            objects::cluster("end-bare", &spec),
            objects::job("end-bare", "two", &counter_spec(&state, "end-bare-two", json!({}))),
        ])
        .await?;
    for job in ["end-one", "end-bare-two"] {
        let running = world.running(job).await?;
        world.counted(job, job_id(&running), 20).await?;
    }

    let namespace = world.local.namespace();
    let since = Instant::now();
    world.local.kubectl(&["delete", "namespace", namespace, "--timeout=90s"]).await?;
    println!("the namespace has gone after {:.1} s", since.elapsed().as_secs_f64());
    for kind in ["fd", "fc", "fj", "pod", "job", "deployment", "service"] {
        let left = world.local.list(kind, "").await?;
        ensure!(left.is_empty(), "{} of kind {kind} are left", left.len());
    }
    let pods: Vec<String> = world.local.processes().iter().filter_map(pod).collect();
    ensure!(pods.is_empty(), "processes of pods are left: {}", pods.join(", "));
    Ok(())
}

fn pod(process: &Process) -> Option<String> {
    process.variable("POD_NAME").map(str::to_owned)
}
