//! `cargo xtask bench api`: how fast the control API answers over mutual TLS, what that takes, and what slow clients do to a fast one.
//!
//! The real operator with its usual flags on `flinkctl local`, without pods; only the rate of one client is not limited, as all
//! connections are one client. The load comes from a program of its own that shares the machine with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use integration_tests::local::{Local, Options};
use integration_tests::objects::{self, cluster_spec, counter_spec};
use integration_tests::wait::until;
use integration_tests::world::World;
use kube::api::{Patch, PatchParams};
use serde::Deserialize;
use serde_json::json;

use super::figures::{self, Figure};
use crate::ui::{self, Step};
use crate::{flink, prerequisites, workspace};

const NAMESPACE: &str = "flink-jobs";
const SOON: Duration = Duration::from_secs(30);
const STATUS: &str = "/api/v1/clusters/api/jobs/one/status";

/// Options of `cargo xtask bench api`.
#[derive(clap::Args)]
pub struct Args {
    /// The flinkctl to measure, instead of a release build
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Connections that ask at the same time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How long they do
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Clients that never come to the end of their handshake
    #[arg(long, default_value_t = 1000)]
    slow: usize,
}

/// What the load program says; durations in milliseconds.
#[derive(Deserialize)]
struct Load {
    requests: u64,
    rate: f64,
    p50: f64,
    p99: f64,
    max: f64,
    handshake: f64,
}

/// The operator, which ends with this.
struct Operator {
    process: Child,
    port: u16,
    secrets: PathBuf,
    load: PathBuf,
}

/// Measures, and prints the table on stdout.
pub fn run(args: &Args) -> Result<()> {
    prerequisites::check(prerequisites::ALL)?;
    let binary = match &args.binary {
        Some(binary) => binary.canonicalize().with_context(|| format!("there is no {}", binary.display()))?,
        None => build(&["--release", "--package", "flinkctl"], "release/flinkctl")?,
    };
    let load = build(&["--profile", "load", "--package", "load"], "load/load")?;
    let flink_home = flink::ensure(flink::DEFAULT_VERSION)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start a runtime")?;
    let figures = runtime.block_on(measure(args, binary, load, flink_home))?;
    println!("{}", figures::table(&figures));
    if figures.iter().any(Figure::missed) {
        bail!("a figure misses its promise");
    }
    Ok(())
}

fn build(what: &[&str], result: &str) -> Result<PathBuf> {
    let step = Step::start_plain(format!("Build {result}"));
    workspace::run(workspace::cargo(&["build", "--locked"]).args(what))?;
    step.done();
    Ok(workspace::target().join(result))
}

async fn measure(args: &Args, binary: PathBuf, load: PathBuf, flink_home: PathBuf) -> Result<Vec<Figure>> {
    let state = tempfile::Builder::new().prefix("flinkctl-bench-").tempdir()?;
    let options = Options {
        binary: binary.clone(),
        data_dir: state.path().join("local"),
        flink_home,
        images: std::collections::BTreeMap::new(),
        namespace: NAMESPACE.to_owned(),
        flags: vec!["--without-operator".to_owned()],
    };
    let step = Step::start("Start the local control plane and the operator");
    let world = World { local: Local::start(options).await?, state };
    let measured = match Operator::start(&binary, load, &world).await {
        Ok(operator) => {
            step.done();
            all(args, &world, &operator).await
        }
        Err(error) => Err(error),
    };
    world.local.stop().await?;
    measured
}

async fn all(args: &Args, world: &World, operator: &Operator) -> Result<Vec<Figure>> {
    let step = Step::start("Create a job with a status");
    create(world).await?;
    step.done();
    let before = operator.memory()?;
    let one = format!("{STATUS}?envelope=false");
    let step = Step::start(format!("Ask for the status over {} connections", args.connections));
    let enveloped = operator.ask(STATUS, args.connections, args.seconds, 0)?;
    let after = operator.memory()?;
    step.done_with(&format!("{} requests", enveloped.requests));
    let step = Step::start("Ask for it without its envelope, and for all jobs");
    let plain = operator.ask(&one, args.connections, args.seconds, 0)?;
    let names = operator.ask("/api/v1/clusters/api/jobs", args.connections, args.seconds, 0)?;
    step.done();
    let step = Step::start(format!("Ask over one connection, alone and beside {} slow clients", args.slow));
    let alone = operator.ask(STATUS, 1, args.seconds, 0)?;
    let beside = operator.ask(STATUS, 1, args.seconds, args.slow)?;
    let last = operator.memory()?;
    step.done();
    ui::say(format!(
        "the slowest handshake took {:.1} ms, beside slow clients {:.1} ms",
        enveloped.handshake, beside.handshake
    ));
    Ok(vec![
        Figure::at_least("status of a job, requests a second", enveloped.rate, "/s", 20_000.0),
        Figure::plain("status of a job, p50", enveloped.p50, "ms"),
        Figure::promised("status of a job, p99", enveloped.p99, "ms", 5.0),
        Figure::plain("status of a job, slowest", enveloped.max, "ms"),
        Figure::plain("status without envelope, requests a second", plain.rate, "/s"),
        Figure::plain("names of jobs, requests a second", names.rate, "/s"),
        Figure::plain("memory of the operator before (RSS)", before, "MiB"),
        Figure::promised("memory of the operator after (RSS)", after, "MiB", 64.0),
        Figure::plain("one client alone, p99", alone.p99, "ms"),
        Figure::promised(format!("one client beside {} slow ones, p99", args.slow), beside.p99, "ms", 5.0),
        Figure::plain(format!("one client beside {} slow ones, slowest", args.slow), beside.max, "ms"),
        Figure::promised(format!("memory of the operator after {} slow ones", args.slow), last, "MiB", 64.0),
    ])
}

/// A cluster with a job, which has the status that a running job has.
async fn create(world: &World) -> Result<()> {
    let state = world.state();
    let job = counter_spec(state, "api", json!({}));
    world.apply(&[objects::deployment("api", &cluster_spec(state, json!({})), &[("one", job)])]).await?;
    let jobs = world.local.api("fj")?;
    until("the operator creates the job", SOON, async || Ok(jobs.get_opt("api-one").await?)).await?;
    let condition = |kind: &str, status: &str| {
        json!({
            "type": kind, "status": status, "reason": "Running", "message": "the job runs in Flink",
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    };
    let status = json!({ "status": {
        "supervisorStatus": "Started", "resourceStatus": "Updated", "clusterName": "api", "clusterHealth": "HEALTHY",
        "jobStatus": "RUNNING", "jobId": "4b2d1c0ef1a64b7c9f6b1e0c2d3a4f50", "jobParallelism": 2,
        "labelSelector": "clusterName=api,jobName=one,component=flink", "timestamp": "2026-01-01T00:00:00.000Z",
        "savepointPath": "file:///var/savepoints/savepoint-4b2d1c-0123456789ab",
        "savepointTimestamp": "2026-01-01T00:00:00.000Z", "savepointMode": "Automatic", "restartPolicy": "Always",
        "conditions": [condition("Ready", "True"), condition("Reconciling", "False"), condition("Stalled", "False")],
    } });
    jobs.patch_status("api-one", &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}

impl Operator {
    async fn start(binary: &Path, load: PathBuf, world: &World) -> Result<Self> {
        let secrets = world.state().join("secrets");
        let made = Command::new(binary).args(["certs", "generate", "localhost", "--out"]).arg(&secrets).output()?;
        if !made.status.success() {
            bail!("no certificates: {}", String::from_utf8_lossy(&made.stderr));
        }
        let (port, monitoring) = (free_port()?, free_port()?);
        let file = |flag: &str, name: &str| format!("--{flag}={}", secrets.join(name).display());
        let log = fs::File::create(world.state().join("operator.log"))?;
        let process = Command::new(binary)
            .args(["operator", "run", "--namespace", NAMESPACE, "--dry-run", "--rate-limit", "10000000"])
            .arg("--kube-config")
            .arg(world.local.kubeconfig())
            .args(["--port", &port.to_string(), "--monitoring-port", &monitoring.to_string()])
            .args([file("tls-cert", "operator-api_cert.pem"), file("tls-key", "operator-api_key.pem")])
            .arg(file("tls-client-ca", "ca_cert.pem"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let operator = Self { process, port, secrets, load };
        until("the operator serves the control API", SOON, async || {
            let said = fs::read_to_string(world.state().join("operator.log"))?;
            Ok((said.contains("the control API is served") && said.contains("all resources are listed")).then_some(()))
        })
        .await?;
        Ok(operator)
    }

    /// Runs the load program.
    fn ask(&self, path: &str, connections: usize, seconds: u64, slow: usize) -> Result<Load> {
        let output = Command::new(&self.load)
            .arg(format!("127.0.0.1:{}", self.port))
            .arg(path)
            .args(["--connections", &connections.to_string(), "--seconds", &seconds.to_string()])
            .args(["--slow", &slow.to_string()])
            .arg("--ca")
            .arg(self.secrets.join("ca_cert.pem"))
            .arg("--cert")
            .arg(self.secrets.join("operator-cli_cert.pem"))
            .arg("--key")
            .arg(self.secrets.join("operator-cli_key.pem"))
            .output()
            .context("cannot start the load program")?;
        if !output.status.success() {
            bail!("the load program failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        serde_json::from_slice(&output.stdout).context("the load program says something else")
    }

    /// Resident memory in MiB, as the kernel says.
    fn memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("the operator ended")?;
        let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
