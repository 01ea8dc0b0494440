//! Where the REST API of a cluster's JobManager is.

use std::sync::Arc;

use api::labels::{self, Role};
use control_api::{Kind, Problem};
use k8s_openapi::api::core::v1::{Pod, Service};
use kit::client::{CallError, DEADLINE, call};
use kit::forward::{Forward, Target};
use kube::Client;
use kube::api::{Api, ListParams};

use crate::args::FlinkArgs;

/// Port of Flink's REST API.
const PORT: u16 = 8081;
/// Its name in the Service.
const PORT_NAME: &str = "ui";

/// How JobManagers are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At the address of its pod.
    Pod,
    /// Through the API server, from outside of Kubernetes.
    Forwarded,
    /// At this one, whatever the cluster.
    Fixed(String),
    /// At the node port of its Service on this host.
    NodePort { host: String },
}

impl Reach {
    /// From the arguments, as flink-k8s-toolbox understood them. A hostname counts only outside of Kubernetes.
    pub fn new(args: &FlinkArgs, outside: bool) -> Self {
        match (args.port_forward, &args.flink_hostname) {
            (Some(port), host) => Self::Fixed(socket(host.as_deref().unwrap_or("localhost"), port)),
            (None, Some(host)) if outside => Self::NodePort { host: host.clone() },
            (None, None) if outside => Self::Forwarded,
            (None, _) => Self::Pod,
        }
    }

    /// Finds the JobManager of a cluster.
    pub async fn find(&self, client: &Client, namespace: &str, cluster: &str) -> Result<Way, Problem> {
        match self {
            Self::Fixed(address) => Ok(Way::to(address.clone())),
            Self::Pod => {
                let (_, address) = job_manager(client, namespace, cluster).await?;
                Ok(Way::to(socket(&address, PORT)))
            }
            Self::Forwarded => {
                let (name, _) = job_manager(client, namespace, cluster).await?;
                let target = Target::Pod { name, port: PORT };
                let forward = Forward::start(client.clone(), namespace, target, 0).await;
                let forward = forward.map_err(|error| {
                    Problem::new(Kind::FlinkUnreachable, format!("failed to {}", kit::chain(&error)))
                })?;
                Ok(Way { address: forward.address().to_string(), forward: Some(Arc::new(forward)) })
            }
            Self::NodePort { host } => {
                let services: Api<Service> = Api::namespaced(client.clone(), namespace);
                let name = api::names::job_manager_service(cluster);
                let found = call(DEADLINE, services.get_opt(&name)).await.map_err(|error| unknown(&error))?;
                let service = found.ok_or_else(|| {
                    Problem::new(Kind::FlinkUnreachable, format!("cluster {cluster} has no Service {name}"))
                })?;
                Ok(Way::to(socket(host, node_port(&service))))
            }
        }
    }
}

/// An address, and what must be kept so that it leads somewhere.
#[derive(Clone, Debug)]
pub struct Way {
    /// `host:port`.
    pub address: String,
    forward: Option<Arc<Forward>>,
}

impl Way {
    fn to(address: String) -> Self {
        Self { address, forward: None }
    }

    /// Why the last connection came to nothing, where that is known better here than to who has used it.
    pub fn trouble(&self) -> Option<String> {
        self.forward.as_ref()?.trouble()
    }
}

/// Name and address of the pod of the JobManager.
async fn job_manager(client: &Client, namespace: &str, cluster: &str) -> Result<(String, String), Problem> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let selector = labels::role_selector(cluster, Role::JobManager);
    let found = call(DEADLINE, pods.list(&ListParams::default().labels(&selector))).await;
    newest(&found.map_err(|error| unknown(&error))?.items)
        .ok_or_else(|| Problem::new(Kind::FlinkUnreachable, format!("cluster {cluster} has no JobManager that runs")))
}

fn unknown(error: &CallError) -> Problem {
    let kind = if error.status().is_some() { Kind::KubernetesRefused } else { Kind::Unavailable };
    Problem::new(kind, format!("failed to find the JobManager: {}", kit::chain(error)))
}

/// Name and address of the newest pod that runs.
fn newest(pods: &[Pod]) -> Option<(String, String)> {
    let incarnation = |pod: &Pod| -> u32 {
        let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get(labels::INCARNATION));
        label.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let found = |pod: &Pod| {
        let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Running"))?;
        let address = status.pod_ip.clone().filter(|address| !address.is_empty())?;
        Some((incarnation(pod), (pod.metadata.name.clone()?, address)))
    };
    let lives = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    lives.filter_map(found).max_by_key(|(number, _)| *number).map(|(_, pod)| pod)
}

fn node_port(service: &Service) -> u16 {
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
    let ui = ports.filter(|port| port.name.as_deref() == Some(PORT_NAME)).find_map(|port| port.node_port);
    ui.and_then(|port| u16::try_from(port).ok()).unwrap_or(PORT)
}

fn socket(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_arguments_mean_what_they_meant() {
        let args = |host: Option<&str>, port| FlinkArgs { flink_hostname: host.map(str::to_owned), port_forward: port };
        assert_eq!(Reach::new(&args(None, Some(8888)), true), Reach::Fixed("localhost:8888".to_owned()));
        assert_eq!(Reach::new(&args(Some("fd00::1"), Some(1)), false), Reach::Fixed("[fd00::1]:1".to_owned()));
        assert_eq!(Reach::new(&args(Some("node"), None), true), Reach::NodePort { host: "node".to_owned() });
        assert_eq!(Reach::new(&args(Some("node"), None), false), Reach::Pod);
        assert_eq!(Reach::new(&args(None, None), true), Reach::Forwarded);
    }

    #[test]
    fn the_newest_job_manager_that_runs_is_asked() {
        let pod = |number: &str, phase: &str, deleting: bool| -> Pod {
            serde_json::from_value(json!({
                "metadata": {
                    "name": format!("jm-{number}"),
                    "labels": { labels::INCARNATION: number },
                    "deletionTimestamp": deleting.then_some("2026-01-01T00:00:00Z"),
                },
                "status": { "phase": phase, "podIP": format!("10.0.0.{number}") },
            }))
            .unwrap()
        };
        let pods = [
            pod("9", "Running", false),
            pod("10", "Running", false),
            pod("11", "Pending", false),
            pod("12", "Running", true),
        ];
        assert_eq!(newest(&pods), Some(("jm-10".to_owned(), "10.0.0.10".to_owned())));
        assert_eq!(newest(&[]), None);
    }

    #[test]
    fn the_node_port_is_that_of_the_ui() {
        let service: Service = serde_json::from_value(json!({ "spec": { "ports": [
            { "name": "rpc", "port": 6123, "nodePort": 30001 }, { "name": "ui", "port": 8081, "nodePort": 30002 },
        ] } }))
        .unwrap();
        assert_eq!((node_port(&service), node_port(&Service::default())), (30002, 8081));
    }
}
