//! The command line against an operator with real Flink: every command, as a program reads it and as a person sees it, over mTLS with the
//! certificate of the kubeconfig and over plain HTTP.

mod person;
mod program;
mod shell;

use std::process::ExitCode;

use integration_tests::{scenario, suite};

fn main() -> ExitCode {
    suite::run(
        1,
        vec![
            scenario!(program::every_command_answers_programs_over_mutual_tls, program::CLUSTER),
            scenario!(program::every_command_answers_over_plain_http, program::HTTP_CLUSTER),
            scenario!(person::a_person_works_at_a_terminal, person::CLUSTER),
        ],
    )
}
