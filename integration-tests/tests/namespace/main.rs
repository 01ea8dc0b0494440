//! The end of the namespace in which everything runs: a suite of its own, since nothing is left afterwards.

mod end;

use std::process::ExitCode;

use integration_tests::{scenario, suite};

fn main() -> ExitCode {
    suite::run(1, vec![scenario!(end::a_namespace_that_is_deleted_takes_everything_with_it, "end")])
}
