//! Tokens of service accounts: kept as digests by this server, which alone has to recognise them.
//!
//! They have the form of signed JWTs, since clients read in them when they end and whose they are. What a token stands for is looked
//! up, not read from it. Invariant: the token itself is in the answer that issued it and nowhere else; memory and store
//! hold its SHA-256.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::jwt::Signer;
use crate::machinery::Bound;

/// Who issues tokens, and for whom if a request does not say.
pub const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The token's own name.
    #[serde(default)]
    pub id: String,
    /// The namespace of the service account.
    pub namespace: String,
    /// The service account.
    pub name: String,
    /// The service account's uid: a token ends with the very object it was issued for.
    pub uid: String,
    /// The object that the token ends with, if it is bound to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// For whom the token is good.
    pub audiences: Vec<String>,
    /// The end of the token's life.
    pub expires: Timestamp,
}

/// The living tokens by digest.
pub struct Tokens {
    by_digest: HashMap<String, Token>,
    signer: Signer,
}

impl Tokens {
    /// The tokens that a store held; what cannot be read or is over is left out.
    pub fn load(stored: Vec<(String, serde_json::Value)>, now: Timestamp) -> Self {
        let by_digest = stored
            .into_iter()
            .filter_map(|(digest, value)| Some((digest, serde_json::from_value::<Token>(value).ok()?)))
            .filter(|(_, token)| token.expires > now)
            .collect();
        Self { by_digest, signer: Signer::new() }
    }

    /// Makes a new token; the answer is the secret and its digest.
    pub fn issue(&mut self, token: Token, now: Timestamp) -> (String, String) {
        // Nobody can guess a signature.
        let secret = self.signer.sign(&token.claims(now));
        let digest = digest(&secret);
        self.by_digest.insert(digest.clone(), token);
        (secret, digest)
    }

    /// What a secret stands for, if it is known and not over.
    pub fn find(&self, secret: &str, now: Timestamp) -> Option<&Token> {
        self.by_digest.get(&digest(secret)).filter(|token| token.expires > now)
    }

    /// Forgets what is over; the answer are the digests to be removed from the store.
    pub fn prune(&mut self, now: Timestamp) -> Vec<String> {
        let over: Vec<String> =
            self.by_digest.iter().filter(|(_, token)| token.expires <= now).map(|(digest, _)| digest.clone()).collect();
        for digest in &over {
            self.by_digest.remove(digest);
        }
        over
    }
}

impl Token {
    fn claims(&self, now: Timestamp) -> serde_json::Value {
        let mut about = serde_json::json!({
            "namespace": self.namespace, "serviceaccount": {"name": self.name, "uid": self.uid},
        });
        if let Some(bound) = &self.bound {
            let kind = bound.resource.trim_end_matches('s');
            about[kind] = serde_json::json!({"name": bound.name, "uid": bound.uid});
            if !bound.node.is_empty() {
                about["node"] = serde_json::json!({"name": bound.node});
            }
        }
        serde_json::json!({
            "aud": self.audiences, "exp": self.expires.as_second(), "iat": now.as_second(), "iss": ISSUER, "jti": self.id,
            "kubernetes.io": about, "nbf": now.as_second(),
            "sub": format!("system:serviceaccount:{}:{}", self.namespace, self.name),
        })
    }
}

/// The end of a life of so many seconds.
pub fn expiry(seconds: i64, now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: i64 = 600;

    fn token(expires: Timestamp) -> Token {
        Token {
            id: "i".to_owned(),
            namespace: "default".to_owned(),
            name: "flink-operator".to_owned(),
            uid: "u".to_owned(),
            bound: None,
            audiences: vec![ISSUER.to_owned()],
            expires,
        }
    }

    #[test]
    fn a_token_lives_until_it_expires_and_survives_the_store() {
        let now = Timestamp::UNIX_EPOCH;
        let mut tokens = Tokens::load(Vec::new(), now);
        let (secret, digest) = tokens.issue(token(expiry(LIFE, now)), now);
        assert!(tokens.find(&secret, now).is_some());
        assert!(tokens.find("other", now).is_none());
        let later = now + SignedDuration::from_secs(LIFE);
        assert!(tokens.find(&secret, later).is_none());

        let stored = vec![(digest.clone(), serde_json::to_value(token(expiry(LIFE, now))).unwrap())];
        assert!(Tokens::load(stored.clone(), now).find(&secret, now).is_some());
        assert!(Tokens::load(stored, later).by_digest.is_empty());
        assert_eq!(tokens.prune(later), vec![digest]);
    }

    #[test]
    fn two_tokens_for_the_same_are_not_the_same() {
        let now = Timestamp::UNIX_EPOCH;
        let mut tokens = Tokens::load(Vec::new(), now);
        let (one, _) = tokens.issue(token(expiry(LIFE, now)), now);
        let (two, _) = Tokens::load(Vec::new(), now).issue(token(expiry(LIFE, now)), now);
        assert_ne!(one, two);
    }
}
