//! What a FlinkDeployment becomes, what edits do, and that nothing is left in the end.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{Stage, deployment, is_updated, job_spec, soon};

/// SC-572
#[tokio::test]
async fn a_deployment_becomes_a_cluster_jobs_and_a_supervisor() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[("a", "A"), ("b", "B")])).await?;
    let there = stage.expect("fd", "demo", is_updated).await?;
    ensure!(there["metadata"]["finalizers"] == json!(["operator.nextbreakpoint.com"]), "{there}");
    ensure!(there["status"]["digest"]["jobs"][1]["name"] == "b", "{there}");
    let cluster = stage.expect("fc", "demo", |cluster| cluster["metadata"]["finalizers"].is_array()).await?;
    ensure!(cluster["spec"]["taskManagers"] == 1, "{cluster}");
    ensure!(stage.names("fj").await? == ["demo-a", "demo-b"], "both jobs");
    let supervisor = stage.expect("deployment", "supervisor-demo", |_| true).await?;
    let owner = &supervisor["metadata"]["ownerReferences"][0];
    ensure!(owner["uid"] == cluster["metadata"]["uid"] && owner["controller"] == true, "{supervisor}");
    let image = &supervisor["spec"]["template"]["spec"]["containers"][0]["image"];
    ensure!(image == "flinkctl:test", "the original's supervisor is replaced by ours: {image}");
    let told = soon(async || {
        let events = stage.events("demo").await?;
        let wanted = ["ClusterCreated", "JobCreated", "SupervisorCreated", "ImageReplaced"];
        Ok(wanted.iter().all(|reason| events.iter().any(|event| event == reason)).then_some(()))
    });
    told.await.with_context(|| "the events are missing")?;
    stage.end().await
}

/// F-06, F-11
#[tokio::test]
async fn an_edit_of_cluster_and_job_in_one_update_reaches_both_and_scale_stays() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[("a", "A")])).await?;
    stage.expect("fd", "demo", is_updated).await?;
    stage.patch("fc", "demo", &json!({ "spec": { "taskManagers": 5 } })).await?;
    stage.patch("fj", "demo-a", &json!({ "spec": { "jobParallelism": 4 } })).await?;
    let mut job = job_spec("Z");
    job["bootstrap"]["arguments"].take();
    let edit = json!({ "spec": {
        "cluster": { "runtime": { "image": "flink:2.3" }, "taskManagers": 2, "jobManager": { "args": null } },
        "jobs": [{ "name": "a", "spec": job }],
    } });
    stage.patch("fd", "demo", &edit).await?;
    let cluster = stage.expect("fc", "demo", |cluster| cluster["spec"]["runtime"]["image"] == "flink:2.3").await?;
    ensure!(cluster["spec"]["taskManagers"] == 5, "scale is not propagated: {cluster}");
    ensure!(cluster["spec"]["jobManager"]["args"].is_null(), "a removed field is removed: {cluster}");
    let job = stage.expect("fj", "demo-a", |job| job["spec"]["bootstrap"]["className"] == "Z").await?;
    ensure!(job["spec"]["jobParallelism"] == 4, "scale is not propagated: {job}");
    ensure!(job["spec"]["bootstrap"]["arguments"].is_null(), "a removed field is removed: {job}");
    stage.expect("fd", "demo", is_updated).await?;
    stage.end().await
}

/// SC-028
#[tokio::test]
async fn what_is_missing_is_made_again_and_what_is_not_declared_goes() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[("a", "A"), ("b", "B")])).await?;
    stage.expect("fd", "demo", is_updated).await?;
    let first = stage.expect("fj", "demo-a", |_| true).await?;
    stage.delete("fj", "demo-a").await?;
    stage.expect("fj", "demo-a", |job| job["metadata"]["uid"] != first["metadata"]["uid"]).await?;
    let supervisor = stage.expect("deployment", "supervisor-demo", |_| true).await?;
    stage.delete("deployment", "supervisor-demo").await?;
    stage
        .expect("deployment", "supervisor-demo", |one| one["metadata"]["uid"] != supervisor["metadata"]["uid"])
        .await?;
    let edit =
        json!({ "spec": { "jobs": [{ "name": "b", "spec": job_spec("B") }, { "name": "c", "spec": job_spec("C") }] } });
    stage.patch("fd", "demo", &edit).await?;
    stage.gone("fj", "demo-a").await?;
    stage.expect("fj", "demo-c", |_| true).await?;
    stage.expect("fd", "demo", is_updated).await?;
    stage.end().await
}

/// D-08, D-09
#[tokio::test]
async fn a_supervisor_deployment_is_brought_back_and_follows_its_section_in_place() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[])).await?;
    let first = stage.expect("deployment", "supervisor-demo", |_| true).await?;
    let account = |one: &Value| one["spec"]["template"]["spec"]["serviceAccountName"].clone();
    let foreign = json!({ "spec": { "replicas": 0, "template": { "spec": { "serviceAccountName": "other" } } } });
    stage.patch("deployment", "supervisor-demo", &foreign).await?;
    let corrected = stage.expect("deployment", "supervisor-demo", |one| account(one) == "flink-supervisor").await?;
    ensure!(corrected["spec"]["replicas"] == 0, "the number of replicas is left to people: {corrected}");
    let section = json!({ "spec": { "cluster": { "supervisor": { "serviceAccount": "mine", "taskTimeout": 60 } } } });
    stage.patch("fd", "demo", &section).await?;
    let changed = stage.expect("deployment", "supervisor-demo", |one| account(one) == "mine").await?;
    ensure!(changed["metadata"]["uid"] == first["metadata"]["uid"], "it is changed in place");
    ensure!(changed["spec"]["replicas"] == 1, "{changed}");
    stage.end().await
}

/// SC-023, D-06
#[tokio::test]
async fn deletion_waits_for_the_supervisor_and_leaves_nothing() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[("a", "A")])).await?;
    stage.expect("fd", "demo", is_updated).await?;
    stage.expect("deployment", "supervisor-demo", |_| true).await?;
    stage.supervise("fc", "demo").await?;
    stage.supervise("fj", "demo-a").await?;
    stage.delete("fd", "demo").await?;
    for (kind, name) in [("fc", "demo"), ("fj", "demo-a")] {
        stage.expect(kind, name, |object| object["metadata"]["deletionTimestamp"].is_string()).await?;
    }
    stage.expect("fd", "demo", |one| one["status"]["conditions"][0]["reason"] == "Deleting").await?;
    ensure!(stage.get("deployment", "supervisor-demo").await?.is_some(), "the supervisor lives to clean up");
    stage.release("fj", "demo-a").await?;
    stage.release("fc", "demo").await?;
    let start = Instant::now();
    stage.gone("fd", "demo").await?;
    ensure!(start.elapsed().as_secs() < 10, "nobody lingers");
    for kind in ["fd", "fc", "fj", "deployment", "replicaset", "pod"] {
        let look = async || Ok(stage.names(kind).await?.is_empty().then_some(()));
        soon(look).await.with_context(|| format!("{kind} is left"))?;
    }
    stage.end().await
}
