//! `cargo xtask simulate`: the control loops of operator and supervisor in a made-up world, with faults.
//!
//! The simulator is a program of its own, built for speed; its options are passed on to it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::workspace;

/// Options of `cargo xtask simulate`.
#[derive(clap::Args)]
pub struct Args {
    /// What the simulator is to do; `-- --help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Runs the simulator.
pub fn run(args: &Args) -> Result<()> {
    workspace::run(Command::new(program()?).args(&args.options))
}

/// Builds the simulator and tells where it lies.
fn program() -> Result<PathBuf> {
    let arguments =
        ["build", "--locked", "--quiet", "--profile", "load", "--package", "simulation", "--bin", "simulate"];
    workspace::run(&mut workspace::cargo(&arguments))?;
    Ok(workspace::target().join("load/simulate"))
}
