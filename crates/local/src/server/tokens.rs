//! Tokens of service accounts: random, known to this server alone, kept as digests.
//!
//! A token is no JWT: only this server has to recognise it. Invariant: the token itself is in the answer that
//! issued it and nowhere else; memory and store hold its SHA-256.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// The shortest life that a real API server grants.
const SHORTEST: i64 = 600;
/// The life of a token whose request names none.
const DEFAULT: i64 = 3600;
/// The longest life that is granted.
const LONGEST: i64 = 366 * 24 * 3600;

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The namespace of the service account.
    pub namespace: String,
    /// The service account.
    pub name: String,
    /// The service account's uid: a token ends with the very object it was issued for.
    pub uid: String,
    /// The pod that the token ends with, if it is bound to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<BoundPod>,
    /// The end of the token's life.
    pub expires: Timestamp,
}

/// The pod that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundPod {
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
}

/// The living tokens by digest.
#[derive(Debug, Default)]
pub struct Tokens {
    by_digest: HashMap<String, Token>,
}

impl Tokens {
    /// The tokens that a store held; what cannot be read or is over is left out.
    pub fn load(stored: Vec<(String, serde_json::Value)>, now: Timestamp) -> Self {
        let by_digest = stored
            .into_iter()
            .filter_map(|(digest, value)| Some((digest, serde_json::from_value::<Token>(value).ok()?)))
            .filter(|(_, token)| token.expires > now)
            .collect();
        Self { by_digest }
    }

    /// Makes a new token; the answer is the secret and its digest.
    pub fn issue(&mut self, token: Token) -> (String, String) {
        // 244 random bits.
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
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

/// The end of a token's life that a request with `expirationSeconds` is granted.
pub fn expiry(requested: Option<i64>, now: Timestamp) -> Timestamp {
    let seconds = requested.unwrap_or(DEFAULT).clamp(SHORTEST, LONGEST);
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

    fn token(expires: Timestamp) -> Token {
        Token {
            namespace: "default".to_owned(),
            name: "flink-operator".to_owned(),
            uid: "u".to_owned(),
            pod: None,
            expires,
        }
    }

    #[test]
    fn a_token_lives_until_it_expires_and_survives_the_store() {
        let now = Timestamp::UNIX_EPOCH;
        let mut tokens = Tokens::default();
        let (secret, digest) = tokens.issue(token(expiry(None, now)));
        assert!(tokens.find(&secret, now).is_some());
        assert!(tokens.find("other", now).is_none());
        let later = now + SignedDuration::from_secs(DEFAULT);
        assert!(tokens.find(&secret, later).is_none());

        let stored = vec![(digest.clone(), serde_json::to_value(token(expiry(None, now))).unwrap())];
        assert!(Tokens::load(stored.clone(), now).find(&secret, now).is_some());
        assert!(Tokens::load(stored, later).by_digest.is_empty());
        assert_eq!(tokens.prune(later), vec![digest]);
    }

    #[test]
    fn a_life_stays_within_bounds() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(expiry(Some(1), now).as_second(), SHORTEST);
        assert_eq!(expiry(Some(i64::MAX), now).as_second(), LONGEST);
    }
}
