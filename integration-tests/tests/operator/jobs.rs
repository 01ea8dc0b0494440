//! Which cluster a FlinkJob belongs to.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::stage::{Stage, cluster_spec, job_spec, object};

fn home(job: &Value) -> (&Value, &Value) {
    (&job["metadata"]["labels"]["clusterName"], &job["metadata"]["labels"]["jobName"])
}

/// F-09
#[tokio::test]
async fn a_job_by_hand_belongs_to_the_cluster_with_the_longest_name() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fc", &object("FlinkCluster", "demo", &cluster_spec())).await?;
    stage.create("fj", &object("FlinkJob", "demo-2-x", &job_spec("X"))).await?;
    stage.expect("fj", "demo-2-x", |job| home(job) == (&json!("demo"), &json!("2-x"))).await?;
    stage.create("fc", &object("FlinkCluster", "demo-2", &cluster_spec())).await?;
    stage.expect("fj", "demo-2-x", |job| home(job) == (&json!("demo-2"), &json!("x"))).await?;
    stage.end().await
}

#[tokio::test]
async fn a_job_that_runs_stays_where_it_is() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fc", &object("FlinkCluster", "demo", &cluster_spec())).await?;
    stage.create("fj", &object("FlinkJob", "demo-2-x", &job_spec("X"))).await?;
    stage.expect("fj", "demo-2-x", |job| home(job).0 == "demo").await?;
    stage.patch_status("fj", "demo-2-x", &json!({ "supervisorStatus": "Started" })).await?;
    stage.create("fc", &object("FlinkCluster", "demo-2", &cluster_spec())).await?;
    stage.expect("deployment", "supervisor-demo-2", |_| true).await?;
    let job = stage.expect("fj", "demo-2-x", |_| true).await?;
    ensure!(home(&job).0 == "demo", "{job}");
    stage.end().await
}

/// SC-034, F-27
#[tokio::test]
async fn an_orphan_says_so_and_keeps_its_savepoint() -> Result<()> {
    let stage = Stage::new().await?;
    stage.create("fj", &object("FlinkJob", "demo-a", &job_spec("A"))).await?;
    let job = stage.expect("fj", "demo-a", |job| job["status"]["supervisorStatus"] == "Unknown").await?;
    ensure!(job["status"]["conditions"][0]["reason"] == "NoCluster", "{job}");
    stage.create("fc", &object("FlinkCluster", "demo", &cluster_spec())).await?;
    stage.expect("fj", "demo-a", |job| home(job).0 == "demo").await?;
    stage.supervise("fc", "demo").await?;
    stage.supervise("fj", "demo-a").await?;
    let running =
        json!({ "supervisorStatus": "Started", "jobParallelism": 1, "savepointPath": "file:///s/1", "jobId": "ff" });
    stage.patch_status("fj", "demo-a", &running).await?;
    stage.delete("fc", "demo").await?;
    stage.release("fc", "demo").await?;
    stage.gone("fc", "demo").await?;
    let job = stage.expect("fj", "demo-a", |job| job["status"]["supervisorStatus"] == "Unknown").await?;
    ensure!(job["status"]["jobParallelism"] == 0 && job["status"]["savepointPath"] == "file:///s/1", "{job}");
    stage.delete("fj", "demo-a").await?;
    stage.gone("fj", "demo-a").await?;
    stage.end().await
}
