//! The main job in one go, as short as it can be.
//!
//! This is what every run of the tests does on a genuine control plane; the audit log of the run is judged by the suite.

mod example;

use std::process::ExitCode;

use integration_tests::{scenario, suite};

fn main() -> ExitCode {
    suite::run(1, vec![scenario!(example::the_example_runs_is_saved_goes_on_and_leaves_nothing, example::CLUSTER)])
}
