//! The edges of the client, against a server that answers what it is told: what real Flink rarely does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes as Body;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, delete, get, post};
use base64::Engine;
use flink::{JobId, Operation, RunRequest, TriggerId};
use flink_client::{Client, Error, JarSource, Progress, Refusal};
use tokio::net::TcpListener;

async fn serve(router: Router) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    Client::new(&address.to_string())
}

fn answer(status: u16, body: &str) -> Router {
    let (status, body) = (StatusCode::from_u16(status).expect("a status"), body.to_owned());
    Router::new().fallback(any(move || async move { (status, body) }))
}

fn job() -> JobId {
    JobId::from_bytes([7; 16])
}

/// SC-575
#[tokio::test]
async fn nobody_listens() {
    let free: SocketAddr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = Client::new(&free.to_string()).overview().await.unwrap_err();
    assert_eq!(error.reason(), "FlinkUnreachable");
    assert!(error.to_string().to_lowercase().contains("connection refused"), "{error}");
    assert_eq!(error.refusal(), None);
}

/// SC-575, D-12
#[tokio::test]
async fn an_answer_that_never_comes_is_a_timeout() {
    let silent = Router::new().fallback(any(std::future::pending::<String>));
    let client = serve(silent).await.with_deadline(Duration::from_millis(50));
    let error = client.jobs_overview().await.unwrap_err();
    assert!(matches!(&error, Error::Timeout { call, .. } if call == "GET /jobs/overview"), "{error}");
}

#[tokio::test]
async fn a_starting_job_manager_is_no_refusal() {
    let text = r#"{"errors":["Service temporarily unavailable due to an ongoing leader election. Please refresh."]}"#;
    let error = serve(answer(503, text)).await.overview().await.unwrap_err();
    assert_eq!(error.reason(), "FlinkNotReady");
    assert_eq!(error.refusal(), None);
    assert!(error.to_string().contains("leader election"), "{error}");
}

#[tokio::test]
async fn garbage_is_not_understood() {
    let client = serve(answer(200, "<html>")).await;
    assert_eq!(client.overview().await.unwrap_err().reason(), "FlinkAnswerUnknown");
    let client = serve(answer(502, "<html>bad gateway</html>")).await;
    let error = client.overview().await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::Other));
    assert!(error.to_string().ends_with("502: <html>bad gateway</html>"), "{error}");
}

/// F-35
#[tokio::test]
async fn an_answer_may_have_many_lines() {
    let client = serve(answer(200, "{\n  \"jobs\": [\n  ]\n}\n")).await;
    assert!(client.jobs_overview().await.unwrap().jobs.is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = hits.clone();
    let router = Router::new().fallback(any(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { (StatusCode::PERMANENT_REDIRECT, [("location", "/elsewhere")], "{}") }
    }));
    let error = serve(router).await.cancel_job(&job()).await.unwrap_err();
    assert!(matches!(error, Error::Status { code: 308, .. }), "{error}");
    assert_eq!(hits.load(Ordering::SeqCst), 1);
}

/// F-04
#[tokio::test]
async fn an_unknown_job_is_none_only_when_flink_says_so() {
    let unknown = r#"{"errors":["Internal server error.","<Exception on server side:\norg.apache.flink.runtime.messages.FlinkJobNotFoundException: Could not find Flink job (07)\n\tat x"]}"#;
    assert_eq!(serve(answer(500, unknown)).await.job_status(&job()).await.unwrap(), None);
    assert!(serve(answer(404, "not here")).await.job_status(&job()).await.is_err());
    assert!(serve(answer(500, r#"{"errors":["boom"]}"#)).await.job_status(&job()).await.is_err());
}

/// SC-555
#[tokio::test]
async fn an_unknown_operation_is_not_found_only_when_flink_says_so() {
    let trigger = TriggerId::from_bytes([1; 16]);
    let unknown =
        r#"{"errors":["a.b.RestHandlerException: There is no savepoint operation with triggerId=01.\n\tat x"]}"#;
    let client = serve(answer(404, unknown)).await;
    assert_eq!(client.savepoint_operation(&job(), &trigger).await.unwrap(), Operation::NotFound);
    let wrong_path = r#"{"errors":["Unable to load requested file /jobs/07/savepoints/01."]}"#;
    assert!(serve(answer(404, wrong_path)).await.savepoint_operation(&job(), &trigger).await.is_err());
}

#[tokio::test]
async fn a_second_submission_is_recognised() {
    for class in ["DuplicateJobSubmissionException", "DuplicateApplicationSubmissionException"] {
        let text = format!(r#"{{"errors":["a.B: x\nCaused by: c.{class}: Job has already been submitted."]}}"#);
        let client = serve(answer(400, &text)).await;
        let error = client.run_jar("x.jar", &RunRequest::default()).await.unwrap_err();
        assert!(error.is_duplicate_submission(), "{error}");
    }
}

#[tokio::test]
async fn the_connection_is_kept_between_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string());
    let accepted = Arc::new(AtomicUsize::new(0));
    let counter = accepted.clone();
    let router = answer(200, r#"{"jobs":[]}"#);
    let listener = axum::serve::ListenerExt::tap_io(listener, move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    for _ in 0..5 {
        client.jobs_overview().await.unwrap();
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

/// F-31
#[tokio::test]
async fn an_upload_streams_the_file_and_tells_its_progress() {
    let seen = Arc::new(Mutex::new((String::new(), Vec::new())));
    let record = seen.clone();
    let router = Router::new().route(
        "/jars/upload",
        post(move |headers: HeaderMap, body: Body| async move {
            *record.lock().unwrap() = (headers["content-type"].to_str().unwrap().to_owned(), body.to_vec());
            r#"{"filename":"/upload/0-1_my job.jar","status":"success"}"#
        }),
    );
    let router = router.layer(axum::extract::DefaultBodyLimit::disable());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my job.jar");
    let content = vec![42; 300_000];
    std::fs::write(&path, &content).unwrap();

    let progress = Arc::new(Mutex::new(Vec::new()));
    let steps = progress.clone();
    let client = serve(router).await;
    let id = client
        .upload_jar(JarSource::File(path), move |step| {
            steps.lock().unwrap().push(step);
        })
        .await
        .unwrap();

    assert_eq!(id, "0-1_my job.jar");
    assert_eq!(progress.lock().unwrap().last(), Some(&Progress { sent: 300_000, total: 300_000 }));
    let (kind, body) = seen.lock().unwrap().clone();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let text = String::from_utf8_lossy(&body);
    assert!(text.starts_with(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"my job.jar\"\r\n"
    )));
    assert!(text.ends_with(&format!("\r\n--{boundary}--\r\n")));
    assert!(body.windows(content.len()).any(|window| window == content));
}

/// F-31
#[tokio::test]
async fn a_jar_that_cannot_be_read_names_its_file() {
    let client = serve(answer(200, "{}")).await;
    let error = client.upload_jar(JarSource::File("/nowhere/a.jar".into()), |_| ()).await.unwrap_err();
    assert!(error.to_string().starts_with("read /nowhere/a.jar"), "{error}");
}

fn lister(listing: &str, deleted: Arc<AtomicUsize>) -> Router {
    let encoded = base64::engine::general_purpose::STANDARD.encode(listing);
    let text = format!("a.B: failed: FLINKCTL-LISTING[{}:{encoded}]", listing.len());
    let body = serde_json::json!({ "errors": [text] }).to_string();
    Router::new()
        .route("/jars/upload", post(|| async { r#"{"filename":"/u/0_l.jar","status":"success"}"# }))
        .route("/jars/{id}/run", post(move || async move { (StatusCode::BAD_REQUEST, body) }))
        .route(
            "/jars/{id}",
            delete(move || async move {
                deleted.fetch_add(1, Ordering::SeqCst);
                "{}"
            }),
        )
        .route("/overview", get(|| async { "" }))
}

#[tokio::test]
async fn a_listing_must_be_about_the_paths_asked_for() {
    let deleted = Arc::new(AtomicUsize::new(0));
    let client = serve(lister(r#"{"path":"file:/a","outcome":"absent"}"#, deleted.clone())).await;
    assert_eq!(client.list_checkpoints(&["file:/a".to_owned()]).await.unwrap().len(), 1);
    let error = client.list_checkpoints(&["file:/b".to_owned()]).await.unwrap_err();
    assert_eq!(error.reason(), "FlinkAnswerUnknown");
    assert_eq!(deleted.load(Ordering::SeqCst), 2, "the lister leaves nothing behind");
}

#[test]
fn the_committed_lister_is_built_from_the_committed_source() {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(include_bytes!("../lister/src/Lister.java"));
    let half = digest[..16].try_into().expect("a digest has 32 bytes");
    let digest = format!("{:032x}", u128::from_be_bytes(half));
    let jar = include_bytes!("../lister/lister.jar");
    let line = format!("Source-Digest: {digest}\r\n");
    let found = jar.windows(line.len()).any(|window| window == line.as_bytes());
    assert!(found, "Lister.java was changed: run `cargo xtask generate`");
}
