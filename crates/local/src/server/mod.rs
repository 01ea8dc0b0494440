//! The API server: HTTPS and watches around the pure [`Machinery`], with a store below it.
//!
//! Not here: any rule of the API. There is no authorisation (RBAC objects are kept, and decide nothing): whoever is
//! authenticated may do everything, which is what a development machine needs.
//!
//! Invariant: one lock is held while a request is handled and its changes are written, so that nobody, watcher or
//! client, ever sees a change that the store does not hold.

mod accounts;
mod identity;
mod jwt;
mod listen;
mod logs;
mod metrics;
mod nodes;
pub(crate) mod reply;
mod service;
pub(crate) mod status;
mod tokens;
mod watches;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::machinery::{self, Context, Machinery, Reply, User};
use crate::store::{self, Content, Store};
use reply::Body;
use status::Failure;
use tokens::Tokens;

pub use listen::{Error as ListenError, listen};
pub use nodes::Nodes;
use nodes::Stream;

/// The largest body of a request, as in a real API server.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// What a server needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory with the pods' logs.
    pub pods: PathBuf,
    /// What the machinery needs to know.
    pub machinery: machinery::Settings,
    /// How nodes are spoken to, if there are any.
    pub nodes: Option<Nodes>,
}

/// A running API server; clones are handles to the same.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    machinery: Mutex<Machinery>,
    tokens: Mutex<Tokens>,
    store: Store,
    /// The last revision, for those who wait for the next one.
    revision: watch::Sender<u64>,
    pods: PathBuf,
    nodes: Option<Nodes>,
    stop: CancellationToken,
}

impl Server {
    /// A server with what its store held. It ends its watches when `stop` is cancelled, and cancels it when the store fails.
    pub fn new(store: Store, content: Content, settings: Settings, stop: CancellationToken) -> Self {
        let objects = content.objects.into_iter();
        let machinery = Machinery::load(settings.machinery, content.revision, objects);
        let tokens = Tokens::load(content.tokens, Timestamp::now());
        Self(Arc::new(Inner {
            revision: watch::Sender::new(machinery.revision()),
            machinery: Mutex::new(machinery),
            tokens: Mutex::new(tokens),
            store,
            pods: settings.pods,
            nodes: settings.nodes,
            stop,
        }))
    }

    /// A client of this server that needs no network: for the components within the process.
    pub fn client(&self, component: &str, namespace: &str) -> kube::Client {
        service::client(self.clone(), identity::of_component(component), namespace)
    }

    /// Shows the figures of the nodes.
    pub fn add_metrics(&self) {
        self.machinery().add_metrics();
    }

    /// See [`Machinery::expect_controllers`].
    pub fn expect_controllers(&self) {
        self.machinery().expect_controllers();
    }

    /// Forces the store to the disk.
    pub fn force(&self) {
        self.0.store.force();
    }

    /// Answers a request. `user` is who the connection belongs to; without one, a bearer token has to tell.
    async fn answer<B>(&self, user: Option<User>, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut request = request;
        let stream = Stream::of(request.uri().path()).map(|stream| (stream, hyper::upgrade::on(&mut request)));
        let (parts, body) = request.into_parts();
        if let Some(check) = health_check(parts.uri.path()) {
            return self.health(check);
        }
        // A token beats a certificate: it is the more deliberate of the two.
        let user = match identity::bearer(&parts.headers) {
            Some(secret) => self.user_of_token(secret),
            None => user,
        };
        let groups = vec!["system:unauthenticated".to_owned()];
        let anonymous = User { name: "system:anonymous".to_owned(), groups, ..User::default() };
        let user = match user {
            Some(user) => user,
            None if parts.uri.path() == "/version" => anonymous,
            None => return reply::failure(&Failure::unauthorized()),
        };
        if let Some((stream, upgrade)) = stream {
            return self.stream(&stream, &parts, upgrade).await;
        }
        let body = match Limited::new(body, BODY_LIMIT).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return reply::failure(&Failure::too_large(BODY_LIMIT)),
            Err(error) => return reply::failure(&Failure::bad_request(format!("read the request: {error}"))),
        };
        let request = machinery_request(&parts, user, body.to_vec());
        match self.metrics(&request).await {
            Some(Ok(body)) => return reply::json(200, &body),
            Some(Err(failure)) => return reply::failure(&failure),
            None => {}
        }
        self.machinery_answer(&request).await
    }

    async fn machinery_answer(&self, request: &machinery::Request) -> Response<Body> {
        match self.handle(request) {
            Err(failure) => reply::failure(&failure),
            Ok(Reply::Json { status, body, warnings, content_type }) => {
                reply::with_warnings(reply::json_as(status, content_type, &body), &warnings)
            }
            Ok(Reply::Ask { question, object, warnings }) => match self.settle(question, object) {
                Ok(body) => reply::with_warnings(reply::json(201, &body), &warnings),
                Err(failure) => reply::failure(&failure),
            },
            Ok(Reply::Text { status, body }) => {
                reply::text(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
            }
            Ok(Reply::Binary { body, content_type }) => reply::binary(content_type, body),
            Ok(Reply::Watch(watch)) => watches::stream(self.clone(), watch, &request.query),
            Ok(Reply::PodLog { namespace, name, query }) => {
                logs::answer(self, &namespace, &name, &query).await.unwrap_or_else(|failure| reply::failure(&failure))
            }
        }
    }

    /// Lets the machinery handle a request, and writes what changed.
    fn handle(&self, request: &machinery::Request) -> Result<Reply, Failure> {
        let context = Context { now: Timestamp::now(), seed: Uuid::new_v4().as_u64_pair().0 };
        let mut machinery = self.machinery();
        let reply = machinery.handle(request, &context);
        let changes = machinery.take_changes();
        if changes.is_empty() {
            return Ok(reply);
        }
        let revision = machinery.revision();
        if let Err(error) = self.0.store.commit(revision, &changes) {
            return Err(self.store_failed(&error));
        }
        self.0.revision.send_replace(revision);
        Ok(reply)
    }

    /// Reads one object as the system itself.
    fn get(&self, path: String) -> Option<Value> {
        self.read(path, Vec::new())
    }

    /// Reads an object or a list as the system itself.
    fn read(&self, path: String, query: Vec<(String, String)>) -> Option<Value> {
        let request = machinery::Request {
            method: Method::GET,
            path,
            query,
            content_type: None,
            accept: None,
            user_agent: None,
            user: identity::of_component("apiserver"),
            body: Vec::new(),
        };
        match self.handle(&request) {
            Ok(Reply::Json { status: 200, body, .. }) => Some(body),
            _ => None,
        }
    }

    /// Memory is ahead of the store now, and nothing can undo that: the process has to start again from the store.
    fn store_failed(&self, error: &store::Error) -> Failure {
        tracing::error!(%error, "the store failed; the server stops");
        self.0.stop.cancel();
        Failure::internal(error.to_string())
    }

    fn health(&self, check: &str) -> Response<Body> {
        if !matches!(check, "" | "ping" | "log" | "etcd") {
            reply::text(StatusCode::NOT_FOUND, "404 page not found\n")
        } else if self.0.stop.is_cancelled() {
            reply::text(StatusCode::SERVICE_UNAVAILABLE, "shutting down")
        } else {
            reply::text(StatusCode::OK, "ok")
        }
    }

    fn machinery(&self) -> MutexGuard<'_, Machinery> {
        self.0.machinery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked for by a path that tells whether the server lives: one check, or (empty) all of them.
fn health_check(path: &str) -> Option<&str> {
    let mut parts = path.trim_matches('/').splitn(2, '/');
    matches!(parts.next(), Some("livez" | "readyz" | "healthz")).then(|| parts.next().unwrap_or_default())
}

fn machinery_request(parts: &Parts, user: User, body: Vec<u8>) -> machinery::Request {
    let query = parts.uri.query().unwrap_or_default();
    machinery::Request {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        content_type: text_header(&parts.headers, &header::CONTENT_TYPE),
        accept: text_header(&parts.headers, &header::ACCEPT),
        user_agent: text_header(&parts.headers, &header::USER_AGENT),
        user,
        body,
    }
}

fn text_header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
