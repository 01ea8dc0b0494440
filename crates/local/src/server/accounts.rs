//! What this server answers about tokens: requests for them, and reviews of them.
//!
//! Invariant: a token is as good as its service account and, if bound, what it is bound to: gone (or replaced) means unknown.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Server;
use super::identity;
use super::status::Failure;
use super::tokens::{ISSUER, Token, expiry};
use crate::machinery::{Bound, Question, User};

impl Server {
    /// Answers what the machinery cannot.
    pub(super) fn settle(&self, question: Question, object: Value) -> Result<Value, Failure> {
        match question {
            Question::Token { account, bound } => self.issue(account, bound, object),
            Question::Review => Ok(self.review(object)),
        }
    }

    /// Who a secret belongs to, if it is good for this server.
    pub(super) fn user_of_token(&self, secret: &str) -> Option<User> {
        let token = self.living(secret)?;
        token.audiences.iter().any(|audience| audience == ISSUER).then(|| identity::of_token(&token))
    }

    /// What a secret stands for, if that still exists.
    fn living(&self, secret: &str) -> Option<Token> {
        let token = self.tokens().find(secret, Timestamp::now())?.clone();
        let within = format!("/api/v1/namespaces/{}", token.namespace);
        let lives = |path: String, uid: &str| self.get(path).is_some_and(|found| found["metadata"]["uid"] == uid);
        let bound_lives = token.bound.as_ref().is_none_or(|bound| {
            let place = if bound.resource == "nodes" { "/api/v1" } else { &within };
            lives(format!("{place}/{}/{}", bound.resource, bound.name), &bound.uid)
        });
        (lives(format!("{within}/serviceaccounts/{}", token.name), &token.uid) && bound_lives).then_some(token)
    }

    fn issue(&self, account: String, bound: Option<Bound>, mut request: Value) -> Result<Value, Failure> {
        let now = Timestamp::now();
        if request["spec"]["audiences"].as_array().is_none_or(Vec::is_empty) {
            request["spec"]["audiences"] = json!([ISSUER]);
        }
        let expires = expiry(request["spec"]["expirationSeconds"].as_i64().unwrap_or_default(), now);
        let token = Token {
            id: Uuid::new_v4().to_string(),
            namespace: text(&request["metadata"]["namespace"]),
            name: text(&request["metadata"]["name"]),
            uid: account,
            bound,
            audiences: texts(&request["spec"]["audiences"]),
            expires,
        };
        let stored = serde_json::to_value(&token).expect("plain strings");
        let (over, secret, digest) = {
            let mut tokens = self.tokens();
            let over = tokens.prune(now);
            let (secret, digest) = tokens.issue(token, now);
            (over, secret, digest)
        };
        self.0.store.commit_tokens(&[(digest, stored)], &over).map_err(|error| self.store_failed(&error))?;
        request["status"] =
            json!({"token": secret, "expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
        Ok(request)
    }

    fn review(&self, mut review: Value) -> Value {
        let mut wanted = texts(&review["spec"]["audiences"]);
        if wanted.is_empty() {
            wanted.push(ISSUER.to_owned());
        }
        review["status"] = match self.living(review["spec"]["token"].as_str().unwrap_or_default()) {
            None => json!({"user": {}, "error": "invalid bearer token"}),
            Some(token) => {
                let common: Vec<&String> =
                    token.audiences.iter().filter(|audience| wanted.contains(audience)).collect();
                if common.is_empty() {
                    let (own, wanted) = (go_list(&token.audiences), go_list(&wanted));
                    let why = format!(
                        "[invalid bearer token, token audiences {own} is invalid for the target audiences {wanted}]"
                    );
                    json!({"user": {}, "error": why})
                } else {
                    json!({"authenticated": true, "user": identity::of_token(&token).info(), "audiences": common})
                }
            }
        };
        review
    }
}

/// Texts as messages show several of them.
fn go_list(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[{}]", quoted.join(" "))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}
