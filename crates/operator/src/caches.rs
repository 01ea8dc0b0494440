//! What the operator watches: its three resources as a whole, supervisor Deployments without status, supervisor pods by their metadata.

use api::{FlinkCluster, FlinkDeployment, FlinkJob, labels, names};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kit::cache::{self, Cache, State};
use kit::projection::{Ignored, Parsed, Projection};
use kit::queue::Queue;
use kube::Client;
use kube::api::Api;
use kube::runtime::watcher;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::key::{self, Key};
use crate::pod::{self, DeploymentState, PodState};

/// A supervisor Deployment as it is compared with its manifest.
pub type Supervisor = Projection<Deployment, Value, DeploymentState>;
/// That a pod exists, and what keeps it from running, is all that matters.
pub type SupervisorPod = Projection<Pod, Ignored, PodState>;

/// Everything that decisions are made from.
#[derive(Clone)]
pub struct Caches {
    pub deployments: Cache<Parsed<FlinkDeployment>>,
    pub clusters: Cache<Parsed<FlinkCluster>>,
    pub jobs: Cache<Parsed<FlinkJob>>,
    pub supervisors: Cache<Supervisor>,
    pub pods: Cache<SupervisorPod>,
}

/// Starts all watches. Each change adds the keys to look at.
pub fn start(client: &Client, namespace: &str, queue: &Queue<Key>, token: &CancellationToken) -> Caches {
    let all = watcher::Config::default();
    let supervisors = watcher::Config::default().labels(&format!(
        "{}={},{}={},{}={}",
        labels::OWNER,
        labels::OWNER_VALUE,
        labels::COMPONENT,
        labels::COMPONENT_VALUE,
        labels::ROLE,
        labels::Role::Supervisor.as_str()
    ));
    let queues = || queue.clone();
    let (one, two, three, four, five) = (queues(), queues(), queues(), queues(), queues());
    let api = |client: &Client| client.clone();
    Caches {
        deployments: cache::start(Api::namespaced(api(client), namespace), all.clone(), token.clone(), move |object| {
            key::deployment(&one, object);
        }),
        clusters: cache::start(Api::namespaced(api(client), namespace), all.clone(), token.clone(), move |object| {
            key::cluster(&two, object);
        }),
        jobs: cache::start(Api::namespaced(api(client), namespace), all, token.clone(), move |object| {
            key::job(&three, object);
        }),
        supervisors: cache::start(
            Api::namespaced(api(client), namespace),
            supervisors.clone(),
            token.clone(),
            move |object| key::supervisor(&four, object),
        ),
        pods: cache::start(Api::namespaced(api(client), namespace), supervisors, token.clone(), move |object| {
            key::supervisor(&five, object);
        }),
    }
}

impl Caches {
    /// Waits until everything was listed once: an absent object is absent then, and not just unseen.
    pub async fn synced(&self) {
        self.deployments.synced().await;
        self.clusters.synced().await;
        self.jobs.synced().await;
        self.supervisors.synced().await;
        self.pods.synced().await;
    }

    /// What cannot be seen, in words; `None` when all is well.
    pub fn missing(&self) -> Option<String> {
        let states = [
            ("FlinkDeployments", self.deployments.state()),
            ("FlinkClusters", self.clusters.state()),
            ("FlinkJobs", self.jobs.state()),
            ("supervisor Deployments", self.supervisors.state()),
            ("supervisor pods", self.pods.state()),
        ];
        let texts: Vec<String> = states.into_iter().filter_map(|(what, state)| complaint(what, state)).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// Why no supervisor of the cluster works, as far as Kubernetes says.
    pub fn supervisor_trouble(&self, cluster: &str) -> Option<String> {
        let pods = self.pods.matching(|pod| key::cluster_label(&pod.metadata).as_deref() == Some(cluster));
        let name = names::supervisor(cluster);
        let deployment = self.supervisors.get(&name);
        pod::trouble(
            pods.iter().map(|pod| (pod.metadata.name.as_deref().unwrap_or_default(), &pod.status)),
            deployment.as_ref().map(|deployment| (name.as_str(), &deployment.status)),
        )
    }

    /// Clusters that have a supervisor, whether the cluster exists or not.
    pub fn supervised(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.supervisors.all().iter().filter_map(|object| key::cluster_label(&object.metadata)).collect();
        names.extend(self.pods.all().iter().filter_map(|object| key::cluster_label(&object.metadata)));
        names
    }
}

fn complaint(what: &str, state: State) -> Option<String> {
    match state {
        // A watch that was interrupted goes on from what is known.
        State::Synced | State::Failing { synced: true, missing: false, .. } => None,
        State::Loading => Some(format!("{what} are not listed yet")),
        State::Failing { why, missing: true, .. } => {
            Some(format!("{why}: install the custom resource definitions of flinkctl; the operator waits for them"))
        }
        State::Failing { why, .. } => Some(why),
    }
}

#[cfg(test)]
mod tests {
    use kit::cache::State;

    use super::complaint;

    #[test]
    fn a_missing_definition_is_told_with_what_to_do() {
        let state = State::Failing {
            why: "the API server does not know flinkjobs.nextbreakpoint.com".into(),
            missing: true,
            denied: false,
            synced: false,
        };
        let text = complaint("FlinkJobs", state).unwrap();
        assert!(text.contains("flinkjobs.nextbreakpoint.com: install the custom resource definitions"), "{text}");
        assert_eq!(complaint("FlinkJobs", State::Synced), None);
        let interrupted = State::Failing { why: "reset".into(), missing: false, denied: false, synced: true };
        assert_eq!(complaint("FlinkJobs", interrupted), None);
    }
}
