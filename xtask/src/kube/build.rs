//! Builds the control plane's program, once for each state of its source.
//!
//! Invariant: a program in the cache is whole: it is built beside its place and moved there when it says its version.

use std::fs;
use std::io::{BufRead, BufReader, IsTerminal, stderr};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use integration_tests::control_plane::program;

use crate::prerequisites::{self, Tool};
use crate::ui::{self, Step};
use crate::{flink, workspace};

/// How often progress is said where nothing can be drawn.
const SAY_EVERY: Duration = Duration::from_mins(1);
const KEPT_LINES: usize = 20;

/// The program, built if need be.
pub fn ensure() -> Result<PathBuf> {
    if let Some(program) = program::built()? {
        return Ok(program);
    }
    prerequisites::check(&[Tool::Go])?;
    let home = program::home()?;
    let parent = home.parent().context("a home lies in a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let _one_at_a_time = flink::lock(parent)?;
    if let Some(program) = program::built()? {
        return Ok(program);
    }
    let version = program::version()?;
    ui::say(format!(
        "Kubernetes {version} is built from its Go modules: 5 to 15 minutes, about 5 GB of Go's caches, once."
    ));
    let step = Step::start(format!("Build Kubernetes {version}"));
    let staging = tempfile::Builder::new().prefix("build-").tempdir_in(parent)?;
    let built = staging.path().join(program::NAME);
    compile(&version, &built, &step)?;
    symlink(program::NAME, staging.path().join("kubectl"))?;
    let said = workspace::capture(Command::new(&built).args(["kube-apiserver", "--version"]))?;
    if said.trim() != format!("Kubernetes v{version}") {
        bail!("the new kube-apiserver says that it is `{}`, not `Kubernetes v{version}`", said.trim());
    }
    let size = fs::metadata(&built)?.len() / 1_000_000;
    fs::rename(staging.keep(), &home).with_context(|| format!("cannot move what was built to {}", home.display()))?;
    step.done_with(&format!("{size} MB in {}", home.display()));
    Ok(home.join(program::NAME))
}

fn go(arguments: &[&str]) -> Command {
    let mut go = Command::new("go");
    // The Go that is installed is the one that is used, and the program needs nothing of this machine.
    go.current_dir(program::source())
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=readonly")
        .env("CGO_ENABLED", "0");
    go.args(arguments);
    go
}

fn compile(version: &str, output: &Path, step: &Step) -> Result<()> {
    let packages = workspace::capture(&mut go(&["list", "-deps", "."]))
        .context(
            "cannot find out what to build; the modules come from Go's module proxy, check that it can be reached",
        )?
        .lines()
        .count();
    let flags = format!("-s -w {}", stamps(version));
    let mut build = go(&["build", "-v", "-buildvcs=false", "-trimpath", "-p", "2", "-ldflags", &flags, "-o"]);
    build.arg(output).arg(".").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = build.spawn().context("cannot start `go build`")?;
    let words = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let (mut done, mut said, mut last) = (0, Instant::now(), Vec::new());
    for line in words.lines() {
        last.push(line.context("cannot read what `go build` says")?);
        if last.len() > KEPT_LINES {
            last.remove(0);
        }
        // Packages that are in Go's cache are not named, so the end may come early.
        done += 1;
        step.progress(&format!("{done} of {packages} packages"));
        if !stderr().is_terminal() && said.elapsed() >= SAY_EVERY {
            ui::say(format!("{done} of {packages} packages"));
            said = Instant::now();
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`go build` ended with {status}:\n{}", last.join("\n"));
    }
    Ok(())
}

/// What makes the components say their true version; a build from modules knows none.
fn stamps(version: &str) -> String {
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let stamp = |package: &str| {
        [("gitVersion", format!("v{version}")), ("gitMajor", major.to_owned()), ("gitMinor", minor.to_owned())]
            .map(|(name, value)| format!("-X {package}.{name}={value}"))
            .join(" ")
    };
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(stamp).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_told_its_version() {
        let stamps = stamps("1.36.3");
        for part in ["component-base/version.gitVersion=v1.36.3", "client-go/pkg/version.gitMinor=36", "gitMajor=1"] {
            assert!(stamps.contains(part), "{stamps}");
        }
    }
}
