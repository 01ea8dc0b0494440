//! The two servers: the local one in this process with its controllers, and the genuine one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use integration_tests::wait::until;
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use local::instance::{Instance, Options};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::answer::ask;
use crate::case::Step;

/// Clients of both, and what keeps them running.
pub struct Servers {
    pub genuine: Client,
    pub local: Client,
    /// For `kubectl`.
    pub genuine_kubeconfig: Value,
    pub local_kubeconfig: Value,
    instance: Instance,
    controllers: JoinHandle<()>,
    stop: CancellationToken,
    state: TempDir,
}

impl Servers {
    /// Starts the local server, connects to the genuine one, and brings the definitions of the cases to both.
    pub async fn start(definitions: &Path) -> Result<Self> {
        let state =
            tempfile::Builder::new().prefix("flinkctl-conformance-").tempdir().context("cannot make a directory")?;
        let stop = CancellationToken::new();
        let options = Options { data_dir: state.path().join("local"), namespace: "default".to_owned(), port: 6443 };
        let instance = Instance::start(&options, stop.clone())?;
        let local = instance.client("admin", "default");
        let (client, authority, token) =
            (instance.client("controllers", "default"), instance.authority_pem().to_owned(), stop.clone());
        let controllers = tokio::spawn(async move {
            if let Err(error) = local::controllers::run(client, authority, token).await {
                eprintln!("the local controllers ended: {error}");
            }
        });
        let file = std::env::var("FLINKCTL_GENUINE").context("FLINKCTL_GENUINE is not set; run `cargo xtask kube`")?;
        let servers = Self {
            genuine: genuine(&file).await?,
            local,
            genuine_kubeconfig: kubeconfig(Path::new(&file))?,
            local_kubeconfig: kubeconfig(&instance.data_dir().join("kubeconfig"))?,
            instance,
            controllers,
            stop,
            state,
        };
        for server in ["genuine", "local"] {
            std::fs::create_dir(servers.home(server)).context("cannot make a directory")?;
        }
        servers.define(definitions).await?;
        Ok(servers)
    }

    /// Creates the definitions on both, and waits until both serve them.
    async fn define(&self, file: &Path) -> Result<()> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut definitions = Vec::new();
        for document in serde_yaml::Deserializer::from_str(&text) {
            definitions.push(Value::deserialize(document).with_context(|| format!("{} is no YAML", file.display()))?);
        }
        for definition in api::crds() {
            definitions.push(serde_json::to_value(definition)?);
        }
        for client in [&self.genuine, &self.local] {
            for definition in &definitions {
                define(client, definition).await?;
            }
        }
        Ok(())
    }

    /// Where `kubectl` keeps what it knows of a server.
    pub fn home(&self, server: &str) -> PathBuf {
        self.state.path().join(format!("home-{server}"))
    }

    /// Ends the local server in order.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.controllers.await.context("the local controllers panicked")?;
        self.instance.shutdown().await;
        Ok(())
    }
}

async fn define(client: &Client, definition: &Value) -> Result<()> {
    const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let answer = ask(client, "POST", PATH, &Step::default(), Some(definition)).await?;
    if answer.code != 201 {
        bail!("cannot define {}: {}", definition["metadata"]["name"], answer.body);
    }
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let path = format!(
        "/apis/{}/{}/{}",
        text(&spec["group"]),
        text(&spec["versions"][0]["name"]),
        text(&spec["names"]["plural"])
    );
    until(&format!("{path} is served"), Duration::from_secs(30), async || {
        let answer = ask(client, "GET", &path, &Step::default(), None).await?;
        Ok((answer.code == 200).then_some(()))
    })
    .await
}

/// A client of the genuine server.
async fn genuine(file: &str) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(file).with_context(|| format!("cannot read {file}"))?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    let version = client.apiserver_version().await.context("the genuine server does not answer")?;
    eprintln!("the genuine server is {}", version.git_version);
    Ok(client)
}

fn kubeconfig(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_yaml::from_str(&text).with_context(|| format!("{} is no kubeconfig", file.display()))
}
