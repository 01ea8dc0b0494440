//! The control API with a real Flink: the commands of the manual, actions that are waited for, what Flink says, and an operator outside.

mod actions;
mod api;
mod flink;
mod manual;
mod outside;

use std::process::ExitCode;
use std::sync::Arc;

use integration_tests::world::World;
use integration_tests::{scenario, suite};

fn main() -> ExitCode {
    suite::run(
        2,
        vec![
            scenario!(actions::an_action_is_answered_when_it_is_done, "acts"),
            scenario!(flink::flink_is_asked_and_may_hang_or_die, "says"),
            scenario!(manual::the_commands_of_the_manual_work, "demo"),
            scenario!(outside::an_operator_outside_of_the_cluster_serves_the_same, "outside"),
        ],
    )
}

/// What every scenario of this suite gets.
type Shared = Arc<World>;
