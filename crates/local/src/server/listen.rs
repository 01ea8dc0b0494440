//! HTTPS: accepts connections, shakes hands, speaks HTTP/1.1 or HTTP/2, and lets requests end when the server stops.
//!
//! Invariant: one connection that fails or dawdles harms no other; the handshake runs in the connection's own task.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{Server, identity};
use crate::pki::{self, Pki};

const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long requests may go on once the server stops. Watches end by themselves at once.
const GRACE: Duration = Duration::from_secs(2);
/// One client may hold very many watches on one connection.
const STREAMS: u32 = 1000;

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
    let acceptor = TlsAcceptor::from(Arc::new(tls(pki, address.ip())?));
    listener.set_nonblocking(true).map_err(bind_error)?;
    let listener = TcpListener::from_std(listener).map_err(bind_error)?;
    Ok(tokio::spawn(accept(server, listener, acceptor)))
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

async fn accept(server: Server, listener: TcpListener, acceptor: TlsAcceptor) {
    let stop = server.0.stop.clone();
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(server.clone(), stream, acceptor.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: give the others time to end.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(GRACE, connections.wait()).await;
}

async fn connection(server: Server, stream: TcpStream, acceptor: TlsAcceptor) {
    let stop = server.0.stop.clone();
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await;
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let user = certificate.and_then(identity::of_certificate);
    let service = tower::service_fn(move |request| {
        let (server, user) = (server.clone(), user.clone());
        async move { Ok::<_, std::convert::Infallible>(server.answer(user, request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(STREAMS);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error, "a connection ended early");
    }
}
