//! `cargo xtask simulate`: the control loops of operator and supervisor in a made-up world, with faults.
//!
//! The simulator is a program of its own, built for speed; its options are passed on to it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::ui::{self, Step};
use crate::workspace;

/// Options of `cargo xtask simulate`: those of the simulator, `--help` among them.
#[derive(clap::Args)]
pub struct Args {
    /// What the simulator is to do; `--help` lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Runs the simulator.
pub fn run(args: &Args) -> Result<()> {
    workspace::run(Command::new(program()?).args(&args.options))
}

/// Builds the simulator and tells where it lies.
fn program() -> Result<PathBuf> {
    let arguments = ["build", "--locked", "--quiet", "--profile", "load", "--workspace", "--bin", "simulate"];
    workspace::run(&mut workspace::cargo(&arguments))?;
    Ok(workspace::target().join("load/simulate"))
}

/// How many of them, where there is time.
const SEEDS: &str = "300";

/// A simulation beside other work, which gets what that leaves over of the machine.
pub struct Beside {
    child: Child,
    output: PathBuf,
}

impl Beside {
    /// Starts what every run of the tests simulates: each fault at each point of each workload, the first seeds for so many minutes at
    /// most, and all known bugs. New seeds are for `cargo xtask simulate`: what they find is no fault of a change that is tested.
    pub fn start(minutes: f64) -> Result<Self> {
        let step = Step::start("Build the simulator");
        let program = program()?;
        step.done();
        let output = workspace::target().join("simulation.txt");
        let file = File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
        let errors = file.try_clone().context("cannot write what the simulator says")?;
        let mut command = Command::new("nice");
        command.args(["-n", "19"]).arg(program).args(["--matrix", "--mutants"]);
        command.args(["--minutes", &minutes.to_string(), "--seeds", SEEDS]);
        let child = command.stdin(Stdio::null()).stdout(file).stderr(errors).spawn();
        Ok(Self { child: child.context("cannot start the simulator")?, output })
    }

    /// Waits for the end and prints what was found; whether all was well.
    pub fn finish(mut self) -> Result<bool> {
        let step = Step::start("Wait for the simulator");
        let status = self.child.wait().context("cannot wait for the simulator")?;
        step.done();
        let said =
            fs::read_to_string(&self.output).with_context(|| format!("cannot read {}", self.output.display()))?;
        print!("{said}");
        if !status.success() {
            ui::say("The simulator has found something: see above.");
        }
        Ok(status.success())
    }
}

impl Drop for Beside {
    /// Tests that cannot go on leave nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
