//! JSON patches that say what they are based on, so that nothing written meanwhile by others is overwritten.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Outcome;
use crate::client::{CallError, DEADLINE, call};

/// Applies the operations. A `test` that fails is a [`Outcome::Conflict`].
pub async fn json<K>(api: &Api<K>, name: &str, operations: &[Value]) -> Result<Outcome<K>, CallError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let patch = serde_json::from_value(Value::Array(operations.to_vec()))
        .map_err(|why| CallError::Kube(kube::Error::SerdeError(why)))?;
    let answer = call(DEADLINE, api.patch(name, &PatchParams::default(), &Patch::Json::<()>(patch))).await;
    match answer {
        // The API server answers 422 both for a failed test and for an object that validation refuses; only the latter names causes.
        Err(error) if is_failed_test(&error) => Ok(Outcome::Conflict),
        answer => Outcome::of(answer),
    }
}

fn is_failed_test(error: &CallError) -> bool {
    error.status().is_some_and(|status| {
        status.code == 422 && status.details.as_ref().is_none_or(|details| details.causes.is_empty())
    })
}

/// `test` of a member.
pub fn test(path: &str, value: impl Into<Value>) -> Value {
    json!({"op": "test", "path": path, "value": value.into()})
}

/// `add` (or replace) of a member.
pub fn add(path: &str, value: impl Into<Value>) -> Value {
    json!({"op": "add", "path": path, "value": value.into()})
}

/// `remove` of a member.
pub fn remove(path: &str) -> Value {
    json!({"op": "remove", "path": path})
}

/// Makes the whole patch conditional on the observed resourceVersion.
pub fn at_version(resource_version: &str) -> Value {
    test("/metadata/resourceVersion", resource_version)
}

/// A member name as a part of a JSON pointer.
pub fn escape(member: &str) -> String {
    member.replace('~', "~0").replace('/', "~1")
}

/// The operations that add a finalizer, or none when it is there.
pub fn add_finalizer(present: &[String], finalizer: &str) -> Vec<Value> {
    if present.iter().any(|one| one == finalizer) {
        return Vec::new();
    }
    if present.is_empty() {
        return vec![add("/metadata/finalizers", json!([finalizer]))];
    }
    vec![add("/metadata/finalizers/-", finalizer)]
}

/// The operations that remove one finalizer and leave those of others, or none when it is not there.
pub fn remove_finalizer(present: &[String], finalizer: &str) -> Vec<Value> {
    let Some(index) = present.iter().position(|one| one == finalizer) else {
        return Vec::new();
    };
    let path = format!("/metadata/finalizers/{index}");
    vec![test(&path, finalizer), remove(&path)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{add_finalizer, escape, is_failed_test, remove_finalizer};
    use crate::client::CallError;

    ///
    #[test]
    fn only_our_finalizer_is_touched() {
        let present = ["a".to_owned(), "ours".to_owned()];
        assert!(add_finalizer(&present, "ours").is_empty());
        assert_eq!(
            add_finalizer(&[], "ours"),
            [json!({"op": "add", "path": "/metadata/finalizers", "value": ["ours"]})]
        );
        assert_eq!(
            remove_finalizer(&present, "ours"),
            [
                json!({"op": "test", "path": "/metadata/finalizers/1", "value": "ours"}),
                json!({"op": "remove", "path": "/metadata/finalizers/1"}),
            ]
        );
        assert!(remove_finalizer(&["a".to_owned()], "ours").is_empty());
    }

    #[test]
    fn a_pointer_escapes_slashes() {
        assert_eq!(
            escape("operator.nextbreakpoint.com/requested-action"),
            "operator.nextbreakpoint.com~1requested-action"
        );
    }

    #[test]
    fn a_failed_test_is_not_a_refused_object() {
        let failed = kube::core::Status::failure("the server rejected our request", "Invalid").with_code(422);
        assert!(is_failed_test(&CallError::Kube(kube::Error::Api(failed.boxed()))));
    }
}
