//! `cargo xtask demo`: from nothing to three running jobs in one command.
//!
//! `stage` sets everything up, `story` shows the main job. Whatever happens, what was started is stopped before this ends.

mod stage;
mod story;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use integration_tests::local::Local;
use integration_tests::report;
use tokio::signal::unix::{SignalKind, signal};

use crate::ui::{self, Step};

/// Options of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave when the story is told, instead of staying until Ctrl-C
    #[arg(long)]
    exit: bool,
}

/// Sets the stage, tells the story, and clears up.
pub fn run(args: &Args) -> Result<()> {
    let stage = stage::set()?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    let result = runtime.block_on(play(&stage, args.exit));
    // Blocking reads of the process table may still be under way after an interruption; nothing of value is in them.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

async fn play(stage: &stage::Stage, exit: bool) -> Result<()> {
    let step = Step::start("Start the local control plane and the operator");
    let local = Local::start(stage.options.clone()).await?;
    step.done_with(&format!("kubeconfig is {}", local.kubeconfig().display()));

    let mut told = tokio::select! {
        told = story::tell(&local) => told,
        () = interrupted() => Err(anyhow::anyhow!("interrupted")),
    };
    if let Err(error) = &told
        && error.to_string() != "interrupted"
    {
        let state = report::describe(&local, story::CLUSTER).await;
        eprintln!("{state}");
    } else if told.is_ok() && !exit {
        ui::say("It stays until you press Ctrl-C.");
        interrupted().await;
    }
    let step = Step::start("Stop everything");
    match local.stop().await {
        Ok(left) if left.is_empty() => step.done_with("no process is left"),
        Ok(left) => {
            drop(step);
            let lines: Vec<String> =
                left.iter().map(|process| format!("  {} {}", process.pid, process.command)).collect();
            told = told.and_then(|()| bail!("processes were left and had to be killed:\n{}", lines.join("\n")));
        }
        Err(error) => {
            drop(step);
            told = told.and(Err(error));
        }
    }
    told
}

/// Ends when the user presses Ctrl-C or somebody sends SIGTERM.
async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
