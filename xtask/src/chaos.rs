//! `cargo xtask chaos`: faults of all kinds on a system of real processes, for as long as is wanted, and what it survived.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use integration_tests::local::{Local, Options};
use integration_tests::world::World;
use integration_tests::{chaos, objects};

use crate::ui::{self, Step};
use crate::{flink, java, prerequisites, workspace};

/// Options of `cargo xtask chaos`.
#[derive(clap::Args)]
pub struct Args {
    /// For how long faults are injected
    #[arg(long, default_value_t = 10)]
    minutes: u64,

    /// Decides which faults there are, and in which order; a new one each time unless it is given
    #[arg(long)]
    seed: Option<u64>,
}

/// Builds, runs, and prints the figures.
pub fn run(args: &Args) -> Result<()> {
    prerequisites::check(prerequisites::ALL)?;
    let step = Step::start_plain("Build flinkctl");
    workspace::run(&mut workspace::cargo(&["build", "--locked", "--workspace", "--bin", "flinkctl", "--quiet"]))?;
    step.done();
    let flink_home = flink::ensure(flink::DEFAULT_VERSION)?;
    let image = workspace::target().join("examples");
    java::build_examples(&flink_home, &image.join("flink-jobs.jar"))?;
    let state = tempfile::Builder::new().prefix("flinkctl-chaos-").tempdir().context("cannot create a directory")?;
    let options = Options {
        binary: workspace::target().join("debug/flinkctl"),
        data_dir: state.path().join("local"),
        flink_home,
        images: BTreeMap::from([(objects::EXAMPLES_NAME.to_owned(), image)]),
        namespace: "flink-jobs".to_owned(),
        flags: Vec::new(),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let seed = args.seed.unwrap_or(u64::from(now.subsec_nanos()) % 1_000_000);
    ui::say(format!("Seed {seed}, for {} minutes.", args.minutes));
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    let figures = runtime.block_on(async {
        let world = World { local: Local::start(options).await?, state };
        let duration = Duration::from_secs(args.minutes * 60);
        let figures = tokio::select! {
            figures = chaos::run(&world, "chaos", seed, duration) => figures,
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        };
        if figures.is_err() {
            keep_logs(&world);
        }
        let left = world.local.stop().await?;
        let figures = figures?;
        if !left.is_empty() {
            bail!("{} processes outlived the local instance", left.len());
        }
        Ok(figures)
    })?;
    println!("seed {seed}: {figures}");
    Ok(())
}

/// Leaves the directory with logs and state where it can be looked at.
fn keep_logs(world: &World) {
    let kept = workspace::root().join(".chaos");
    let _ = std::fs::remove_dir_all(&kept);
    let copied = std::process::Command::new("cp").arg("-r").arg(world.state()).arg(&kept).status();
    if copied.is_ok_and(|status| status.success()) {
        ui::say(format!("Logs and state are kept in {}.", kept.display()));
    }
}
