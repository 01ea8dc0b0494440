//! Actions that are waited for: each is answered when it is done, with its result.

use anyhow::{Context, Result, ensure};
use integration_tests::objects;
use integration_tests::world::status;
use reqwest::Method;
use serde_json::json;

use crate::Shared;
use crate::api::Api;

/// SC-030, SC-031, SC-033, SC-047, SC-048, C-06
pub async fn an_action_is_answered_when_it_is_done(world: Shared) -> Result<()> {
    let api = Api::of(&world).await?;
    let spec = json!({ "taskManagers": 1, "supervisor": { "rescalePolicy": "None", "rescaleDelay": 1 } });
    api.post("/clusters/acts", &objects::cluster_spec(world.state(), spec)).await?;
    let job = json!({ "restart": { "restartPolicy": "Never" } });
    api.post("/clusters/acts/jobs/one", &objects::counter_spec(world.state(), "acts", job)).await?;
    world.running("acts-one").await?;
    let act =
        async |path: &str, body: &str| api.done(Method::POST, &format!("/clusters/acts{path}?wait=120s"), body).await;

    let saved = act("/jobs/one/savepoint", "").await?;
    let path = saved["savepointPath"].as_str().context("the savepoint's path")?;
    ensure!(path.contains("/savepoints/acts/savepoint-"), "{saved}");
    ensure!(status(&world.local.get("fj", "acts-one").await?.context("the job")?, "savepointPath") == path, "{saved}");

    let scaled = act("/jobs/one/scale", r#"{"parallelism": 2}"#).await?;
    ensure!(scaled["outcome"] == "Done" && scaled["parallelism"] == 2, "{scaled}");
    let job = world.local.get("fj", "acts-one").await?.context("the job")?;
    ensure!(job["status"]["jobParallelism"] == 2 && status(&job, "jobStatus") == "RUNNING", "{}", job["status"]);

    let stopped = act("/jobs/one/stop", r#"{"withoutSavepoint": false}"#).await?;
    ensure!(stopped["savepointPath"].as_str().is_some_and(|path| path.contains("/savepoints/acts/")), "{stopped}");
    let job = world.local.get("fj", "acts-one").await?.context("the job")?;
    ensure!(status(&job, "supervisorStatus") == "Stopped", "it is stopped when it is told: {}", job["status"]);
    let (code, refused) = api.ask(Method::POST, "/clusters/acts/jobs/one/stop?wait=60s", "{}").await?;
    ensure!(code == 409 && refused["type"] == "about:blank#action-refused", "{refused}");

    let started = act("/jobs/one/start", "{}").await?;
    let id = started["jobId"].as_str().context("the id of the job that runs")?;
    ensure!(world.flink("acts").await?.state(id).await? == "RUNNING", "it runs when it is told: {started}");

    let suspended = act("/jobs/one/scale", r#"{"parallelism": 0}"#).await?;
    ensure!(suspended["parallelism"] == 0, "{suspended}");
    let more = act("/scale", r#"{"taskManagers": 2}"#).await?;
    ensure!(more["taskManagers"] == 2, "{more}");
    world.count("pod", "clusterName=acts,role=taskmanager", 2).await?;
    let less = act("/scale", r#"{"taskManagers": 1}"#).await?;
    ensure!(less["taskManagers"] == 1, "{less}");

    let (code, late) = api.ask(Method::POST, "/clusters/acts/stop?wait=1ms", "{}").await?;
    let detail = late["detail"].as_str().unwrap_or_default();
    ensure!(code == 504 && detail.starts_with("STOP of cluster acts goes on, but is not done after 1ms: "), "{late}");
    world
        .when("fc", "acts", "is stopped", integration_tests::world::UP, |cluster| {
            status(cluster, "supervisorStatus") == "Stopped"
        })
        .await?;
    let started = act("/start", "{}").await?;
    ensure!(started["outcome"] == "Done", "{started}");
    api.done(Method::DELETE, "/clusters/acts/jobs/one", "").await?;
    api.done(Method::DELETE, "/clusters/acts", "").await?;
    world.leaves_nothing("acts").await
}
