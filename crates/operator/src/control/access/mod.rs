//! Who may do what: who calls, whether they may, how often, and the record of what they changed.
//!
//! A client certificate is judged by the grants of a file, or may do everything where there is none; a bearer token by Kubernetes.
//! Invariant: nothing of a token or certificate but names gets into a log or an answer.

mod audit;
mod options;
mod rates;
mod roles;
mod tokens;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use control_api::authorization::{self, Subject};
use control_api::{Kind, Operation, Problem};
use kit::https::{ClientCertificate, Peer};
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::names::Names;

pub use options::{Error, Options, Transport};
use rates::Rates;
use roles::Roles;
use tokens::{Tokens, User};

/// Looks for new tokens that one address may cause a second, and at once: each costs a request to Kubernetes.
const REVIEWS: (u32, u32) = (10, 50);

/// The rules.
pub struct Access {
    namespace: String,
    roles: Option<Roles>,
    tokens: Option<Tokens>,
    /// Whoever reaches the server may do everything: there is neither a certificate nor a token to be known by.
    open: bool,
    requests: Rates<String>,
    reviews: Rates<IpAddr>,
}

/// Who was found to call.
#[derive(Clone, Debug)]
pub struct Caller {
    identity: Identity,
    since: Instant,
}

/// By what a caller is known.
#[derive(Clone, Debug)]
enum Identity {
    /// Nothing but where from.
    Address(IpAddr),
    Certificate(Arc<ClientCertificate>),
    Token(Arc<User>),
}

impl Access {
    /// Reads the grants, if there are any. The client is asked about tokens.
    pub fn new(options: &Options, namespace: &str, client: Client) -> Result<Self, Error> {
        let requests = Rates::new(options.rate_limit, options.rate_limit.saturating_mul(2));
        Ok(Self {
            namespace: namespace.to_owned(),
            roles: options.authorization.clone().map(Roles::load).transpose()?,
            tokens: options.token_authentication.then(|| Tokens::new(client, options.token_audience.clone())),
            open: options.insecure && !options.token_authentication,
            requests,
            reviews: Rates::new(REVIEWS.0, REVIEWS.1),
        })
    }

    /// Takes up grants that change, until the token is cancelled.
    pub async fn follow(&self, token: CancellationToken) {
        if let Some(roles) = &self.roles {
            roles.follow(token).await;
        }
    }

    /// Says who calls, unless they may not do it.
    pub async fn admit(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        operation: Operation,
        names: &Names,
    ) -> Result<Caller, Problem> {
        let since = Instant::now();
        let caller = match self.identify(peer, headers).await {
            Ok(identity) => Caller { identity, since },
            Err(problem) => {
                let nobody = Caller { identity: Identity::Address(peer.address.ip()), since };
                self.audit(&nobody, operation, names, Err(&problem));
                return Err(problem);
            }
        };
        let allowed = match self.requests.take(caller.identity.key().as_ref()) {
            Ok(()) => self.authorize(&caller, operation, names).await,
            Err(wait) => Err(too_many(wait)),
        };
        match allowed {
            Ok(()) => Ok(caller),
            Err(problem) => {
                self.audit(&caller, operation, names, Err(&problem));
                Err(problem)
            }
        }
    }

    /// Tells what became of a request that changes something.
    pub fn audit(&self, caller: &Caller, operation: Operation, names: &Names, result: Result<(), &Problem>) {
        if operation.is_mutating() {
            audit::write(caller, &self.namespace, operation, names, result);
        }
    }

    async fn identify(&self, peer: &Peer, headers: &HeaderMap) -> Result<Identity, Problem> {
        if let Some(tokens) = &self.tokens
            && let Some(token) = bearer(headers)
        {
            if let Some(known) = tokens.known(token) {
                return known.map(Identity::Token);
            }
            self.reviews.take(&peer.address.ip()).map_err(too_many)?;
            return tokens.review(token).await.map(Identity::Token);
        }
        if let Some(certificate) = &peer.certificate {
            return Ok(Identity::Certificate(Arc::clone(certificate)));
        }
        if self.open {
            return Ok(Identity::Address(peer.address.ip()));
        }
        let how = if self.tokens.is_some() { "a client certificate or a bearer token" } else { "a client certificate" };
        Err(Problem::new(Kind::Unauthenticated, format!("nobody is known to call: show {how}")))
    }

    async fn authorize(&self, caller: &Caller, operation: Operation, names: &Names) -> Result<(), Problem> {
        match (&caller.identity, &self.roles, &self.tokens) {
            (Identity::Token(user), _, Some(tokens)) => tokens.check(user, &self.namespace, operation, names).await,
            (Identity::Certificate(certificate), Some(roles), _) => {
                let subject = Subject {
                    common_name: certificate.common_name.as_deref(),
                    organizations: &certificate.organizations,
                };
                let name = names.cluster.as_deref().or(names.deployment.as_deref());
                let request = authorization::Request { operation, namespace: &self.namespace, name };
                roles.current().check(&subject, &request).map_err(|why| Problem::new(Kind::Forbidden, why))
            }
            (Identity::Certificate(_), None, _) => Ok(()),
            (Identity::Address(_), ..) if self.open => Ok(()),
            (Identity::Address(_) | Identity::Token(_), ..) => {
                Err(Problem::new(Kind::Unauthenticated, "nobody is known to call"))
            }
        }
    }
}

impl Identity {
    /// What the requests of one caller are counted by.
    fn key(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Address(address) => address.to_string().into(),
            Self::Certificate(certificate) => certificate.common_name.as_deref().unwrap_or_default().into(),
            Self::Token(user) => user.name.as_str().into(),
        }
    }
}

fn too_many(wait: Duration) -> Problem {
    let milliseconds = wait.as_millis().max(1);
    Problem::new(Kind::TooManyRequests, format!("too many requests; try again in {milliseconds} ms"))
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
