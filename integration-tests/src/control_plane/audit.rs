//! The audit log of the API server: who asked for what, and what became of it.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One line for every request when it has ended, without bodies.
pub(super) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - level: Metadata
";

/// What the API server says of a JSON patch that does not apply.
const FAILED_TEST: &str = "the server rejected our request due to an error in our request";

/// How the API server ends its refusal of a new object in a namespace that goes.
const TERMINATING: &str = "because it is being terminated";

/// A request that has ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub verb: String,
    #[serde(rename = "requestURI")]
    pub uri: String,
    user: User,
    /// In whose name the user asked, and so with whose rights.
    impersonated_user: Option<User>,
    #[serde(default)]
    pub user_agent: String,
    #[serde(default)]
    pub response_status: Response,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
pub struct Response {
    #[serde(default)]
    pub code: u16,
    #[serde(default)]
    pub message: String,
}

impl Request {
    /// With whose rights it was made.
    pub fn user(&self) -> &str {
        &self.impersonated_user.as_ref().unwrap_or(&self.user).username
    }

    /// Whether a part of flinkctl made it: operator, supervisor, bootstrap or node.
    pub fn is_ours(&self) -> bool {
        let user = self.user();
        let account = user.rsplit(':').next().unwrap_or_default();
        let parts = ["flink-operator", "flink-supervisor", "flink-bootstrap"];
        (user.starts_with("system:serviceaccount:") && parts.contains(&account)) || user.starts_with("system:node:")
    }

    /// Whether it failed in a way that no well-made client sees: it was not allowed, it made no sense, or the server broke. A conflict,
    /// an object that is not there (any more), or a server that asks for patience, belongs to everyday life.
    pub fn failed(&self) -> bool {
        let Response { code, message } = &self.response_status;
        // The `test` of a JSON patch that came too late is a conflict, told in this way.
        let outrun = self.verb == "patch" && *code == 422 && message == FAILED_TEST;
        // A namespace that is being terminated takes nothing new, which those in it find out by trying.
        let late = self.verb == "create" && *code == 403 && message.ends_with(TERMINATING);
        // A quota is there to refuse.
        let no_room = *code == 403 && message.contains("exceeded quota");
        // Who asked was killed before the answer came.
        let hung_up = *code == 504 && message.ends_with("context canceled");
        // What somebody sent to the control API goes on as it is, and only that is asked to be judged so strictly.
        let passed_on = self.uri.contains("fieldValidation=Strict") && matches!(code, 400 | 422);
        !outrun
            && !late
            && !no_room
            && !hung_up
            && !passed_on
            && matches!(code, 400 | 401 | 403 | 405 | 406 | 415 | 422 | 500..)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Response { code, message } = &self.response_status;
        write!(f, "{code} {} {} by {}: {message}", self.verb, self.uri, self.user())
    }
}

pub(super) fn read(log: &Path) -> Result<Vec<Request>> {
    let text = fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not an audit event: {line}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(user: &str, code: u16) -> Request {
        let line = format!(
            r#"{{"verb":"get","requestURI":"/x","user":{{"username":"{user}"}},"responseStatus":{{"code":{code}}}}}"#
        );
        serde_json::from_str(&line).expect("it is an event")
    }

    #[test]
    fn our_failures_are_told_from_everyday_life_and_from_others() {
        assert!(request("system:serviceaccount:ns:flink-operator", 403).is_ours());
        assert!(request("system:node:flinkctl-local", 403).is_ours());
        assert!(!request("system:serviceaccount:kube-system:job-controller", 403).is_ours());
        assert!(!request("kubernetes-admin", 403).is_ours());
        for (code, failed) in
            [(200, false), (404, false), (409, false), (429, false), (403, true), (422, true), (500, true)]
        {
            assert_eq!(request("x", code).failed(), failed, "{code}");
        }
    }

    #[test]
    fn a_request_in_anothers_name_is_the_others() {
        let line = r#"{"verb":"get","requestURI":"/x","user":{"username":"kubernetes-admin"},
            "impersonatedUser":{"username":"system:serviceaccount:ns:flink-operator"},"responseStatus":{"code":403}}"#;
        let request: Request = serde_json::from_str(line).expect("it is an event");
        assert!(request.is_ours() && request.failed());
    }

    #[test]
    fn a_half_written_line_waits() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let line = r#"{"verb":"get","requestURI":"/x","user":{}}"#;
        fs::write(file.path(), format!("{line}\n{line}\n{{\"ver")).expect("it is written");
        assert_eq!(read(file.path()).expect("it is read").len(), 2);
    }
}
