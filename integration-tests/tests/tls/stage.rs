//! An API server, operators that are processes, and clients that are `curl`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use integration_tests::wait::until;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, PostParams};
use local::instance::{Instance, Options};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub const NAMESPACE: &str = "flink";
const SOON: Duration = Duration::from_secs(40);

pub struct Stage {
    pub directory: tempfile::TempDir,
    instance: Instance,
}

/// A running `operator run`; it ends with this.
pub struct Operator {
    process: Child,
    log: PathBuf,
    pub port: u16,
    pub monitoring: u16,
}

/// What `curl` came back with.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP code; 0 where there was no answer.
    pub code: u16,
    pub body: String,
    /// What `curl` says of its troubles.
    pub trouble: String,
}

impl Stage {
    pub async fn new() -> Result<Self> {
        // Fails only when another test has done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir()?;
        let options = Options { data_dir: directory.path().join("local"), namespace: NAMESPACE.to_owned(), port: 0 };
        let instance = Instance::start(&options, CancellationToken::new())?;
        let client = instance.client("test", NAMESPACE);
        let namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        let definitions: Api<CustomResourceDefinition> = Api::all(client);
        for definition in api::crds() {
            definitions.create(&PostParams::default(), &definition).await?;
        }
        Ok(Self { directory, instance })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn client(&self) -> kube::Client {
        self.instance.client("test", NAMESPACE)
    }

    /// Starts an operator and waits until it serves the control API.
    pub async fn operator(&self, flags: &str) -> Result<Operator> {
        let mut operator = self.start(flags)?;
        until("the control API is served", SOON, async || {
            operator.lives()?;
            Ok(operator.said()?.contains("all resources are listed").then_some(()))
        })
        .await
        .with_context(|| operator.said().unwrap_or_default())?;
        ensure!(operator.said()?.contains("the control API is served"), "it is not served: {}", operator.said()?);
        Ok(operator)
    }

    /// Starts an operator.
    pub fn start(&self, flags: &str) -> Result<Operator> {
        let (port, monitoring) = (free_port()?, free_port()?);
        let log = self.path(&format!("operator-{port}.log"));
        let file = File::create(&log)?;
        let process = Command::new(binary()?)
            .args(["operator", "run", "--namespace", NAMESPACE, "--kube-config"])
            .arg(self.path("local/kubeconfig"))
            .args(["--port", &port.to_string(), "--monitoring-port", &monitoring.to_string()])
            .args(flags.split_whitespace())
            .current_dir(self.directory.path())
            .env_remove("POD_IP")
            .env_remove("KEYSTORE_SECRET")
            .env_remove("TRUSTSTORE_SECRET")
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Operator { process, log, port, monitoring })
    }

    /// What an operator says that does not start with these flags.
    pub async fn refusal(&self, flags: &str) -> Result<String> {
        let mut operator = self.start(flags)?;
        let ended = until("the operator ends", SOON, async || Ok(operator.process.try_wait()?)).await;
        let said = operator.said()?;
        let status = ended.with_context(|| format!("with {flags}: {said}"))?;
        ensure!(status.code() == Some(1), "it ended with {status}: {said}");
        Ok(said)
    }

    /// Runs a program in the directory of the stage; it must succeed.
    pub fn run(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &str) -> Result<String> {
        run(self.directory.path(), program, arguments)
    }
}

/// Runs a program in a directory; it must succeed.
pub fn run(directory: &Path, program: impl AsRef<std::ffi::OsStr>, arguments: &str) -> Result<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments.split_whitespace()).current_dir(directory).stdin(Stdio::null()).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {words}{}", String::from_utf8_lossy(&output.stdout));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The `flinkctl` that is tested.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(integration_tests::setup::BINARY) {
        return Ok(path.into());
    }
    let mut directory = std::env::current_exe()?;
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    let binary = directory.join("flinkctl");
    if !binary.exists() {
        bail!("{} does not exist; run `cargo build -p flinkctl`", binary.display());
    }
    Ok(binary)
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Operator {
    /// Everything that it has said.
    pub fn said(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned())
    }

    /// Waits until it says something.
    pub async fn says(&self, words: &str) -> Result<()> {
        let wait = until(words, SOON, async || Ok(self.said()?.contains(words).then_some(()))).await;
        wait.with_context(|| self.said().unwrap_or_default())
    }

    pub fn lives(&mut self) -> Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the operator ended with {status}: {}", self.said()?);
        }
        Ok(())
    }

    /// Asks with `curl` from the directory of the stage; the flags come before the address.
    pub fn curl(&self, stage: &Stage, flags: &str, path: &str) -> Result<Answer> {
        self.curl_with(stage, "https", flags, path)
    }

    pub fn curl_with(&self, stage: &Stage, scheme: &str, flags: &str, path: &str) -> Result<Answer> {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "20", "--write-out", "\n%{http_code}"])
            .args(flags.split_whitespace())
            .arg(format!("{scheme}://127.0.0.1:{}/api/v1{path}", self.port))
            .current_dir(stage.directory.path())
            .stdin(Stdio::null())
            .output()
            .context("cannot start curl")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (body, code) = text.rsplit_once('\n').context("curl says no code")?;
        Ok(Answer {
            code: code.parse()?,
            body: body.to_owned(),
            trouble: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Answer {
    /// It is the answer to a question that was let through.
    pub fn is_good(&self) -> Result<()> {
        ensure!(self.code == 200 && self.body.contains("OK"), "not good: {self:?}");
        Ok(())
    }

    /// The handshake failed, so there was no answer at all.
    pub fn is_refused(&self) -> Result<()> {
        ensure!(self.code == 0 && !self.trouble.is_empty(), "not refused: {self:?}");
        ensure!(!self.trouble.contains("Failed to connect"), "it was not even reached: {self:?}");
        Ok(())
    }

    pub fn is(&self, code: u16, words: &str) -> Result<()> {
        ensure!(self.code == code && self.body.contains(words), "not {code} with {words:?}: {self:?}");
        Ok(())
    }
}
