//! An operator on a person's machine, beside the one in the cluster: with a kubeconfig below their home directory.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use integration_tests::setup::Setup;
use integration_tests::world::UP;
use integration_tests::{objects, wait::until};
use reqwest::Method;
use serde_json::json;

use crate::Shared;
use crate::api::Api;

pub async fn an_operator_outside_of_the_cluster_serves_the_same(world: Shared) -> Result<()> {
    let home = tempfile::tempdir()?;
    std::fs::copy(world.local.kubeconfig(), home.path().join("kubeconfig"))?;
    let port = || anyhow::Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port());
    let (control, monitoring) = (port()?, port()?);
    let mut operator = tokio::process::Command::new(Setup::find()?.binary)
        .args(["operator", "run", "--kube-config=~/kubeconfig", "--insecure"])
        .args([format!("--namespace={}", world.local.namespace()), format!("--port={control}")])
        .arg(format!("--monitoring-port={monitoring}"))
        .envs([("HOME", home.path().as_os_str()), ("FLINKCTL_IMAGE", "flinkctl:local".as_ref())])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the operator")?;
    let api = Api::at(&format!("http://127.0.0.1:{control}"))?;
    api.ready().await?;
    let spec = objects::cluster_spec(world.state(), json!({ "supervisor": { "rescalePolicy": "None" } }));
    api.post("/clusters/outside", &spec).await?;
    world.started("outside").await?;
    let managers = until("Flink answers", UP, async || {
        let (code, answer) = api.ask(Method::GET, "/clusters/outside/taskmanagers", "").await?;
        Ok((code == 200).then_some(answer))
    })
    .await?;
    ensure!(managers == json!([]), "it has no TaskManagers yet: {managers}");
    ensure!(api.get("/clusters/outside/status").await?["supervisorStatus"] == "Started");
    api.done(Method::DELETE, "/clusters/outside", "").await?;
    world.leaves_nothing("outside").await?;
    operator.start_kill()?;
    operator.wait().await?;
    Ok(())
}
