//! `cargo xtask test`: every test, in the order in which a failure is cheapest.
//!
//! First what needs no build, then the pure tests, then the scenarios on real Flink, one suite after the other. A failure in one part
//! does not hide the next: the closing line counts them all.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use integration_tests::setup;

use crate::prerequisites::{self, Tool};
use crate::ui::{self, Step};
use crate::{flink, generate, java, workspace};

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
    prerequisites::check(if args.fast { &[Tool::Rust] } else { prerequisites::ALL })?;
    generate::run(&generate::Args { check: true })?;
    format()?;

    ui::say("Building everything with its tests; the first time this takes some minutes.");
    let step = Step::start_plain("Build");
    workspace::run(&mut workspace::cargo(&["build", "--locked", "--package", "flinkctl"]))?;
    workspace::run(&mut workspace::cargo(&["test", "--locked", "--workspace", "--no-run", "--quiet"]))?;
    step.done();

    let mut totals = Totals::default();
    let pure = ["test", "--locked", "--workspace", "--exclude", "integration-tests", "--no-fail-fast"];
    totals.add(&mut workspace::cargo(&pure))?;
    totals.add(&mut workspace::cargo(&["test", "--locked", "--package", "integration-tests", "--lib"]))?;
    if !args.fast {
        totals.add(&mut scenarios()?)?;
    }
    totals.close(started)
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

/// The suites on real Flink, with all that they need.
fn scenarios() -> Result<Command> {
    let flink_home = flink::ensure(flink::DEFAULT_VERSION)?;
    let step = Step::start("Build the example jobs");
    let image = workspace::target().join("examples");
    java::build_examples(&flink_home, &image.join("flink-jobs.jar"))?;
    step.done();
    let mut command =
        workspace::cargo(&["test", "--locked", "--package", "integration-tests", "--no-fail-fast", "--tests"]);
    command.env(setup::BINARY, workspace::target().join("debug/flinkctl"));
    command.env(setup::EXAMPLES, image);
    command.env(setup::FLINK_HOME, flink_home);
    Ok(command)
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
