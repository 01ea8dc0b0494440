//! Patches: what each kind of patch makes of a document. Writing the outcome is the business of the verbs.

mod order;
mod strategic;

use serde_json::Value;

use super::error::{Failure, Result};
use super::fields::Node;

pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// Patches `document` in place. `root`: how lists merge, where the patch asks for that.
pub(crate) fn patch(media: &str, root: Node<'_>, document: &mut Value, body: &[u8]) -> Result<()> {
    match media {
        JSON_PATCH => {
            let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|error| undecodable(&error))?;
            json_patch::patch(document, &patch).map_err(|_| rejected())
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
