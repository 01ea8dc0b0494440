//! A namespace as Kubernetes itself has it: for what has to work without an operator, and for what the operator does not know.

use api::{FlinkCluster, FlinkDeployment, FlinkJob, labels, names};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, LimitRange, Pod, ResourceQuota};
use kit::client::{CallError, DEADLINE, call};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt as _};
use manifests::room::{Limit, Quota};
use operator::pod::{DeploymentState, PodState};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Result;
use crate::connection::{ConnectionArgs, Kubernetes};

/// Events that are looked at; older ones have passed.
const EVENTS: u32 = 2000;

/// What was read.
pub type Read<T> = std::result::Result<T, CallError>;

/// A namespace to look into.
pub struct Namespace {
    pub client: kube::Client,
    pub name: String,
}

impl Namespace {
    /// The namespace of the clusters.
    pub async fn open(args: &ConnectionArgs) -> Result<Self> {
        let kubernetes = Kubernetes::open(&args.place()?.kubernetes).await?;
        let name = kubernetes.clusters().await?;
        Ok(Self { client: kubernetes.client, name })
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// An object, if it is there.
    pub async fn find<K>(&self, name: &str) -> Read<Option<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        call(DEADLINE, self.api::<K>().get_opt(name)).await
    }

    /// All objects of a kind.
    pub async fn all<K>(&self, params: &ListParams) -> Read<Vec<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
    {
        Ok(call(DEADLINE, self.api::<K>().list(params)).await?.items)
    }

    pub async fn deployment(&self, name: &str) -> Read<Option<FlinkDeployment>> {
        self.find(name).await
    }

    pub async fn cluster(&self, name: &str) -> Read<Option<FlinkCluster>> {
        self.find(name).await
    }

    pub async fn job(&self, name: &str) -> Read<Option<FlinkJob>> {
        self.find(name).await
    }

    /// The jobs that belong to a cluster, among all clusters of the namespace.
    pub async fn jobs_of(&self, cluster: &str) -> Read<Vec<FlinkJob>> {
        let all = self.all::<FlinkJob>(&ListParams::default()).await?;
        let clusters = self.all::<FlinkCluster>(&ListParams::default()).await?;
        let names: Vec<String> = clusters.iter().map(kube::ResourceExt::name_any).chain([cluster.to_owned()]).collect();
        let owner = |job: &FlinkJob| {
            let label = job.labels().get(labels::CLUSTER_NAME).cloned();
            let by_name = || {
                names::cluster_of_job(&job.name_any(), names.iter().map(String::as_str))
                    .map(|(name, _)| name.to_owned())
            };
            label.or_else(by_name)
        };
        Ok(all.into_iter().filter(|job| owner(job).as_deref() == Some(cluster)).collect())
    }

    pub async fn events(&self) -> Read<Vec<Event>> {
        self.all(&ListParams::default().limit(EVENTS)).await
    }

    /// Why the supervisor of a cluster does not work, if it does not.
    pub async fn supervisor_trouble(&self, cluster: &str) -> Read<Option<String>> {
        let role = labels::role_selector(cluster, labels::Role::Supervisor);
        let pods = self.all::<Pod>(&ListParams::default().labels(&role)).await?;
        let pods: Vec<(String, PodState)> =
            pods.iter().map(|pod| (pod.name_any(), read(pod.status.as_ref()))).collect();
        let name = names::supervisor(cluster);
        let deployment = self.find::<Deployment>(&name).await?;
        let deployment: Option<DeploymentState> = deployment.map(|deployment| read(deployment.status.as_ref()));
        Ok(operator::pod::trouble(
            pods.iter().map(|(name, state)| (name.as_str(), state)),
            deployment.as_ref().map(|state| (name.as_str(), state)),
        ))
    }

    /// The quotas and limits of the namespace.
    pub async fn bounds(&self) -> Read<(Vec<Quota>, Vec<Limit>)> {
        let quotas = self.all::<ResourceQuota>(&ListParams::default()).await?;
        let ranges = self.all::<LimitRange>(&ListParams::default()).await?;
        Ok((
            quotas.iter().map(|quota| Quota::of(&json(quota))).collect(),
            ranges.iter().flat_map(|range| Limit::of(&json(range))).collect(),
        ))
    }
}

/// An object as JSON.
pub fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).expect("an object is JSON")
}

fn read<T: DeserializeOwned + Default>(status: Option<&impl Serialize>) -> T {
    status.and_then(|status| serde_json::from_value(json(status)).ok()).unwrap_or_default()
}
