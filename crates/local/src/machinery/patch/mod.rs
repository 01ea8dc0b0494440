//! Patches: what each kind of patch makes of a document. Writing the outcome is the business of the verbs.

mod order;
mod strategic;

use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;

use super::error::{Failure, Result};
use super::fields::Node;

pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// Patches `document` in place. `root`: how lists merge, where the patch asks for that.
pub(crate) fn patch(media: &str, root: Node<'_>, document: &mut Value, body: &[u8]) -> Result<()> {
    outcome(media, root, document, body)?;
    super::request::whole_numbers(document);
    Ok(())
}

fn outcome(media: &str, root: Node<'_>, document: &mut Value, body: &[u8]) -> Result<()> {
    match media {
        JSON_PATCH => {
            let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|error| undecodable(&error))?;
            patch.0.into_iter().try_for_each(|operation| operate(document, operation)).map_err(|_| rejected())
        }
        MERGE | STRATEGIC => {
            let patch: Value = serde_json::from_slice(body).map_err(|error| undecodable(&error))?;
            if !patch.is_object() {
                return Err(Failure::bad_request(
                    "error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}",
                ));
            }
            if media == MERGE {
                json_patch::merge(document, &patch);
            } else {
                strategic::merge(root, document, &patch)?;
            }
            Ok(())
        }
        _ => Err(unsupported(true)),
    }
}

/// One operation of a JSON patch. What the server's library allows beyond the standard is allowed here.
fn operate(document: &mut Value, operation: PatchOperation) -> std::result::Result<(), json_patch::PatchError> {
    let absent = |path: &str| document.pointer(path).is_none();
    let operation = match operation {
        // A field that is not there can be replaced, and is null to a test.
        PatchOperation::Replace(replace)
            if absent(replace.path.as_str()) && has_parent(document, replace.path.as_str()) =>
        {
            PatchOperation::Add(AddOperation { path: replace.path, value: replace.value })
        }
        PatchOperation::Test(test)
            if test.value.is_null() && absent(test.path.as_str()) && has_parent(document, test.path.as_str()) =>
        {
            return Ok(());
        }
        other => other,
    };
    json_patch::patch(document, &[operation])
}

/// Whether a path leads to a field of a map that is there.
fn has_parent(document: &Value, path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(parent, _)| document.pointer(parent).is_some_and(Value::is_object))
}

fn undecodable(error: &serde_json::Error) -> Failure {
    Failure::bad_request(format!("error decoding patch: {error}"))
}

/// A patch that does not fit the object (a failed `test`, a path that is not there). The server does not say more.
fn rejected() -> Failure {
    Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
        .with(serde_json::json!({}))
}

pub(crate) fn unsupported(builtin: bool) -> Failure {
    let accepted =
        if builtin { [JSON_PATCH, MERGE, STRATEGIC, APPLY].join(", ") } else { [JSON_PATCH, MERGE, APPLY].join(", ") };
    Failure::unsupported_media_type(&accepted)
}
