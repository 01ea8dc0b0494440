//! `cargo xtask test`: every test, in the order in which a failure is cheapest.
//!
//! First what needs no build, then the pure tests, then the scenarios on real Flink, one suite after the other: all of them on
//! `flinkctl local`, the smoke on a genuine control plane too; beside them the simulator. A failure in one part does not hide the next: the closing line counts
//! them all.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use integration_tests::control_plane::program;
use integration_tests::{cluster, setup};

use crate::prerequisites;
use crate::ui::{self, Step};
use crate::{flink, generate, java, kube, simulate, workspace};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Leave out what needs Flink
    #[arg(long)]
    fast: bool,

    /// Run the scenarios of the main job on this cluster, and nothing else
    #[arg(long, value_enum, conflicts_with_all = ["fast", "all"])]
    cluster: Option<Cluster>,

    /// The long run: all scenarios of the main job on the genuine control plane too
    #[arg(long, conflicts_with = "fast")]
    all: bool,

    #[command(flatten)]
    own: OwnCluster,
}

/// On what the scenarios run.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Cluster {
    /// `flinkctl local`
    Local,
    /// A genuine control plane, which is built and started here
    Real,
    /// A cluster that runs already
    Kubeconfig,
}

impl Cluster {
    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Real => "real",
            Self::Kubeconfig => "kubeconfig",
        }
    }
}

/// What must be known of a cluster that runs already.
#[derive(clap::Args)]
struct OwnCluster {
    /// With --cluster kubeconfig: how to reach it
    #[arg(long, value_name = "FILE", env = "KUBECONFIG")]
    kubeconfig: Option<PathBuf>,

    /// With --cluster kubeconfig: a command that brings an image to its nodes; the name of the image is added
    #[arg(long, value_name = "CMD")]
    load_image: Option<String>,

    /// With --cluster kubeconfig: a directory that is the same on its nodes and here, for the state of jobs
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

/// Where the scenarios on real Flink are.
const SCENARIOS: &str = "integration-tests/tests";
/// What runs on any control plane of this machine. The others test the binary, Flink, or the control plane itself.
const MAIN_JOB: [&str; 9] =
    ["smoke", "operator", "jobs", "clusters", "control", "explain", "faults", "upgrade", "namespace"];
/// Those that look at nothing but a cluster: no process of a pod is killed.
const ANYWHERE: [&str; 3] = ["smoke", "jobs", "clusters"];
/// What the genuine control plane alone can show, and that all goes well on it.
const GENUINE: [&str; 2] = ["smoke", "explain"];

/// Compares what two API servers have done at a moment: nothing else is to keep the machine busy.
const ALONE: &str = "conformance";

/// Runs the tests; the runner's own lines are the output.
pub fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    prerequisites::check(if args.fast { prerequisites::FAST } else { prerequisites::TEST })?;
    let mut totals = Totals::default();
    if let Some(cluster) = args.cluster {
        build()?;
        let suites: &[&str] = if cluster == Cluster::Kubeconfig { &ANYWHERE } else { &MAIN_JOB };
        totals.add(&mut args.own.pass(scenarios(cluster, &named(suites))?))?;
        return totals.close(started);
    }
    generate::run(&generate::Args { check: true })?;
    format()?;
    build()?;
    let mut pure = with_kubectl(tests(&["--lib", "--bins"], &suites_of_crates()?), args.fast)?;
    if !args.fast {
        pure.env(setup::FLINK_HOME, flink::ensure(flink::DEFAULT_VERSION)?);
    }
    totals.add(&mut pure)?;
    totals.add(&mut tests(&["--doc"], &[]))?;
    let mut beside = suites(&workspace::root().join(SCENARIOS))?;
    beside.retain(|suite| suite != ALONE);
    if !args.fast {
        totals.add(&mut scenarios(Cluster::Local, &named(&[ALONE]))?)?;
    }
    // Scenarios mostly wait, the simulator only computes.
    let simulation = simulate::Beside::start(if args.fast { 0.5 } else { 3.0 })?;
    if !args.fast {
        totals.add(&mut scenarios(Cluster::Local, &beside)?)?;
        totals.add(&mut scenarios(Cluster::Real, &named(if args.all { &MAIN_JOB } else { &GENUINE }))?)?;
    }
    totals.simulated(simulation.finish()?);
    totals.close(started)
}

fn build() -> Result<()> {
    ui::say("Building everything with its tests; the first time this takes some minutes.");
    let step = Step::start_plain("Build");
    workspace::run(&mut workspace::cargo(&["test", "--locked", "--workspace", "--no-run", "--quiet"]))?;
    step.done();
    Ok(())
}

/// A command that finds our own kubectl first, whatever is installed; a fast run builds none.
fn with_kubectl(mut command: Command, fast: bool) -> Result<Command> {
    let program = if fast { program::built()? } else { Some(kube::ensure()?) };
    let Some(program) = program else { return Ok(command) };
    let directory = program.parent().context("the program lies in a directory")?.to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    command.env("PATH", env::join_paths(std::iter::once(directory).chain(env::split_paths(&path)))?);
    Ok(command)
}

fn format() -> Result<()> {
    let step = Step::start("Check the format of the source");
    let checked = workspace::capture(&mut workspace::cargo(&["fmt", "--all", "--check"]));
    if checked.is_err() {
        drop(step);
        bail!("some source is not in the usual format\nhint: run `cargo fmt --all`");
    }
    step.done();
    Ok(())
}

/// Some tests of the workspace. All are run with the features of the whole, as they were built: those of one package alone would be
/// another build.
fn tests(flags: &[&str], suites: &[String]) -> Command {
    let mut arguments = vec!["test", "--locked", "--workspace", "--no-fail-fast"];
    arguments.extend(flags);
    arguments.extend(suites.iter().flat_map(|suite| ["--test", suite]));
    workspace::cargo(&arguments)
}

fn named(suites: &[&str]) -> Vec<String> {
    suites.iter().map(|suite| (*suite).to_owned()).collect()
}

/// The names of the suites in a directory.
fn suites(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").exists() {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

/// Suites that lie beside what they test, and those about the repository itself.
fn suites_of_crates() -> Result<Vec<String>> {
    let mut names = suites(&workspace::root().join("xtask/tests"))?;
    for entry in fs::read_dir(workspace::root().join("crates"))? {
        let directory = entry?.path().join("tests");
        if directory.exists() {
            names.append(&mut suites(&directory)?);
        }
    }
    Ok(names)
}

/// Suites on real Flink, with all that they need.
fn scenarios(cluster: Cluster, suites: &[String]) -> Result<Command> {
    let flink_home = flink::ensure(flink::DEFAULT_VERSION)?;
    let step = Step::start("Build the example jobs");
    let image = workspace::target().join("examples");
    java::build_examples(&flink_home, &image.join("flink-jobs.jar"))?;
    step.done();
    let mut command = with_kubectl(tests(&[], suites), false)?;
    command.env(setup::BINARY, workspace::target().join("debug/flinkctl"));
    command.env(setup::EXAMPLES, image);
    command.env(setup::FLINK_HOME, flink_home);
    command.env(cluster::CLUSTER, cluster.name());
    Ok(command)
}

impl OwnCluster {
    fn pass(&self, mut command: Command) -> Command {
        for (name, value) in [
            (cluster::KUBECONFIG, self.kubeconfig.as_ref().map(|file| file.as_os_str())),
            (cluster::LOAD_IMAGE, self.load_image.as_ref().map(OsStr::new)),
            (cluster::STATE, self.state.as_ref().map(|directory| directory.as_os_str())),
        ] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        command
    }
}

/// What the runner's closing lines add up to.
#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// A command failed without saying which test did.
    broken: bool,
}

impl Totals {
    /// Runs a command, passes its lines on, and adds up the closing ones.
    fn add(&mut self, command: &mut Command) -> Result<()> {
        let failed_before = self.failed;
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
        let output = child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(output).lines() {
            let line = line.context("cannot read what cargo prints")?;
            self.read(&line);
            println!("{line}");
        }
        let status = child.wait().context("cannot wait for cargo")?;
        self.broken |= !status.success() && self.failed == failed_before;
        Ok(())
    }

    fn read(&mut self, line: &str) {
        let Some(numbers) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = numbers.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        let count = |wanted: &str| {
            let at = words.iter().position(|word| *word == wanted);
            at.and_then(|at| words.get(at.checked_sub(1)?)?.parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
    }

    /// Counts the simulation as one test more.
    fn simulated(&mut self, well: bool) {
        self.passed += u64::from(well);
        self.failed += u64::from(!well);
    }

    fn close(&self, started: Instant) -> Result<()> {
        let well = self.failed == 0 && !self.broken;
        println!(
            "\nall tests: {}. {} passed; {} failed; {} ignored; finished in {}",
            if well { "ok" } else { "FAILED" },
            self.passed,
            self.failed,
            self.ignored,
            ui::seconds(started.elapsed()),
        );
        if !well {
            bail!("some tests failed");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_add_up() {
        let mut totals = Totals::default();
        totals.read("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.02s");
        totals
            .read("test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s");
        totals.read("test tests::something ... ok");
        assert_eq!((totals.passed, totals.failed, totals.ignored), (8, 2, 1));
    }
}
