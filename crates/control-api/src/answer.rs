//! Answers in the envelope that clients of flink-k8s-toolbox know, and what stands in it.
//!
//! Its `output` is JSON as a string within JSON: `jq -r .output | jq`. Its HTTP code says little; `status` and `error` say it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::{Kind, Problem};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Ok,
    /// Kubernetes or Flink did not do it.
    Error,
    /// The request cannot be carried out as it is.
    Failure,
}

/// The envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Envelope {
    pub status: Status,
    /// A JSON document; absent where there is nothing to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Why it was not done, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Envelope {
    /// Done, with something to show; null shows nothing.
    pub fn of(output: &Value) -> Self {
        let output = (!output.is_null()).then(|| output.to_string());
        Self { status: Status::Ok, output, error: None }
    }

    /// Done.
    pub fn done() -> Self {
        Self { status: Status::Ok, output: None, error: None }
    }

    /// Not done, and why.
    pub fn refused(problem: &Problem) -> Self {
        let status = if problem.kind.is_of_the_backend() { Status::Error } else { Status::Failure };
        Self { status, output: None, error: Some(problem.to_string()) }
    }

    /// What stands in it as JSON; null if nothing does.
    ///
    /// # Errors
    /// The output is no JSON.
    pub fn content(&self) -> Result<Value, serde_json::Error> {
        self.output.as_deref().map_or(Ok(Value::Null), serde_json::from_str)
    }
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// It was written down; the supervisor takes it up.
    Accepted,
    /// It is done.
    Done,
}

/// An action that was accepted, or, where the caller waited, what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionResult {
    /// `START`, `STOP`, `SCALE`, `TRIGGER_SAVEPOINT` or `FORGET_SAVEPOINT`.
    pub action: String,
    pub outcome: Outcome,
    /// The `id` of the action in `status.lastAction`; a scale has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The latest savepoint of the job, once it stopped or a savepoint was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub savepoint_path: Option<String>,
    /// Flink's id of the job that runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// TaskManagers that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_managers: Option<i32>,
    /// Parallelism that the job runs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<i32>,
}

impl ActionResult {
    /// An action of which nothing more is known.
    pub fn new(action: &str, outcome: Outcome) -> Self {
        Self {
            action: action.to_owned(),
            outcome,
            id: None,
            message: None,
            savepoint_path: None,
            job_id: None,
            task_managers: None,
            parallelism: None,
        }
    }
}

/// What happened to a resource that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Change {
    Added,
    Modified,
    Deleted,
    /// All that was there when the watch began has been sent.
    Synced,
}

/// The data of one server-sent event of a watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Watched<T> {
    #[serde(rename = "type")]
    pub change: Change,
    /// The resource, whole; as it was last seen if it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<T>,
}

/// The HTTP code of an envelope, as flink-k8s-toolbox answered: a command is always 200, a question that cannot be put is 500.
/// What it did not know, such as a caller without permission or a parameter that does not exist, has the code of everywhere.
pub fn envelope_code(problem: &Problem, is_question: bool) -> u16 {
    match problem.kind {
        Kind::Unauthenticated
        | Kind::Forbidden
        | Kind::TooManyRequests
        | Kind::NoSuchRoute
        | Kind::MethodNotAllowed => problem.kind.code(),
        Kind::Internal => 500,
        Kind::BadRequest if is_question => problem.kind.code(),
        kind if is_question && !kind.is_of_the_backend() => 500,
        _ => 200,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// SC-573
    #[test]
    fn what_stands_in_the_envelope_is_json_in_a_string() {
        let text = serde_json::to_string(&Envelope::of(&json!(["a", "b"]))).unwrap();
        assert_eq!(text, r#"{"status":"OK","output":"[\"a\",\"b\"]"}"#);
        assert_eq!(serde_json::to_string(&Envelope::of(&Value::Null)).unwrap(), r#"{"status":"OK"}"#);
    }

    /// S-09
    #[test]
    fn an_error_with_quotes_is_still_json() {
        let problem = Problem::new(Kind::NotFound, r#"there is no job "a" in cluster 'b\c'"#);
        let text = serde_json::to_string(&Envelope::refused(&problem)).unwrap();
        let read: Envelope = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (read.status, read.error.as_deref()),
            (Status::Failure, Some(r#"there is no job "a" in cluster 'b\c'"#))
        );
    }

    /// C-02
    #[test]
    fn codes_of_envelopes_are_those_of_the_original() {
        let code = |kind, question| envelope_code(&Problem::new(kind, "x"), question);
        assert_eq!(code(Kind::NotFound, true), 500);
        assert_eq!(code(Kind::NotFound, false), 200);
        assert_eq!(code(Kind::BadRequest, true), 400);
        assert_eq!(code(Kind::BadRequest, false), 200);
        assert_eq!(code(Kind::FlinkUnreachable, true), 200);
        assert_eq!(code(Kind::Conflict, false), 200);
        assert_eq!(code(Kind::Forbidden, false), 403);
        assert_eq!(code(Kind::NoSuchRoute, true), 404);
    }
}
