//! An HTTP server with or without TLS: accepts connections, shakes hands, answers, and lets requests end when the process stops.
//!
//! It knows nothing of what it serves. Invariant: one connection that fails or dawdles harms no other: the handshake runs in the
//! connection's own task, whatever waits for a peer has a deadline, and where seats are scarce the connection that did least goes.

mod body;
mod certificates;
mod connection;
mod peer;
mod seats;
mod stalls;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{Request, Response};
use hyper::body::Body;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

pub use body::RequestBody;
pub use certificates::{Certificates, Expiry};
pub use peer::{ClientCertificate, Peer};

use connection::Connection;
use seats::Seats;

/// What one server, and one client of it, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time from one address.
    pub connections_per_address: usize,
    /// Requests at a time on one connection of HTTP/2.
    pub streams: u32,
    /// Bytes of the head of a request.
    pub head: usize,
    /// From the first byte of a connection to its end of the handshake.
    pub handshake: Duration,
    /// From the handshake to the end of the head of the first request.
    pub first_request: Duration,
    /// From an answer to the end of the head of the next request.
    pub idle: Duration,
    /// From the head of a request to the end of its body.
    pub body: Duration,
    /// How long a peer may take nothing of what is written to it.
    pub stall: Duration,
    /// How long requests may go on once the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Fewer than the files that a process may have open where nobody has raised their number.
            connections: 768,
            connections_per_address: 512,
            streams: 100,
            head: 64 * 1024,
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(15),
            // Longer than clients keep connections, so that they end them rather than the server.
            idle: Duration::from_mins(2),
            body: Duration::from_secs(30),
            stall: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}

/// Serves a router until the token is cancelled and requests have ended. The extensions of each request have the [`Peer`].
pub async fn serve(
    listener: TcpListener,
    tls: Option<Certificates>,
    limits: Limits,
    router: Router,
    token: CancellationToken,
) {
    let with_peer = move |peer: &Peer| {
        let (router, peer) = (router.clone(), peer.clone());
        tower::service_fn(move |mut request: Request<RequestBody>| {
            request.extensions_mut().insert(peer.clone());
            router.clone().call(request)
        })
    };
    serve_each(listener, tls, limits, with_peer, token).await;
}

/// Serves each connection with the service that `service_of` makes for its peer.
pub async fn serve_each<M, S, B>(
    listener: TcpListener,
    tls: Option<Certificates>,
    limits: Limits,
    service_of: M,
    token: CancellationToken,
) where
    M: Fn(&Peer) -> S + Clone + Send + Sync + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let seats = Arc::new(Seats::new(&limits));
    let connections = TaskTracker::new();
    // Ends the connections that outlive the grace.
    let end = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = token.cancelled() => break,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: give the others time to end.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(seat) = seats.take(address.ip()) else {
            tracing::debug!(%address, "no seat is free; the connection is closed");
            continue;
        };
        let connection = Connection { seat, address, limits, token: token.clone() };
        let (tls, service_of, end) = (tls.clone(), service_of.clone(), end.clone());
        connections.spawn(async move {
            tokio::select! {
                () = connection.run(stream, tls, service_of) => {}
                () = end.cancelled() => {}
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(limits.grace, connections.wait()).await.is_err() {
        end.cancel();
        connections.wait().await;
    }
}
