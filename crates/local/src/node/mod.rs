//! A node: runs the pods that the control plane gives to it as processes of the host, each pod on a loopback address of its own.
//!
//! It speaks the Kubernetes API and nothing else, so it works with any control plane. Resource limits are accepted and not enforced, volumes of
//! config maps and secrets are not updated, tokens are not renewed, and all processes run as the user of the node.
//!
//! Invariant: a process of a pod runs only while the node does, and only while the control plane has the pod.

mod address;
mod backoff;
mod board;
mod connection;
mod container;
mod environment;
mod event;
mod figures;
mod heartbeat;
mod hosts;
pub mod image;
mod killing;
pub mod kubelet;
mod pod;
mod ports;
mod probe;
mod probing;
mod process;
mod quantity;
mod registration;
mod relocate;
mod reporting;
mod sandbox;
mod service;
mod streams;
mod supply;
mod volume;

use event::Recorder;
use futures::{StreamExt, TryStreamExt};
use image::ImageSource;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// What a node must be told.
pub struct NodeSettings {
    pub client: Client,
    pub name: String,
    /// Where pods have their files, below `pods/`.
    pub data_dir: PathBuf,
    pub flink_home: Option<PathBuf>,
    pub images: BTreeMap<String, ImageSource>,
    /// N of 127.N.0.0/16.
    pub subnet: u8,
    /// flinkctl itself, or another executable whose main function calls [`crate::dispatch`] first.
    pub executable: PathBuf,
    /// Address of the control plane as pods shall see it, `https://host:port`.
    pub api_server: String,
    /// The certificates that pods shall trust.
    pub ca_pem: String,
    /// Whether the control plane takes a node for dead that does not say regularly that it lives.
    pub heartbeat: bool,
    /// How the control plane reaches the node: for commands in containers, port-forwards, figures and, if need be, logs.
    pub kubelet: Option<kubelet::Settings>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("find out host and port of the API server {0:?}")]
    ApiServer(String),
    #[error("prepare {path}")]
    Directory { path: PathBuf, source: io::Error },
    #[error("start the thread that starts processes")]
    Spawner(#[source] io::Error),
    #[error(transparent)]
    Kubelet(#[from] kubelet::Error),
    #[error("register the node")]
    Register(#[source] Box<kube::Error>),
    #[error("watch {0}")]
    Watch(&'static str, #[source] Box<watcher::Error>),
}

/// How containers get a file tree of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Isolation {
    user_namespace: bool,
}

/// What all pods of a node share.
struct Machine {
    client: Client,
    name: String,
    data: PathBuf,
    subnet: u8,
    api_server: (String, u16),
    certificate: String,
    host: image::Host,
    images: image::Images,
    isolation: Option<Isolation>,
    /// Why there is no isolation, if there is none.
    no_isolation: String,
    capacity: registration::Capacity,
    spawner: process::Spawner,
    recorder: Recorder,
    addresses: address::Addresses,
    services: Arc<service::Services>,
    running: streams::Running,
    shutdown: CancellationToken,
}

impl Machine {
    /// The node's own address.
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.subnet, 0, 1)
    }

    /// For programs that cannot be given the files of their service account.
    fn kubeconfig(&self, account: &volume::Account) -> String {
        use base64::Engine;
        let (host, port) = &self.api_server;
        let certificate = base64::engine::general_purpose::STANDARD.encode(&account.certificate);
        let config = serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "pod",
            "clusters": [{"name": "pod", "cluster": {"server": format!("https://{host}:{port}"), "certificate-authority-data": certificate}}],
            "users": [{"name": "pod", "user": {"token": account.token}}],
            "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod", "namespace": account.namespace}}],
        });
        config.to_string()
    }
}

/// Runs the node until `shutdown`; all pods have ended when it returns.
pub async fn run(settings: NodeSettings, shutdown: CancellationToken) -> Result<(), Error> {
    let (heartbeat, kubelet) = (settings.heartbeat, settings.kubelet.clone());
    let machine = Arc::new(machine(settings, &shutdown).await?);
    let kubelet = match kubelet {
        Some(settings) => Some(kubelet::Kubelet::bind(&settings, machine.address()).await?),
        None => None,
    };
    let (client, name) = (machine.client.clone(), machine.name.clone());
    registration::register(&machine, kubelet.is_some()).await.map_err(|error| Error::Register(Box::new(error)))?;
    if machine.isolation.is_none() {
        let message = format!(
            "no mount namespaces ({}): pods see the host's files, and their volumes where the host has them",
            machine.no_isolation
        );
        machine.recorder.node(&name).warning("NoMountNamespaces", message);
    }
    let heart = heartbeat.then(|| AbortOnDropHandle::new(tokio::spawn(heartbeat::run(Arc::clone(&machine)))));
    let services = tokio::spawn(watch_services(Arc::clone(&machine)));
    let recorder = machine.recorder.clone();
    let node = name.clone();
    let forwarder =
        tokio::spawn(Arc::clone(&machine.services).run(shutdown.clone(), move |(namespace, name), error| {
            recorder.node(&node).warning("ServiceUnavailable", format!("service {namespace}/{name}: {error}"));
        }));
    let pods: Api<Pod> = Api::all(client);
    let config = watcher::Config::default().fields(&format!("spec.nodeName={name}"));
    let mut events = Box::pin(watcher(pods, config).default_backoff());
    let mut fleet = Fleet {
        machine: Arc::clone(&machine),
        pods: HashMap::new(),
        listed: None,
        published: kubelet::Pods::default(),
    };
    let kubelet = kubelet.map(|kubelet| {
        let serving = kubelet.serve(Arc::clone(&machine), Arc::clone(&fleet.published));
        AbortOnDropHandle::new(tokio::spawn(serving))
    });
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => {
                    fleet.handle(event);
                    if kubelet.is_some() {
                        fleet.publish();
                    }
                }
                Some(Err(error)) => tracing::debug!(error = kit::chain(&error), "the watch of pods was interrupted"),
                None => break,
            },
            () = shutdown.cancelled() => break,
        }
    }
    for (_, pod) in fleet.pods {
        let _ = pod.task.await;
    }
    // Until here the node was alive: its pods had to be seen to their end.
    drop((heart, kubelet));
    services.abort();
    forwarder.abort();
    Ok(())
}

async fn machine(settings: NodeSettings, shutdown: &CancellationToken) -> Result<Machine, Error> {
    let data = settings.data_dir;
    let directory = |path: PathBuf| move |source| Error::Directory { path, source };
    std::fs::create_dir_all(data.join("pods")).map_err(directory(data.join("pods")))?;
    let data = std::fs::canonicalize(&data).map_err(directory(data.clone()))?;
    let executable = registration::keep_executable(&settings.executable, &data).map_err(directory(data.join("bin")))?;
    let spawner = process::Spawner::new(executable.clone()).map_err(Error::Spawner)?;
    let (isolation, no_isolation) = registration::find_isolation(&spawner, &data).await;
    let host = image::Host { executable, java_home: image::java_home(), isolated: isolation.is_some() };
    let api_server = registration::host_and_port(&settings.api_server).ok_or(Error::ApiServer(settings.api_server))?;
    Ok(Machine {
        recorder: Recorder::new(settings.client.clone(), settings.name.clone()),
        client: settings.client,
        name: settings.name,
        subnet: settings.subnet,
        api_server,
        certificate: settings.ca_pem,
        host,
        images: image::Images { flink_home: settings.flink_home, sources: settings.images },
        isolation,
        no_isolation,
        capacity: registration::Capacity::of_host(),
        spawner,
        addresses: address::Addresses::pods(settings.subnet, data.join("last-address")),
        services: Arc::new(service::Services::new(settings.subnet)),
        running: streams::Running::default(),
        shutdown: shutdown.clone(),
        data,
    })
}

/// The pods of the node, by uid.
struct Fleet {
    machine: Arc<Machine>,
    pods: HashMap<String, pod::Handle>,
    /// What a list has named so far, while it is read.
    listed: Option<Vec<Pod>>,
    /// What the server knows of them.
    published: kubelet::Pods,
}

impl Fleet {
    fn handle(&mut self, event: watcher::Event<Pod>) {
        match event {
            watcher::Event::Init => self.listed = Some(Vec::new()),
            watcher::Event::InitApply(pod) => self.listed.get_or_insert_default().push(pod),
            watcher::Event::InitDone => self.replace(),
            watcher::Event::Apply(pod) => self.apply(pod),
            watcher::Event::Delete(pod) => self.forget(&pod.uid().unwrap_or_default()),
        }
    }

    fn replace(&mut self) {
        let listed = self.listed.take().unwrap_or_default();
        let uids: BTreeSet<String> = listed.iter().filter_map(ResourceExt::uid).collect();
        if self.pods.is_empty() {
            pod::clean(&self.machine.data, |uid| uids.contains(uid));
        }
        let gone: Vec<String> = self.pods.keys().filter(|uid| !uids.contains(*uid)).cloned().collect();
        for uid in &gone {
            self.forget(uid);
        }
        for pod in listed {
            self.apply(pod);
        }
    }

    fn apply(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        if !supply::belongs(&pod, &self.machine.name) {
            return self.forget(&uid);
        }
        if let Some(handle) = self.pods.get(&uid) {
            handle.updates.send_replace(Arc::new(pod));
        } else {
            let handle = pod::start(&self.machine, pod);
            self.pods.insert(uid, handle);
        }
    }

    fn forget(&mut self, uid: &str) {
        if let Some(handle) = self.pods.get(uid) {
            handle.gone.cancel();
        }
        // The task of a pod that is gone ends once its processes have.
        self.pods.retain(|_, handle| !(handle.gone.is_cancelled() && handle.task.is_finished()));
    }
}

async fn watch_services(machine: Arc<Machine>) {
    let mut events =
        Box::pin(watcher(Api::<Service>::all(machine.client.clone()), watcher::Config::default()).default_backoff());
    let mut listed = BTreeSet::new();
    loop {
        match events.try_next().await {
            Ok(Some(watcher::Event::Init)) => listed.clear(),
            Ok(Some(watcher::Event::InitApply(service))) => {
                listed.insert((service.namespace().unwrap_or_default(), service.name_any()));
                machine.services.put(service);
            }
            Ok(Some(watcher::Event::InitDone)) => machine.services.retain(&listed),
            Ok(Some(watcher::Event::Apply(service))) => machine.services.put(service),
            Ok(Some(watcher::Event::Delete(service))) => {
                machine.services.remove(service.meta().namespace.as_deref().unwrap_or_default(), &service.name_any());
            }
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(error = kit::chain(&error), "the watch of Services was interrupted");
            }
        }
    }
}
