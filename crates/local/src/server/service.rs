//! A `kube::Client` that calls the server as a function: no socket, no TLS, the same bytes.
//!
//! The components of the control plane live in this process, and are ordinary clients in every other respect.

use std::convert::Infallible;

use http::Request;
use kube::client::Body;

use super::Server;
use crate::machinery::User;

pub(super) fn client(server: Server, user: User, namespace: &str) -> kube::Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let (server, user) = (server.clone(), user.clone());
        async move { Ok::<_, Infallible>(server.answer(Some(user), request).await) }
    });
    kube::Client::new(service, namespace)
}
