//! What clients do inside pods: commands in containers, a look at what these print, and connections to ports. All come over WebSocket.
//!
//! Not here: who may do so; that was judged before. Invariant: a stream ends with its container or pod, and with the node.

mod attach;
mod exec;
mod forward;
mod frame;
mod headers;
mod ports;
mod terminal;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::killing::Life;
use crate::server::reply::{self, Body};
use crate::server::status::Failure;

/// What of the node's can be reached now, with what ends when it cannot be reached any more.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<Lists>>);

#[derive(Default)]
struct Lists {
    /// By the uid of the pod and the name of the container.
    containers: BTreeMap<(String, String), (Life, CancellationToken)>,
    /// Addresses of pods by their uids.
    pods: BTreeMap<String, (Ipv4Addr, CancellationToken)>,
}

/// Takes a container off the list when it is dropped, and ends its streams.
pub(super) struct Entry {
    running: Running,
    key: (String, String),
    _end: DropGuard,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lists().containers.remove(&self.key);
    }
}

/// The same for a pod.
pub(super) struct PodEntry {
    running: Running,
    uid: String,
    _end: DropGuard,
}

impl Drop for PodEntry {
    fn drop(&mut self) {
        self.running.lists().pods.remove(&self.uid);
    }
}

impl Running {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a container on the list.
    pub fn enter(&self, life: &Life) -> Entry {
        let key = (life.sandbox.pod.metadata.uid.clone().unwrap_or_default(), life.container.name.clone());
        let end = life.sandbox.machine.shutdown.child_token();
        self.lists().containers.insert(key.clone(), (life.clone(), end.clone()));
        Entry { running: self.clone(), key, _end: end.drop_guard() }
    }

    /// Puts a pod on the list.
    pub fn enter_pod(&self, uid: String, address: Ipv4Addr) -> PodEntry {
        let end = CancellationToken::new();
        self.lists().pods.insert(uid.clone(), (address, end.clone()));
        PodEntry { running: self.clone(), uid, _end: end.drop_guard() }
    }

    fn container(&self, uid: &str, name: &str) -> Result<(Life, CancellationToken), Failure> {
        let found = self.lists().containers.get(&(uid.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| Failure::not_found(format!("container not found ({name:?})")))
    }

    /// The containers of all pods.
    pub fn all(&self) -> Vec<Life> {
        self.lists().containers.values().map(|(life, _)| life.clone()).collect()
    }
}

/// Runs a command in a container for the client of a request.
pub(super) fn execute(
    running: &Running,
    uid: &str,
    container: &str,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (life, end) = running.container(uid, container)?;
    let query = request.uri().query().unwrap_or_default();
    let wanted = exec::Wanted::of(&form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>());
    if wanted.command.is_empty() {
        return Err(Failure::bad_request("you must provide at least 1 command"));
    }
    upgrade(request, &exec::PROTOCOLS, move |socket| exec::serve(socket, life, wanted, end).boxed())
}

/// Sends the client of a request what a container prints.
pub(super) fn attach(
    running: &Running,
    uid: &str,
    container: &str,
    prints: impl Stream<Item = Bytes> + Send + 'static,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    running.container(uid, container)?;
    // What is followed ends with the container, after its last word.
    upgrade(request, &exec::PROTOCOLS, move |socket| attach::serve(socket, prints).boxed())
}

/// Connects the client of a request with ports of a pod.
pub(super) fn forward(running: &Running, uid: &str, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let found = running.lists().pods.get(uid).cloned();
    let (address, end) = found.ok_or_else(|| Failure::bad_request("the pod does not run"))?;
    let protocols = [forward::PROTOCOL, ports::PROTOCOL];
    if offered(request.headers()).iter().any(|one| one == forward::PROTOCOL) {
        return upgrade(request, &protocols, move |socket| forward::serve(socket, address, end).boxed());
    }
    let wanted = ports::wanted(request.uri().query().unwrap_or_default())?;
    upgrade(request, &protocols, move |socket| ports::serve(socket, address, wanted, end).boxed())
}

/// Clients send far smaller ones.
const LARGEST: usize = 1024 * 1024;

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Agrees to speak WebSocket in one of the protocols, and does so once the answer is out.
fn upgrade(
    mut request: Request<Incoming>,
    protocols: &[&'static str],
    serve: impl FnOnce(Socket) -> BoxFuture<'static, ()> + Send + 'static,
) -> Result<Response<Body>, Failure> {
    let key = websocket_key(request.headers()).ok_or_else(|| Failure::bad_request("Upgrade request required"))?;
    let offered = offered(request.headers());
    let protocol = protocols.iter().find(|known| offered.iter().any(|one| one == **known)).ok_or_else(|| {
        Failure::bad_request(format!(
            "unable to upgrade: none of the protocols {offered:?} is supported: {protocols:?}"
        ))
    })?;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(after(upgraded, serve));
    let mut response = reply::nothing(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok(response)
}

async fn after(upgraded: hyper::upgrade::OnUpgrade, serve: impl FnOnce(Socket) -> BoxFuture<'static, ()> + Send) {
    match upgraded.await {
        Ok(upgraded) => {
            let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
            let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
            serve(socket).await;
        }
        Err(error) => tracing::debug!(%error, "a client went before its WebSocket was there"),
    }
}

fn websocket_key(headers: &HeaderMap) -> Option<String> {
    let says = |name, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value: &str| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    };
    let upgrades = says(header::UPGRADE, "websocket") && says(header::CONNECTION, "upgrade");
    headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| upgrades)?.to_str().ok().map(str::to_owned)
}

fn offered(headers: &HeaderMap) -> Vec<String> {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).map(|one| one.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_websockets_are_taken_for_such() {
        let mut headers = HeaderMap::new();
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::from_static("k"));
        assert_eq!(websocket_key(&headers), None);
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert_eq!(websocket_key(&headers).as_deref(), Some("k"));
        headers.append(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("a, b"));
        assert_eq!(offered(&headers), ["a", "b"]);
    }
}
