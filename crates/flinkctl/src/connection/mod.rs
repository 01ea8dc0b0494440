//! How the operator is reached: what flags, the context file and the kubeconfig say of it, in this order.

mod args;
mod contexts;
mod discovery;
mod identity;

pub use args::{Address, ConnectionArgs, PlaceArgs};
pub use contexts::{Context, Contexts, FileArgs};
pub use discovery::{Kubernetes, OPERATOR};

use control_client::{Client, Endpoint};
use kit::forward::Forward;

use crate::Result;
use args::Place;

/// A way to the operator.
pub struct Connection {
    pub client: Client,
    /// The way there, where a port is forwarded: it ends with this.
    pub forward: Option<Forward>,
    /// The way by words, for people.
    pub by: String,
    pub peer: Peer,
}

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Peer {
    pub host: String,
    pub port: u16,
    /// Name that the certificate must be for.
    pub server_name: String,
    pub tls: bool,
}

impl Peer {
    fn of(endpoint: &Endpoint) -> Self {
        Self {
            host: endpoint.host.clone(),
            port: endpoint.port,
            server_name: endpoint.server_name.clone().unwrap_or_else(|| endpoint.host.clone()),
            tls: endpoint.tls.is_some(),
        }
    }
}

/// Finds the operator. Nothing is sent to it yet.
pub async fn open(args: &ConnectionArgs) -> Result<Connection> {
    let mut place = args.place()?;
    if place.address == Address::Kubernetes && !discovery::is_configured(&place.kubernetes) {
        // Where no Kubernetes is known, it is where flink-k8s-toolbox looked for it.
        place.address = Address::Direct { host: args::HOST.to_owned(), port: control_api::PORT };
        "the default address, as there is no kubeconfig".clone_into(&mut place.by);
    }
    let Place { by, address, kubernetes, .. } = &place;
    if let Address::Direct { host, port } = address {
        let endpoint = Endpoint {
            host: host.clone(),
            port: *port,
            tls: identity::tls(&place.certificates)?,
            server_name: place.server_name.clone(),
            token: place.token.clone(),
        };
        let peer = Peer::of(&endpoint);
        return Ok(Connection { client: Client::new(&endpoint).await?, forward: None, by: by.clone(), peer });
    }
    discovery::open(&place, kubernetes).await
}
