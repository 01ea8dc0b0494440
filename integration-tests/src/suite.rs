//! A suite: scenarios that share one running system.
//!
//! Starting a system takes seconds and starting a Flink cluster more, so the scenarios of a test binary share an instance of
//! `flinkctl local`, each with clusters and jobs of its own names. The runner takes the flags that `cargo test` users know. When the last
//! scenario has ended the instance is stopped. A process that outlives it fails the suite, and so does a request of flinkctl that a genuine API
//! server has refused.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Conclusion, Failed, Trial};
use tokio::runtime::Runtime;

use crate::cluster::Cluster;
use crate::control_plane::ControlPlane;
use crate::local::{Local, Options};
use crate::objects;
use crate::report;
use crate::setup::Setup;
use crate::world::World;

/// A scenario: its name, a sentence; the prefix of the names of what it creates; what it does.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub prefix: &'static str,
    pub body: fn(Arc<World>) -> LocalBoxFuture<'static, Result<()>>,
}

/// Names a scenario function: `scenario!(commands::a_job_stops, "cluster-name")`.
#[macro_export]
macro_rules! scenario {
    ($module:ident::$function:ident, $prefix:expr) => {
        $crate::suite::Scenario {
            name: stringify!($function),
            prefix: $prefix,
            body: |world| Box::pin($module::$function(world)),
        }
    };
}

/// Runs the scenarios, `threads` at a time, and returns what `main` of the test binary returns.
pub fn run(threads: usize, scenarios: Vec<Scenario>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(threads));
    if arguments.list {
        return libtest_mimic::run(
            &arguments,
            scenarios.into_iter().map(|one| Trial::test(one.name, || Ok(()))).collect(),
        )
        .exit_code();
    }
    match play(&arguments, scenarios) {
        Ok(conclusion) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn play(arguments: &Arguments, scenarios: Vec<Scenario>) -> Result<Conclusion> {
    let runtime = Arc::new(Runtime::new().context("cannot start a runtime")?);
    let world = Arc::new(runtime.block_on(start())?);
    let trials = scenarios.into_iter().map(|scenario| trial(scenario, &world, &runtime)).collect();
    let conclusion = libtest_mimic::run(arguments, trials);
    let world = Arc::into_inner(world).context("a scenario still holds the system")?;
    let refused = world.local.control_plane().map_or(Ok(Vec::new()), ControlPlane::refused)?;
    let left = runtime.block_on(world.local.stop())?;
    if !left.is_empty() {
        let lines: Vec<String> = left.iter().map(|process| format!("  {} {}", process.pid, process.command)).collect();
        anyhow::bail!("processes outlived the local instance:\n{}", lines.join("\n"));
    }
    if !refused.is_empty() {
        anyhow::bail!("the API server refused what flinkctl asked for:\n  {}", refused.join("\n  "));
    }
    Ok(conclusion)
}

fn trial(scenario: Scenario, world: &Arc<World>, runtime: &Arc<Runtime>) -> Trial {
    let (world, runtime) = (world.clone(), runtime.clone());
    Trial::test(scenario.name, move || {
        let result = runtime.block_on(async {
            let result = (scenario.body)(world.clone()).await;
            match result {
                Ok(()) => Ok(()),
                Err(error) => {
                    Err(Failed::from(format!("{error:#}\n{}", report::describe(&world.local, scenario.prefix).await)))
                }
            }
        });
        drop(world);
        result
    })
}

async fn start() -> Result<World> {
    let setup = Setup::find()?;
    let (directory, namespace) = match &setup.cluster {
        // Only this directory means the same on this machine and on the nodes; and nobody else's objects are touched.
        Cluster::Kubeconfig { state, .. } => (state.clone(), format!("flinkctl-test-{}", std::process::id())),
        Cluster::Local | Cluster::Real { .. } => (std::env::temp_dir(), "flink-jobs".to_owned()),
    };
    let state = tempfile::Builder::new()
        .prefix("flinkctl-test-")
        .tempdir_in(directory)
        .context("cannot create a directory for state")?;
    let options = Options {
        binary: setup.binary,
        data_dir: state.path().join("local"),
        flink_home: setup.flink_home,
        images: BTreeMap::from([(objects::EXAMPLES_NAME.to_owned(), setup.examples)]),
        namespace,
        flags: Vec::new(),
    };
    let local = Local::start_on(&setup.cluster, options).await?;
    if let Some(plane) = local.control_plane() {
        println!("on Kubernetes {}, ready after {:.1} s", plane.version(), plane.took().as_secs_f64());
    }
    Ok(World { local, state })
}
