//! What the binary makes of the answers of an operator: tables, forms of output, errors and exit codes. The operator is a server in this
//! process that says the same words every time.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use axum::Router;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use control_api::{Envelope, Kind, PLAIN_MEDIA_TYPE, Problem};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A time so long ago that its age stays the same while a test runs.
fn hours_ago(hours: i64) -> String {
    let then = jiff::Timestamp::now().as_second() - hours * 3600 - 5;
    jiff::Timestamp::from_second(then).unwrap().to_string()
}

fn conditions(ready: &str, stalled: &str, reason: &str, message: &str) -> Value {
    let one = |type_: &str, status: &str| {
        json!({ "type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
                "lastTransitionTime": hours_ago(5) })
    };
    json!([one("Ready", ready), one("Progressing", "False"), one("Stalled", stalled)])
}

fn job(name: &str, supervisor: &str, state: &str, conditions: &Value) -> Value {
    json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob",
        "metadata": { "name": name, "generation": 1, "creationTimestamp": hours_ago(50), "labels": { "clusterName": "demo" } },
        "spec": { "jobParallelism": 2 },
        "status": {
            "supervisorStatus": supervisor, "resourceStatus": "Updated", "jobStatus": state, "clusterName": "demo",
            "clusterHealth": "HEALTHY", "jobParallelism": 1, "restartPolicy": "OnlyIfFailed", "savepointMode": "Automatic",
            "jobId": "78106a28d9714a0aa6d6e0104bd0f3bb", "savepointPath": "file:/state/savepoints/savepoint-78106a-7800661881a4",
            "savepointTimestamp": hours_ago(9), "conditions": conditions,
            "lastAction": { "id": "1", "action": "STOP", "outcome": "Done", "requested": hours_ago(4), "message": "saved" },
        },
    })
}

fn jobs() -> Value {
    json!([
        job("demo-clicks", "Started", "RUNNING", &conditions("True", "False", "Running", "all tasks run")),
        job(
            "demo-counter",
            "Starting",
            "",
            &conditions(
                "False",
                "True",
                "ImageError",
                "the image registry.example.com/jobs:7 of the bootstrap cannot be pulled: no such image; name another one, or give pullSecrets",
            )
        ),
    ])
}

fn events() -> Value {
    let event = |reason: &str, warning: bool, count: i64, message: &str| json!({ "time": hours_ago(3), "warning": warning, "reason": reason, "message": message, "about": "FlinkJob demo-counter", "count": count });
    json!([
        event(
            "ImageError",
            true,
            7,
            "Back-off pulling image \"registry.example.com/jobs:7\": no such image is on this machine or in its registry"
        ),
        event("Starting", false, 1, "attempt 1 as Flink job 78106a28d9714a0aa6d6e0104bd0f3bb"),
    ])
}

fn task_managers() -> Value {
    json!([{ "id": "taskmanager-demo-1-0", "path": "pekko.tcp://flink@127.0.1.5:36001/user/rpc/taskmanager_0", "dataPort": 41123,
             "timeSinceLastHeartbeat": 0, "slotsNumber": 2, "freeSlots": 1,
             "hardware": { "cpuCores": 4, "physicalMemory": 25_232_000_000_u64, "freeMemory": 1, "managedMemory": 314_572_800 } }])
}

/// What the operator says, by method and path.
fn say(method: &Method, path: &str) -> Result<Value, Problem> {
    let found = jobs().as_array().unwrap().clone();
    Ok(match (method.as_str(), path) {
        ("GET", "/clusters") => json!(["demo"]),
        ("GET", "/resources/deployments" | "/resources/clusters") => json!([]),
        ("GET", "/resources/jobs") => jobs(),
        ("GET", "/clusters/demo/jobs") => json!(["clicks", "counter"]),
        ("GET", "/clusters/demo/jobs/clicks") => found[0].clone(),
        ("GET", "/clusters/demo/jobs/counter") => found[1].clone(),
        ("GET", "/clusters/demo/jobs/counter/status") => found[1]["status"].clone(),
        ("GET", "/clusters/demo/jobs/counter/events") => events(),
        ("GET", "/clusters/demo/taskmanagers") => task_managers(),
        ("GET", "/clusters/demo/jobs/counter/metrics") => json!({ "uptime": 24_744, "lastCheckpointSize": 5374 }),
        ("PUT", "/clusters/demo/stop") => json!({ "action": "STOP", "outcome": "Accepted", "id": "1" }),
        ("POST", "/clusters/demo/jobs/clicks/stop") => {
            json!({ "action": "STOP", "outcome": "Done", "id": "1", "savepointPath": "file:/state/savepoints/s-1" })
        }
        ("POST", "/clusters/demo/jobs/counter/stop") => {
            return Err(Problem::new(
                Kind::StillWaiting,
                "STOP of job demo-counter goes on, but is not done after 1s: a savepoint is in progress",
            ));
        }
        ("POST", "/clusters/demo") => {
            let field = "spec.taskManagers".to_owned();
            let cause = control_api::problem::Cause { field, message: "must be at least 0".to_owned() };
            return Err(Problem::new(Kind::Invalid, "the cluster demo is not valid").with_causes(vec![cause]));
        }
        ("DELETE", "/clusters/demo") => {
            return Err(Problem::new(Kind::Forbidden, "viewer may not delete flinkclusters"));
        }
        _ => return Err(Problem::not_found("Cluster", "nope")),
    })
}

async fn answer(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().strip_prefix("/api/v1").unwrap_or_default();
    if path == "/watch" {
        let events: String = jobs()
            .as_array()
            .unwrap()
            .iter()
            .map(|job| format!("data: {}\n\n", json!({ "type": "ADDED", "object": job })))
            .collect();
        let stream = format!("{events}data: {}\n\n", json!({ "type": "SYNCED" }));
        return ([(header::CONTENT_TYPE, "text/event-stream")], stream).into_response();
    }
    let said = say(&method, path);
    let plain = headers[header::ACCEPT].to_str().unwrap().contains(PLAIN_MEDIA_TYPE);
    match said {
        Ok(value) if plain => ([(header::CONTENT_TYPE, PLAIN_MEDIA_TYPE)], value.to_string()).into_response(),
        Ok(value) => serde_json::to_string(&Envelope::of(&value)).unwrap().into_response(),
        Err(problem) if plain => {
            let code = StatusCode::from_u16(problem.status).unwrap();
            (code, [(header::CONTENT_TYPE, "application/problem+json")], serde_json::to_string(&problem).unwrap())
                .into_response()
        }
        Err(problem) => serde_json::to_string(&Envelope::refused(&problem)).unwrap().into_response(),
    }
}

/// An operator that is there while the test runs.
struct Operator {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    directory: tempfile::TempDir,
}

impl Operator {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { address, _runtime: runtime, directory: tempfile::tempdir().unwrap() }
    }

    fn run(&self, line: &str, columns: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flinkctl"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("FLINKCTL_") {
                command.env_remove(name);
            }
        }
        command
            .args(line.split_whitespace())
            .env("FLINKCTL_HOST", "127.0.0.1")
            .env("FLINKCTL_PORT", self.address.port().to_string())
            .env("XDG_CONFIG_HOME", self.directory.path())
            .env("COLUMNS", columns)
            .env_remove("KUBECONFIG")
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    /// What a command says, with its exit code.
    fn session(&self, lines: &[&str], columns: &str) -> String {
        let mut text = String::new();
        for line in lines {
            let output = self.run(line, columns);
            let out = String::from_utf8(output.stdout).unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            let _ = write!(text, "$ flinkctl {line}\n{out}");
            for line in err.lines() {
                let _ = writeln!(text, "stderr: {line}");
            }
            let _ = write!(text, "exit {}\n\n", output.status.code().unwrap());
        }
        text.replace(&self.address.to_string(), "OPERATOR").replace(self.directory.path().to_str().unwrap(), "HOME")
    }
}

/// SC-574
#[test]
fn what_programs_read() {
    let lines = [
        "clusters list",
        "jobs list --cluster-name=demo",
        "job status --cluster-name=demo --job-name=counter -o name",
        "job metrics demo counter -o yaml",
        "jobs list -o name",
        "taskmanagers list demo -o json",
        "cluster stop demo",
        "cluster stop demo -o json",
        "job stop demo clicks --wait -o envelope",
    ];
    insta::assert_snapshot!(Operator::start().session(&lines, "80"));
}

#[test]
fn tables_on_80_columns() {
    insta::assert_snapshot!(Operator::start().session(&TABLES, "80"));
}

#[test]
fn tables_on_200_columns() {
    insta::assert_snapshot!(Operator::start().session(&TABLES, "200"));
}

const TABLES: [&str; 9] = [
    "jobs list demo -o table",
    "jobs list demo -o wide",
    "get all",
    "get job demo counter",
    "job status demo counter -o table",
    "events job demo counter",
    "job metrics demo counter -o table",
    "job stop demo clicks --wait -o table",
    "cluster stop demo -o table",
];

/// C-02, C-03
#[test]
fn refusals_and_their_exit_codes() {
    let operator = Operator::start();
    let spec = operator.directory.path().join("spec.yaml");
    std::fs::write(&spec, "taskManagers: -1\n").unwrap();
    let create = format!("cluster create demo --cluster-spec={} -o table", spec.display());
    let missing = format!("cluster create demo --cluster-spec={}.gone", spec.display());
    let lines = [
        "cluster status nope",
        "cluster status nope -o json",
        &create,
        &missing,
        "cluster delete demo -o table",
        "job stop demo counter --wait=1s -o table",
        "job stop demo counter --wait=1s",
        "jobs list",
        "taskmanager details demo",
        "cluster scale demo --task-managers=-1",
        "cluster status demo --cluster-name=demo",
        "job status demo",
        "clusters list --tls-cert=a",
        "clusters list --keystore-path=a",
        "clusters list --tls-cert=a --tls-key=b --tls-ca=c",
        "clusters list --context=nope",
    ];
    insta::assert_snapshot!(operator.session(&lines, "100"));
}

#[test]
fn operators_that_are_not_there() {
    let operator = Operator::start();
    let lines = ["clusters list --host=no-such-host.invalid --port=4444", "clusters list --host=127.0.0.1 --port=1"];
    insta::assert_snapshot!(operator.session(&lines, "100"));
}

#[test]
fn contexts_are_kept_in_a_file() {
    let operator = Operator::start();
    let lines = [
        "config current-context",
        "config set-context here --host=127.0.0.1 --namespace=flink",
        "config set-context kube --kube-context=prod --use",
        "config get-contexts",
        "config current-context",
        "config view",
        "config use-context nope",
        "config use-context here",
        "config set-context here --namespace= --port=4444",
        "config get-contexts -o json",
        "config delete-context kube",
        "config get-contexts -o name",
    ];
    insta::assert_snapshot!(operator.session(&lines, "100"));
}

#[test]
fn a_list_is_followed() {
    let output = Operator::start().run("jobs list demo --watch -o table", "100");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "the stream has ended: {text}");
    assert!(text.starts_with("NAME ") && text.contains("demo-clicks"), "{text}");
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let operator = Operator::start();
    let plain = String::from_utf8(operator.run("jobs list demo -o table", "200").stdout).unwrap();
    let colored = String::from_utf8(operator.run("jobs list demo -o table --color=always", "200").stdout).unwrap();
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}[32mRUNNING\u{1b}[0m"), "{colored}");
}
