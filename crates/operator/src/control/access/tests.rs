//! The rules as a whole, with a Kubernetes that knows one token and one right.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Request, Response};
use clap::Parser;
use control_api::route::{Action, Target};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn options(flags: &str) -> Options {
    Cli::parse_from(std::iter::once("operator").chain(flags.split_whitespace())).options
}

fn refusal(flags: &str) -> String {
    options(flags).transport().unwrap_err().to_string()
}

fn peer(name: Option<&str>) -> Peer {
    let certificate = name.map(|name| {
        Arc::new(ClientCertificate {
            der: CertificateDer::from(Vec::new()),
            common_name: Some(name.to_owned()),
            organizations: Vec::new(),
        })
    });
    Peer { address: ([127, 0, 0, 1], 1).into(), certificate }
}

fn with_token(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap())])
}

/// Answers reviews: `good` is the token of `ann`, who may get and patch jobs. Counts what it is asked.
fn kubernetes(asked: Arc<AtomicU32>) -> Client {
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        asked.fetch_add(1, Ordering::Relaxed);
        async move {
            let bytes = to_bytes(Body::new(request.into_body()), usize::MAX).await.unwrap();
            let mut review: Value = serde_json::from_slice(&bytes).unwrap();
            let spec = &review["spec"];
            let status = if review["kind"] == "TokenReview" {
                match spec["token"].as_str() {
                    Some("good") => json!({"authenticated": true, "user": {"username": "ann", "groups": ["g"]}}),
                    _ => json!({"authenticated": false}),
                }
            } else {
                let asked = &spec["resourceAttributes"];
                let allowed = spec["user"] == "ann"
                    && asked["resource"] == "flinkjobs"
                    && asked["namespace"] == "flink"
                    && asked["group"] == "nextbreakpoint.com"
                    && (asked["verb"] == "patch" && asked["subresource"].is_null() || asked["verb"] == "get");
                json!({ "allowed": allowed })
            };
            review["status"] = status;
            Ok::<_, Infallible>(Response::new(Body::from(serde_json::to_vec(&review).unwrap())))
        }
    });
    Client::new(service, "flink")
}

fn access(flags: &str) -> (Access, Arc<AtomicU32>) {
    let asked = Arc::default();
    (Access::new(&options(flags), "flink", kubernetes(Arc::clone(&asked))).unwrap(), asked)
}

fn job() -> Names {
    Names { cluster: Some("demo".to_owned()), job: Some("one".to_owned()), ..Names::default() }
}

const STOP: Operation = Operation::Act(Target::Job, Action::Stop);
const SCALE: Operation = Operation::Act(Target::Job, Action::Scale);

/// S-01, S-02
#[test]
fn flags_that_do_not_fit_together_are_refused_with_what_to_do() {
    let rows = [
        ("--tls-cert a", "--tls-cert needs --tls-key too"),
        ("--tls-cert a --tls-key b", "--tls-cert needs --tls-client-ca too"),
        ("--tls-client-ca a", "--tls-client-ca needs --tls-cert too"),
        ("--keystore-path a --keystore-secret b", "--keystore-path needs --truststore-path too"),
        ("--truststore-path a", "--truststore-path needs --keystore-path too"),
        (
            "--keystore-path a --truststore-path b",
            "--keystore-path has no password; give --keystore-secret-file FILE, or set KEYSTORE_SECRET",
        ),
        (
            "--tls-cert a --tls-key b --tls-client-ca c --keystore-path d --truststore-path e --keystore-secret f --truststore-secret g",
            "not both",
        ),
        ("--tls-cert a --tls-key b --tls-client-ca c --insecure", "leave one or the other out"),
        ("--insecure --authorization x", "--insecure does without"),
        ("--keystore-path a --truststore-path b --keystore-secret-file /nowhere/x", "read the password in /nowhere/x"),
    ];
    for (flags, words) in rows {
        let refusal = refusal(flags);
        assert!(refusal.contains(words), "{flags}: {refusal}");
    }
    assert!(matches!(options("").transport(), Ok(Transport::None)));
    assert!(matches!(options("--insecure").transport(), Ok(Transport::Plain)));
}

/// S-04
#[test]
fn passwords_come_from_files_and_are_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("p");
    std::fs::write(&path, "from a file\n").unwrap();
    let flags = format!("--keystore-secret-file {} --truststore-secret hidden", path.display());
    let options = options(&flags);
    assert!(!format!("{options:?}").contains("hidden"));
    let read = kit::tls::Password::from_file(&path).unwrap();
    assert_eq!(read.reveal(), "from a file");
}

#[tokio::test]
async fn a_certificate_may_do_everything_where_there_are_no_grants() {
    let (access, _) = access("");
    let caller = access.admit(&peer(Some("mary")), &HeaderMap::new(), STOP, &job()).await.unwrap();
    assert_eq!(caller.name(), "mary");
    // A token counts only where it is asked for.
    access.admit(&peer(Some("mary")), &with_token("bad"), STOP, &job()).await.unwrap();
    let problem = access.admit(&peer(None), &HeaderMap::new(), STOP, &job()).await.unwrap_err();
    assert_eq!((problem.status, problem.detail.as_str()), (401, "nobody is known to call: show a client certificate"));
}

/// S-03
#[tokio::test]
async fn grants_say_what_the_owner_of_a_certificate_may_do() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("grants.yaml");
    std::fs::write(
        &path,
        "grants:\n- subjects: [mary]\n  role: viewer\n- subjects: [mary]\n  role: operator\n  names: [demo]\n",
    )
    .unwrap();
    let (access, _) = access(&format!("--authorization {}", path.display()));
    let ask =
        async |operation, names: &Names| access.admit(&peer(Some("mary")), &HeaderMap::new(), operation, names).await;
    ask(STOP, &job()).await.unwrap();
    ask(Operation::Watch, &Names::default()).await.unwrap();
    let problem = ask(Operation::Delete(Target::Job), &job()).await.unwrap_err();
    assert_eq!(problem.status, 403);
    assert!(problem.detail.contains("`mary` may not delete flinkjobs `demo`"), "{problem}");
    let other = Names { cluster: Some("other".to_owned()), ..job() };
    assert_eq!(ask(STOP, &other).await.unwrap_err().status, 403);

    std::fs::write(&path, "grants:\n- subjects: [mary]\n  rule: viewer\n").unwrap();
    let error =
        Access::new(&options(&format!("--authorization {}", path.display())), "flink", kubernetes(Arc::default()));
    let error = error.err().expect("it is wrong").to_string();
    assert!(error.contains("grants.yaml") && error.contains("unknown field `rule`"), "{error}");
}

#[tokio::test]
async fn kubernetes_says_what_the_owner_of_a_token_may_do() {
    let (access, asked) = access("--token-authentication");
    let ask = async |token: &str, operation| access.admit(&peer(None), &with_token(token), operation, &job()).await;
    assert_eq!(ask("good", STOP).await.unwrap().name(), "ann");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    ask("good", STOP).await.unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 2, "answers are kept");
    let problem = ask("good", SCALE).await.unwrap_err();
    assert_eq!(problem.status, 403);
    assert!(
        problem.detail.starts_with("`ann` may not patch flinkjobs/scale `demo-one` in namespace `flink`"),
        "{problem}"
    );
    assert_eq!(ask("good", Operation::Watch).await.unwrap_err().status, 403, "all three kinds are asked for");
    assert_eq!(ask("bad", STOP).await.unwrap_err().status, 401);
    // A certificate does as well, and nothing does not.
    access.admit(&peer(Some("mary")), &HeaderMap::new(), STOP, &job()).await.unwrap();
    let problem = access.admit(&peer(None), &HeaderMap::new(), STOP, &job()).await.unwrap_err();
    assert!(problem.detail.contains("a client certificate or a bearer token"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn guessing_tokens_does_not_flood_kubernetes() {
    let (access, asked) = access("--token-authentication");
    for guess in 0..200 {
        let problem = access.admit(&peer(None), &with_token(&guess.to_string()), STOP, &job()).await.unwrap_err();
        assert_eq!(problem.status, if guess < 50 { 401 } else { 429 });
    }
    assert_eq!(asked.load(Ordering::Relaxed), 50);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_too_often_is_told_so() {
    let (access, _) = access("--rate-limit 5");
    let ask = async |name| access.admit(&peer(Some(name)), &HeaderMap::new(), STOP, &job()).await;
    for _ in 0..10 {
        ask("mary").await.unwrap();
    }
    let problem = ask("mary").await.unwrap_err();
    assert_eq!(problem.kind, Kind::TooManyRequests);
    ask("jane").await.unwrap();
}
