//! How a stored object looks in an answer: in the version that was asked for, whole, as metadata only, or as table rows.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::request::{Include, Shape};
use super::{builtin, custom};
use super::{model, table};

/// One object. `head`: the columns of a table are described.
pub(crate) fn single(
    kind: &Kind,
    object: &Arc<Value>,
    shape: Shape,
    include: Include,
    now: Timestamp,
    head: bool,
) -> Value {
    let object = &custom::shown(kind, object);
    match shape {
        Shape::Metadata | Shape::MetadataList => partial(object),
        Shape::Table => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            table::table(kind, std::slice::from_ref(object), &metadata, include, now, head)
        }
        Shape::Plain | Shape::Discovery { .. } => whole(kind, object),
    }
}

/// What a list says about itself.
pub(crate) struct Page {
    pub revision: u64,
    pub next: Option<String>,
    pub remaining: Option<usize>,
}

pub(crate) fn list(
    kind: &Kind,
    objects: &[Arc<Value>],
    page: Page,
    shape: Shape,
    include: Include,
    now: Timestamp,
) -> Value {
    let objects: Vec<Arc<Value>> = objects.iter().map(|object| custom::shown(kind, object)).collect();
    let mut metadata = json!({"resourceVersion": page.revision.to_string()});
    if let Some(next) = page.next {
        metadata["continue"] = next.into();
    } else if kind.custom.is_some() && matches!(shape, Shape::Plain | Shape::Discovery { .. }) {
        metadata["continue"] = "".into();
    }
    if let Some(remaining) = page.remaining {
        metadata["remainingItemCount"] = remaining.into();
    }
    match shape {
        Shape::Metadata | Shape::MetadataList => {
            let items: Vec<Value> = objects.iter().map(|object| partial(object)).collect();
            let items = if items.is_empty() { Value::Null } else { Value::Array(items) };
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items})
        }
        Shape::Table => table::table(kind, &objects, &metadata, include, now, true),
        Shape::Plain | Shape::Discovery { .. } => {
            let mut items: Vec<Value> = objects.iter().map(|object| whole(kind, object)).collect();
            // Items of built-in kinds do not say what they are: the list does.
            for item in items.iter_mut().filter_map(Value::as_object_mut).filter(|_| kind.custom.is_none()) {
                item.remove("kind");
                item.remove("apiVersion");
            }
            json!({"kind": kind.list_name, "apiVersion": kind.api_version(), "metadata": metadata, "items": items})
        }
    }
}

pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// The object in the kind's version.
pub(crate) fn whole(kind: &Kind, object: &Value) -> Value {
    let mut object = object.clone();
    if kind.renames_events() {
        builtin::events::to_new(&mut object);
        if let Some(name) = model::type_of(kind) {
            model::reduce(&name, &mut object);
            model::complete(&name, &mut object);
        }
    }
    object["apiVersion"] = kind.api_version().into();
    object["kind"] = kind.name.as_str().into();
    object
}
