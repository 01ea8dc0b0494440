//! A port of a pod on this machine: what `kubectl port-forward` does.
//!
//! It listens on loopback until it is dropped. The pod is looked for anew with each connection, so that a pod that was replaced is found
//! again. It forwards bytes and understands none of them.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::{self, CallError};

const DEADLINE: Duration = Duration::from_secs(10);

/// Where bytes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A port of one pod.
    Pod { name: String, port: u16 },
    /// A port of a Service: of any of its pods that is ready.
    Service { name: String, port: u16 },
}

/// Why nothing can be forwarded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("listen on a port of this machine")]
    Listen(#[source] std::io::Error),
    #[error("read service {name}")]
    Service { name: String, source: CallError },
    #[error("forward to service {name}: it has no port {port}")]
    NoPort { name: String, port: u16 },
    #[error("list the pods of service {name}")]
    Pods { name: String, source: CallError },
    #[error("forward to service {name}: none of its pods is ready")]
    NoPod { name: String },
    #[error("forward to pod {name}")]
    Connect { name: String, source: CallError },
    #[error("forward to port {port} of pod {name}: {why}")]
    Port { name: String, port: u16, why: String },
}

/// A forwarded port. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    trouble: Arc<Mutex<Option<String>>>,
    _guard: DropGuard,
}

impl Forward {
    /// Listens on a port of this machine, 0 for any. That the target can be reached is found out first.
    pub async fn start(client: Client, namespace: &str, target: Target, port: u16) -> Result<Self, Error> {
        let route = Route { client, namespace: namespace.to_owned(), target };
        route.resolve().await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(Error::Listen)?;
        let address = listener.local_addr().map_err(Error::Listen)?;
        let trouble = Arc::new(Mutex::new(None));
        let token = CancellationToken::new();
        tokio::spawn(accept(listener, Arc::new(route), Arc::clone(&trouble), token.clone()));
        Ok(Self { address, trouble, _guard: token.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why the last connection failed, if it did.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(
    listener: TcpListener,
    route: Arc<Route>,
    trouble: Arc<Mutex<Option<String>>>,
    token: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = token.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            continue;
        };
        let (route, trouble, token) = (Arc::clone(&route), Arc::clone(&trouble), token.clone());
        tokio::spawn(async move {
            let outcome = tokio::select! {
                () = token.cancelled() => return,
                outcome = route.pump(stream) => outcome,
            };
            let why = outcome.err().map(|error| crate::chain(&error));
            if let Some(why) = &why {
                tracing::debug!(why, "a forwarded connection failed");
            }
            *trouble.lock().unwrap_or_else(PoisonError::into_inner) = why;
        });
    }
}

/// How the target is found.
struct Route {
    client: Client,
    namespace: String,
    target: Target,
}

impl Route {
    /// The pod and its port at this moment.
    async fn resolve(&self) -> Result<(String, u16), Error> {
        let (name, port) = match &self.target {
            Target::Pod { name, port } => return Ok((name.clone(), *port)),
            Target::Service { name, port } => (name, *port),
        };
        let services: Api<Service> = Api::namespaced(self.client.clone(), &self.namespace);
        let service = client::call(DEADLINE, services.get(name))
            .await
            .map_err(|source| Error::Service { name: name.clone(), source })?;
        let spec = service.spec.unwrap_or_default();
        let ports = spec.ports.unwrap_or_default();
        let found = ports.into_iter().find(|found| found.port == i32::from(port));
        let found = found.ok_or_else(|| Error::NoPort { name: name.clone(), port })?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let selected = ListParams::default().labels(&selector(&spec.selector.unwrap_or_default()));
        let list = client::call(DEADLINE, pods.list(&selected))
            .await
            .map_err(|source| Error::Pods { name: name.clone(), source })?;
        let pod = list.items.into_iter().find(is_ready).ok_or_else(|| Error::NoPod { name: name.clone() })?;
        let wanted = found.target_port.unwrap_or(IntOrString::Int(found.port));
        let number = port_of(&pod, &wanted).ok_or_else(|| Error::NoPort { name: name.clone(), port })?;
        Ok((pod.name_any(), number))
    }

    async fn pump(&self, mut stream: TcpStream) -> Result<(), Error> {
        let (name, port) = self.resolve().await?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut forwarder = client::call(DEADLINE, pods.portforward(&name, &[port]))
            .await
            .map_err(|source| Error::Connect { name: name.clone(), source })?;
        let failed = |why: String| Error::Port { name: name.clone(), port, why };
        let said = forwarder.take_error(port);
        let mut far = forwarder.take_stream(port).ok_or_else(|| failed("there is no stream".to_owned()))?;
        let copied = tokio::io::copy_bidirectional(&mut stream, &mut far).await;
        drop(far);
        forwarder.abort();
        let said = match said {
            Some(said) => said.await,
            None => None,
        };
        match (said, copied) {
            (Some(why), _) => Err(failed(why.trim().to_owned())),
            // Either side may hang up as it likes.
            (None, _) => Ok(()),
        }
    }
}

fn selector(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status == "True")
}

fn port_of(pod: &Pod, wanted: &IntOrString) -> Option<u16> {
    match wanted {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(name) => {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
            let port = ports.find(|port| port.name.as_ref() == Some(name))?;
            u16::try_from(port.container_port).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_port_is_found_by_number_and_by_name() {
        let pod: Pod = serde_json::from_value(json!({
            "spec": { "containers": [
                { "name": "a" },
                { "name": "b", "ports": [{ "name": "control", "containerPort": 4444 }] },
            ] },
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        }))
        .expect("a pod");
        assert_eq!(port_of(&pod, &IntOrString::Int(8081)), Some(8081));
        assert_eq!(port_of(&pod, &IntOrString::String("control".to_owned())), Some(4444));
        assert_eq!(port_of(&pod, &IntOrString::String("other".to_owned())), None);
        assert!(is_ready(&pod));
    }
}
