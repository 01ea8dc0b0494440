//! `cargo xtask demo`: from nothing to three running jobs, with all that is needed on the way.

use anyhow::Result;

use crate::prerequisites;

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave when the story is told, instead of staying until Ctrl-C
    #[arg(long)]
    exit: bool,
}

/// Tells the whole story.
pub fn run(_args: &Args) -> Result<()> {
    prerequisites::check(prerequisites::ALL)
}
