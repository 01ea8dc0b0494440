//! A cluster's own life: stop, start, scale, change, and how it lives beside others.

use std::sync::Arc;

use anyhow::{Result, ensure};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::wait::until;
use integration_tests::world::{SOON, UP, World, job_id, status};
use serde_json::json;

/// SC-031, F-09
pub async fn clusters_whose_names_are_prefixes_of_each_other_do_not_meet(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let spec = cluster_spec(&state, json!({}));
    world
        .apply(&[
            objects::cluster("pre", &spec),
            objects::cluster("pre-two", &spec),
            objects::job("pre", "job", &counter_spec(&state, "pre-job", json!({}))),
            objects::job("pre-two", "job", &counter_spec(&state, "pre-two-job", json!({}))),
        ])
        .await?;
    for (job, cluster) in [("pre-job", "pre"), ("pre-two-job", "pre-two")] {
        let running = world.running(job).await?;
        ensure!(running["metadata"]["labels"]["clusterName"] == cluster, "the operator stamps the label of {job}");
        ensure!(status(&running, "clusterName") == cluster, "{job} belongs to {}", running["status"]["clusterName"]);
        let live = world.flink(cluster).await?.live_jobs().await?;
        ensure!(live == [job_id(&running)], "{cluster} runs {live:?}");
        world.counted(job, job_id(&running), 20).await?;
    }
    // The shorter name goes; the longer one is not touched.
    let other = world.running("pre-two-job").await?;
    world.local.kubectl(&["delete", "fj", "pre-job", "--timeout=60s"]).await?;
    world.local.kubectl(&["delete", "fc", "pre", "--timeout=90s"]).await?;
    world.count("pod", "clusterName=pre", 0).await?;
    let report = world.counted("pre-two-job", job_id(&other), 100).await?;
    ensure!(report.executions() == 1, "the other cluster's job was not restarted");
    world.local.kubectl(&["delete", "fj/pre-two-job", "fc/pre-two", "--timeout=90s"]).await?;
    world.leaves_nothing("pre").await
}

/// SC-024
pub async fn a_cluster_is_stopped_and_started_by_annotation(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let job = counter_spec(&state, "halt-job", json!({}));
    world.apply(&[objects::deployment("halt", &cluster_spec(&state, json!({})), &[("job", job)])]).await?;
    let first = world.running("halt-job").await?;
    world.counted("halt-job", job_id(&first), 50).await?;

    world.request("fc", "halt", "STOP").await?;
    world.when("fc", "halt", "is stopped", UP, |cluster| status(cluster, "supervisorStatus") == "Stopped").await?;
    let stopped = world.stopped("halt-job").await?;
    ensure!(!status(&stopped, "savepointPath").is_empty(), "the cluster's job is saved before the cluster goes");
    world.count("pod", "clusterName=halt,component=flink,role in (jobmanager,taskmanager)", 0).await?;
    world.consumed("fc", "halt").await?;

    world.request("fc", "halt", "START").await?;
    world.started("halt").await?;
    let second = world.running_again("halt-job", job_id(&first)).await?;
    let report = world.counted("halt-job", job_id(&second), 50).await?;
    ensure!(report.executions() == 2, "both executions committed: {}", report.executions());
    world.local.kubectl(&["delete", "fd", "halt", "--timeout=90s"]).await?;
    world.leaves_nothing("halt").await
}

/// SC-043, SC-046 to SC-048
pub async fn a_bare_cluster_is_scaled_by_kubectl(world: Arc<World>) -> Result<()> {
    let spec = cluster_spec(world.state(), json!({ "taskManagers": 1, "supervisor": { "rescaleDelay": 1 } }));
    world.apply(&[objects::cluster("bare", &spec)]).await?;
    world.started("bare").await?;
    let flink = world.flink("bare").await?;
    for wanted in [2_u64, 1] {
        world.local.kubectl(&["scale", "fc", "bare", &format!("--replicas={wanted}")]).await?;
        let pods = usize::try_from(wanted)?;
        world.count("pod", "clusterName=bare,role=taskmanager", pods).await?;
        world
            .when("fc", "bare", "shows it", SOON, |cluster| cluster["status"]["taskManagerReplicas"] == wanted)
            .await?;
        if wanted == 2 {
            until("Flink has two TaskManagers", UP, async || Ok((flink.task_managers().await? == 2).then_some(())))
                .await?;
        }
    }
    world.local.kubectl(&["delete", "fc", "bare", "--timeout=90s"]).await?;
    world.leaves_nothing("bare").await
}

/// SC-045
pub async fn a_changed_section_restarts_the_cluster_and_its_jobs_go_on(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    world
        .apply(&[
            objects::cluster("section", &cluster_spec(&state, json!({}))),
            objects::job("section", "job", &counter_spec(&state, "section-job", json!({}))),
        ])
        .await?;
    let first = world.running("section-job").await?;
    world.counted("section-job", job_id(&first), 50).await?;
    let before = world.pod("clusterName=section,role=jobmanager").await?;

    world.patch("fc", "section", &json!({ "spec": { "taskManager": { "taskSlots": 4 } } })).await?;
    let second = world.running_again("section-job", job_id(&first)).await?;
    ensure!(world.pod("clusterName=section,role=jobmanager").await? != before, "it is another JobManager");
    let cluster = world.started("section").await?;
    ensure!(cluster["status"]["taskSlots"] == 4, "the new section counts: {}", cluster["status"]["taskSlots"]);
    let report = world.counted("section-job", job_id(&second), 50).await?;
    ensure!(report.executions() == 2, "both executions committed: {}", report.executions());
    world.local.kubectl(&["delete", "fj/section-job", "fc/section", "--timeout=90s"]).await?;
    world.leaves_nothing("section").await
}

/// SC-033
pub async fn a_job_survives_its_cluster(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let spec = cluster_spec(&state, json!({}));
    world
        .apply(&[
            objects::cluster("survive", &spec),
            objects::job("survive", "job", &counter_spec(&state, "survive-job", json!({}))),
        ])
        .await?;
    let first = world.running("survive-job").await?;
    world.counted("survive-job", job_id(&first), 50).await?;
    world.local.kubectl(&["delete", "fc", "survive", "--timeout=90s"]).await?;
    world.count("pod", "clusterName=survive", 0).await?;
    ensure!(world.local.get("fj", "survive-job").await?.is_some(), "no job is owned by its cluster");

    // A new cluster of the name takes the job up where it was.
    world.apply(&[objects::cluster("survive", &spec)]).await?;
    let second = world.running_again("survive-job", job_id(&first)).await?;
    world.counted("survive-job", job_id(&second), 50).await?;
    world.local.kubectl(&["delete", "fj/survive-job", "fc/survive", "--timeout=90s"]).await?;
    world.leaves_nothing("survive").await
}
