//! One connection, from the handshake to its end.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt as _};

use super::body::AnswerBody;
use super::seats::Seat;
use super::stalls::Stalls;
use super::{Certificates, ClientCertificate, Limits, Peer, RequestBody};

/// How long a connection that gives up its seat may take to end what it is at.
const LEAVE: Duration = Duration::from_secs(1);
/// Pings of HTTP/2: whoever does not answer is gone.
const PING: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    pub seat: Seat,
    pub address: SocketAddr,
    pub limits: Limits,
    pub token: CancellationToken,
}

impl Connection {
    /// Shakes hands if need be, and answers requests until the peer, the server or a limit ends it.
    pub async fn run<M, S, B>(self, stream: TcpStream, tls: Option<Certificates>, service_of: M)
    where
        M: Fn(&Peer) -> S,
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // Answers are written at once and whole: waiting for more of them would only delay them.
        let _ = stream.set_nodelay(true);
        let stream = Stalls::new(stream, self.limits.stall);
        let Some(tls) = tls else {
            let peer = Peer { address: self.address, certificate: None };
            return self.answer(stream, service_of(&peer), false).await;
        };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        let Some(stream) = self.handshake(handshake, &tls).await else { return };
        let session = stream.get_ref().1;
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.map(|shown| Arc::new(ClientCertificate::new(shown.clone().into_owned())));
        let http2 = session.alpn_protocol() == Some(b"h2");
        let service = service_of(&Peer { address: self.address, certificate });
        self.answer(stream, service, http2).await;
    }

    async fn handshake(
        &self,
        handshake: impl Future<Output = std::io::Result<TlsStream<Stalls<TcpStream>>>>,
        tls: &Certificates,
    ) -> Option<TlsStream<Stalls<TcpStream>>> {
        let address = self.address;
        tokio::select! {
            done = tokio::time::timeout(self.limits.handshake, handshake) => match done {
                Ok(Ok(stream)) => return Some(stream),
                // Who only looks whether the port is open, as load balancers do, is no news.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
                Ok(Err(error)) => tls.refused(address, &error),
                Err(_) => tracing::debug!(%address, "a handshake took too long"),
            },
            () = self.seat.wanted() => {}
            () = self.token.cancelled() => {}
        }
        None
    }

    async fn answer<T, S, B>(self, stream: T, service: S, http2: bool)
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send + 'static,
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Self { seat, address, limits, token } = self;
        let seat = Arc::new(seat);
        let requests = Arc::clone(&seat);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let busy = requests.busy();
            let answer = service.clone().oneshot(request.map(|body| RequestBody::new(body, limits.body)));
            async move { answer.await.map(|answer| answer.map(|inner| AnswerBody { inner, _busy: busy })) }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().max_buf_size(limits.head);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(PING)).max_concurrent_streams(limits.streams);
        let builder = if http2 { builder.http2_only() } else { builder.http1_only() };
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let stopping = tokio::select! {
            result = connection.as_mut() => return log(address, result),
            () = token.cancelled() => true,
            () = seat.wanted() => false,
            () = seat.idle(limits.first_request, limits.idle) => false,
        };
        if !stopping && !seat.was_used() {
            // There is nothing to end in order, and others wait for what it holds.
            return;
        }
        connection.as_mut().graceful_shutdown();
        if stopping {
            return log(address, connection.await);
        }
        if let Ok(result) = tokio::time::timeout(LEAVE, connection).await {
            log(address, result);
        }
    }
}

fn log(address: SocketAddr, result: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = result {
        tracing::debug!(%address, error, "a connection ended early");
    }
}
