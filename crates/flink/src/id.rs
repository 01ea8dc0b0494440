//! Identifiers that flinkctl chooses and Flink accepts: 32 hexadecimal digits.
//!
//! Flink takes an id from its caller both for a job and for a trigger, which makes a repeated request harmless.
//! Invariant: an id in our hands is well formed and lower case, so that two equal ids are equal as text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id of 32 hexadecimal digits")]
pub struct InvalidId(pub String);

fn parse(text: &str) -> Result<String, InvalidId> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(InvalidId(text.to_owned()))
    }
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id with these 16 bytes; the caller brings the randomness.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(hex(bytes))
            }

            /// The 32 lower-case digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                parse(&text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    };
}

id!(
    /// The id of one execution of a job. Flink refuses an id that it has seen, so it also is the key that keeps a
    /// repeated submission from starting a second copy.
    JobId
);

id!(
    /// The id of one asynchronous operation (savepoint, stop). Triggering twice with one id gives one operation.
    TriggerId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_32_hexadecimal_digits_in_lower_case() {
        let id: JobId = "8FF773A0162B8A603A28B49DC3BA80B9".parse().unwrap();
        assert_eq!(id.as_str(), "8ff773a0162b8a603a28b49dc3ba80b9");
        for wrong in ["", "8ff773", "8ff773a0162b8a603a28b49dc3ba80bz", "8ff773a0162b8a603a28b49dc3ba80b90"] {
            assert_eq!(wrong.parse::<JobId>(), Err(InvalidId(wrong.to_owned())));
        }
    }

    #[test]
    fn bytes_keep_their_leading_zeros() {
        let mut bytes = [0; 16];
        bytes[15] = 0xab;
        assert_eq!(TriggerId::from_bytes(bytes).as_str(), "000000000000000000000000000000ab");
    }

    #[test]
    fn json_is_the_bare_text_and_is_checked() {
        let id: JobId = serde_json::from_str("\"8ff773a0162b8a603a28b49dc3ba80b9\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"8ff773a0162b8a603a28b49dc3ba80b9\"");
        assert!(serde_json::from_str::<JobId>("\"xyz\"").is_err());
    }
}
