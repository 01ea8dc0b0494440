//! Flink's version, read from `/overview`.
//!
//! Invariant: a version orders by number; a suffix such as `-SNAPSHOT` is kept for people and does not take part.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is not a version of Flink.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version of Flink")]
pub struct InvalidVersion(pub String);

/// A version such as `1.20.5`, `2.1.3` or `2.4-SNAPSHOT`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FlinkVersion {
    major: u32,
    minor: u32,
    patch: u32,
    text: String,
}

impl FlinkVersion {
    /// The oldest version that flinkctl runs: 1.18 brought resource requirements and the option names that we set.
    pub const OLDEST_SUPPORTED: (u32, u32) = (1, 18);

    /// Whether flinkctl runs this version.
    pub fn is_supported(&self) -> bool {
        (self.major, self.minor) >= Self::OLDEST_SUPPORTED
    }

    /// The first number.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The second number.
    pub fn minor(&self) -> u32 {
        self.minor
    }

    fn key(&self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch)
    }
}

impl PartialEq for FlinkVersion {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for FlinkVersion {}

impl PartialOrd for FlinkVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for FlinkVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for FlinkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FlinkVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion(text.to_owned());
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let mut parts = numbers.split('.').map(str::parse::<u32>);
        let mut next = || parts.next().transpose().map_err(|_| invalid());
        let major = next()?.ok_or_else(invalid)?;
        let minor = next()?.ok_or_else(invalid)?;
        let patch = next()?.unwrap_or(0);
        Ok(Self { major, minor, patch, text: text.to_owned() })
    }
}

impl TryFrom<String> for FlinkVersion {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, InvalidVersion> {
        text.parse()
    }
}

impl From<FlinkVersion> for String {
    fn from(version: FlinkVersion) -> Self {
        version.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> FlinkVersion {
        text.parse().unwrap()
    }

    #[test]
    fn versions_order_by_number() {
        assert!(version("1.9.3") < version("1.18.0"));
        assert!(version("1.20.5") < version("2.0.0"));
        assert_eq!(version("2.4-SNAPSHOT"), version("2.4.0"));
        assert_eq!(version("2.4-SNAPSHOT").to_string(), "2.4-SNAPSHOT");
    }

    #[test]
    fn support_begins_with_1_18() {
        assert!(!version("1.17.2").is_supported());
        assert!(version("1.18.0").is_supported());
        assert!(version("2.3.0").is_supported());
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for wrong in ["", "two", "2", "2.x", "<unknown>"] {
            assert_eq!(wrong.parse::<FlinkVersion>(), Err(InvalidVersion(wrong.to_owned())));
        }
    }
}
