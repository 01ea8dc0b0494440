//! The two servers: the local one in this process with its controllers, and a genuine control plane, both fresh.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use integration_tests::control_plane::{ControlPlane, program};
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
    /// How `kubectl` reaches each.
    pub genuine_kubectl: Kubectl,
    pub local_kubectl: Kubectl,
    plane: ControlPlane,
    instance: Instance,
    controllers: JoinHandle<()>,
    stop: CancellationToken,
    _state: TempDir,
}

/// What `kubectl` is given to work with.
pub struct Kubectl {
    pub kubeconfig: Value,
    /// Where it keeps what it knows of a server.
    pub home: PathBuf,
    /// A `PATH` that begins with the `kubectl` of the genuine server's version.
    pub path: OsString,
}

impl Servers {
    /// Starts both, and brings the definitions of the cases to them.
    pub async fn start(definitions: &Path) -> Result<Self> {
        let state =
            tempfile::Builder::new().prefix("flinkctl-conformance-").tempdir().context("cannot make a directory")?;
        let program =
            program::built()?.context("the control plane is not built; run `cargo xtask kube --build-only`")?;
        let directory = program.parent().context("the program lies in a directory")?.to_owned();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(directory).chain(std::env::split_paths(&others)))?;
        let kubectl = |server: &str, file: &Path| -> Result<Kubectl> {
            let home = state.path().join(format!("home-{server}"));
            std::fs::create_dir(&home).context("cannot make a directory")?;
            Ok(Kubectl { kubeconfig: kubeconfig(file)?, home, path: path.clone() })
        };
        let plane = ControlPlane::start(&program, &state.path().join("genuine")).await?;
        eprintln!("the genuine server is {}", plane.version());
        let stop = CancellationToken::new();
        let options = Options { data_dir: state.path().join("local"), namespace: "default".to_owned(), port: 6443 };
        let instance = Instance::start(&options, stop.clone())?;
        instance.expect_controllers();
        let local = instance.client("admin", "default");
        let (client, authority, token) =
            (instance.client("controllers", "default"), instance.authority_pem().to_owned(), stop.clone());
        let controllers = tokio::spawn(async move {
            if let Err(error) = local::controllers::run(client, authority, token).await {
                eprintln!("the local controllers ended: {error}");
            }
        });
        let servers = Self {
            genuine: genuine(&plane.kubeconfig()).await?,
            local,
            genuine_kubectl: kubectl("genuine", &plane.kubeconfig())?,
            local_kubectl: kubectl("local", &instance.data_dir().join("kubeconfig"))?,
            plane,
            instance,
            controllers,
            stop,
            _state: state,
        };
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

    /// Ends both in order.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.controllers.await.context("the local controllers panicked")?;
        self.instance.shutdown().await;
        self.plane.stop().await
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
async fn genuine(file: &Path) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Client::try_from(kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)?)
}

fn kubeconfig(file: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_yaml::from_str(&text).with_context(|| format!("{} is no kubeconfig", file.display()))
}
