//! `cargo xtask test`: every test, in the order in which a failure is cheapest.

use std::time::Instant;

use anyhow::Result;

use crate::{generate, prerequisites, ui, workspace};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave out what needs Flink
    #[arg(long)]
    fast: bool,
}

/// Runs the tests; the runner's own lines are the output.
pub fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    let tools = if args.fast { &[prerequisites::Tool::Rust][..] } else { prerequisites::ALL };
    prerequisites::check(tools)?;
    generate::run(&generate::Args { check: true })?;
    workspace::run(&mut workspace::cargo(&["test", "--workspace"]))?;
    ui::say(format!("all tests passed in {}", ui::seconds(started.elapsed())));
    Ok(())
}
