//! One control plane on one data directory: its claim, store, certificates, API server and kubeconfig.
//!
//! Not here: controllers and node; they are clients of it, and start after it.
//!
//! Invariant: the kubeconfig is written when the server answers, not before.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lock::{self, Lock};
use crate::machinery::{self, Change};
use crate::network::{self, Network};
use crate::node::kubelet;
use crate::pki::{self, Pair, Pki};
use crate::server::{self, Nodes, Server};
use crate::store::{self, Store};
use crate::{files, kubeconfig};

/// Writes that are remembered for watches. Each keeps an object alive, and a client that falls further behind lists anew.
const HISTORY: usize = 2000;

/// Where and how an instance runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything that it keeps.
    pub data_dir: PathBuf,
    /// The default namespace of the kubeconfig.
    pub namespace: String,
    /// The port of the API server.
    pub port: u16,
}

/// Why an instance could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("use the data directory {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory cannot be claimed.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// No address is free.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// No certificates.
    #[error(transparent)]
    Pki(#[from] pki::Error),
    /// No store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No server.
    #[error(transparent)]
    Listen(#[from] server::ListenError),
    /// No way to speak to nodes.
    #[error("set up TLS for nodes: {0}")]
    Nodes(#[from] rustls::Error),
}

/// A running control plane.
pub struct Instance {
    server: Server,
    pki: Pki,
    data_dir: PathBuf,
    address: SocketAddr,
    subnet: u8,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    _claim: std::net::UdpSocket,
    /// The last to go: the directory is free when nothing uses it any more.
    _lock: Lock,
}

impl Instance {
    /// Starts a control plane. It ends when [`Self::shutdown`] is called, and cancels `stop` by itself if its store fails.
    pub fn start(options: &Options, stop: CancellationToken) -> Result<Self, Error> {
        let directory_error = |source| Error::Directory { path: options.data_dir.clone(), source };
        files::private_directory(&options.data_dir).map_err(directory_error)?;
        let data_dir = options.data_dir.canonicalize().map_err(directory_error)?;
        let lock = Lock::claim(&data_dir)?;
        let store = Store::open(&data_dir.join("state.redb"))?;
        let Network { subnet, listener, claim } = Network::claim(store.subnet()?, &data_dir, options.port)?;
        let moved = store.subnet()?.filter(|kept| *kept != subnet);
        let pki = Pki::open(&data_dir)?;
        let address = listener.local_addr().map_err(directory_error)?;
        let mut content = store.content()?;
        if let Some(kept) = moved {
            let moved = move_services(&mut content.objects, kept, subnet);
            store.commit(content.revision, &moved)?;
        }
        store.set_subnet(subnet)?;
        let settings = server::Settings {
            pods: data_dir.join("pods"),
            machinery: machinery::Settings { service_subnet: subnet, history: HISTORY, controllers: false },
            nodes: Some(Nodes::new(&pki)?),
        };
        let server = Server::new(store, content, settings, stop.clone());
        let serving = server::listen(server.clone(), listener, &pki)?;
        let url = format!("https://{address}");
        kubeconfig::write(&data_dir, &url, &options.namespace, &pki).map_err(directory_error)?;
        Ok(Self { server, pki, data_dir, address, subnet, stop, serving, _claim: claim, _lock: lock })
    }

    /// From now on controllers are at work, and what needs them can be asked of objects: accounts of pods, ends of claims.
    pub fn expect_controllers(&self) {
        self.server.expect_controllers();
    }

    /// A client within the process, for a component of the control plane.
    pub fn client(&self, component: &str, namespace: &str) -> kube::Client {
        self.server.client(component, namespace)
    }

    /// The URL of the API server.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where everything is kept, as an absolute path.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The authority's certificate.
    pub fn authority_pem(&self) -> &str {
        self.pki.authority_pem()
    }

    /// The certificate with which a Service at `address` is served under these names. None if the `present` one will do.
    pub fn service_certificate(
        &self,
        names: &[String],
        address: IpAddr,
        present: Option<&[u8]>,
    ) -> Result<Option<Pair>, Error> {
        Ok(self.pki.service(names, address, present)?)
    }

    /// The files with which the node is a server for this control plane, whose figures the control plane shows from now on.
    pub fn node_files(&self) -> Result<kubelet::Settings, Error> {
        self.server.add_metrics();
        let address = std::net::Ipv4Addr::new(127, self.subnet, 0, 1);
        Ok(self.pki.node(&self.data_dir, address.into())?)
    }

    /// N of 127.N.0.0/16.
    pub fn subnet(&self) -> u8 {
        self.subnet
    }

    /// Ends watches, waits for requests, forces the store to the disk, and frees the data directory.
    pub async fn shutdown(self) {
        self.stop.cancel();
        if let Err(error) = self.serving.await {
            tracing::warn!(%error, "the server ended badly");
        }
        self.server.force();
    }
}

/// Where `up` keeps its things unless told otherwise.
pub fn default_data_dir() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    Some(state.or_else(home)?.join("flinkctl/local"))
}

/// Another instance has taken the network of before: the addresses of Services move to the new one.
fn move_services(objects: &mut [(String, Value)], from: u8, to: u8) -> Vec<Change> {
    let (from, to) = (format!("127.{from}."), format!("127.{to}."));
    let renumber = |address: &mut Value| {
        if let Some(rest) = address.as_str().and_then(|address| address.strip_prefix(&from)) {
            *address = format!("{to}{rest}").into();
        }
    };
    let mut changes = Vec::new();
    for (key, object) in objects.iter_mut().filter(|(_, object)| object["kind"] == "Service") {
        if let Some(address) = object.pointer_mut("/spec/clusterIP") {
            renumber(address);
        }
        if let Some(addresses) = object.pointer_mut("/spec/clusterIPs").and_then(Value::as_array_mut) {
            addresses.iter_mut().for_each(renumber);
        }
        changes.push(Change { key: key.clone(), revision: 0, object: Some(object.clone()) });
    }
    changes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn services_move_with_their_network() {
        let mut objects = vec![
            (
                "s".to_owned(),
                json!({"kind": "Service", "spec": {"clusterIP": "127.7.128.1", "clusterIPs": ["127.7.128.1"]}}),
            ),
            ("n".to_owned(), json!({"kind": "Service", "spec": {"clusterIP": "None"}})),
            ("p".to_owned(), json!({"kind": "Pod", "spec": {"clusterIP": "127.7.128.1"}})),
        ];
        assert_eq!(move_services(&mut objects, 7, 9).len(), 2);
        assert_eq!(objects[0].1["spec"], json!({"clusterIP": "127.9.128.1", "clusterIPs": ["127.9.128.1"]}));
        assert_eq!(objects[1].1["spec"]["clusterIP"], "None");
        assert_eq!(objects[2].1["spec"]["clusterIP"], "127.7.128.1");
    }
}
