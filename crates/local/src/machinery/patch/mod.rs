//! Patches: what each kind of patch makes of a document. Writing the outcome is the business of the verbs.

mod order;
mod strategic;

use json_patch::{AddOperation, PatchOperation};
use serde_json::Value;

use super::error::{Failure, Result};
use super::fields::Node;
use super::{model, syntax};
pub(crate) use order::written;

pub(crate) const JSON_PATCH: &str = "application/json-patch+json";
pub(crate) const MERGE: &str = "application/merge-patch+json";
pub(crate) const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub(crate) const APPLY: &str = "application/apply-patch+yaml";

/// More operations are too many for one patch.
const OPERATIONS: usize = 10_000;

/// Patches `document` in place. `root`: how lists merge, where the patch asks for that.
pub(crate) fn patch(media: &str, root: Node<'_>, document: &mut Value, body: &[u8]) -> Result<()> {
    outcome(media, root, document, body)?;
    super::request::whole_numbers(document);
    Ok(())
}

fn outcome(media: &str, root: Node<'_>, document: &mut Value, body: &[u8]) -> Result<()> {
    match media {
        JSON_PATCH => {
            operations(body)?.into_iter().try_for_each(|operation| operate(document, operation)).map_err(|_| rejected())
        }
        MERGE | STRATEGIC => {
            let prefix = if media == MERGE { "error decoding patch: " } else { "" };
            let patch: Value = serde_json::from_slice(body)
                .map_err(|_| Failure::bad_request(format!("{prefix}{}", syntax::error(body))))?;
            if !patch.is_object() {
                let found = syntax::shape(&patch);
                return Err(Failure::bad_request(format!(
                    "{prefix}json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
                )));
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

/// The outcome of a patch as messages show it; of a strategic one the patch itself.
pub(crate) fn shown(media: &str, name: Option<&str>, document: &Value, body: &[u8]) -> String {
    let patch: Value = serde_json::from_slice(body).unwrap_or_default();
    match media {
        STRATEGIC => written(&patch),
        JSON_PATCH => model::shown(name, document, &reached(&patch)),
        _ => model::shown(name, document, &patch),
    }
}

/// What is said of members of a JSON patch's operations that nobody knows.
pub(crate) fn unknown(media: &str, body: &[u8]) -> Vec<String> {
    if media != JSON_PATCH {
        return Vec::new();
    }
    let patch: Value = serde_json::from_slice(body).unwrap_or_default();
    let operations = patch.as_array().into_iter().flatten().enumerate();
    let known = |field: &str| matches!(field, "op" | "path" | "from" | "value");
    operations
        .flat_map(|(index, operation)| {
            let fields = operation.as_object().into_iter().flatten().filter(|(field, _)| !known(field));
            fields.map(move |(field, _)| format!("json patch unknown field \"[{index}].{field}\"")).collect::<Vec<_>>()
        })
        .collect()
}

/// How far the operations of a JSON patch reach into a document.
fn reached(patch: &Value) -> Value {
    let mut reached = serde_json::json!({});
    for operation in patch.as_array().into_iter().flatten() {
        let mut at = &mut reached;
        let path = operation["path"].as_str().unwrap_or_default();
        let parents = path.rsplit_once('/').map_or("", |(parents, _)| parents);
        for part in parents.split('/').skip(1) {
            at = &mut at[part];
            if !at.is_object() {
                *at = serde_json::json!({});
            }
        }
    }
    reached
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

/// The operations of a JSON patch. One that is none is refused only when its turn would come.
fn operations(body: &[u8]) -> Result<Vec<PatchOperation>> {
    let wrong = |why: String| Failure::bad_request(format!("error decoding patch: {why}"));
    let patch: Value = serde_json::from_slice(body).map_err(|_| wrong(syntax::error(body)))?;
    let Value::Array(operations) = patch else {
        let found = syntax::shape(&patch);
        return Err(wrong(format!("json: cannot unmarshal {found} into Go value of type []handlers.jsonPatchOp")));
    };
    if operations.len() > OPERATIONS {
        let message = format!(
            "Request entity too large: The allowed maximum operations in a JSON patch is {OPERATIONS}, got {}",
            operations.len()
        );
        return Err(Failure::new(413, "RequestEntityTooLarge", message).with(serde_json::json!({})));
    }
    operations.into_iter().map(|operation| serde_json::from_value(operation).map_err(|_| rejected())).collect()
}

/// A patch that does not fit the object (a failed `test`, a path that is not there). The server does not say more.
fn rejected() -> Failure {
    Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
        .with(serde_json::json!({}))
}

pub(crate) fn unsupported(builtin: bool) -> Failure {
    if builtin {
        return Failure::new(415, "UnsupportedMediaType", "415: Unsupported Media Type").with(serde_json::json!({}));
    }
    Failure::unsupported_media_type(&[JSON_PATCH, MERGE, APPLY].join(", "))
}
