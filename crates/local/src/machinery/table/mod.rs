//! Tables, as `kubectl get` prints them: columns and rows, made by the server.

mod builtin;
mod cells;
mod custom;
mod pods;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::request::Include;

pub(crate) use custom::Column as CustomColumn;

/// What is said of a column.
struct Column {
    name: &'static str,
    kind: &'static str,
    /// 0 is always shown, 1 with `-o wide`.
    priority: i64,
}

const fn column(name: &'static str, kind: &'static str, priority: i64) -> Column {
    Column { name, kind, priority }
}

/// A table of objects. `head`: columns are described, as in every table but the later events of a watch.
pub(crate) fn table(
    kind: &Kind,
    objects: &[Arc<Value>],
    metadata: &Value,
    include: Include,
    now: Timestamp,
    head: bool,
) -> Value {
    let definitions = head.then(|| definitions(kind));
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let mut row = json!({"cells": cells_of(kind, object, now)});
            match include {
                Include::Nothing => row["object"] = Value::Null,
                Include::Metadata => row["object"] = super::present::partial(object),
                Include::Object => row["object"] = super::present::whole(kind, object),
            }
            row
        })
        .collect();
    json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": definitions, "rows": rows})
}

fn definitions(kind: &Kind) -> Vec<Value> {
    if let Some(custom) = &kind.custom {
        return custom::definitions(&custom.columns);
    }
    let format = |column: &Column| if column.name == "Name" { "name" } else { "" };
    builtin::columns(kind)
        .iter()
        .map(|column| json!({"name": column.name, "type": column.kind, "format": format(column), "description": "", "priority": column.priority}))
        .collect()
}

fn cells_of(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    match &kind.custom {
        Some(custom) => custom::cells(&custom.columns, object, now),
        None => builtin::cells(kind, object, now),
    }
}
