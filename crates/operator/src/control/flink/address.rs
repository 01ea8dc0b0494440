//! Where the REST API of a cluster's JobManager is.

use api::labels::{self, Role};
use control_api::{Kind, Problem};
use k8s_openapi::api::core::v1::{Pod, Service};
use kit::client::{CallError, DEADLINE, call};
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
            (None, _) => Self::Pod,
        }
    }

    /// The address as `host:port`.
    pub async fn address(&self, client: &Client, namespace: &str, cluster: &str) -> Result<String, Problem> {
        match self {
            Self::Fixed(address) => Ok(address.clone()),
            Self::Pod => {
                let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
                let selector = labels::role_selector(cluster, Role::JobManager);
                let found = call(DEADLINE, pods.list(&ListParams::default().labels(&selector))).await;
                let found = found.map_err(|error| unknown(&error))?;
                pod_address(&found.items).ok_or_else(|| {
                    Problem::new(Kind::FlinkUnreachable, format!("cluster {cluster} has no JobManager that runs"))
                })
            }
            Self::NodePort { host } => {
                let services: Api<Service> = Api::namespaced(client.clone(), namespace);
                let name = api::names::job_manager_service(cluster);
                let found = call(DEADLINE, services.get_opt(&name)).await.map_err(|error| unknown(&error))?;
                let service = found.ok_or_else(|| {
                    Problem::new(Kind::FlinkUnreachable, format!("cluster {cluster} has no Service {name}"))
                })?;
                Ok(socket(host, node_port(&service)))
            }
        }
    }
}

fn unknown(error: &CallError) -> Problem {
    let kind = if error.status().is_some() { Kind::KubernetesRefused } else { Kind::Unavailable };
    Problem::new(kind, format!("failed to find the JobManager: {}", kit::chain(error)))
}

/// The address of the newest JobManager that runs.
fn pod_address(pods: &[Pod]) -> Option<String> {
    let incarnation = |pod: &Pod| -> u32 {
        let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get(labels::INCARNATION));
        label.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let address = |pod: &Pod| {
        let status = pod.status.as_ref().filter(|status| status.phase.as_deref() == Some("Running"))?;
        status.pod_ip.clone().filter(|address| !address.is_empty())
    };
    let lives = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let (_, address) =
        lives.filter_map(|pod| Some((incarnation(pod), address(pod)?))).max_by_key(|(number, _)| *number)?;
    Some(socket(&address, PORT))
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
    }

    #[test]
    fn the_newest_job_manager_that_runs_is_asked() {
        let pod = |number: &str, phase: &str, deleting: bool| -> Pod {
            serde_json::from_value(json!({
                "metadata": {
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
        assert_eq!(pod_address(&pods).as_deref(), Some("10.0.0.10:8081"));
        assert_eq!(pod_address(&[]), None);
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
