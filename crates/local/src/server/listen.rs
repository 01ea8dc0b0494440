//! HTTPS: how the API server is served, and who is on the other side.
//!
//! Not here: connections, which are `kit::https`'s. Invariant: a client is taken with a certificate of our authority or without any.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kit::https::{Certificates, Limits, Peer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;

use super::{Server, identity};
use crate::pki::{self, Pki};

/// All clients are on this machine, and each of them may hold very many watches. Watches end by themselves when the server stops.
fn limits() -> Limits {
    Limits {
        connections: 16 * 1024,
        connections_per_address: 16 * 1024,
        streams: 1000,
        head: 256 * 1024,
        first_request: Duration::from_mins(10),
        idle: Duration::from_mins(10),
        body: Duration::from_mins(1),
        grace: Duration::from_secs(2),
        ..Limits::default()
    }
}

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be bound.
    #[error("listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server's certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] pki::Error),
    /// The TLS library takes a certificate of ours not.
    #[error("set up TLS: {0}")]
    Tls(String),
}

/// Starts to serve on a bound socket; the answer is a task that ends when the server has stopped.
pub fn listen(
    server: Server,
    listener: std::net::TcpListener,
    pki: &Pki,
) -> Result<tokio::task::JoinHandle<()>, Error> {
    let address =
        listener.local_addr().map_err(|source| Error::Bind { address: SocketAddr::from(([0; 4], 0)), source })?;
    let bind_error = |source| Error::Bind { address, source };
    let tls = Certificates::fixed(tls(pki, address.ip())?);
    listener.set_nonblocking(true).map_err(bind_error)?;
    let listener = TcpListener::from_std(listener).map_err(bind_error)?;
    let stop = server.0.stop.clone();
    let service_of = move |peer: &Peer| {
        let user = peer.certificate.as_ref().and_then(|shown| identity::of_certificate(&shown.der));
        let server = server.clone();
        tower::service_fn(move |request| {
            let (server, user) = (server.clone(), user.clone());
            async move { Ok::<_, Infallible>(server.answer(user, request).await) }
        })
    };
    Ok(tokio::spawn(kit::https::serve_each(listener, Some(tls), limits(), service_of, stop)))
}

fn tls(pki: &Pki, address: IpAddr) -> Result<ServerConfig, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
    let mut roots = RootCertStore::empty();
    roots.add(pki.authority()).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| failed(&error))?;
    let (certificate, key) = pki.server(address)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate], key)
        .map_err(|error| failed(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
