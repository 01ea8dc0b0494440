//! What an API server asks of a node over HTTPS: logs and figures of containers, commands in them, connections to their ports.
//!
//! Containers read nothing: who attaches to one sees what it prints. Whoever has a certificate of the authority for clients may ask; API servers give those to themselves.
//!
//! Invariant: nobody without such a certificate gets past the handshake.

use super::figures::Figures;
use super::{Fleet, Machine, sandbox, streams};
use crate::logs::{self, Options};
use crate::server::reply::{self, Body};
use crate::server::status::Failure;
use bytes::Bytes;
use futures::Stream;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use k8s_openapi::api::core::v1::Pod;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// Where nodes listen, everywhere.
pub(super) const PORT: u16 = 10250;
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The files that make a node a server, all PEM.
#[derive(Clone, Debug)]
pub struct Settings {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authority that clients must have a certificate of.
    pub clients: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {path}: {source}")]
    File { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("set up TLS: {0}")]
    Tls(String),
    #[error("listen on {address}: {source}")]
    Bind { address: SocketAddrV4, source: std::io::Error },
}

/// Pods by namespace and name, as the control plane has them now.
pub(super) type Pods = Arc<Mutex<BTreeMap<(String, String), watch::Receiver<Arc<Pod>>>>>;

/// The server, bound and not yet serving.
pub(super) struct Kubelet {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Kubelet {
    pub async fn bind(settings: &Settings, address: Ipv4Addr) -> Result<Self, Error> {
        let acceptor = TlsAcceptor::from(Arc::new(tls(settings)?));
        let address = SocketAddrV4::new(address, PORT);
        let listener = TcpListener::bind(address).await.map_err(|source| Error::Bind { address, source })?;
        Ok(Self { listener, acceptor })
    }

    /// Serves until `stop`.
    pub async fn serve(self, machine: Arc<Machine>, pods: Pods) {
        let stop = machine.shutdown.clone();
        let server = Server { machine, pods, figures: Figures::default() };
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        tokio::spawn(connection(server.clone(), stream, self.acceptor.clone()));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "failed to accept a connection");
                        tokio::task::yield_now().await;
                    }
                },
                () = stop.cancelled() => return,
            }
        }
    }
}

fn tls(settings: &Settings) -> Result<ServerConfig, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::Tls(error.to_string());
    let certificates = |path: &PathBuf| {
        let file = |source| Error::File { path: path.clone(), source };
        CertificateDer::pem_file_iter(path).map_err(file)?.collect::<Result<Vec<_>, _>>().map_err(file)
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&settings.clients)? {
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| failed(&error))?;
    let key = PrivateKeyDer::from_pem_file(&settings.key)
        .map_err(|source| Error::File { path: settings.key.clone(), source })?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(certificates(&settings.certificate)?, key)
        .map_err(|error| failed(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

async fn connection(server: Server, stream: TcpStream, acceptor: TlsAcceptor) {
    let stream = match tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a handshake failed"),
        Err(_) => return tracing::debug!("a handshake took too long"),
    };
    let stop = server.machine.shutdown.clone();
    let service = tower::service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::select! {
        result = connection => if let Err(error) = result {
            tracing::debug!(error, "a connection ended early");
        },
        () = stop.cancelled() => {}
    }
}

#[derive(Clone)]
struct Server {
    machine: Arc<Machine>,
    pods: Pods,
    figures: Figures,
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().trim_matches('/').to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        let answer = match (request.method(), parts.as_slice()) {
            (&Method::GET, ["healthz"]) => return reply::text(StatusCode::OK, "ok"),
            (&Method::GET, ["stats", "summary"]) => {
                let summary = self.figures.summary(&self.machine.name, &self.machine.running).await;
                return reply::json(200, &summary);
            }
            (&Method::GET, ["containerLogs", namespace, pod, container]) => {
                self.log(namespace, pod, container, request.uri().query().unwrap_or_default()).await
            }
            (&Method::GET | &Method::POST, ["exec", namespace, pod, container]) => {
                let pod = self.pod(namespace, pod);
                pod.and_then(|pod| {
                    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
                    streams::execute(&self.machine.running, uid, container, request)
                })
            }
            (&Method::GET | &Method::POST, ["attach", namespace, pod, container]) => {
                self.attach(namespace, pod, container, request).await
            }
            (&Method::GET | &Method::POST, ["portForward", namespace, pod]) => {
                self.pod(namespace, pod).and_then(|pod| {
                    let uid = pod.metadata.uid.as_deref().unwrap_or_default();
                    streams::forward(&self.machine.running, uid, request)
                })
            }
            _ => return reply::text(StatusCode::NOT_FOUND, "404 page not found"),
        };
        answer.unwrap_or_else(|failure| reply::failure(&failure))
    }

    fn pod(&self, namespace: &str, name: &str) -> Result<Arc<Pod>, Failure> {
        look(&self.pods, &(namespace.to_owned(), name.to_owned()))
            .ok_or_else(|| Failure::not_found(format!("pod \"{name}\" not found")))
    }

    async fn log(&self, namespace: &str, name: &str, container: &str, query: &str) -> Result<Response<Body>, Failure> {
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(reply::stream(logs::TEXT, self.read(namespace, name, container, &query).await?))
    }

    /// Sends what a container prints from now on.
    async fn attach(
        &self,
        namespace: &str,
        name: &str,
        container: &str,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Failure> {
        let query = [("follow", "true"), ("tailLines", "0")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let prints = self.read(namespace, name, container, &query).await?;
        let pod = self.pod(namespace, name)?;
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        streams::attach(&self.machine.running, uid, container, prints, request)
    }

    async fn read(
        &self,
        namespace: &str,
        name: &str,
        container: &str,
        query: &[(String, String)],
    ) -> Result<impl Stream<Item = Bytes> + Send + use<>, Failure> {
        let failed = |error: logs::Error| match error {
            logs::Error::Request(words) => Failure::bad_request(words),
            logs::Error::File(_) => Failure::internal(error.to_string()),
        };
        let options = Options::parse(query).map_err(failed)?;
        let key = (namespace.to_owned(), name.to_owned());
        let pod = self.pod(namespace, name)?;
        let directory = sandbox::directory(&self.machine.data, &pod);
        let pods = Arc::clone(&self.pods);
        let look = Box::new(move || look(&pods, &key).map(|pod| value(&pod)));
        let stop = self.machine.shutdown.clone();
        logs::read(&value(&pod), container, &options, &directory, look, stop).await.map_err(failed)
    }
}

fn look(pods: &Pods, key: &(String, String)) -> Option<Arc<Pod>> {
    pods.lock().unwrap_or_else(PoisonError::into_inner).get(key).map(|pod| pod.borrow().clone())
}

fn value(pod: &Pod) -> Value {
    json!(pod)
}

impl Fleet {
    /// Lets the server know which pods there are.
    pub(super) fn publish(&self) {
        let known = self.pods.values().map(|handle| {
            let pod = handle.updates.subscribe();
            let metadata = pod.borrow().metadata.clone();
            ((metadata.namespace.unwrap_or_default(), metadata.name.unwrap_or_default()), pod)
        });
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = known.collect();
    }
}
