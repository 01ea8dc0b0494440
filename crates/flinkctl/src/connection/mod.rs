//! How the operator is reached: what flags, the context file and the kubeconfig say of it, in this order.

mod args;
mod contexts;
mod discovery;
mod identity;

pub use args::{ConnectionArgs, PlaceArgs};
pub use contexts::{Context, Contexts, FileArgs};
pub use discovery::{Kubernetes, OPERATOR};

use control_client::{Client, Endpoint};
use kit::forward::Forward;

use crate::Result;
use args::{Address, Place};

/// A way to the operator.
pub struct Connection {
    pub client: Client,
    /// The way there, where a port is forwarded: it ends with this.
    pub forward: Option<Forward>,
    /// The way by words, for people.
    pub by: String,
}

/// Finds the operator. Nothing is sent to it yet.
pub async fn open(args: &ConnectionArgs) -> Result<Connection> {
    let place = args.place()?;
    let Place { by, address, kubernetes, .. } = &place;
    if let Address::Direct { host, port } = address {
        let endpoint = Endpoint {
            host: host.clone(),
            port: *port,
            tls: identity::tls(&place.certificates)?,
            server_name: place.server_name.clone(),
            token: place.token.clone(),
        };
        return Ok(Connection { client: Client::new(&endpoint).await?, forward: None, by: by.clone() });
    }
    discovery::open(&place, kubernetes).await
}
