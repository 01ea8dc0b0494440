use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{delete, post};
use clap::Parser;
use flink_client::Client;
use tokio::time::Instant;

use super::{run, sort};
use crate::outcome::Refused;
use crate::{Args, Failure, Reason};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

const ID: &str = "0123456789abcdef0123456789abcdef";

fn args(more: &[&str]) -> Args {
    let id = format!("--job-id={ID}");
    let fixed =
        ["bootstrap", "--cluster-name=demo", "--job-name=a", "--jar-path=/j", "--class-name=a.C", "--attempt=1", &id];
    Cli::parse_from(fixed.into_iter().chain(more.iter().copied())).args
}

#[test]
fn refusals_are_sorted_by_what_has_to_be_mended() {
    let plain = args(&[]);
    let restored = args(&["--savepoint-path=file:/sp"]);
    let class = |why: &str| matches!(sort(why.to_owned(), &plain), Refused::Class { .. });
    assert!(class("ClassNotFoundException: a.C"));
    assert!(class("ProgramInvocationException: The program's entry point class 'a.C' was not found in the jar file."));
    assert!(!class("ClassNotFoundException: some.library.Type"));
    let missing =
        "FileNotFoundException: Cannot find checkpoint or savepoint file/directory 'file:/sp' on file system 'file'.";
    assert!(matches!(sort(missing.to_owned(), &restored), Refused::Restore { .. }));
    assert!(matches!(sort(missing.to_owned(), &plain), Refused::Other(_)));
    let boom = "ProgramInvocationException: The main method caused an error: boom";
    assert!(matches!(sort(boom.to_owned(), &restored), Refused::Other(_)));
}

/// A JobManager that answers a run with these, one after the other, and then with success.
async fn job_manager(answers: Vec<(u16, &'static str)>) -> (Client, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let run = post(move || async move {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        let (code, body) = answers.get(call).copied().unwrap_or((200, "ok"));
        let body = if body == "ok" { format!(r#"{{"jobid":"{ID}"}}"#) } else { format!(r#"{{"errors":["{body}"]}}"#) };
        (StatusCode::from_u16(code).unwrap(), [("content-type", "application/json")], body)
    });
    let router = Router::new().route("/jars/x.jar/run", run).route("/jars/x.jar", delete(|| async { "{}" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (Client::new(&address), calls)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

#[tokio::test]
async fn a_starting_jobmanager_is_waited_for() {
    let (flink, calls) = job_manager(vec![(503, "starting"), (503, "starting")]).await;
    let outcome = run(&flink, "x.jar", &args(&[]), soon()).await.unwrap();
    assert_eq!(outcome.reason, Reason::Submitted);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// SC-577, F-12
#[tokio::test]
async fn a_job_that_was_submitted_before_is_a_success() {
    let (flink, _) = job_manager(vec![(
        400,
        "org.apache.flink.runtime.client.DuplicateJobSubmissionException: Job has already been submitted.",
    )])
    .await;
    let outcome = run(&flink, "x.jar", &args(&[]), soon()).await.unwrap();
    assert_eq!(outcome.reason, Reason::Submitted);
    assert!(outcome.message.contains("before"));
}

/// SC-577
#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let (flink, calls) = job_manager(vec![(400, "The main method caused an error: boom")]).await;
    let failure = run(&flink, "x.jar", &args(&[]), soon()).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused(Refused::Other(why)) if why.contains("boom")));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn patience_ends() {
    let flink = Client::new("127.0.0.1:9");
    let failure = run(&flink, "x.jar", &args(&[]), Instant::now()).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable(_)));
}
