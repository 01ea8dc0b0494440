//! HTTP/1.1 to one address: requests with a deadline, answers of bounded size, connections kept alive.
//!
//! Plain HTTP on purpose: a JobManager is spoken to at its pod's address inside the cluster.

use std::time::Duration;

use bytes::Bytes;
use flink::ErrorBody;
use http::{Method, Request, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Refusal};

pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The largest answer that is read. An overview of ten thousand jobs has about 4 MiB.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Below the time after which a JobManager closes an idle connection.
const IDLE: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub struct Transport {
    address: String,
    http: HttpClient<HttpConnector, Body>,
}

/// A request on its way out.
pub struct Outgoing<'a> {
    pub method: Method,
    pub path: &'a str,
    pub content_type: Option<&'a str>,
    pub body: Body,
}

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub call: String,
    pub status: StatusCode,
    pub body: Bytes,
}

impl Transport {
    pub fn new(address: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .build(connector);
        Self { address: address.to_owned(), http }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request without a body.
    pub async fn bare(&self, method: Method, path: &str, deadline: Duration) -> Result<Answer, Error> {
        let body = Full::default().map_err(|never| match never {}).boxed_unsync();
        self.send(Outgoing { method, path, content_type: None, body }, deadline).await
    }

    /// Posts a JSON body.
    pub async fn json<T: Serialize>(&self, path: &str, body: &T, deadline: Duration) -> Result<Answer, Error> {
        self.json_by(Method::POST, path, body, deadline).await
    }

    /// Sends a JSON body.
    pub async fn json_by<T: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: &T,
        deadline: Duration,
    ) -> Result<Answer, Error> {
        let bytes = serde_json::to_vec(body).expect("requests are plain structures with text keys");
        let body = Full::from(bytes).map_err(|never| match never {}).boxed_unsync();
        let outgoing = Outgoing { method, path, content_type: Some("application/json"), body };
        self.send(outgoing, deadline).await
    }

    /// Sends a request and reads the whole answer within the deadline.
    pub async fn send(&self, outgoing: Outgoing<'_>, deadline: Duration) -> Result<Answer, Error> {
        let Outgoing { method, path, content_type, body } = outgoing;
        let call = format!("{method} {path}");
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        let request = request.body(body).map_err(|error| self.unreachable(&error))?;
        match tokio::time::timeout(deadline, self.exchange(request)).await {
            Ok(Ok((status, body))) => Ok(Answer { call, status, body }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::Timeout { call, address: self.address.clone(), deadline }),
        }
    }

    async fn exchange(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), Error> {
        let response = self.http.request(request).await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| self.unreachable(error.as_ref()))?;
        Ok((status, body.to_bytes()))
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> Error {
        Error::Unreachable { address: self.address.clone(), cause: innermost(error) }
    }
}

/// The innermost error is the one that tells something ("connection refused").
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

impl Answer {
    /// The decoded body of a success, or the refusal.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, Error> {
        let answer = self.success()?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Decode { call: answer.call, cause: error.to_string() })
    }

    /// The answer itself if it is a success.
    pub fn success(self) -> Result<Self, Error> {
        if self.status.is_success() {
            return Ok(self);
        }
        let body = self.error_body();
        Err(Error::Status {
            code: self.status.as_u16(),
            refusal: Refusal::of(self.status.as_u16(), body.as_ref()),
            reason: body.map_or_else(|| flink::failure::reason(&self.text()), |body| body.reason()),
            call: self.call,
        })
    }

    /// The errors, if the body is an error of Flink.
    pub fn error_body(&self) -> Option<ErrorBody> {
        serde_json::from_slice(&self.body).ok()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
