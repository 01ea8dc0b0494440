//! What the API passes on of Flink, and that a Flink that hangs or dies harms nobody else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use control_api::route::{Method, ROUTES};
use integration_tests::objects;
use integration_tests::wait::until;
use integration_tests::world::{UP, World, job_id};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method as Http;
use serde_json::json;

use crate::Shared;
use crate::api::Api;

/// SC-016 to SC-022, SC-537, SC-540, SC-543, SC-561, SC-564, SC-567, D-02, F-36
pub async fn flink_is_asked_and_may_hang_or_die(world: Shared) -> Result<()> {
    let api = Api::of(&world).await?;
    let patch = json!({ "taskManagers": 1, "supervisor": { "rescalePolicy": "None" } });
    api.post("/clusters/says", &objects::cluster_spec(world.state(), patch)).await?;
    api.post("/clusters/says/jobs/one", &objects::counter_spec(world.state(), "says", json!({}))).await?;
    let job = world.running("says-one").await?;

    let details = api.get("/clusters/says/jobs/one/details").await?;
    ensure!(details["jid"] == job_id(&job) && details["vertices"][0]["tasks"].is_object(), "{details}");
    let known = until("checkpoints are counted", UP, async || {
        let metrics = api.get("/clusters/says/jobs/one/metrics").await?;
        Ok((metrics["numberOfCompletedCheckpoints"].as_i64() > Some(0)).then_some(metrics))
    })
    .await?;
    ensure!(known["lastCheckpointExternalPath"].as_str().is_some_and(|path| path.contains("chk-")), "{known}");
    let metrics = api.get("/clusters/says/jobmanager/metrics").await?;
    ensure!(metrics["jvmMemoryHeapUsed"].as_i64() > Some(0) && metrics["numRegisteredTaskManagers"] == 1, "{metrics}");
    ensure!(metrics["jvmMemoryDirectMemoryUsed"].as_i64() > Some(0), "the original never asked for it: {metrics}");
    let managers = api.get("/clusters/says/taskmanagers").await?;
    ensure!(managers[0]["slotsNumber"] == 2 && managers[0]["hardware"]["cpuCores"].is_number(), "{managers}");
    let id = managers[0]["id"].as_str().context("an id")?.to_owned();
    let details = api.get(&format!("/clusters/says/taskmanagers/{id}/details")).await?;
    ensure!(details["metrics"]["heapUsed"].as_i64() > Some(0), "{details}");
    let metrics = api.get(&format!("/clusters/says/taskmanagers/{id}/metrics")).await?;
    ensure!(metrics["jvmMemoryHeapUsed"].as_i64() > Some(0), "{metrics}");
    for path in ["details", "metrics"] {
        let (code, unknown) = api.ask(Http::GET, &format!("/clusters/says/taskmanagers/nobody/{path}"), "").await?;
        ensure!(code == 404 && unknown["type"] == "about:blank#unknown-to-flink", "{path}: {code} {unknown}");
    }
    every_question(&api, &id).await?;
    hang(&world, &api).await?;
    die(&world, &api).await?;
    api.done(Http::DELETE, "/clusters/says/jobs/one", "").await?;
    api.done(Http::DELETE, "/clusters/says", "").await?;
    world.leaves_nothing("says").await
}

/// Every route of the list that asks for something, in both dialects and both spellings.
async fn every_question(api: &Api, task_manager: &str) -> Result<()> {
    for route in ROUTES.iter().filter(|route| route.method == Method::Get && !route.path.contains("{deployment}")) {
        if matches!(route.path, "/watch" | "/openapi.json") {
            continue;
        }
        let path =
            route.path.replace("{cluster}", "says").replace("{job}", "one").replace("{taskmanager}", task_manager);
        let plain = api.get(&path).await?;
        ensure!(!plain.is_null(), "{path}");
        api.output(&path).await?;
        if let Some(rest) = path.strip_prefix("/clusters") {
            api.output(&format!("/cluster{rest}")).await?;
        }
    }
    Ok(())
}

/// A JobManager that is stopped in its tracks: its questions end soon, and others at once.
async fn hang(world: &World, api: &Api) -> Result<()> {
    let pod = world.pod("clusterName=says,role=jobmanager").await?;
    let processes = world.local.processes_of(&pod).await?;
    let signal = |signal| processes.iter().try_for_each(|process| kill(Pid::from_raw(process.pid), signal));
    signal(Signal::SIGSTOP)?;
    let asked = Instant::now();
    let hung = async {
        let answer = api.ask(Http::GET, "/clusters/says/taskmanagers", "").await;
        (answer, asked.elapsed())
    };
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let one = Instant::now();
            api.get("/clusters/says/jobs/one/status").await?;
            slowest = slowest.max(one.elapsed());
        }
        anyhow::Ok(slowest)
    };
    let ((answer, took), slowest) = tokio::join!(hung, others);
    signal(Signal::SIGCONT)?;
    let (code, problem) = answer?;
    ensure!(code == 504 && problem["type"] == "about:blank#flink-unreachable", "{problem}");
    ensure!(took < Duration::from_secs(8), "it took {took:?}");
    let slowest = slowest?;
    ensure!(slowest < Duration::from_secs(2), "another request took {slowest:?}");
    until("it answers again", UP, async || {
        Ok((api.ask(Http::GET, "/clusters/says/taskmanagers", "").await?.0 == 200).then_some(()))
    })
    .await
}

/// A new JobManager has another address.
async fn die(world: &World, api: &Api) -> Result<()> {
    let before = job_id(&world.local.get("fj", "says-one").await?.context("the job")?).to_owned();
    let pod = world.pod("clusterName=says,role=jobmanager").await?;
    world.local.kill(&pod).await?;
    world.running_again("says-one", &before).await?;
    let details = api.get("/clusters/says/jobs/one/details").await?;
    ensure!(details["state"] == "RUNNING" && details["jid"] != before, "{details}");
    Ok(())
}
