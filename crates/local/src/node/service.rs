//! Services, forwarded in user space to the pods of this node.
//!
//! A port listens only while a pod is ready to answer, so that nobody is kept waiting for a pod that does not exist: the connection is refused,
//! as Kubernetes does.
//!
//! A Service can be disturbed, for tests of what runs here: its annotation `local.flinkctl/connections` says `refuse`, and nobody is let
//! through and what was open is reset; or it says by how many milliseconds everything is late.
//!
//! Invariant: a connection goes to a pod that was ready when it was accepted, or it is reset.

use super::address::Addresses;
use super::connection::{self, Weather};
use k8s_openapi::api::core::v1::{Container, Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Disturbs the connections of a Service.
const CONNECTIONS: &str = "local.flinkctl/connections";

/// Namespace and name.
type Key = (String, String);

/// A pod that Services may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub namespace: String,
    pub labels: BTreeMap<String, String>,
    pub address: Ipv4Addr,
    pub ready: bool,
    /// Named container ports.
    pub ports: BTreeMap<String, u16>,
}

impl Endpoint {
    pub fn new(pod: &Pod, address: Ipv4Addr, ready: bool) -> Self {
        let containers =
            pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
        let ports = containers.flat_map(|container: &Container| container.ports.iter().flatten());
        let named = |port: &k8s_openapi::api::core::v1::ContainerPort| {
            Some((port.name.clone()?, u16::try_from(port.container_port).ok()?))
        };
        Endpoint {
            namespace: pod.namespace().unwrap_or_default(),
            labels: pod.labels().clone(),
            address,
            ready,
            ports: ports.filter_map(named).collect(),
        }
    }
}

/// All Services and all pods of the node.
pub(super) struct Services {
    subnet: u8,
    addresses: Addresses,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    turn: AtomicUsize,
}

#[derive(Default)]
struct State {
    services: BTreeMap<Key, (Service, Option<Ipv4Addr>)>,
    endpoints: BTreeMap<String, Endpoint>,
}

impl Services {
    pub fn new(subnet: u8) -> Self {
        let (changed, _) = watch::channel(());
        Services {
            subnet,
            addresses: Addresses::services(subnet),
            state: Mutex::default(),
            changed,
            turn: AtomicUsize::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whenever names or endpoints have changed.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub fn put(&self, service: Service) {
        let key = (service.namespace().unwrap_or_default(), service.name_any());
        let mut state = self.state();
        let given = service
            .spec
            .as_ref()
            .and_then(|spec| spec.cluster_ip.as_deref())
            .and_then(|ip| ip.parse::<Ipv4Addr>().ok());
        let known = state.services.get(&key).and_then(|(_, address)| *address);
        // A genuine control plane gives addresses that this machine does not have; here such a Service gets one of our own.
        let address = match given {
            Some(address) if address.is_loopback() => Some(address),
            Some(_) => known.or_else(|| self.addresses.take()),
            None => None,
        };
        state.services.insert(key, (service, address));
        drop(state);
        self.changed.send_replace(());
    }

    pub fn remove(&self, namespace: &str, name: &str) {
        let removed = self.state().services.remove(&(namespace.to_owned(), name.to_owned()));
        if let Some((_, Some(address))) = removed {
            self.addresses.give_back(address);
        }
        self.changed.send_replace(());
    }

    /// Drops the Services that a new list does not hold.
    pub fn retain(&self, kept: &std::collections::BTreeSet<Key>) {
        let gone: Vec<Key> = self.state().services.keys().filter(|key| !kept.contains(key)).cloned().collect();
        for (namespace, name) in gone {
            self.remove(&namespace, &name);
        }
    }

    /// What Services know of a pod; `None` when it is gone.
    pub fn endpoint(&self, uid: &str, endpoint: Option<Endpoint>) {
        let mut state = self.state();
        let changed = match endpoint {
            Some(endpoint) if state.endpoints.get(uid) == Some(&endpoint) => false,
            Some(endpoint) => {
                state.endpoints.insert(uid.to_owned(), endpoint);
                true
            }
            None => state.endpoints.remove(uid).is_some(),
        };
        drop(state);
        if changed {
            self.changed.send_replace(());
        }
    }

    /// The names of a namespace with their addresses.
    pub fn names(&self, namespace: &str) -> Vec<(String, Ipv4Addr)> {
        let state = self.state();
        let mut names = Vec::new();
        for ((_, name), (service, address)) in state.services.iter().filter(|((of, _), _)| of == namespace) {
            match address {
                Some(address) => names.push((name.clone(), *address)),
                None => names.extend(state.ready(service).map(|endpoint| (name.clone(), endpoint.address))),
            }
        }
        names
    }

    /// The pod that answers next.
    fn pick(&self, key: &Key, port: &ServicePort) -> Option<SocketAddrV4> {
        let state = self.state();
        let (service, _) = state.services.get(key)?;
        let targets: Vec<SocketAddrV4> = state.ready(service).filter_map(|endpoint| target(endpoint, port)).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(targets.len())?;
        targets.get(turn).copied()
    }

    /// What should listen now.
    fn listeners(&self) -> BTreeMap<SocketAddrV4, (Key, ServicePort)> {
        let state = self.state();
        let mut listeners = BTreeMap::new();
        for (key, (service, address)) in &state.services {
            let Some(address) = address.as_ref().filter(|_| weather(service) != Weather::Refuse) else { continue };
            for port in service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()) {
                if port.protocol.as_deref().is_some_and(|protocol| protocol != "TCP")
                    || !state.ready(service).any(|endpoint| target(endpoint, port).is_some())
                {
                    continue;
                }
                let node = port.node_port.map(|port| (Ipv4Addr::new(127, self.subnet, 0, 1), port));
                for (address, number) in [Some((*address, port.port)), node].into_iter().flatten() {
                    if let Ok(number) = u16::try_from(number) {
                        listeners.insert(SocketAddrV4::new(address, number), (key.clone(), port.clone()));
                    }
                }
            }
        }
        listeners
    }

    /// Forwards until `shutdown`. `failed` hears of ports that cannot be opened.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken, failed: impl Fn(&Key, String)) {
        let mut changes = self.changes();
        let mut open: BTreeMap<SocketAddrV4, ((Key, ServicePort), AbortOnDropHandle<()>)> = BTreeMap::new();
        loop {
            let wanted = self.listeners();
            open.retain(|address, (purpose, _)| wanted.get(address) == Some(purpose));
            for (address, purpose) in wanted {
                if open.contains_key(&address) {
                    continue;
                }
                match TcpListener::bind(address).await {
                    Ok(listener) => {
                        let task = tokio::spawn(Arc::clone(&self).accept(listener, purpose.clone()));
                        open.insert(address, (purpose, AbortOnDropHandle::new(task)));
                    }
                    Err(error) => failed(
                        &purpose.0,
                        format!("cannot listen on {address}: {error}{}", super::ports::blame(address.port())),
                    ),
                }
            }
            tokio::select! {
                news = changes.changed() => if news.is_err() { return },
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, (key, port): (Key, ServicePort)) {
        loop {
            match listener.accept().await {
                Ok((client, _)) => {
                    let target = self.pick(&key, &port);
                    // A connection lives on when its Service is gone, as in Kubernetes.
                    let (services, key) = (Arc::clone(&self), key.clone());
                    let weather =
                        move || services.state().services.get(&key).map_or(Weather::Fair, |one| weather(&one.0));
                    tokio::spawn(connection::forward(client, target, weather, self.changes()));
                }
                // Too many open files, or a client that has gone already: the next may succeed.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }
}

impl State {
    fn ready<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a Endpoint> {
        let spec = service.spec.as_ref();
        let selector = spec.and_then(|spec| spec.selector.as_ref()).filter(|selector| !selector.is_empty());
        let all = spec.and_then(|spec| spec.publish_not_ready_addresses).unwrap_or(false);
        let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
        self.endpoints.values().filter(move |endpoint| {
            (endpoint.ready || all)
                && endpoint.namespace == namespace
                && selector
                    .is_some_and(|selector| selector.iter().all(|(key, value)| endpoint.labels.get(key) == Some(value)))
        })
    }
}

fn target(endpoint: &Endpoint, port: &ServicePort) -> Option<SocketAddrV4> {
    let number = match &port.target_port {
        Some(IntOrString::String(name)) => *endpoint.ports.get(name)?,
        Some(IntOrString::Int(number)) if *number != 0 => u16::try_from(*number).ok()?,
        _ => u16::try_from(port.port).ok()?,
    };
    Some(SocketAddrV4::new(endpoint.address, number))
}

fn weather(service: &Service) -> Weather {
    match service.annotations().get(CONNECTIONS).map(String::as_str) {
        Some("refuse") => Weather::Refuse,
        Some(millis) => millis.parse().map_or(Weather::Fair, |millis| Weather::Late(Duration::from_millis(millis))),
        None => Weather::Fair,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    const SUBNET: u8 = 121;

    fn service(address: &str, port: u16) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n"},
            "spec": {"clusterIP": address, "selector": {"role": "jobmanager"}, "ports": [{"port": port, "targetPort": "ui"}]},
        }))
        .unwrap()
    }

    fn endpoint(address: Ipv4Addr, port: u16, ready: bool) -> Endpoint {
        Endpoint {
            namespace: "n".into(),
            labels: [("role".to_owned(), "jobmanager".to_owned())].into(),
            address,
            ready,
            ports: [("ui".to_owned(), port)].into(),
        }
    }

    #[test]
    fn a_port_listens_only_for_ready_pods() {
        let services = Services::new(SUBNET);
        services.put(service("127.121.128.1", 8081));
        services.endpoint("u", Some(endpoint(Ipv4Addr::new(127, 121, 1, 1), 9, false)));
        assert!(services.listeners().is_empty());
        services.endpoint("u", Some(endpoint(Ipv4Addr::new(127, 121, 1, 1), 9, true)));
        let wanted: Vec<_> = services.listeners().into_keys().collect();
        assert_eq!(wanted, ["127.121.128.1:8081".parse().unwrap()]);
        services.endpoint("u", None);
        assert!(services.listeners().is_empty());
    }

    #[test]
    fn a_service_of_another_network_gets_an_address_of_ours() {
        let services = Services::new(SUBNET);
        services.put(service("10.96.0.7", 80));
        let names = services.names("n");
        assert_eq!(names, [("s".to_owned(), Ipv4Addr::new(127, 121, 128, 1))]);
        services.put(service("10.96.0.7", 81));
        assert_eq!(services.names("n"), names);
        assert!(services.names("other").is_empty());
    }

    #[tokio::test]
    async fn bytes_pass_and_each_direction_closes_on_its_own() {
        let pod = TcpListener::bind("127.121.1.1:0").await.unwrap();
        let port = pod.local_addr().unwrap().port();
        let services = Arc::new(Services::new(SUBNET));
        services.put(service("127.121.128.2", port));
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&services).run(shutdown.clone(), |_, error| panic!("{error}")));
        services.endpoint("u", Some(endpoint(Ipv4Addr::new(127, 121, 1, 1), port, true)));
        let address = SocketAddrV4::new(Ipv4Addr::new(127, 121, 128, 2), port);
        let mut client = loop {
            match TcpStream::connect(address).await {
                Ok(client) => break client,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let (mut server, _) = pod.accept().await.unwrap();
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
        services.endpoint("u", None);
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
        task.await.unwrap();
    }
}
