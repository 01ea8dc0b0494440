//! `cargo xtask bench`: the figures that flinkctl promises, measured on this machine, as one table.
//!
//! Everything is measured from outside: by a client of the API server, by what jobs commit, and by the kernel's word on memory. A figure
//! that misses its promise is marked, and the verb fails.

mod api;
mod children;
mod figures;
mod life;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use integration_tests::local::{Local, Options};
use integration_tests::objects;
use integration_tests::world::World;

use crate::ui::Step;
use crate::{flink, java, prerequisites, workspace};

use figures::Figure;

/// Options of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// How many deployments are created to measure the operator
    #[arg(long, default_value_t = 100)]
    deployments: usize,
    /// Over how many seconds of rest writes are counted
    #[arg(long, default_value_t = 60)]
    window: u64,
}

/// What is measured, if not clusters and jobs.
#[derive(clap::Subcommand)]
enum What {
    /// Measure the control API over mutual TLS, and what slow clients do to it
    Api(api::Args),
}

/// Measures, and prints the table on stdout.
pub fn run(args: &Args) -> Result<()> {
    if let Some(What::Api(args)) = &args.what {
        return api::run(args);
    }
    prerequisites::check(prerequisites::ALL)?;
    let step = Step::start_plain("Build the release binary");
    workspace::run(&mut workspace::cargo(&["build", "--release", "--locked", "--package", "flinkctl"]))?;
    step.done();
    let flink_home = flink::ensure(flink::DEFAULT_VERSION)?;
    let image = workspace::target().join("examples");
    java::build_examples(&flink_home, &image.join("flink-jobs.jar"))?;

    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    let figures = runtime.block_on(measure(args, flink_home, image))?;
    println!("{}", figures::table(&figures));
    if figures.iter().any(Figure::missed) {
        bail!("a figure misses its promise");
    }
    Ok(())
}

async fn measure(args: &Args, flink_home: std::path::PathBuf, image: std::path::PathBuf) -> Result<Vec<Figure>> {
    let state =
        tempfile::Builder::new().prefix("flinkctl-bench-").tempdir().context("cannot create a directory for state")?;
    let options = Options {
        binary: workspace::target().join("release/flinkctl"),
        data_dir: state.path().join("local"),
        flink_home,
        images: BTreeMap::from([(objects::EXAMPLES_NAME.to_owned(), image)]),
        namespace: "flink-jobs".to_owned(),
        flags: Vec::new(),
    };
    let step = Step::start("Start the local control plane and the operator");
    let world = World { local: Local::start(options).await?, state };
    step.done();
    let measured = all(args, &world).await;
    let left = world.local.stop().await?;
    if !left.is_empty() {
        bail!("{} processes outlived the local instance", left.len());
    }
    measured
}

async fn all(args: &Args, world: &World) -> Result<Vec<Figure>> {
    let mut figures = children::measure(world, args.deployments).await?;
    figures.extend(life::measure(world, args.window).await?);
    Ok(figures)
}
