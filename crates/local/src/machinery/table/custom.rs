//! Columns of custom resources: their definition's `additionalPrinterColumns`.

use jiff::Timestamp;
use jsonpath_rust::parser::{model::JpQuery, parse_json_path};
use jsonpath_rust::query::js_path_process;
use serde_json::{Value, json};

use super::super::meta::{self, text};
use super::cells::{age, since};

/// A printer column, ready to use.
pub(crate) struct Column {
    definition: Value,
    kind: String,
    /// None if the path is none: its cells stay empty.
    path: Option<JpQuery>,
}

impl Column {
    pub fn new(column: &Value) -> Self {
        let kind = text(column, "/type").to_owned();
        let told = text(column, "/description");
        let description = if told.is_empty() {
            format!("Custom resource definition column (in JSONPath format): {}", text(column, "/jsonPath"))
        } else {
            told.to_owned()
        };
        let definition = json!({
            "name": column["name"], "type": kind, "format": text(column, "/format"), "description": description,
            "priority": column["priority"].as_i64().unwrap_or_default(),
        });
        let path = parse_json_path(&standard(text(column, "/jsonPath"))).ok();
        Self { definition, kind, path }
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let found: Vec<&Value> = self
            .path
            .as_ref()
            .and_then(|path| js_path_process(path, object).ok())
            .unwrap_or_default()
            .into_iter()
            .map(jsonpath_rust::query::QueryRef::val)
            .collect();
        let Some(first) = found.first().filter(|first| !first.is_null()) else { return Value::Null };
        match self.kind.as_str() {
            "integer" => first
                .as_i64()
                .or_else(|| first.as_f64().and_then(|n| format!("{n:.0}").parse().ok()))
                .map_or(Value::Null, Value::from),
            "number" => {
                if first.is_number() {
                    (*first).clone()
                } else {
                    Value::Null
                }
            }
            "boolean" => {
                if first.is_boolean() {
                    (*first).clone()
                } else {
                    Value::Null
                }
            }
            "date" => since(first.as_str().unwrap_or("<invalid>"), now).into(),
            _ => plain(first).into(),
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A path as Kubernetes writes it (`.metadata.annotations.a\.b`), in the form of RFC 9535.
fn standard(path: &str) -> String {
    let path = path.trim().trim_start_matches('{').trim_end_matches('}');
    if !path.contains('\\') {
        return format!("${}{path}", if path.starts_with(['.', '[']) { "" } else { "." });
    }
    let mut out = "$".to_owned();
    let mut name = String::new();
    let flush = |name: &mut String, out: &mut String| {
        if !name.is_empty() {
            out.extend(["[", &format!("{name:?}"), "]"]);
            name.clear();
        }
    };
    let mut characters = path.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => name.extend(characters.next()),
            '.' => flush(&mut name, &mut out),
            '[' => {
                flush(&mut name, &mut out);
                out.push('[');
                out.extend(characters.by_ref().take_while(|c| *c != ']'));
                out.push(']');
            }
            other => name.push(other),
        }
    }
    flush(&mut name, &mut out);
    out
}

fn name_column() -> Value {
    json!({"name": "Name", "type": "string", "format": "name", "description": "Name must be unique within a namespace.", "priority": 0})
}

/// Without columns of its own a definition has one, the age.
pub(super) fn definitions(columns: &[Column]) -> Vec<Value> {
    let mut all = vec![name_column()];
    all.extend(columns.iter().map(|column| column.definition.clone()));
    if columns.is_empty() {
        all.push(json!({"name": "Age", "type": "date", "format": "", "description": "", "priority": 0}));
    }
    all
}

pub(super) fn cells(columns: &[Column], object: &Value, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![meta::name(object).into()];
    cells.extend(columns.iter().map(|column| column.cell(object, now)));
    if columns.is_empty() {
        cells.push(age(object, now));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_follow_paths_and_types() {
        let object = json!({
            "metadata": {"name": "x", "creationTimestamp": "2026-01-01T00:00:00Z", "annotations": {"a.b/c": "yes"}},
            "spec": {"n": 3, "list": ["a", "b"], "on": true},
            "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}]},
        });
        let now: Timestamp = "2026-01-01T00:05:00Z".parse().expect("time");
        for (path, kind, expected) in [
            (".spec.n", "integer", json!(3)),
            (".spec.on", "boolean", json!(true)),
            (".spec.missing", "string", json!(null)),
            (".spec.n", "string", json!("3")),
            (".spec.list[1]", "string", json!("b")),
            (".spec.list[*]", "string", json!("a")),
            (".metadata.annotations.a\\.b/c", "string", json!("yes")),
            (".metadata.annotations['a.b/c']", "string", json!("yes")),
            (".metadata.creationTimestamp", "date", json!("5m")),
            (".status.conditions[?(@.type==\"Ready\")].status", "string", json!("True")),
            (".status.conditions[?(@.type=='Ready')].status", "string", json!("True")),
        ] {
            let column = Column::new(&json!({"name": "C", "type": kind, "jsonPath": path}));
            assert_eq!(column.cell(&object, now), expected, "{path}");
        }
    }
}
