//! Who may do what. Whoever reaches the server may do everything.

use std::net::SocketAddr;

use axum::http::HeaderMap;
use control_api::{Operation, Problem};

use super::names::Names;

/// Who speaks, as the connection says it.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
}

/// Who was found to speak.
#[derive(Clone, Debug)]
pub struct Caller {
    pub name: String,
}

/// The rules.
#[derive(Debug, Default)]
pub struct Access {}

impl Access {
    /// Says who calls, unless they may not do it.
    #[expect(clippy::unused_async, reason = "asking Kubernetes takes time")]
    pub async fn admit(
        &self,
        peer: &Peer,
        _headers: &HeaderMap,
        _operation: Operation,
        _names: &Names,
    ) -> Result<Caller, Problem> {
        Ok(Caller { name: peer.address.ip().to_string() })
    }

    /// Tells what became of a request that changes something.
    pub fn audit(&self, caller: &Caller, operation: Operation, names: &Names, result: Result<(), &Problem>) {
        if !operation.is_mutating() {
            return;
        }
        let resource = operation.target().map(|target| target.kind()).unwrap_or_default();
        let name = operation.target().and_then(|target| names.resource(target)).unwrap_or_default();
        let result = result.map_or_else(ToString::to_string, |()| "done".to_owned());
        tracing::info!(target: "audit", caller = caller.name, operation = operation.name(), resource, name, result);
    }
}
