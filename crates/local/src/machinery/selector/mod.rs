//! Label and field selectors: which objects a list or a watch sees.

mod parser;

use serde_json::Value;

use super::error::{Failure, Result};
use super::kinds::Kind;
use super::request::Query;

/// Both selectors of a request. The default matches everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    labels: Vec<Requirement>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    path: String,
    value: String,
    equal: bool,
}

impl Filter {
    /// The kind says which field paths it knows besides its name and namespace.
    pub fn of(query: &Query<'_>, kind: &Kind) -> Result<Self> {
        let labels = query.get("labelSelector").map(parse_labels).transpose()?.unwrap_or_default();
        let fields = query.get("fieldSelector").map(parse_fields).transpose()?.unwrap_or_default();
        for field in &fields {
            let known =
                matches!(field.path.as_str(), "metadata.name" | "metadata.namespace") || kind.selectable(&field.path);
            if !known {
                return Err(unknown_field(kind, &field.path));
            }
        }
        Ok(Self { labels, fields })
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub fn matches(&self, object: &Value) -> bool {
        self.labels.iter().all(|r| r.matches(object.pointer("/metadata/labels")))
            && self.fields.iter().all(|f| f.matches(object))
    }
}

/// Kinds differ in how they say that they do not know a field.
fn unknown_field(kind: &Kind, path: &str) -> Failure {
    let version = kind.api_version();
    Failure::bad_request(match kind.resource.as_str() {
        _ if kind.custom.is_some() => format!("field label not supported: {path}"),
        "replicasets" => format!("field label {path:?} not supported for appsv1.ReplicaSet"),
        "jobs" => format!("field label {path:?} not supported for batchv1.Job"),
        "pods" | "nodes" | "events" | "namespaces" | "secrets" | "services" if version == "v1" => {
            format!("field label not supported: {path}")
        }
        _ => format!("{path:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""),
    })
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>> {
    parser::requirements(text).map_err(Failure::bad_request)
}

fn parse_fields(text: &str) -> Result<Vec<Field>> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(parse_field).collect()
}

fn parse_field(part: &str) -> Result<Field> {
    let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = part.split_once("==") {
        (path, value, true)
    } else if let Some((path, value)) = part.split_once('=') {
        (path, value, true)
    } else {
        return Err(Failure::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'")));
    };
    Ok(Field { path: stored_path(path.trim()), value: value.trim().to_owned(), equal })
}

/// Events have two forms; selectors see the stored one.
fn stored_path(path: &str) -> String {
    match path {
        "source" => "source.component".to_owned(),
        "reportingController" => "reportingComponent".to_owned(),
        path => {
            path.strip_prefix("regarding.").map_or_else(|| path.to_owned(), |rest| format!("involvedObject.{rest}"))
        }
    }
}

impl Field {
    fn matches(&self, object: &Value) -> bool {
        let pointer = format!("/{}", self.path.replace('.', "/"));
        let found = match object.pointer(&pointer) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        };
        (found == self.value) == self.equal
    }
}

impl Requirement {
    fn matches(&self, labels: Option<&Value>) -> bool {
        let value = labels.and_then(|l| l.get(&self.key)).and_then(Value::as_str);
        match &self.test {
            Test::In(values) => value.is_some_and(|v| values.iter().any(|w| w == v)),
            Test::NotIn(values) => !value.is_some_and(|v| values.iter().any(|w| w == v)),
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::Greater(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v > *bound),
            Test::Less(bound) => value.and_then(|v| v.parse::<i64>().ok()).is_some_and(|v| v < *bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn label_selectors_select() {
        let labels = json!({"app": "flink", "tier": "a", "n": "5"});
        for (selector, expected) in [
            ("app=flink", true),
            ("app==flink,tier!=b", true),
            ("app!=flink", false),
            ("missing!=x", true),
            ("app in (flink, other)", true),
            ("app notin (flink)", false),
            ("app in(flink),tier", true),
            ("!tier", false),
            ("!missing", true),
            ("n>4", true),
            ("n<5", false),
            ("", true),
        ] {
            let requirements = parse_labels(selector).expect(selector);
            assert_eq!(requirements.iter().all(|r| r.matches(Some(&labels))), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_said_why() {
        for (selector, expected) in [
            ("a=b c", "found 'c', expected: ',' or 'end of string'"),
            ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
            ("a in b", "unable to parse requirement: found 'b' expected: '('"),
            ("a ~ b", "unable to parse requirement: found '~', expected: in, notin, =, ==, !=, gt, lt"),
            ("=b", "found '=', expected: !, identifier, or 'end of string'"),
            ("a,", "found '', expected: identifier after ','"),
        ] {
            assert_eq!(parse_labels(selector).expect_err(selector).message, expected, "{selector}");
        }
    }

    #[test]
    fn field_selectors_select() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {}});
        for (selector, expected) in [
            ("metadata.name=p", true),
            ("spec.nodeName!=n", false),
            ("status.phase=", true),
            ("status.phase!=Failed,spec.nodeName==n", true),
        ] {
            let fields = parse_fields(selector).expect(selector);
            assert_eq!(fields.iter().all(|f| f.matches(&pod)), expected, "{selector}");
        }
    }
}
