//! What the supervisor watches: its cluster, the cluster's jobs, and the objects made for them.
//!
//! Only what decisions need is decoded. Everything is filtered by name or label at the API server.

use std::sync::Arc;

use api::{FlinkCluster, FlinkJob, labels};
use k8s_openapi::api::batch::v1::Job as BatchJob;
use k8s_openapi::api::core::v1::{Pod, Service};
use kit::cache::{self, Cache, State};
use kit::projection::{Parsed, Projection};
use kube::runtime::watcher;
use kube::{Api, Client};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A part that is not looked at.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Nothing {}

/// Where a pod is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodPlace {
    pub node_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    pub phase: String,
    pub message: Option<String>,
    pub reason: Option<String>,
    #[serde(rename = "podIP")]
    pub pod_ip: Option<String>,
    pub conditions: Vec<PodCondition>,
    pub init_container_statuses: Vec<ContainerStatus>,
    pub container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodCondition {
    #[serde(rename = "type")]
    pub type_: String,
    pub status: String,
    pub reason: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    pub name: String,
    pub state: ContainerState,
    pub last_state: ContainerState,
    pub restart_count: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ContainerState {
    pub running: Option<Nothing>,
    pub waiting: Option<Waiting>,
    pub terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Waiting {
    pub reason: Option<String>,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    pub exit_code: i32,
    pub reason: Option<String>,
    pub message: Option<String>,
}

pub type PodObject = Projection<Pod, PodPlace, PodStatus>;
pub type JobObject = Projection<BatchJob, Nothing, Nothing>;
pub type ServiceObject = Projection<Service, Nothing, Nothing>;

/// All caches of one supervisor. Cheap to clone.
#[derive(Clone)]
pub struct Caches {
    pub cluster: Cache<Parsed<FlinkCluster>>,
    pub jobs: Cache<Parsed<FlinkJob>>,
    pub pods: Cache<PodObject>,
    pub bootstraps: Cache<JobObject>,
    pub services: Cache<ServiceObject>,
}

impl Caches {
    /// Starts to watch; each change wakes `changed`.
    pub fn start(
        client: &Client,
        namespace: &str,
        cluster: &str,
        changed: &Arc<Notify>,
        token: &CancellationToken,
    ) -> Self {
        let named = watcher::Config::default().fields(&format!("metadata.name={cluster}"));
        let jobs = watcher::Config::default().labels(&format!("{}={cluster}", labels::CLUSTER_NAME));
        let children = watcher::Config::default().labels(&labels::cluster_selector(cluster));
        Self {
            cluster: cache::start(Api::namespaced(client.clone(), namespace), named, token.clone(), wake(changed)),
            jobs: cache::start(Api::namespaced(client.clone(), namespace), jobs, token.clone(), wake(changed)),
            pods: cache::start(
                Api::namespaced(client.clone(), namespace),
                children.clone(),
                token.clone(),
                wake(changed),
            ),
            bootstraps: cache::start(
                Api::namespaced(client.clone(), namespace),
                children.clone(),
                token.clone(),
                wake(changed),
            ),
            services: cache::start(Api::namespaced(client.clone(), namespace), children, token.clone(), wake(changed)),
        }
    }

    /// What the service account may not watch, if anything.
    pub fn denied(&self) -> Option<String> {
        let states = [
            self.cluster.state(),
            self.jobs.state(),
            self.pods.state(),
            self.bootstraps.state(),
            self.services.state(),
        ];
        let denied: Vec<&str> = states.iter().filter_map(State::denied).collect();
        (!denied.is_empty()).then(|| denied.join("; "))
    }

    /// What keeps the caches from being complete, if anything.
    pub fn missing(&self) -> Option<String> {
        let states = [
            ("flinkclusters", self.cluster.state()),
            ("flinkjobs", self.jobs.state()),
            ("pods", self.pods.state()),
            ("jobs", self.bootstraps.state()),
            ("services", self.services.state()),
        ];
        let missing: Vec<String> = states
            .into_iter()
            .filter(|(_, state)| !state.is_synced())
            .map(|(kind, state)| match state {
                State::Failing { why, .. } => why,
                State::Loading | State::Synced => format!("{kind} are not listed yet"),
            })
            .collect();
        (!missing.is_empty()).then(|| missing.join("; "))
    }

    /// Has everything listed anew.
    pub fn list_again(&self) {
        self.cluster.list_again();
        self.jobs.list_again();
        self.pods.list_again();
        self.bootstraps.list_again();
        self.services.list_again();
    }

    /// Waits until all are listed.
    pub async fn synced(&self) {
        self.cluster.synced().await;
        self.jobs.synced().await;
        self.pods.synced().await;
        self.bootstraps.synced().await;
        self.services.synced().await;
    }
}

fn wake<K>(changed: &Arc<Notify>) -> impl FnMut(&Arc<K>) + Send + 'static {
    let changed = Arc::clone(changed);
    move |_| changed.notify_one()
}
