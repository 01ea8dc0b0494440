//! Bearer tokens: Kubernetes says whose they are, and what their owners may do.
//!
//! Answers are kept for some seconds by a hash of the token. Invariant: no token is kept, and an answer that did not come admits nobody.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use control_api::route::{Operation, Target};
use control_api::{Kind, Problem};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Client;
use kube::api::{Api, PostParams};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::super::names::Names;

/// How long an answer of Kubernetes is believed: a right that was taken away ends after that.
const KEPT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers that are kept.
const ANSWERS: usize = 4096;

type Hashed = [u8; 32];

/// The owner of a token.
#[derive(Debug)]
pub struct User {
    pub name: String,
    pub groups: Vec<String>,
    uid: Option<String>,
    extra: Option<BTreeMap<String, Vec<String>>>,
    token: Hashed,
}

pub struct Tokens {
    client: Client,
    audiences: Vec<String>,
    users: Answers<Hashed, Option<Arc<User>>>,
    rights: Answers<Right, bool>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Right {
    token: Hashed,
    verb: &'static str,
    resource: &'static str,
    subresource: &'static str,
    name: Option<String>,
}

impl Tokens {
    pub fn new(client: Client, audiences: Vec<String>) -> Self {
        Self { client, audiences, users: Answers::default(), rights: Answers::default() }
    }

    /// Whose a token is, if that was asked lately.
    pub fn known(&self, token: &str) -> Option<Result<Arc<User>, Problem>> {
        Some(self.users.get(&hash(token))?.ok_or_else(unknown))
    }

    /// Asks whose a token is.
    pub async fn review(&self, token: &str) -> Result<Arc<User>, Problem> {
        let hashed = hash(token);
        let audiences = Some(self.audiences.clone()).filter(|audiences| !audiences.is_empty());
        let spec = TokenReviewSpec { token: Some(token.to_owned()), audiences: audiences.clone() };
        let review = TokenReview { spec, ..TokenReview::default() };
        let status = self.ask("whose the token is", review).await?.status.unwrap_or_default();
        let valid = status.authenticated == Some(true)
            // An API server that knows nothing of audiences says none, and then the token is not for us.
            && audiences.is_none_or(|wanted| status.audiences.unwrap_or_default().iter().any(|one| wanted.contains(one)));
        let user = status.user.filter(|_| valid).and_then(|user| {
            Some(Arc::new(User {
                name: user.username.filter(|name| !name.is_empty())?,
                groups: user.groups.unwrap_or_default(),
                uid: user.uid,
                extra: user.extra,
                token: hashed,
            }))
        });
        self.users.keep(hashed, user.clone());
        user.ok_or_else(unknown)
    }

    /// Asks whether the owner of a token may do something.
    pub async fn check(
        &self,
        user: &User,
        namespace: &str,
        operation: Operation,
        names: &Names,
    ) -> Result<(), Problem> {
        let Some((verb, subresource)) = operation.verb() else { return Ok(()) };
        let all = [Target::Deployment, Target::Cluster, Target::Job];
        let targets = operation.target();
        let targets = targets.as_ref().map_or(&all[..], std::slice::from_ref);
        for target in targets {
            let name = names.resource(*target);
            let right = Right { token: user.token, verb, resource: target.plural(), subresource, name };
            let allowed = match self.rights.get(&right) {
                Some(allowed) => allowed,
                None => self.ask_for(user, namespace, &right).await?,
            };
            if !allowed {
                return Err(denied(user, namespace, &right));
            }
        }
        Ok(())
    }

    async fn ask_for(&self, user: &User, namespace: &str, right: &Right) -> Result<bool, Problem> {
        let attributes = ResourceAttributes {
            group: Some(api::GROUP.to_owned()),
            namespace: Some(namespace.to_owned()),
            verb: Some(right.verb.to_owned()),
            resource: Some(right.resource.to_owned()),
            subresource: Some(right.subresource.to_owned()).filter(|one| !one.is_empty()),
            name: right.name.clone(),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(user.name.clone()),
            groups: Some(user.groups.clone()),
            uid: user.uid.clone(),
            extra: user.extra.clone(),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let status = self.ask("what the owner of the token may do", review).await?.status.unwrap_or_default();
        let allowed = status.allowed && status.denied != Some(true);
        self.rights.keep(right.clone(), allowed);
        Ok(allowed)
    }

    async fn ask<K>(&self, what: &str, question: K) -> Result<K, Problem>
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
    {
        let api: Api<K> = Api::all(self.client.clone());
        let failed = |why: String| Problem::new(Kind::Unavailable, format!("Kubernetes does not say {what}: {why}"));
        match tokio::time::timeout(PATIENCE, api.create(&PostParams::default(), &question)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(failed(format!(
                "the operator may not ask; bind its service account to the cluster role system:auth-delegator ({})",
                status.message
            ))),
            Ok(Err(error)) => Err(failed(kit::chain(&error))),
            Err(_) => Err(failed(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }
}

fn hash(token: &str) -> Hashed {
    Sha256::digest(token.as_bytes()).into()
}

fn unknown() -> Problem {
    Problem::new(Kind::Unauthenticated, "Kubernetes does not know the bearer token, or it has expired")
}

fn denied(user: &User, namespace: &str, right: &Right) -> Problem {
    let resource = match right.subresource {
        "" => right.resource.to_owned(),
        subresource => format!("{}/{subresource}", right.resource),
    };
    let of = right.name.as_ref().map_or_else(String::new, |name| format!(" `{name}`"));
    let (who, verb) = (&user.name, right.verb);
    let sentence = format!(
        "`{who}` may not {verb} {resource}{of} in namespace `{namespace}`: \
         no role of Kubernetes gives the verb {verb} on {resource} of {}",
        api::GROUP
    );
    Problem::new(Kind::Forbidden, sentence)
}

/// Answers that are believed for a while.
struct Answers<K, V>(Mutex<HashMap<K, (V, Instant)>>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V: Clone> Answers<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, end) = answers.get(key)?;
        (Instant::now() < *end).then(|| answer.clone())
    }

    fn keep(&self, key: K, answer: V) {
        let now = Instant::now();
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= ANSWERS {
            answers.retain(|_, (_, end)| now < *end);
            if answers.len() >= ANSWERS {
                answers.clear();
            }
        }
        answers.insert(key, (answer, now + KEPT));
    }
}
