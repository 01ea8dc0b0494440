//! One control plane with a node, for one test.

use k8s_openapi::api::core::v1::{Event, Namespace, Pod, ServiceAccount};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use local::instance::{Instance, Options};
use local::node::image::ImageSource;
use local::node::{self, NodeSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const NODE: &str = "here";
pub const NAMESPACE: &str = "default";

/// Longer than a JVM takes to start on a machine with much to do.
const DEADLINE: Duration = Duration::from_secs(55);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub struct World {
    pub client: Client,
    pub data: PathBuf,
    pub shutdown: Shutdown,
}

type Running = JoinHandle<Result<(), node::Error>>;

/// Ends the world of a test, also if the test has panicked.
#[derive(Clone)]
pub struct Shutdown {
    parts: Arc<Mutex<Option<(Instance, tempfile::TempDir)>>>,
    node: Arc<Mutex<Option<Running>>>,
    stop: CancellationToken,
}

impl Shutdown {
    pub async fn end(&self) {
        self.stop.cancel();
        if let Some(node) = self.node.lock().await.take() {
            node.await.expect("the node does not panic").expect("the node ends well");
        }
        if let Some((instance, directory)) = self.parts.lock().await.take() {
            instance.shutdown().await;
            drop(directory);
        }
    }
}

pub fn start(data: &Path) -> (Instance, NodeSettings) {
    let options = Options { data_dir: data.to_owned(), namespace: NAMESPACE.to_owned(), port: 6443 };
    let instance = Instance::start(&options, CancellationToken::new()).expect("the instance starts");
    let settings = NodeSettings {
        client: instance.client("node", NAMESPACE),
        name: NODE.to_owned(),
        data_dir: data.to_owned(),
        flink_home: std::env::var_os("FLINK_HOME").map(PathBuf::from),
        images: BTreeMap::from([("shell".to_owned(), ImageSource::Host)]),
        subnet: instance.subnet(),
        executable: std::env::current_exe().expect("an executable"),
        api_server: instance.url(),
        ca_pem: instance.authority_pem().to_owned(),
        heartbeat: false,
        kubelet: Some(instance.node_files().expect("files")),
    };
    (instance, settings)
}

/// Runs control plane and node as a process of their own, until it is killed.
pub fn host(data: &str) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (_instance, settings) = start(Path::new(data));
        make_namespace(&settings.client).await;
        node::run(settings, CancellationToken::new()).await.expect("the node runs");
    });
    ExitCode::SUCCESS
}

async fn make_namespace(client: &Client) {
    let namespace = json!({"metadata": {"name": NAMESPACE}});
    // A second life finds them there.
    let _ = Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &parse(namespace)).await;
    let account = json!({"metadata": {"name": "default"}});
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    let _ = accounts.create(&PostParams::default(), &parse(account)).await;
}

pub fn parse<K: DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).expect("an object")
}

impl World {
    pub async fn new(name: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("node-").tempdir().expect("a directory");
        let data = directory.path().to_owned();
        let stop = CancellationToken::new();
        if name.contains("killed_node") {
            // That test has an instance in a process of its own.
            let config = kube::Config::new("https://127.0.0.1:1".parse().expect("a URL"));
            let client = Client::try_from(config).expect("a client");
            let parts = Arc::new(Mutex::new(None));
            let shutdown = Shutdown { parts, node: Arc::default(), stop };
            return World { client, data: directory.keep(), shutdown };
        }
        let (instance, settings) = start(&data);
        let client = instance.client("test", NAMESPACE);
        make_namespace(&client).await;
        let node = tokio::spawn(node::run(settings, stop.clone()));
        let shutdown = Shutdown {
            parts: Arc::new(Mutex::new(Some((instance, directory)))),
            node: Arc::new(Mutex::new(Some(node))),
            stop,
        };
        World { client, data, shutdown }
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    pub async fn create<K>(&self, object: Value) -> K
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + DeserializeOwned
            + Serialize
            + Clone
            + std::fmt::Debug,
    {
        self.api::<K>().create(&PostParams::default(), &parse(object)).await.expect("it is created")
    }

    /// Creates a pod that is scheduled to the node.
    pub async fn pod(&self, name: &str, mut spec: Value) -> Pod {
        spec["nodeName"] = json!(NODE);
        self.create(json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec})).await
    }

    /// Waits until a pod is as it should be.
    pub async fn until(&self, name: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let pods = self.api::<Pod>();
        until(&format!("pod {name} is as it should be"), async || {
            let pod = json!(pods.get(name).await.expect("the pod is there"));
            condition(&pod).then_some(pod)
        })
        .await
    }

    pub async fn phase(&self, name: &str, phase: &str) -> Value {
        self.until(name, |pod| pod["status"]["phase"] == phase).await
    }

    pub async fn gone(&self, name: &str) {
        let pods = self.api::<Pod>();
        until(&format!("pod {name} is gone"), async || {
            pods.get_opt(name).await.expect("an answer").is_none().then_some(())
        })
        .await;
    }

    /// Waits for an event about a pod; the answer is its message.
    pub async fn event(&self, pod: &str, reason: &str, part: &str) -> String {
        until(&format!("{reason} is told of pod {pod}"), async || {
            let events = self.api::<Event>().list(&ListParams::default()).await.expect("events");
            let message = |event: &Event| event.message.clone().unwrap_or_default();
            let found = events.iter().find(|event| {
                event.involved_object.name.as_deref() == Some(pod)
                    && event.reason.as_deref() == Some(reason)
                    && message(event).contains(part)
            });
            found.map(message)
        })
        .await
    }

    pub fn log(&self, pod: &Value, container: &str, restart: u32) -> String {
        let metadata = &pod["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        let directory = format!("{}_{}_{}", text("namespace"), text("name"), text("uid"));
        std::fs::read_to_string(self.data.join("pods").join(directory).join(container).join(format!("{restart}.log")))
            .unwrap_or_default()
    }
}

/// A container that runs a shell script on the host's programs.
pub fn shell(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "shell", "command": ["/bin/sh", "-c", script]})
}

pub fn alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    until(what, async || condition().then_some(())).await;
}

/// Looks until something is there.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "still waiting: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
