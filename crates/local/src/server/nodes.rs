//! What the API server hands on to the node of a pod: commands in containers, what containers print, and port-forwards, as they come, byte for byte; and the
//! questions that it asks a node itself.
//!
//! Invariant: a request is handed on only after its user is known and its pod was found; no stream outlives the server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Server;
use super::logs;
use super::reply::{self, Body};
use super::status::Failure;
use crate::pki::Pki;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a node may take to begin its answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// The largest answer of a node that is no stream.
const LARGEST: usize = 4 * 1024 * 1024;
/// What makes an upgrade.
const UPGRADE: [HeaderName; 5] = [
    header::CONNECTION,
    header::UPGRADE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_PROTOCOL,
];

/// How nodes are spoken to.
#[derive(Clone)]
pub struct Nodes(TlsConnector);

impl std::fmt::Debug for Nodes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Nodes")
    }
}

/// Something that goes on in a pod.
#[derive(Debug, PartialEq)]
pub(super) struct Stream {
    namespace: String,
    pod: String,
    what: What,
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum What {
    Attach,
    Exec,
    PortForward,
}

impl Stream {
    /// The stream that a path leads to, if it does.
    pub fn of(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (namespace, pod, what) = match parts.as_slice() {
            ["api", "v1", "namespaces", namespace, "pods", pod, "attach"] => (namespace, pod, What::Attach),
            ["api", "v1", "namespaces", namespace, "pods", pod, "exec"] => (namespace, pod, What::Exec),
            ["api", "v1", "namespaces", namespace, "pods", pod, "portforward"] => (namespace, pod, What::PortForward),
            _ => return None,
        };
        Some(Self { namespace: (*namespace).to_owned(), pod: (*pod).to_owned(), what })
    }

    /// Where a node has it, with what the client asked for.
    fn target(&self, pod: &Value, query: &str) -> Result<String, Failure> {
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let path = format!("{}/{}", self.namespace, self.pod);
        let verb = match self.what {
            What::PortForward => return Ok(format!("/portForward/{path}{}", ports(&query))),
            What::Attach => "attach",
            What::Exec => "exec",
        };
        let wanted = query.iter().find(|(name, _)| name == "container").map(|(_, value)| value.as_str());
        let wanted = wanted.filter(|wanted| !wanted.is_empty());
        let container = logs::choose_container(pod, &self.pod, wanted)?;
        let mut asked = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &query {
            let name = match name.as_str() {
                "stdin" => "input",
                "stdout" => "output",
                "stderr" => "error",
                "container" => continue,
                name => name,
            };
            asked.append_pair(name, if value == "true" { "1" } else { value });
        }
        Ok(format!("/{verb}/{path}/{container}?{}", asked.finish()))
    }
}

/// The ports that a client names beforehand. Those that come with streams of their own are not in the query.
fn ports(query: &[(String, String)]) -> String {
    let mut asked = form_urlencoded::Serializer::new(String::new());
    for (_, list) in query.iter().filter(|(name, _)| name == "ports") {
        list.split(',').for_each(|port| {
            asked.append_pair("port", port);
        });
    }
    let asked = asked.finish();
    if asked.is_empty() { asked } else { format!("?{asked}") }
}

impl Nodes {
    /// Speaks to nodes that have a certificate of the authority, as its first user.
    pub fn new(pki: &Pki) -> Result<Self, rustls::Error> {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
        let mut roots = RootCertStore::empty();
        roots.add(pki.authority())?;
        let wrong = |error: rustls::pki_types::pem::Error| rustls::Error::General(error.to_string());
        let certificate = CertificateDer::from_pem_slice(pki.admin().certificate.as_bytes()).map_err(wrong)?;
        let key = PrivateKeyDer::from_pem_slice(pki.admin().key.as_bytes()).map_err(wrong)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)?;
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    async fn connect(&self, host: &str, port: u16) -> Result<SendRequest<Empty<Bytes>>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::internal(format!("error dialing backend: {error}"));
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(&error))?;
        let connect = async {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            self.0.connect(name, stream).await
        };
        let stream = match tokio::time::timeout(CONNECT_LIMIT, connect).await {
            Ok(stream) => stream.map_err(|error| failed(&error))?,
            Err(_) => return Err(failed(&"it does not answer")),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }
}

impl Server {
    /// Hands a stream on to the node of its pod.
    pub(super) async fn stream(&self, stream: &Stream, parts: &Parts, upgrade: OnUpgrade) -> Response<Body> {
        self.try_stream(stream, parts, upgrade).await.unwrap_or_else(|failure| reply::failure(&failure))
    }

    async fn try_stream(&self, stream: &Stream, parts: &Parts, upgrade: OnUpgrade) -> Result<Response<Body>, Failure> {
        if !matches!(parts.method, Method::GET | Method::POST) {
            return Err(Failure::method_not_allowed());
        }
        let pod = self
            .get(format!("/api/v1/namespaces/{}/pods/{}", stream.namespace, stream.pod))
            .ok_or_else(|| Failure::not_found(format!("pods {:?} not found", stream.pod)))?;
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        if node.is_empty() {
            return Err(Failure::bad_request(format!("pod {} does not have a host assigned", stream.pod)));
        }
        let target = stream.target(&pod, parts.uri.query().unwrap_or_default())?;
        let mut request =
            Request::get(&target).body(Empty::new()).map_err(|error| Failure::bad_request(error.to_string()))?;
        for name in &UPGRADE {
            for value in parts.headers.get_all(name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        let response = self.ask(node, request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return copied(response).await;
        }
        let mut answer = reply::nothing(StatusCode::SWITCHING_PROTOCOLS);
        answer.headers_mut().clone_from(response.headers());
        let (stop, node) = (self.0.stop.clone(), hyper::upgrade::on(response));
        tokio::spawn(async move { stop.run_until_cancelled(carry(upgrade, node)).await });
        Ok(answer)
    }

    /// The answer of a node to a question that wants JSON.
    pub(super) async fn ask_node(&self, node: &str, path: &str) -> Result<Value, Failure> {
        let request = Request::get(path).body(Empty::new()).map_err(|error| Failure::bad_request(error.to_string()))?;
        let response = self.ask(node, request).await?;
        let failed = |why: String| Failure::internal(format!("node {node} does not answer: {why}"));
        let body =
            Limited::new(response.into_body(), LARGEST).collect().await.map_err(|error| failed(error.to_string()))?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| failed(error.to_string()))
    }

    async fn ask(&self, node: &str, mut request: Request<Empty<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let nodes = self.0.nodes.as_ref().ok_or_else(|| Failure::internal("there are no nodes"))?;
        let object = self
            .get(format!("/api/v1/nodes/{node}"))
            .ok_or_else(|| Failure::not_found(format!("nodes {node:?} not found")))?;
        let addresses = object["status"]["addresses"].as_array().into_iter().flatten();
        let host = addresses.clone().find(|one| one["type"] == "InternalIP").and_then(|one| one["address"].as_str());
        let port = object["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"].as_u64();
        let port = port.and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
        let (Some(host), Some(port)) = (host, port) else {
            return Err(Failure::internal(format!("node {node} tells no address at which it can be reached")));
        };
        if let Ok(value) = format!("{host}:{port}").parse() {
            request.headers_mut().insert(header::HOST, value);
        }
        let mut sender = nodes.connect(host, port).await?;
        let failed = |why: String| Failure::internal(format!("error dialing backend: {why}"));
        match tokio::time::timeout(ANSWER_LIMIT, sender.send_request(request)).await {
            Ok(response) => response.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed(format!("no answer within {} s", ANSWER_LIMIT.as_secs()))),
        }
    }
}

/// The answer of a node that would not upgrade.
async fn copied(response: Response<Incoming>) -> Result<Response<Body>, Failure> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| Failure::internal(error.to_string()))?;
    let text = body.to_bytes();
    match serde_json::from_slice::<Value>(&text) {
        Ok(status) => Ok(reply::json(parts.status.as_u16(), &status)),
        Err(_) => Err(Failure::internal(String::from_utf8_lossy(&text).into_owned())),
    }
}

/// Copies bytes both ways until one side ends.
async fn carry(client: OnUpgrade, node: OnUpgrade) {
    let (client, node) = match tokio::try_join!(client, node) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "a stream did not come about"),
    };
    let (mut client, mut node) = (TokioIo::new(client), TokioIo::new(node));
    if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut node).await {
        tracing::debug!(%error, "a stream ended early");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn streams_lead_to_the_node_with_what_was_asked_for() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}});
        let exec = Stream::of("/api/v1/namespaces/n/pods/p/exec").unwrap();
        assert_eq!(
            exec.target(&pod, "command=sh&command=-c&stdin=true&stdout=true&tty=false&container=c").unwrap(),
            "/exec/n/p/c?command=sh&command=-c&input=1&output=1&tty=false"
        );
        assert_eq!(exec.target(&pod, "command=sh").unwrap(), "/exec/n/p/c?command=sh");
        assert!(exec.target(&pod, "container=d").is_err());
        let attach = Stream::of("/api/v1/namespaces/n/pods/p/attach").unwrap();
        assert_eq!(attach.target(&pod, "stdout=true").unwrap(), "/attach/n/p/c?output=1");
        let forward = Stream::of("/api/v1/namespaces/n/pods/p/portforward").unwrap();
        assert_eq!(forward.target(&pod, "").unwrap(), "/portForward/n/p");
        assert_eq!(forward.target(&pod, "ports=80,81&ports=82").unwrap(), "/portForward/n/p?port=80&port=81&port=82");
        assert_eq!(Stream::of("/api/v1/namespaces/n/pods/p/log"), None);
    }
}
