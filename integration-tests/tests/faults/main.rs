//! `kill -9` of every part, at rest and in the middle of a transition: no number is lost and none is committed twice.

mod bystanders;
mod chaos;
mod flink;
mod quiet;
mod recovery;
mod transitions;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::world::{World, job_id};
use integration_tests::{scenario, suite};
use serde_json::{Value, json};

fn main() -> ExitCode {
    suite::run(
        2,
        vec![
            scenario!(flink::a_killed_job_manager_costs_no_number, "jobmanager"),
            scenario!(recovery::flink_brings_a_job_back_under_its_own_id, "available"),
            scenario!(flink::a_killed_task_manager_costs_no_number, "taskmanager"),
            scenario!(bystanders::a_killed_supervisor_or_operator_disturbs_nobody, "bystander"),
            scenario!(transitions::a_supervisor_killed_in_the_middle_of_a_stop_finishes_it, "midstop"),
            scenario!(transitions::a_job_manager_killed_in_the_middle_of_a_stop_costs_no_number, "lost"),
            scenario!(transitions::a_bootstrap_killed_in_the_middle_submits_once, "bootstrap"),
            scenario!(transitions::an_operator_killed_in_the_middle_of_a_creation_finishes_it, "creation"),
            scenario!(quiet::a_cluster_at_rest_causes_no_writes, "quiet"),
            scenario!(chaos::anything_may_happen_at_any_time, "chaos"),
        ],
    )
}

/// Creates a cluster with a counter job and waits until it has committed something.
async fn counting(world: &Arc<World>, name: &str) -> Result<Value> {
    let state = world.state().to_owned();
    let job = counter_spec(&state, &format!("{name}-job"), json!({}));
    world.apply(&[objects::deployment(name, &cluster_spec(&state, json!({})), &[("job", job)])]).await?;
    let running = world.running(&format!("{name}-job")).await?;
    world.counted(&format!("{name}-job"), job_id(&running), 50).await?;
    Ok(running)
}

/// Deletes a cluster made by [`counting`], so that the next scenario has the machine for itself.
async fn finish(world: &Arc<World>, name: &str) -> Result<()> {
    world.local.kubectl(&["delete", "fd", name, "--timeout=90s"]).await?;
    world.leaves_nothing(name).await
}
