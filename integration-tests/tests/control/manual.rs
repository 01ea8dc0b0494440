//! The manual's curl commands, taken literally but for the address: they work in the order in which they stand there.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::world::{UP, World, status};
use serde_json::Value;

use crate::Shared;
use crate::api::Api;

const MANUAL: &str = include_str!("../../../docs/manual.md");
const SECTION: &str = "## The control API";
const ADDRESS: &str = "http://localhost:4444";

/// C-07
pub async fn the_commands_of_the_manual_work(world: Shared) -> Result<()> {
    let api = Api::of(&world).await?;
    let commands = commands();
    ensure!(commands.len() > 30, "{commands:?}");
    // Later commands use what earlier ones have found out.
    let mut found = String::new();
    for command in commands {
        let command = command.replace(ADDRESS, &api.base);
        let (name, is_assignment) = command.split_once("=$(").map_or(("", false), |(name, _)| (name, true));
        let script =
            if is_assignment { format!("{found}{command}; echo ${name}") } else { format!("{found}{command}") };
        let output = run(&script).await.with_context(|| command.clone())?;
        if is_assignment {
            ensure!(!output.trim().is_empty(), "{command} finds nothing");
            found = format!("{found}{name}={}\n", output.trim());
        } else if output.starts_with('{') {
            let answer: Value = serde_json::from_str(&output).with_context(|| output.clone())?;
            ensure!(answer["status"] != "ERROR" && answer["status"] != "FAILURE", "{command}: {answer}");
        }
        settle(&world, &command).await.with_context(|| command.clone())?;
    }
    world.leaves_nothing("demo").await
}

/// What a person would wait for before the next command.
async fn settle(world: &World, command: &str) -> Result<()> {
    let plain = command.split_whitespace().nth(1).unwrap_or_default();
    let of = |end: &str| plain.ends_with(end);
    if of("/clusters/demo/jobs/counter") && (command.contains("-XPOST") || command.contains("-XPUT")) {
        world.running("demo-counter").await?;
    } else if of("/jobs/counter/start") || of("/jobs/counter/scale") {
        world.running("demo-counter").await?;
        let parallelism = if of("scale") { 2 } else { 1 };
        let scaled = |job: &Value| job["status"]["jobParallelism"].as_i64() >= Some(parallelism);
        world.when("fj", "demo-counter", "has its parallelism", UP, scaled).await?;
        world.running("demo-counter").await?;
    } else if of("/jobs/counter/stop") {
        world.stopped("demo-counter").await?;
    } else if of("/jobs/counter/savepoint/trigger") {
        world.when("fj", "demo-counter", "has a savepoint", UP, |job| !status(job, "savepointPath").is_empty()).await?;
        world.consumed("fj", "demo-counter").await?;
    } else if of("/jobs/counter/savepoint/forget") {
        world.consumed("fj", "demo-counter").await?;
    } else if of("/clusters/demo/stop") {
        world.when("fc", "demo", "is stopped", UP, |cluster| status(cluster, "supervisorStatus") == "Stopped").await?;
    } else if of("/clusters/demo/start") {
        world.started("demo").await?;
        world.running("demo-counter").await?;
    } else if of("/clusters/demo/scale") {
        world.count("pod", "clusterName=demo,role=taskmanager", 2).await?;
    } else if command.contains("-XDELETE") {
        let kind = if of("/jobs/counter") {
            ("fj", "demo-counter")
        } else if of("/clusters/demo") {
            ("fc", "demo")
        } else {
            ("fd", "demo")
        };
        world.gone(kind.0, kind.1).await?;
    }
    Ok(())
}

/// The commands of the section: indented lines that call curl.
fn commands() -> Vec<String> {
    let section = MANUAL.split(SECTION).nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    let all = lines.filter(|line| line.starts_with("curl ") || line.contains("=$(curl "));
    // What needs files of its own, or does not end by itself.
    all.filter(|line| line.contains(ADDRESS) && !line.contains("/watch")).map(str::to_owned).collect()
}

async fn run(script: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let prelude = "curl() { command curl --silent --show-error --noproxy '*' --fail-with-body \"$@\"; }\n";
    let mut command = tokio::process::Command::new("sh");
    command.arg("-c").arg(format!("{prelude}{script}")).current_dir(root).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(3), command.output()).await??;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{}: {}{}", output.status, text(&output.stdout), text(&output.stderr));
    Ok(text(&output.stdout))
}
