//! A control plane without nodes, in this process or a genuine one, with the operator beside it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use integration_tests::cluster::{self, Cluster};
use integration_tests::control_plane::ControlPlane;
use integration_tests::local::resource;
use integration_tests::wait::until;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config};
use local::instance::{Instance, Options};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const SUPERVISOR: &str = "supervisor.nextbreakpoint.com";
pub const NAMESPACE: &str = "flink";
const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: operator::Args,
}

/// Who serves the API.
enum Server {
    Local(Box<Instance>),
    Genuine(ControlPlane),
}

/// An operator that runs.
pub type Operator = JoinHandle<Result<(), operator::Error>>;

pub struct Stage {
    _directory: tempfile::TempDir,
    server: Server,
    pub client: Client,
    stop: CancellationToken,
    operator: Option<Operator>,
    stop_operator: CancellationToken,
    pub monitoring: u16,
    /// Where the control API is.
    pub control: u16,
}

impl Stage {
    /// A stage with the custom resources.
    pub async fn new() -> Result<Self> {
        let stage = Self::bare().await?;
        stage.define(api::crds()).await?;
        Ok(stage)
    }

    /// A stage whose API server does not know our resources yet.
    pub async fn bare() -> Result<Self> {
        // Fails only when another test has done it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir()?;
        let stop = CancellationToken::new();
        let server = Server::start(directory.path(), &stop).await?;
        let client = server.client("test").await?;
        let namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        server.grant()?;
        let (monitoring, control) = (free_port()?, free_port()?);
        let stop_operator = stop.child_token();
        let operator = start_operator(server.client("operator").await?, monitoring, control, stop_operator.clone());
        let operator = Some(operator);
        Ok(Self { _directory: directory, server, client, stop, operator, stop_operator, monitoring, control })
    }

    pub async fn define(&self, crds: Vec<CustomResourceDefinition>) -> Result<()> {
        let definitions: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for crd in crds {
            definitions.create(&PostParams::default(), &crd).await?;
            // A genuine server answers for a new kind a little later.
            let (group, kind) = (crd.spec.group, crd.spec.names.kind);
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(&group, "v1", &kind));
            let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), NAMESPACE, &resource);
            soon(async || Ok(api.list(&ListParams::default()).await.is_ok().then_some(()))).await?;
        }
        Ok(())
    }

    pub async fn end(mut self) -> Result<()> {
        self.end_operator().await??;
        self.close().await
    }

    /// Tells the operator to end, as SIGTERM does.
    pub fn end_operator(&mut self) -> Operator {
        self.stop_operator.cancel();
        self.operator.take().expect("it is told once")
    }

    /// Ends what is left when the operator has ended.
    pub async fn close(self) -> Result<()> {
        self.stop.cancel();
        self.server.stop().await
    }

    /// One more operator, which works on the same objects.
    pub async fn second_operator(&self) -> Result<Operator> {
        let client = self.server.client("operator-2").await?;
        Ok(start_operator(client, free_port()?, free_port()?, self.stop.clone()))
    }

    pub fn api(&self, kind: &str) -> Result<Api<DynamicObject>> {
        Ok(Api::namespaced_with(self.client.clone(), NAMESPACE, &resource(kind)?))
    }

    pub async fn create(&self, kind: &str, object: &Value) -> Result<()> {
        let object: DynamicObject = serde_json::from_value(object.clone())?;
        self.api(kind)?.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    pub async fn patch(&self, kind: &str, name: &str, patch: &Value) -> Result<()> {
        self.api(kind)?.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    pub async fn patch_status(&self, kind: &str, name: &str, status: &Value) -> Result<()> {
        let patch = json!({ "status": status });
        self.api(kind)?.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    pub async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        self.api(kind)?.delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    pub async fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let object = self.api(kind)?.get_opt(name).await?;
        Ok(object.map(serde_json::to_value).transpose()?)
    }

    pub async fn names(&self, kind: &str) -> Result<Vec<String>> {
        let list = self.api(kind)?.list(&ListParams::default()).await?;
        Ok(list.items.into_iter().filter_map(|object| object.metadata.name).collect())
    }

    /// Waits until the object exists and looks as wanted.
    pub async fn expect(&self, kind: &str, name: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let look = async || Ok(self.get(kind, name).await?.filter(|object| wanted(object)));
        match soon(look).await {
            Ok(object) => Ok(object),
            Err(error) => {
                let last = self.get(kind, name).await?;
                Err(error.context(format!("{kind}/{name} is {}", serde_json::to_string_pretty(&last)?)))
            }
        }
    }

    /// Waits until there is no such object.
    pub async fn gone(&self, kind: &str, name: &str) -> Result<()> {
        let look = async || Ok(self.get(kind, name).await?.is_none().then_some(()));
        soon(look).await.with_context(|| format!("{kind}/{name} is still there"))
    }

    /// The supervisor lays its finalizer on an object.
    pub async fn supervise(&self, kind: &str, name: &str) -> Result<()> {
        let object = self.get(kind, name).await?.context("an object to supervise")?;
        let mut finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        finalizers.push(json!(SUPERVISOR));
        self.patch(kind, name, &json!({ "metadata": { "finalizers": finalizers } })).await
    }

    /// The supervisor has cleaned up after an object and lets it go.
    pub async fn release(&self, kind: &str, name: &str) -> Result<()> {
        let object = self.get(kind, name).await?.context("an object to release")?;
        let finalizers = object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let others: Vec<Value> = finalizers.into_iter().filter(|finalizer| finalizer != SUPERVISOR).collect();
        self.patch(kind, name, &json!({ "metadata": { "finalizers": others } })).await
    }

    /// What was told about an object.
    pub async fn events(&self, name: &str) -> Result<Vec<String>> {
        let list = self.api("event")?.list(&ListParams::default()).await?;
        let of_object = list.items.into_iter().filter(|event| event.data["involvedObject"]["name"] == name);
        Ok(of_object.filter_map(|event| event.data["reason"].as_str().map(str::to_owned)).collect())
    }
}

impl Server {
    async fn start(directory: &Path, stop: &CancellationToken) -> Result<Self> {
        if let Cluster::Real { program } = Cluster::from_environment()? {
            return Ok(Self::Genuine(ControlPlane::start(&program, directory).await?));
        }
        let options = Options { data_dir: directory.to_owned(), namespace: NAMESPACE.to_owned(), port: 6443 };
        let instance = Instance::start(&options, stop.clone())?;
        let (controllers, authority) = (instance.client("controllers", NAMESPACE), instance.authority_pem().to_owned());
        tokio::spawn(local::controllers::run(controllers, authority, stop.clone()));
        Ok(Self::Local(Box::new(instance)))
    }

    /// A client; on a genuine server an operator has no more rights than its service account.
    async fn client(&self, component: &str) -> Result<Client> {
        match self {
            Self::Local(instance) => Ok(instance.client(component, NAMESPACE)),
            Self::Genuine(plane) => {
                let kubeconfig = Kubeconfig::read_from(plane.kubeconfig())?;
                let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
                if component.starts_with("operator") {
                    config.auth_info.impersonate = Some(format!("system:serviceaccount:{NAMESPACE}:flink-operator"));
                }
                Ok(Client::try_from(config)?)
            }
        }
    }

    /// Gives the service accounts their rights, where rights count.
    fn grant(&self) -> Result<()> {
        match self {
            Self::Local(_) => Ok(()),
            Self::Genuine(plane) => plane.apply(NAMESPACE, &cluster::roles(NAMESPACE)),
        }
    }

    async fn stop(self) -> Result<()> {
        match self {
            Self::Local(instance) => instance.shutdown().await,
            Self::Genuine(plane) => {
                let refused = plane.refused()?;
                plane.stop().await?;
                ensure!(refused.is_empty(), "the API server refused: {}", refused.join("\n"));
            }
        }
        Ok(())
    }
}

fn start_operator(client: Client, monitoring: u16, control: u16, stop: CancellationToken) -> Operator {
    let (namespace, monitoring) = (format!("--namespace={NAMESPACE}"), format!("--monitoring-port={monitoring}"));
    let control = format!("--port={control}");
    let args = ["operator", &namespace, &monitoring, &control, "--insecure", "--rate-limit=0", "--image=flinkctl:test"];
    tokio::spawn(operator::serve(Cli::parse_from(args).args, client, stop))
}

/// A port that nobody uses now.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Looks until something is found.
pub async fn soon<T>(look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    until("what is wanted", DEADLINE, look).await
}

pub fn cluster_spec() -> Value {
    json!({
        "taskManagers": 1,
        "runtime": { "image": "flink:2.1" },
        "jobManager": { "serviceMode": "ClusterIP", "args": ["jobmanager"] },
        "taskManager": { "taskSlots": 2 },
        "supervisor": { "image": "nextbreakpoint/flinkctl:1.4.4-beta" },
    })
}

pub fn job_spec(class: &str) -> Value {
    json!({
        "jobParallelism": 1,
        "bootstrap": { "image": "jobs", "className": class, "jarPath": "/jobs.jar", "arguments": ["--a"] },
        "savepoint": { "savepointMode": "Automatic", "savepointInterval": 60, "savepointTargetPath": "file:///s" },
        "restart": { "restartPolicy": "Always" },
    })
}

pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "nextbreakpoint.com/v1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

pub fn deployment(name: &str, jobs: &[(&str, &str)]) -> Value {
    let jobs: Vec<Value> = jobs.iter().map(|(job, class)| json!({ "name": job, "spec": job_spec(class) })).collect();
    object("FlinkDeployment", name, &json!({ "cluster": cluster_spec(), "jobs": jobs }))
}

/// The operator has applied this generation.
pub fn is_updated(object: &Value) -> bool {
    let status = &object["status"];
    status["resourceStatus"] == "Updated" && status["observedGeneration"] == object["metadata"]["generation"]
}
