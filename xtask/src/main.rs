//! The verbs a person needs in this repository: `cargo xtask demo`, `test`, `chaos`, `simulate`, `generate`, `bench`, `flink`, `kube`,
//! `picture`.
//!
//! Talk goes to stderr, data to stdout. Each verb checks what it needs before it starts, and a wait always has a deadline.

mod bench;
mod chaos;
mod demo;
mod flink;
mod generate;
mod java;
mod kube;
mod picture;
mod prerequisites;
mod simulate;
mod test;
mod ui;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Build, show and test flinkctl")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Set everything up and show a cluster with three jobs; stays until Ctrl-C
    Demo(demo::Args),
    /// Set everything up and pass every test
    Test(test::Args),
    /// Disturb a running system with faults of all kinds, and see that it loses nothing
    Chaos(chaos::Args),
    /// Measure what flinkctl promises and print a table
    Bench(bench::Args),
    /// Write the generated files: CRDs, their reference, graphs of the state machines
    Generate(generate::Args),
    /// Lay out a Flink distribution and print where it lies
    Flink(flink::Args),
    /// Run a genuine Kubernetes control plane on this machine; stays until Ctrl-C
    Kube(kube::Args),
    /// Run the control loops in a made-up world, with faults: --minutes M, --seed N, --from-seed N, --matrix, --mutants
    #[command(disable_help_flag = true)]
    Simulate(simulate::Args),
    /// Draw what commands print on a terminal, for the documentation
    Picture(picture::Args),
    /// Build the example jobs and print where their JAR lies
    Examples(java::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().verb {
        Verb::Demo(args) => demo::run(&args),
        Verb::Test(args) => test::run(&args),
        Verb::Chaos(args) => chaos::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Generate(args) => generate::run(&args),
        Verb::Flink(args) => flink::run(&args),
        Verb::Kube(args) => kube::run(&args),
        Verb::Simulate(args) => simulate::run(&args),
        Verb::Picture(args) => picture::run(&args),
        Verb::Examples(args) => java::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui::error(&error);
            ExitCode::FAILURE
        }
    }
}
