//! Bodies and parameters of requests, read leniently where flink-k8s-toolbox was lenient and no harm comes of it.
//!
//! An absent number is an error here: there it meant zero, and `{}` scaled a cluster away.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::{Cause, Kind, Problem};

/// Body of start and stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActionOptions {
    /// Start from nothing, or stop without saving.
    #[serde(default)]
    pub without_savepoint: bool,
}

/// Body of the scale of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaleCluster {
    /// Wanted number of TaskManagers.
    #[schemars(range(min = 0))]
    pub task_managers: i32,
}

/// Body of the scale of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleJob {
    /// Wanted parallelism; 0 suspends the job.
    #[schemars(range(min = 0))]
    pub parallelism: i32,
}

/// Reads the body of start and stop. Unknown members are ignored; `"true"` counts as true.
///
/// # Errors
/// The body is no JSON object, or the member is neither true nor false.
pub fn action_options(body: &[u8]) -> Result<ActionOptions, Problem> {
    let body = object(body, r#"{"withoutSavepoint": false}"#)?;
    let without_savepoint = match body.get("withoutSavepoint") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
        Some(other) => return Err(wrong("withoutSavepoint", &format!("it is {other}, but must be true or false"))),
    };
    Ok(ActionOptions { without_savepoint })
}

/// Reads the body of a scale: the number of its only member. Text that is a number counts as one.
///
/// # Errors
/// The body is no JSON object, or the member is missing, no whole number, or negative.
pub fn replicas(body: &[u8], member: &str) -> Result<i32, Problem> {
    let body = object(body, &format!(r#"{{"{member}": 2}}"#))?;
    let number = match body.get(member) {
        None | Some(Value::Null) => {
            return Err(wrong(member, "it is missing; 0 must be said, as it takes everything away"));
        }
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match number.map(i32::try_from) {
        Some(Ok(number)) if number >= 0 => Ok(number),
        _ => Err(wrong(member, &format!("it is {}, but must be a whole number from 0 on", body[member]))),
    }
}

/// Reads the spec of a resource.
///
/// # Errors
/// The body is no JSON object.
pub fn spec(body: &[u8]) -> Result<Value, Problem> {
    let body = object(body, "the spec of the resource")?;
    Ok(Value::Object(body))
}

fn object(body: &[u8], example: &str) -> Result<serde_json::Map<String, Value>, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::new(Kind::BadRequest, format!("the body is empty; it must be a JSON object: {example}")));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Problem::new(Kind::BadRequest, format!("the body is JSON, but must be a JSON object: {example}"))),
        Err(error) => Err(Problem::new(Kind::BadRequest, format!("the body is no JSON: {error}"))),
    }
}

fn wrong(field: &str, message: &str) -> Problem {
    let cause = Cause { field: field.to_owned(), message: message.to_owned() };
    Problem::new(Kind::BadRequest, "the body cannot be used").with_causes(vec![cause])
}

/// Longest time that a request may wait for its action.
pub const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Reads a time to wait: `60`, `60s`, `5m`, `500ms`. No unit means seconds.
///
/// # Errors
/// It is none of these, or longer than [`LONGEST_WAIT`].
pub fn wait(text: &str) -> Result<Duration, Problem> {
    let digits = text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let duration = number.parse::<u64>().ok().and_then(|number| match unit {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        _ => None,
    });
    duration.filter(|duration| *duration <= LONGEST_WAIT).ok_or_else(|| {
        let longest = LONGEST_WAIT.as_secs() / 60;
        Problem::new(Kind::BadRequest, format!("wait={text}: it must be a time such as 60s, and at most {longest}m"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C-04
    #[test]
    fn an_empty_object_does_not_scale_to_nothing() {
        let problem = replicas(b"{}", "taskManagers").unwrap_err();
        assert_eq!(problem.kind, Kind::BadRequest);
        assert!(problem.to_string().contains("taskManagers: it is missing"), "{problem}");
    }

    #[test]
    fn numbers_may_be_text() {
        assert_eq!(replicas(br#"{"taskManagers": 2}"#, "taskManagers"), Ok(2));
        assert_eq!(replicas(br#"{"taskManagers": "2", "other": 1}"#, "taskManagers"), Ok(2));
        for body in [
            r#"{"parallelism": -1}"#,
            r#"{"parallelism": 1.5}"#,
            r#"{"parallelism": []}"#,
            r#"{"parallelism": 3000000000}"#,
        ] {
            assert!(replicas(body.as_bytes(), "parallelism").is_err(), "{body}");
        }
    }

    #[test]
    fn the_body_of_an_action_is_an_object() {
        assert_eq!(action_options(b"{}"), Ok(ActionOptions { without_savepoint: false }));
        assert_eq!(action_options(br#"{"withoutSavepoint":true}"#), Ok(ActionOptions { without_savepoint: true }));
        for body in ["", "  ", "null", "[]", "{", r#"{"withoutSavepoint": 1}"#] {
            assert!(action_options(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn times_to_wait_have_units() {
        assert_eq!(wait("60"), Ok(Duration::from_mins(1)));
        assert_eq!(wait("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(wait("2m"), Ok(Duration::from_mins(2)));
        for text in ["", "s", "1h", "-1s", "11m", "99999999999999999999s", "1 s"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }
}
