//! Whole instances of `flinkctl local`: side by side, stopped and started again, refused.
//!
//! These bring up systems of their own, one test after the other.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use integration_tests::local::{Local, Options};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::setup::Setup;
use integration_tests::world::{World, job_id};
use serde_json::json;
use tokio::sync::Mutex;

/// Two cores carry one of these tests at a time.
static ONE: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn a_system_that_was_stopped_goes_on_where_it_was() -> Result<()> {
    let _one = ONE.lock().await;
    let state = tempfile::tempdir()?;
    let options = options(state.path(), &[])?;
    let world = World { local: Local::start(options.clone()).await?, state };
    let specs = (cluster_spec(world.state(), json!({})), counter_spec(world.state(), "kept-job", json!({})));
    world.apply(&[objects::deployment("kept", &specs.0, &[("job", specs.1)])]).await?;
    let first = world.running("kept-job").await?;
    world.counted("kept-job", job_id(&first), 50).await?;
    let World { local, state } = world;
    ensure!(local.stop().await?.is_empty(), "`down` leaves no process");

    let world = World { local: Local::start(options).await?, state };
    let second = world.running_again("kept-job", job_id(&first)).await?;
    let report = world.counted("kept-job", job_id(&second), 50).await?;
    ensure!(report.executions() == 2, "both executions committed: {}", report.executions());
    ensure!(world.local.stop().await?.is_empty(), "`down` leaves no process");
    Ok(())
}

#[tokio::test]
async fn two_instances_run_side_by_side() -> Result<()> {
    let _one = ONE.lock().await;
    let states = [tempfile::tempdir()?, tempfile::tempdir()?];
    let mut instances = Vec::new();
    for state in &states {
        instances.push(Local::start(options(state.path(), &["--without-operator"])?).await?);
    }
    let note = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "note" }, "data": { "a": "b" } });
    instances[0].apply(&[note]).await?;
    let names = ["get", "configmaps", "-o", "name"];
    ensure!(instances[0].kubectl(&names).await?.contains("configmap/note"), "the first has it");
    ensure!(!instances[1].kubectl(&names).await?.contains("configmap/note"), "the second does not");
    for local in instances {
        ensure!(local.stop().await?.is_empty(), "`down` leaves no process");
    }
    Ok(())
}

#[test]
fn up_refuses_to_start_without_flink_and_says_what_to_do() -> Result<()> {
    let state = tempfile::tempdir()?;
    let output = Command::new(Setup::find()?.binary)
        .args(["local", "up", "--data-dir"])
        .arg(state.path().join("local"))
        .arg("--flink-home")
        .arg(state.path())
        .env_remove("FLINK_HOME")
        .output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "it starts without Flink");
    ensure!(words.contains("--flink-home") || words.contains("FLINK_HOME"), "it says what to do: {words}");
    Ok(())
}

fn options(state: &Path, flags: &[&str]) -> Result<Options> {
    let setup = Setup::find()?;
    Ok(Options {
        binary: setup.binary,
        data_dir: state.join("local"),
        flink_home: setup.flink_home,
        images: BTreeMap::from([(objects::EXAMPLES_NAME.to_owned(), setup.examples)]),
        namespace: "flink-jobs".to_owned(),
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
    })
}
