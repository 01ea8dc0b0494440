//! The way from the original 1.4.4: what it left running is taken over, and backups of its resources become working resources.
//!
//! One scenario at a time, since each stops and starts the operator.

mod backups;
mod left;
mod takeover;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use integration_tests::wait::until;
use integration_tests::world::{World, name_of};
use integration_tests::{scenario, suite};

fn main() -> ExitCode {
    suite::run(
        1,
        vec![
            scenario!(takeover::what_the_original_left_running_goes_on_and_is_ours, left::CLUSTER),
            scenario!(backups::a_backup_becomes_working_resources, backups::CLUSTER),
        ],
    )
}

/// Ends the operator, and waits until it is gone.
async fn without_operator(world: &World) -> Result<()> {
    world.local.kubectl(&["scale", "deployment/flink-operator", "--replicas=0"]).await?;
    until("the operator is gone", Duration::from_secs(45), async || {
        let pods = world.local.list("pod", "").await?;
        Ok((!pods.iter().any(|pod| name_of(pod).starts_with("flink-operator-"))).then_some(()))
    })
    .await
}

/// Starts the operator, and waits until it is ready.
async fn with_operator(world: &World) -> Result<()> {
    world.local.kubectl(&["scale", "deployment/flink-operator", "--replicas=1"]).await?;
    world.local.kubectl(&["rollout", "status", "deployment/flink-operator", "--timeout=90s"]).await.map(drop)
}
