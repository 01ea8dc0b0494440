//! `cargo xtask kube`: a genuine Kubernetes control plane on this machine, to try things on what users have.
//!
//! Whatever happens, what was started is stopped before this ends.

mod build;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use integration_tests::control_plane::ControlPlane;

pub use build::ensure;

use crate::ui::{self, Step};

/// Options of `cargo xtask kube`.
#[derive(clap::Args)]
pub struct Args {
    /// Only build it, and print where the program lies; `kubectl` lies beside it
    #[arg(long)]
    build_only: bool,

    /// Leave as soon as it is ready, instead of staying until Ctrl-C
    #[arg(long)]
    exit: bool,
}

/// Builds and starts the control plane, and stops it.
pub fn run(args: &Args) -> Result<()> {
    let program = ensure()?;
    if args.build_only {
        println!("{}", program.display());
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    runtime.block_on(stay(&program, args.exit))
}

async fn stay(program: &std::path::Path, exit: bool) -> Result<()> {
    let directory = tempfile::Builder::new().prefix("flinkctl-kube-").tempdir()?;
    let step = Step::start("Start the control plane");
    let mut plane = ControlPlane::start(program, directory.path()).await?;
    step.done_with(&format!("Kubernetes {} at {}", plane.version(), plane.url()));
    let result = if exit { Ok(()) } else { wait(&mut plane, program).await };
    let memory: Vec<String> = plane.memory().iter().map(|(name, size)| format!("{name} {size} MiB")).collect();
    let step = Step::start("Stop everything");
    plane.stop().await?;
    step.done_with(&format!("memory was {}", memory.join(", ")));
    result
}

async fn wait(plane: &mut ControlPlane, program: &std::path::Path) -> Result<()> {
    let kubectl = program.with_file_name("kubectl");
    println!("export KUBECONFIG={}", plane.kubeconfig().display());
    println!("export PATH={}:$PATH", kubectl.parent().unwrap_or(program).display());
    println!("# a node that runs pods as processes of this machine:");
    println!("#   flinkctl local node --data-dir DIR {}", plane.node_flags().join(" "));
    ui::say("It stays until you press Ctrl-C, and then nothing of it remains.");
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    let end = ui::interrupted();
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            _ = looks.tick() => if let Some(words) = plane.ended()? { bail!(words) },
        }
    }
}
