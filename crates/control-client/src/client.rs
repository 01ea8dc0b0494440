//! The connection to one operator.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use kit::tls::Password;
use reqwest::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{Answer, Error, Request, Style, Watch};

const CONNECT: Duration = Duration::from_secs(5);
/// How long a request may take that does not wait for anything.
const DEADLINE: Duration = Duration::from_secs(30);

/// Where the operator is, and who asks.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    pub port: u16,
    /// TLS, with the certificate to show; plain HTTP without.
    pub tls: Option<rustls::ClientConfig>,
    /// The name in the operator's certificate, where it is not `host`.
    pub server_name: Option<String>,
    /// Sent as bearer token.
    pub token: Option<Password>,
}

impl Endpoint {
    /// As people write it.
    pub fn address(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:{}", bracketed(&self.host), self.port)
    }

    /// Whether the other side answers a handshake of TLS with one, refused or not. What does not answer at all may well speak TLS.
    pub async fn speaks_tls(&self) -> bool {
        let Some(tls) = &self.tls else {
            return false;
        };
        let name = self.server_name.clone().unwrap_or_else(|| self.host.clone());
        let Ok(name) = ServerName::try_from(name) else {
            return true;
        };
        let handshake = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            TlsConnector::from(Arc::new(tls.clone())).connect(name, stream).await
        };
        match tokio::time::timeout(CONNECT, handshake).await {
            Ok(Err(error)) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                !matches!(inner, Some(rustls::Error::InvalidMessage(_)))
            }
            Ok(Ok(_)) | Err(_) => true,
        }
    }

    fn url(&self) -> Result<Url, Error> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let name = self.server_name.as_deref().unwrap_or(&self.host);
        let text = format!("{scheme}://{}:{}", bracketed(name), self.port);
        Url::parse(&text).map_err(|error| Error::Address { address: self.address(), why: error.to_string() })
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

/// Speaks to one operator.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    address: String,
    tls: bool,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub async fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        let base = endpoint.url()?;
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT);
        if endpoint.host == "localhost" || endpoint.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            builder = builder.no_proxy();
        }
        if let Some(token) = &endpoint.token {
            let mut headers = HeaderMap::new();
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", token.reveal())).map_err(|_| Error::Address {
                    address: endpoint.address(),
                    why: "the token has characters that no header may have".to_owned(),
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
            builder = builder.default_headers(headers);
        }
        if let Some(tls) = &endpoint.tls {
            builder = builder.tls_backend_preconfigured(tls.clone());
        }
        if let Some(name) = &endpoint.server_name {
            let found: Vec<SocketAddr> = match tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await {
                Ok(found) => found.collect(),
                Err(_) => Vec::new(),
            };
            if found.is_empty() {
                let why = crate::Unreachable::NoSuchHost;
                return Err(Error::Unreachable { address: endpoint.address(), why });
            }
            builder = builder.resolve_to_addrs(name, &found);
        }
        let http = builder.build().map_err(Error::Setup)?;
        Ok(Self { http, base, address: endpoint.address(), tls: endpoint.tls.is_some() })
    }

    /// Where it speaks to, as people write it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request and gives what came back, refusal or not. `patience` is what the operator may take beyond the usual.
    pub async fn send(&self, request: &Request, style: Style, patience: Duration) -> Result<Answer, Error> {
        let deadline = DEADLINE + patience;
        let failed = |error: reqwest::Error| Error::of(&error, &self.address, self.tls, deadline);
        let response = self.prepare(request, &style.accepted()).timeout(deadline).send().await.map_err(failed)?;
        let code = response.status().as_u16();
        let content_type = content_type(&response);
        let body = response.bytes().await.map_err(failed)?.to_vec();
        Ok(Answer { code, content_type, body })
    }

    /// Sends a request and gives the plain object that it is answered with.
    pub async fn ask(&self, request: &Request) -> Result<Value, Error> {
        self.send(request, Style::Plain, Duration::ZERO).await?.outcome().map_err(Error::Refused)
    }

    /// Opens a stream of server-sent events.
    pub async fn watch(&self, request: &Request) -> Result<Watch, Error> {
        let failed = |error: reqwest::Error| Error::of(&error, &self.address, self.tls, DEADLINE);
        let opening = self.prepare(request, "text/event-stream").send();
        let Ok(response) = tokio::time::timeout(DEADLINE, opening).await else {
            return Err(Error::Timeout { address: self.address.clone(), deadline: DEADLINE });
        };
        let response = response.map_err(failed)?;
        let code = response.status().as_u16();
        let content_type = content_type(&response);
        if code == 200 && content_type.starts_with("text/event-stream") {
            return Ok(Watch::new(response, self.address.clone(), self.tls));
        }
        let body = response.bytes().await.map_err(failed)?.to_vec();
        let answer = Answer { code, content_type, body };
        let unexpected = |value: Value| {
            control_api::Problem::new(
                control_api::Kind::Internal,
                format!("the answer is no stream of events: {value}"),
            )
        };
        Err(Error::Refused(answer.outcome().map_or_else(|problem| problem, unexpected)))
    }

    fn prepare(&self, request: &Request, accepted: &str) -> reqwest::RequestBuilder {
        let mut builder = self.http.request(request.method(), request.url(&self.base)).header(ACCEPT, accepted);
        if let Some(body) = request.payload() {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        builder
    }
}

fn content_type(response: &reqwest::Response) -> String {
    let value = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
