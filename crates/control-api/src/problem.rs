//! Why a request was not carried out: a closed list of kinds, and problem details (RFC 9457) for clients that want them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kept a request from being carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The request itself is wrong: no JSON, an unknown parameter, a name that cannot be one.
    BadRequest,
    Unauthenticated,
    Forbidden,
    NoSuchRoute,
    NotFound,
    MethodNotAllowed,
    /// Somebody else changed it, or it is there already.
    Conflict,
    TooLarge,
    /// A resource that breaks a rule of its definition.
    Invalid,
    TooManyRequests,
    /// The action was accepted and then refused, with the reason of the supervisor.
    ActionRefused,
    Internal,
    /// Flink does not know what was asked for.
    UnknownToFlink,
    /// Flink answered with an error.
    FlinkRefused,
    /// Kubernetes answered with an error.
    KubernetesRefused,
    /// The caches are not filled yet, or Kubernetes does not answer.
    Unavailable,
    /// Flink did not answer in time.
    FlinkUnreachable,
    /// The action goes on, but was not done within the time to wait.
    StillWaiting,
}

impl Kind {
    /// All of them, by their codes.
    pub const ALL: [Self; 18] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NoSuchRoute,
        Self::NotFound,
        Self::UnknownToFlink,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::ActionRefused,
        Self::TooLarge,
        Self::Invalid,
        Self::TooManyRequests,
        Self::Internal,
        Self::FlinkRefused,
        Self::KubernetesRefused,
        Self::Unavailable,
        Self::FlinkUnreachable,
        Self::StillWaiting,
    ];

    /// Its name in `type`.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
    }

    /// The HTTP code where no envelope hides it.
    pub fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound | Self::NoSuchRoute | Self::UnknownToFlink => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict | Self::ActionRefused => 409,
            Self::TooLarge => 413,
            Self::Invalid => 422,
            Self::TooManyRequests => 429,
            Self::Internal => 500,
            Self::FlinkRefused | Self::KubernetesRefused => 502,
            Self::Unavailable => 503,
            Self::FlinkUnreachable | Self::StillWaiting => 504,
        }
    }

    /// A sentence that is the same for every occurrence.
    pub fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request is not understood",
            Self::Unauthenticated => "The caller is not known",
            Self::Forbidden => "The caller may not do this",
            Self::NoSuchRoute => "There is no such path",
            Self::NotFound => "There is no such resource",
            Self::MethodNotAllowed => "The path has no such method",
            Self::Conflict => "The resource was changed or is there already",
            Self::TooLarge => "The request is too large",
            Self::Invalid => "The resource breaks a rule",
            Self::TooManyRequests => "The caller asks too often",
            Self::ActionRefused => "The action was refused",
            Self::Internal => "The operator failed",
            Self::UnknownToFlink => "Flink does not know it",
            Self::FlinkRefused => "Flink refused",
            Self::KubernetesRefused => "Kubernetes refused",
            Self::Unavailable => "The operator cannot say it now",
            Self::FlinkUnreachable => "Flink does not answer",
            Self::StillWaiting => "The action is not done yet",
        }
    }

    /// Whether Kubernetes or Flink is the reason, rather than the request.
    pub fn is_of_the_backend(self) -> bool {
        matches!(
            self,
            Self::Conflict
                | Self::Invalid
                | Self::UnknownToFlink
                | Self::FlinkRefused
                | Self::KubernetesRefused
                | Self::FlinkUnreachable
                | Self::Unavailable
                | Self::StillWaiting
                | Self::ActionRefused
        )
    }
}

/// A field of a body that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// Its path, such as `spec.jobManager.serviceMode`.
    pub field: String,
    pub message: String,
}

/// Problem details, media type `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// `about:blank#<kind>`: no page is behind it.
    #[serde(rename = "type", with = "type_uri")]
    #[schemars(with = "String")]
    pub kind: Kind,
    pub title: String,
    /// The HTTP code.
    pub status: u16,
    /// What is wrong, where, and what to do.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, title: kind.title().to_owned(), status: kind.code(), detail: detail.into(), causes: Vec::new() }
    }

    #[must_use]
    pub fn with_causes(self, causes: Vec<Cause>) -> Self {
        Self { causes, ..self }
    }

    /// A resource that is not there, in the words of flink-k8s-toolbox with what was looked for.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(Kind::NotFound, format!("{what} not found: {name}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.detail)?;
        for cause in &self.causes {
            write!(formatter, "; {}: {}", cause.field, cause.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

mod type_uri {
    use serde::de::{Error, IntoDeserializer};
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Kind;

    const BEFORE: &str = "about:blank#";

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub fn serialize<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{BEFORE}{}", kind.name()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name =
            text.strip_prefix(BEFORE).ok_or_else(|| D::Error::custom(format!("`{text}` is no kind of problem")))?;
        Kind::deserialize(name.into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_what_the_rfc_says_and_comes_back() {
        let cause = Cause { field: "spec.taskManagers".into(), message: "must be at least 0".into() };
        let problem = Problem::new(Kind::Invalid, "the cluster is not valid").with_causes(vec![cause]);
        let text = serde_json::to_value(&problem).unwrap();
        assert_eq!(text["type"], "about:blank#invalid");
        assert_eq!(text["status"], 422);
        assert_eq!(serde_json::from_value::<Problem>(text).unwrap(), problem);
        assert_eq!(problem.to_string(), "the cluster is not valid; spec.taskManagers: must be at least 0");
    }
}
