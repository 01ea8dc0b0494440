//! Writes to Kubernetes as the caller said them, and its refusals as problems.

use axum::http::{Method, Request};
use control_api::problem::Cause;
use control_api::{Kind, Problem};
use kit::client::{CallError, DEADLINE, call};
use kube::core::Status;
use serde_json::Value;

use super::Control;
use super::served::Served;

/// What was attempted, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Create,
    /// Anything that needs the object to be there.
    Change,
}

impl Control {
    /// The path of a resource, or of all of its kind.
    pub(super) fn path<K: Served>(&self, name: Option<&str>) -> String {
        let all = K::url_path(&(), Some(&self.0.namespace));
        name.map_or_else(|| all.clone(), |name| format!("{all}/{name}"))
    }

    /// One request to the API server with a JSON body. Fields that it does not know are refused, as `kubectl` does.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CallError> {
        let query = if method == Method::POST || method == Method::PUT { "?fieldValidation=Strict" } else { "" };
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}{query}"))
            .header("content-type", "application/json")
            .body(bytes)
            .expect("names in the path were validated");
        call(DEADLINE, self.0.client.request(request)).await
    }
}

/// A refusal as a problem.
pub fn refused<K: Served>(error: &CallError, attempt: Attempt, name: &str) -> Problem {
    let noun = K::TARGET.noun();
    let Some(status) = error.status() else {
        return Problem::new(Kind::Unavailable, format!("the Kubernetes API cannot be asked: {}", kit::chain(error)));
    };
    let message = &status.message;
    match status.code {
        404 if attempt == Attempt::Change => Problem::not_found(noun, name),
        409 if error.is_already_exists() => {
            Problem::new(Kind::Conflict, format!("{noun} {name} is there already; update it, or delete it first"))
        }
        409 => Problem::new(Kind::Conflict, format!("{noun} {name} was changed meanwhile: {message}")),
        400 | 422 => Problem::new(Kind::Invalid, message.clone()).with_causes(causes(status)),
        403 if error.is_terminating() => Problem::new(Kind::Conflict, message.clone()),
        403 => Problem::new(Kind::KubernetesRefused, format!("the operator may not do this: {message}")),
        429 | 503 | 504 => Problem::new(Kind::Unavailable, message.clone()),
        _ => Problem::new(Kind::KubernetesRefused, message.clone()),
    }
}

fn causes(status: &Status) -> Vec<Cause> {
    let told: Vec<Cause> = status
        .details
        .iter()
        .flat_map(|details| &details.causes)
        .map(|cause| Cause { field: cause.field.clone(), message: cause.message.clone() })
        .collect();
    if told.is_empty() { of_strict_decoding(&status.message) } else { told }
}

/// Fields that are unknown or there twice are told in a sentence only.
fn of_strict_decoding(message: &str) -> Vec<Cause> {
    let Some((_, list)) = message.split_once("strict decoding error: ") else { return Vec::new() };
    let cause = |part: &str| {
        let (what, field) = part.trim().split_once(" \"")?;
        Some(Cause { field: field.trim_end_matches('"').to_owned(), message: what.to_owned() })
    };
    list.split(", ").filter_map(cause).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_causes() {
        let message = r#"FlinkJob in version "v1" cannot be handled as a FlinkJob: strict decoding error: unknown field "spec.a", duplicate field "spec.b.c""#;
        let causes = of_strict_decoding(message);
        let told: Vec<_> = causes.iter().map(|cause| (cause.field.as_str(), cause.message.as_str())).collect();
        assert_eq!(told, [("spec.a", "unknown field"), ("spec.b.c", "duplicate field")]);
        assert!(of_strict_decoding("anything else").is_empty());
    }

    #[test]
    fn answers_of_kubernetes_become_kinds() {
        let kind = |code: u16, reason: &str, attempt| {
            let status = Status::failure("no", reason).with_code(code).boxed();
            refused::<api::FlinkJob>(&CallError::Kube(kube::Error::Api(status)), attempt, "a-b").kind
        };
        assert_eq!(kind(404, "NotFound", Attempt::Change), Kind::NotFound);
        assert_eq!(kind(404, "NotFound", Attempt::Create), Kind::KubernetesRefused);
        assert_eq!(kind(409, "AlreadyExists", Attempt::Create), Kind::Conflict);
        assert_eq!(kind(422, "Invalid", Attempt::Create), Kind::Invalid);
        assert_eq!(kind(403, "Forbidden", Attempt::Change), Kind::KubernetesRefused);
        assert_eq!(kind(500, "InternalError", Attempt::Change), Kind::KubernetesRefused);
    }
}
