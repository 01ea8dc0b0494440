//! Jobs on one shared cluster: commands, savepoints, changes, restart policies, and mistakes that a user makes and mends.
//!
//! Every job is a `FlinkJob` of its own, so that scenarios do not meet.

mod changes;
mod commands;
mod mistakes;
mod policies;
mod savepoints;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use integration_tests::world::World;
use integration_tests::{objects, scenario, suite};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The cluster that all scenarios share.
const CLUSTER: &str = "shared";

fn main() -> ExitCode {
    suite::run(
        4,
        vec![
            scenario!(commands::a_stopped_job_goes_on_from_its_savepoint, "shared-stop"),
            scenario!(commands::a_start_without_savepoint_begins_anew_and_only_once, "shared-anew"),
            scenario!(
                savepoints::a_triggered_savepoint_is_recorded_where_users_expect_it_and_can_be_forgotten,
                "shared-trigger"
            ),
            scenario!(
                savepoints::savepoints_are_taken_periodically_and_deleted_when_there_are_enough,
                "shared-periodic"
            ),
            scenario!(
                savepoints::manual_mode_stops_without_a_savepoint_and_resumes_from_the_recorded_one,
                "shared-manual"
            ),
            scenario!(changes::a_scaled_job_goes_on_from_a_savepoint, "shared-scale"),
            scenario!(changes::the_adaptive_scheduler_changes_the_parallelism_of_a_job_that_runs, "adaptive"),
            scenario!(changes::changed_arguments_restart_the_job_from_a_savepoint, "shared-arguments"),
            scenario!(changes::a_job_is_suspended_with_parallelism_zero, "shared-suspend"),
            scenario!(policies::a_failed_job_is_restarted_only_if_its_policy_says_so, "shared-fail"),
            scenario!(policies::a_finished_batch_job_stays_finished_unless_its_policy_is_always, "shared-batch"),
            scenario!(mistakes::a_wrong_class_is_explained_and_mended, "shared-class"),
            scenario!(mistakes::a_missing_jar_is_explained_and_mended, "shared-jar"),
            scenario!(mistakes::a_missing_savepoint_is_explained_and_mended, "shared-path"),
            scenario!(mistakes::a_missing_image_is_explained_and_mended, "shared-image"),
            scenario!(mistakes::a_job_that_nobody_declared_is_shown_and_left_alone, "shared-foreign"),
            scenario!(commands::a_deleted_job_leaves_nothing, "shared-delete"),
        ],
    )
}

/// Creates a job on the shared cluster and waits until it runs. The first scenario to come also creates the cluster.
async fn run(world: &World, name: &str, patch: Value) -> Result<Value> {
    create(world, name, patch).await?;
    world.running(&format!("{CLUSTER}-{name}")).await
}

/// Creates a job on the shared cluster.
async fn create(world: &World, name: &str, patch: Value) -> Result<()> {
    static SHARED: OnceCell<()> = OnceCell::const_new();
    SHARED
        .get_or_try_init(async || {
            // Enough TaskManagers from the start: these scenarios are about jobs.
            let patch = json!({ "taskManagers": 3, "taskManager": { "taskSlots": 8 }, "supervisor": { "rescalePolicy": "None" } });
            world.apply(&[objects::cluster(CLUSTER, &objects::cluster_spec(world.state(), patch))]).await?;
            world.started(CLUSTER).await.map(drop)
        })
        .await?;
    world.apply(&[objects::job(CLUSTER, name, &objects::counter_spec(world.state(), name, patch))]).await
}

/// What every scenario of this suite gets.
type Shared = Arc<World>;
