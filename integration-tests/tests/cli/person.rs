//! As a person uses it: at a terminal, with tables, progress and words.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::objects::{cluster_spec, counter_spec};
use integration_tests::world::World;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::shell::{Said, Shell};

pub const CLUSTER: &str = "hands";

pub async fn a_person_works_at_a_terminal(world: Arc<World>) -> Result<()> {
    let shell = Shell::new(&world)?;
    let cluster = world.state().join("hands.yaml");
    let job = world.state().join("hands-one.yaml");
    std::fs::write(&cluster, serde_yaml::to_string(&cluster_spec(world.state(), json!({})))?)?;
    std::fs::write(
        &job,
        serde_yaml::to_string(&counter_spec(
            world.state(),
            "hands-one",
            json!({ "restart": { "restartPolicy": "OnlyIfFailed" } }),
        ))?,
    )?;

    let said =
        shell.at_terminal(80, &format!("cluster create hands --cluster-spec={} --wait=3m", cluster.display())).await?;
    said.ends(0)?.says("cluster hands runs")?.says("cluster hands: Starting")?;
    let said = shell.run(&format!("job create hands one --job-spec={} --wait=3m -o table", job.display())).await?;
    said.ends(0)?.says("job hands-one runs")?.says("job hands-one: Starting")?;

    for columns in [80, 200] {
        for line in [
            "jobs list",
            "jobs list hands",
            "clusters list",
            "get all",
            "get job hands one",
            "cluster status hands",
            "job status hands one",
            "taskmanagers list hands",
            "job details hands one",
            "events cluster hands",
        ] {
            fits(&shell.at_terminal(columns, line).await?.ends(0)?, usize::from(columns), line)?;
        }
    }
    shell.at_terminal(200, "jobs list").await?.says("JOB-RESTART")?.says("\u{1b}[32mRUNNING\u{1b}[0m")?;
    let plain = Shell::new(&world)?.with("NO_COLOR", "1").at_terminal(80, "jobs list").await?.ends(0)?;
    ensure!(!plain.out.contains('\u{1b}'), "there are no colours: {plain:?}");

    shell
        .at_terminal(80, "savepoint trigger hands one --wait=2m")
        .await?
        .ends(0)?
        .says("job hands-one has a new savepoint: ")?;
    shell
        .at_terminal(80, "job scale hands one --parallelism=2 --wait=2m")
        .await?
        .ends(0)?
        .says("job hands-one is scaled")?;
    shell.at_terminal(80, "job stop hands one --wait=2m").await?.ends(0)?.says("job hands-one has stopped: ")?;
    let late = shell.run("job start hands one --wait=1ms -o table").await?.ends(4)?;
    late.says("goes on, but is not done after 1ms")?;
    world.running("hands-one").await?;
    looks(&world, &shell).await?;
    shell.at_terminal(80, "job delete hands one --wait=2m").await?.ends(0)?.says("job hands-one is gone")?;
    shell.at_terminal(80, "cluster delete hands --wait=2m").await?.ends(0)?.says("cluster hands is gone")?;
    shell.at_terminal(80, "cluster status hands").await?.ends(1)?.says("error: Cluster not found: hands")?;
    world.leaves_nothing(CLUSTER).await
}

/// No line is longer than the terminal, unless a word in it is.
fn fits(said: &Said, columns: usize, line: &str) -> Result<()> {
    for found in said.out.lines() {
        let mut text = found.replace('\r', "");
        for code in ["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"] {
            text = text.replace(code, "");
        }
        let longest = text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
        let fits = text.chars().count() <= columns || longest > 30;
        ensure!(
            fits,
            "`flinkctl {line}` has a line of {} columns on a terminal of {columns}: {text}",
            text.chars().count()
        );
    }
    Ok(())
}

/// Logs, Flink's web UI, versions and a list that is followed.
async fn looks(world: &World, shell: &Shell) -> Result<()> {
    shell.run("logs hands --tail=5").await?.ends(0)?.says("INFO")?;
    shell.run("logs hands one").await?.ends(0)?.says("submitted")?;
    shell.run("logs hands --of=supervisor --since=10m").await?.ends(0)?.says("hands-one")?;
    shell.run("logs hands --of=taskmanager --tail=1").await?.ends(0)?;
    shell.run("logs nothing").await?.ends(1)?.says("has no JobManager pod")?;
    shell.run("version").await?.ends(0)?.says("Operator:")?;

    let address = first_line(shell, &["ui", "hands"]).await?;
    ensure!(address.starts_with("http://127.0.0.1:"), "{address}");
    let first = first_line(shell, &["clusters", "list", "--watch", "-o", "json"]).await?;
    let first: serde_json::Value = serde_json::from_str(&first).with_context(|| first.clone())?;
    ensure!(first["object"]["kind"] == "FlinkCluster", "{first}");

    // A context that names the namespace and the kubeconfig is as good as both.
    let kubeconfig = world.local.kubeconfig();
    let set = format!(
        "config set-context here --namespace={} --kube-config={} --use",
        world.local.namespace(),
        kubeconfig.display()
    );
    shell.run(&set).await?.ends(0)?;
    let elsewhere = Shell::new(world)?.with("KUBECONFIG", "/nowhere");
    elsewhere.run("clusters list -o name").await?.ends(0)?.says("flinkcluster.nextbreakpoint.com/hands")?;
    shell.run("config delete-context here").await?.ends(0)?;
    elsewhere.run("clusters list").await?.ends(3)?;
    Ok(())
}

/// The first line of a command that goes on, which is ended then.
async fn first_line(shell: &Shell, words: &[&str]) -> Result<String> {
    let binary = integration_tests::setup::Setup::find()?.binary;
    let mut command = shell.command(&binary.to_string_lossy());
    command.args(words).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("a pipe")?).lines();
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    line.with_context(|| format!("{words:?} says nothing"))??.with_context(|| format!("{words:?} ended"))
}
