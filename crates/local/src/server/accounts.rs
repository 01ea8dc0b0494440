//! What this server answers about users: `TokenRequest` of a service account, `TokenReview`, `SelfSubjectReview`.
//!
//! Invariant: a token is as good as its service account and, if bound, its pod: gone (or replaced) means unknown.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Server;
use super::identity;
use super::status::Failure;
use super::tokens::{BoundPod, Token, expiry};
use crate::machinery::{Request, User};

type Answer = Result<(u16, Value), Failure>;

impl Server {
    /// The answer to a request that is about users; nothing for every other request.
    pub(super) fn own_answer(&self, request: &Request) -> Option<Answer> {
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            ["api", "v1", "namespaces", namespace, "serviceaccounts", name, "token"] => {
                Some(post(request, |body| self.issue(namespace, name, body)))
            }
            ["apis", "authentication.k8s.io", "v1", "tokenreviews"] => {
                Some(post(request, |body| Ok(self.review(body))))
            }
            ["apis", "authentication.k8s.io", "v1", "selfsubjectreviews"] => {
                Some(post(request, |body| Ok(who_am_i(&request.user, body))))
            }
            _ => None,
        }
    }

    /// Who a secret belongs to.
    pub(super) fn user_of_token(&self, secret: &str) -> Option<User> {
        let token = self.tokens().find(secret, Timestamp::now())?.clone();
        let account = self.get(format!("/api/v1/namespaces/{}/serviceaccounts/{}", token.namespace, token.name))?;
        let pod_lives = match &token.pod {
            None => true,
            Some(pod) => self
                .get(format!("/api/v1/namespaces/{}/pods/{}", token.namespace, pod.name))
                .is_some_and(|found| found["metadata"]["uid"] == pod.uid.as_str()),
        };
        (account["metadata"]["uid"] == token.uid.as_str() && pod_lives).then(|| identity::of_token(&token))
    }

    fn issue(&self, namespace: &str, name: &str, mut body: Value) -> Answer {
        let account = self
            .get(format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}"))
            .ok_or_else(|| Failure::not_found(format!("serviceaccounts {name:?} not found")))?;
        let now = Timestamp::now();
        let spec = &body["spec"];
        let expires = expiry(spec["expirationSeconds"].as_i64(), now);
        let bound = &spec["boundObjectRef"];
        let pod = (bound["kind"] == "Pod").then(|| BoundPod { name: text(&bound["name"]), uid: text(&bound["uid"]) });
        let token = Token {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: text(&account["metadata"]["uid"]),
            pod: self.complete(namespace, pod)?,
            expires,
        };
        let stored = serde_json::to_value(&token).expect("plain strings");
        let (over, secret, digest) = {
            let mut tokens = self.tokens();
            let over = tokens.prune(now);
            let (secret, digest) = tokens.issue(token);
            (over, secret, digest)
        };
        self.0.store.commit_tokens(&[(digest, stored)], &over).map_err(|error| self.store_failed(&error))?;
        body["kind"] = "TokenRequest".into();
        body["apiVersion"] = "authentication.k8s.io/v1".into();
        body["metadata"] = json!({"name": name, "namespace": namespace, "creationTimestamp": seconds(now)});
        body["spec"]["expirationSeconds"] = expires.duration_since(now).as_secs().into();
        body["status"] = json!({"token": secret, "expirationTimestamp": seconds(expires)});
        Ok((201, body))
    }

    /// A binding without a uid is to the pod that is there now.
    fn complete(&self, namespace: &str, pod: Option<BoundPod>) -> Result<Option<BoundPod>, Failure> {
        let Some(mut pod) = pod else { return Ok(None) };
        let found = self
            .get(format!("/api/v1/namespaces/{namespace}/pods/{}", pod.name))
            .ok_or_else(|| Failure::not_found(format!("pods {:?} not found", pod.name)))?;
        if pod.uid.is_empty() {
            pod.uid = text(&found["metadata"]["uid"]);
        }
        Ok(Some(pod))
    }

    fn review(&self, mut body: Value) -> (u16, Value) {
        let user = self.user_of_token(body["spec"]["token"].as_str().unwrap_or_default());
        body["kind"] = "TokenReview".into();
        body["apiVersion"] = "authentication.k8s.io/v1".into();
        body["status"] = match user {
            Some(user) => json!({
                "authenticated": true,
                "user": {"username": user.name, "groups": user.groups},
                "audiences": body["spec"]["audiences"],
            }),
            None => json!({"authenticated": false, "error": "the token is unknown, over, or its owner is gone"}),
        };
        (201, body)
    }
}

fn who_am_i(user: &User, mut body: Value) -> (u16, Value) {
    body["kind"] = "SelfSubjectReview".into();
    body["apiVersion"] = "authentication.k8s.io/v1".into();
    body["status"] = json!({"userInfo": {"username": user.name, "groups": user.groups}});
    (201, body)
}

fn post(request: &Request, answer: impl FnOnce(Value) -> Answer) -> Answer {
    if request.method != Method::POST {
        return Err(Failure::method_not_allowed());
    }
    let body = request.json().map_err(Failure::bad_request)?;
    if !body.is_object() {
        return Err(Failure::bad_request("the body is no object"));
    }
    answer(body)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
