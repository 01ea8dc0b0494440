//! The client, the lister and the example jobs against the real Flink in `FLINK_HOME`.

mod cluster;
mod truth;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flink::{JobId, JobState, ListingOutcome, Operation, RunRequest, TriggerId};
use flink_client::{Client, JarSource};
use integration_tests::counter::{self, Report};
use integration_tests::{setup, wait};

use cluster::Cluster;

const SOON: Duration = Duration::from_mins(1);

fn job_id() -> JobId {
    JobId::from_bytes(*uuid::Uuid::new_v4().as_bytes())
}

fn trigger_id() -> TriggerId {
    TriggerId::from_bytes(*uuid::Uuid::new_v4().as_bytes())
}

/// A counter that writes to `output`.
fn counter(cluster: &Cluster, job: &JobId, from: Option<&str>) -> RunRequest {
    RunRequest {
        entry_class: Some(counter::CLASS.to_owned()),
        program_args_list: counter::arguments(&cluster.url("output"), 200),
        parallelism: Some(2),
        job_id: Some(job.clone()),
        savepoint_path: from.map(str::to_owned),
        ..RunRequest::default()
    }
}

async fn upload(client: &Client) -> Result<String> {
    let jar = setup::examples()?.join("flink-jobs.jar");
    let length = std::fs::metadata(&jar)?.len();
    let sent = Arc::new(AtomicU64::new(0));
    let seen = sent.clone();
    let id = client.upload_jar(JarSource::File(jar), move |step| seen.store(step.sent, Ordering::Relaxed)).await?;
    ensure!(sent.load(Ordering::Relaxed) == length, "the progress ends with the whole file");
    Ok(id)
}

async fn reaches(client: &Client, job: &JobId, state: JobState) -> Result<()> {
    wait::until(&format!("job {job} is {state}"), SOON, async || {
        Ok((client.job_status(job).await? == Some(state.clone())).then_some(()))
    })
    .await
}

/// Waits until this execution has committed so many numbers more than it has now, and checks the whole output.
async fn commits(cluster: &Cluster, job: &JobId, more: u64) -> Result<Report> {
    let before = counter::read(&cluster.path("output"))?.committed_by(job.as_str());
    let report = wait::until(&format!("job {job} commits"), SOON, async || {
        let report = counter::read(&cluster.path("output"))?;
        Ok((report.committed_by(job.as_str()) >= before + more).then_some(report))
    })
    .await?;
    report.exact()?;
    Ok(report)
}

async fn completed(client: &Client, job: &JobId, trigger: &TriggerId) -> Result<String> {
    wait::until("the operation ends", SOON, async || match client.savepoint_operation(job, trigger).await? {
        Operation::Completed { location } => Ok(Some(location)),
        Operation::InProgress => Ok(None),
        other => panic!("{other:?}"),
    })
    .await
}

async fn newest_checkpoint(client: &Client, cluster: &Cluster, job: &JobId) -> Result<String> {
    let directory = cluster.url(&format!("checkpoints/{job}"));
    let listings = client.list_checkpoints(std::slice::from_ref(&directory)).await?;
    let newest = listings[0].newest().with_context(|| format!("no checkpoint: {listings:?}"))?;
    ensure!(newest.checkpoint.is_some() && newest.path.contains("/chk-"), "{newest:?}");
    Ok(newest.path.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_stays_exact_across_stops_restores_and_kills() -> Result<()> {
    let mut cluster = Cluster::start().await?;
    let client = cluster.client();
    assert!(client.overview().await?.flink_version.is_supported());
    assert_eq!(client.taskmanagers().await?.taskmanagers.len(), 1);
    let jar = upload(&client).await?;

    let first = job_id();
    client.run_jar(&jar, &counter(&cluster, &first, None)).await?;
    wait::until("all tasks run", SOON, async || {
        let jobs = client.jobs_overview().await?.jobs;
        Ok(jobs.iter().any(|job| job.id == first && job.is_fully_running()).then_some(()))
    })
    .await?;
    commits(&cluster, &first, 100).await?;
    let again = client.run_jar(&jar, &counter(&cluster, &first, None)).await.unwrap_err();
    assert!(again.is_duplicate_submission(), "{again}");

    // A stop, and a start from its savepoint.
    let (trigger, target) = (trigger_id(), cluster.url("stops/1"));
    client.stop_with_savepoint(&first, &trigger, Some(&target)).await?;
    let savepoint = completed(&client, &first, &trigger).await?;
    assert!(savepoint.contains("/stops/1/"), "{savepoint}");
    client.stop_with_savepoint(&first, &trigger, Some(&target)).await?;
    assert_eq!(completed(&client, &first, &trigger).await?, savepoint, "the same trigger is the same operation");
    reaches(&client, &first, JobState::Finished).await?;
    let found = client.list_checkpoints(&[savepoint.clone(), target]).await?;
    for listing in &found {
        assert_eq!(
            listing.newest().map(|found| found.path.trim_start_matches("file:")),
            savepoint.strip_prefix("file:")
        );
    }
    let second = job_id();
    client.run_jar(&jar, &counter(&cluster, &second, Some(&savepoint))).await?;
    commits(&cluster, &second, 100).await?;
    let checkpoints = client.checkpoints(&second).await?;
    assert_eq!(checkpoints.latest.restored.context("it was restored")?.path(), Some(savepoint.as_str()));
    assert!(client.checkpoint_config(&second).await?.context("it checkpoints")?.retains());

    // A TaskManager is lost; Flink itself brings the job back.
    cluster.kill_task_manager();
    cluster.start_task_manager().await?;
    commits(&cluster, &second, 100).await?;
    wait::until("the loss is known", SOON, async || client.job_exceptions(&second).await.map_err(Into::into)).await?;

    // The JobManager is lost, with its TaskManager; an empty one finds the newest checkpoint.
    cluster.kill_job_manager();
    cluster.kill_task_manager();
    cluster.start_job_manager().await?;
    assert_eq!(client.job_status(&second).await?, None);
    assert_eq!(client.savepoint_operation(&first, &trigger).await?, Operation::NotFound);
    let checkpoint = newest_checkpoint(&client, &cluster, &second).await?;
    assert!(client.jobs_overview().await?.jobs.is_empty(), "listing starts no job");
    cluster.start_task_manager().await?;
    let (jar, third) = (upload(&client).await?, job_id());
    client.run_jar(&jar, &counter(&cluster, &third, Some(&checkpoint))).await?;
    commits(&cluster, &third, 100).await?;

    // Cancelled without a savepoint; the newest checkpoint stays.
    client.cancel_job(&third).await?;
    reaches(&client, &third, JobState::Canceled).await?;
    let checkpoint = newest_checkpoint(&client, &cluster, &third).await?;
    let fourth = job_id();
    client.run_jar(&jar, &counter(&cluster, &fourth, Some(&checkpoint))).await?;
    let report = commits(&cluster, &fourth, 100).await?;
    assert_eq!(report.executions(), 4);
    client.delete_jar(&jar).await?;
    cluster.passed();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_savepoint_taken_in_passing_can_be_found_again() -> Result<()> {
    let cluster = Cluster::start().await?;
    let client = cluster.client();
    let (jar, job) = (upload(&client).await?, job_id());
    client.run_jar(&jar, &counter(&cluster, &job, None)).await?;
    commits(&cluster, &job, 1).await?;

    let (trigger, target) = (trigger_id(), cluster.url("savepoints"));
    client.trigger_savepoint(&job, &trigger, Some(&target)).await?;
    client.trigger_savepoint(&job, &trigger, Some(&target)).await?;
    let savepoint = completed(&client, &job, &trigger).await?;
    let absent = cluster.url("nowhere/at all");
    let foreign = "nosuchscheme://bucket/path".to_owned();
    let listings = client.list_checkpoints(&[target, absent, foreign]).await?;
    assert_eq!(listings[0].snapshots().len(), 1, "triggering twice makes one savepoint");
    assert!(savepoint.ends_with(listings[0].snapshots()[0].path.rsplit('/').next().unwrap_or_default()));
    assert_eq!(listings[1].outcome, ListingOutcome::Absent);
    assert!(
        matches!(&listings[2].outcome, ListingOutcome::Failed { cause } if cause.contains("nosuchscheme")),
        "{listings:?}"
    );

    // Failures are told as such.
    let trigger = trigger_id();
    client.trigger_savepoint(&job, &trigger, Some("nosuchscheme://bucket/path")).await?;
    let cause =
        wait::until("the savepoint fails", SOON, async || match client.savepoint_operation(&job, &trigger).await? {
            Operation::Failed { cause } => Ok(Some(cause)),
            Operation::InProgress => Ok(None),
            other => panic!("{other:?}"),
        })
        .await?;
    assert!(cause.contains("nosuchscheme"), "{cause}");
    assert_eq!(client.savepoint_operation(&job, &trigger_id()).await?, Operation::NotFound);
    commits(&cluster, &job, 100).await?;
    cluster.passed();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_wrong() -> Result<()> {
    let cluster = Cluster::start().await?;
    let client = cluster.client();
    let jar = upload(&client).await?;
    let refused = async |request: RunRequest| client.run_jar(&jar, &request).await.unwrap_err().to_string();

    let class = RunRequest { entry_class: Some("no.Such".to_owned()), ..RunRequest::default() };
    assert!(refused(class).await.contains("no.Such"));
    let argument =
        RunRequest { program_args_list: vec!["--unknown=1".to_owned()], ..counter(&cluster, &job_id(), None) };
    assert!(refused(argument).await.contains("unknown argument --unknown=1"));
    let lost = job_id();
    assert!(refused(counter(&cluster, &lost, Some("file:///nowhere/savepoint"))).await.contains("/nowhere/savepoint"));
    assert_eq!(client.job_status(&lost).await?, Some(JobState::Failed), "the refused job stays under its id");
    let missing = client.run_jar("no.jar", &RunRequest::default()).await.unwrap_err().to_string();
    assert!(missing.contains("no.jar does not exist"), "{missing}");
    assert!(client.cancel_job(&job_id()).await.unwrap_err().is_job_not_found());
    assert_eq!(client.job_status(&job_id()).await?, None);

    // A job that fails by itself, one that ends by itself, and one that never checkpoints.
    let (failing, batch) = (job_id(), job_id());
    let request = RunRequest {
        entry_class: Some(counter::FAILING_CLASS.to_owned()),
        program_args_list: counter::failing_arguments(10),
        job_id: Some(failing.clone()),
        ..RunRequest::default()
    };
    client.run_jar(&jar, &request).await?;
    reaches(&client, &failing, JobState::Failed).await?;
    let cause =
        wait::until("the cause is known", SOON, async || client.job_exceptions(&failing).await.map_err(Into::into))
            .await?;
    assert_eq!(cause, "IllegalStateException: planned failure after 10 records");
    let mut arguments = counter::batch_arguments(1000);
    arguments.push(format!("--output={}", cluster.url("sum")));
    let request = RunRequest {
        entry_class: Some(counter::BATCH_CLASS.to_owned()),
        program_args_list: arguments,
        job_id: Some(batch.clone()),
        ..RunRequest::default()
    };
    client.run_jar(&jar, &request).await?;
    reaches(&client, &batch, JobState::Finished).await?;
    assert_eq!(client.checkpoint_config(&batch).await?, None);
    let sum = counter::read(&cluster.path("sum"))?;
    assert_eq!(sum.maximum, Some(499_500));
    cluster.passed();
    Ok(())
}
