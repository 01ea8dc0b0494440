//! As a program uses it: no terminal, the envelope on stdout, exit codes.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::setup::Setup;
use integration_tests::wait::until;
use integration_tests::world::World;
use serde_json::{Value, json};

use super::shell::Shell;

pub const CLUSTER: &str = "words";
pub const HTTP_CLUSTER: &str = "plain";

/// Writes a document where commands find it.
fn file(world: &World, name: &str, content: &Value) -> Result<PathBuf> {
    let path = world.state().join(name);
    std::fs::write(&path, content.to_string())?;
    Ok(path)
}

fn specs(world: &World, cluster: &str) -> Result<(PathBuf, PathBuf)> {
    let cluster_file = file(world, &format!("{cluster}.json"), &cluster_spec(world.state(), json!({})))?;
    let job = counter_spec(
        world.state(),
        &format!("{cluster}-one"),
        json!({ "restart": { "restartPolicy": "OnlyIfFailed" } }),
    );
    Ok((cluster_file, file(world, &format!("{cluster}-one.json"), &job)?))
}

/// SC-574, C-01, C-03
pub async fn every_command_answers_programs_over_mutual_tls(world: Arc<World>) -> Result<()> {
    let shell = Shell::new(&world)?;
    answers(&shell).await?;
    work(&world, &shell, CLUSTER).await?;
    deployments(&world, &shell).await?;
    errors(&shell).await
}

/// All commands of the original on a cluster and a job, from begin to end.
async fn work(world: &World, shell: &Shell, cluster: &str) -> Result<()> {
    let (cluster_file, job_file) = specs(world, cluster)?;
    let (cluster_file, job_file) = (cluster_file.display(), job_file.display());
    let job = format!("--cluster-name={cluster} --job-name=one");
    let resource = format!("{cluster}-one");
    shell
        .run(&format!("cluster create --cluster-name={cluster} --cluster-spec={cluster_file}"))
        .await?
        .ends(0)?
        .output()?;
    shell.run(&format!("job create {job} --job-spec={job_file}")).await?.ends(0)?.output()?;
    let again = shell.run(&format!("cluster create --cluster-name={cluster} --cluster-spec={cluster_file}")).await?;
    again.ends(1)?.says("\"status\":")?;
    world.running(&resource).await?;

    let names = shell.run("clusters list").await?.ends(0)?.output()?;
    ensure!(names.as_array().is_some_and(|names| names.contains(&json!(cluster))), "{names}");
    let names = shell.run(&format!("jobs list --cluster-name={cluster}")).await?.ends(0)?.output()?;
    ensure!(names == json!(["one"]), "{names}");
    let status = shell.run(&format!("cluster status --cluster-name={cluster}")).await?.ends(0)?.output()?;
    ensure!(status["supervisorStatus"] == "Started", "{status}");
    let status = shell.run(&format!("job status {job}")).await?.ends(0)?.output()?;
    ensure!(status["jobStatus"] == "RUNNING", "{status}");
    let details = shell.run(&format!("job details {job}")).await?.ends(0)?.output()?;
    ensure!(details["jid"] == status["jobId"], "{details}");
    let metrics = shell.run(&format!("job metrics {job}")).await?.ends(0)?.output()?;
    ensure!(metrics["numberOfCompletedCheckpoints"].is_u64(), "{metrics}");
    let metrics = shell.run(&format!("jobmanager metrics --cluster-name={cluster}")).await?.ends(0)?.output()?;
    ensure!(metrics["numRunningJobs"] == 1, "{metrics}");
    let list = shell.run(&format!("taskmanagers list --cluster-name={cluster}")).await?.ends(0)?.output()?;
    let id = list[0]["id"].as_str().with_context(|| format!("a TaskManager is listed: {list}"))?;
    for what in ["details", "metrics"] {
        let line = format!("taskmanager {what} --cluster-name={cluster} --taskmanager-id={id}");
        ensure!(shell.run(&line).await?.ends(0)?.output()?.is_object(), "{line}");
    }

    shell.run(&format!("savepoint trigger {job} --wait=2m")).await?.ends(0)?.output()?;
    shell.run(&format!("savepoint forget {job}")).await?.ends(0)?.output()?;
    shell.run(&format!("job stop {job} --wait=2m")).await?.ends(0)?.output()?;
    shell.run(&format!("job stop {job} --wait=2m")).await?.ends(1)?.says("already stopped")?;
    shell.run(&format!("job update {job} --job-spec={job_file}")).await?.ends(0)?.output()?;
    shell.run(&format!("job start {job} --without-savepoint --wait=2m")).await?.ends(0)?.output()?;
    shell.run(&format!("job scale {job} --parallelism=2")).await?.ends(0)?.output()?;
    shell.run(&format!("cluster scale --cluster-name={cluster} --task-managers=2")).await?.ends(0)?.output()?;
    shell
        .run(&format!("cluster update --cluster-name={cluster} --cluster-spec={cluster_file}"))
        .await?
        .ends(0)?
        .output()?;
    shell
        .run(&format!("cluster stop --cluster-name={cluster} --without-savepoint --wait=2m"))
        .await?
        .ends(0)?
        .output()?;
    shell.run(&format!("cluster start --cluster-name={cluster} --wait=3m")).await?.ends(0)?.output()?;
    shell.run(&format!("job delete {job} --wait=2m")).await?.ends(0)?.output()?;
    shell.run(&format!("cluster delete --cluster-name={cluster} --wait=2m")).await?.ends(0)?.output()?;
    world.leaves_nothing(cluster).await
}

async fn deployments(world: &World, shell: &Shell) -> Result<()> {
    let jobs = [(
        "one",
        counter_spec(world.state(), "words-fd-one", json!({ "restart": { "restartPolicy": "OnlyIfFailed" } })),
    )];
    let whole = objects::deployment("words-fd", &cluster_spec(world.state(), json!({})), &jobs);
    let spec = file(world, "deployment.json", &whole["spec"])?;
    let spec = spec.display();
    let name = "--deployment-name=words-fd";
    shell.run(&format!("deployment create {name} --deployment-spec={spec}")).await?.ends(0)?.output()?;
    let names = shell.run("deployments list").await?.ends(0)?.output()?;
    ensure!(names.as_array().is_some_and(|names| names.contains(&json!("words-fd"))), "{names}");
    shell.run(&format!("deployment status {name}")).await?.ends(0)?.output()?;
    shell.run(&format!("deployment update {name} --deployment-spec={spec}")).await?.ends(0)?.output()?;
    shell.run(&format!("deployment delete {name} --wait=2m")).await?.ends(0)?.output()?;
    world.leaves_nothing("words-fd").await
}

/// Exit codes tell what went wrong.
async fn errors(shell: &Shell) -> Result<()> {
    shell.run("cluster status --cluster-name=nope").await?.ends(1)?.says("Cluster not found: nope")?;
    shell.run("job stop --cluster-name=nope --job-name=one").await?.ends(1)?.says("\"FAILURE\"")?;
    shell.run("cluster").await?.ends(2)?.says("Commands:")?;
    shell.run("cluster halt").await?.ends(2)?;
    shell.run("clusters list --host=127.0.0.1 --port=1").await?.ends(3)?.says("nobody listens there")?;
    shell.run("clusters list --namespace=nowhere").await?.ends(3)?.says("no service flink-operator")?;
    shell.run("clusters list --kube-config=/nowhere").await?.ends(3)?.says("failed to use the kubeconfig")?;
    Ok(())
}

pub async fn every_command_answers_over_plain_http(world: Arc<World>) -> Result<()> {
    let port = free_port()?;
    let shell = Shell::new(&world)?;
    let mut command = shell.command(&Setup::find()?.binary.to_string_lossy());
    command.args([
        "operator",
        "run",
        "--namespace",
        world.local.namespace(),
        "--insecure",
        "--port",
        &port.to_string(),
    ]);
    command.args(["--monitoring-port", &free_port()?.to_string(), "--image=flinkctl:local", "--kube-config"]);
    command.arg(world.local.kubeconfig()).stdout(Stdio::null()).stderr(Stdio::null());
    let _operator = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let shell = shell.with("FLINKCTL_HOST", "127.0.0.1").with("FLINKCTL_PORT", port.to_string());
    answers(&shell).await?;
    work(&world, &shell, HTTP_CLUSTER).await
}

/// Waits until the operator answers: it is still starting when the API server is there.
async fn answers(shell: &Shell) -> Result<()> {
    until("the operator answers", Duration::from_mins(1), async || {
        let said = shell.run("clusters list").await?;
        Ok((said.code == 0).then_some(()))
    })
    .await
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
