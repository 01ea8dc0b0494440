//! Label and field selectors: which objects a list or a watch sees.

use serde_json::Value;

use super::builtin;
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
    Parser { rest: text }
        .requirements()
        .map_err(|why| Failure::bad_request(format!("unable to parse requirement: {why}")))
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

/// `a=b,c in (d,e),!f,g`
struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn requirements(mut self) -> std::result::Result<Vec<Requirement>, String> {
        let mut all = Vec::new();
        loop {
            self.space();
            if self.rest.is_empty() {
                return Ok(all);
            }
            all.push(self.requirement()?);
            self.space();
            if !self.rest.is_empty() && !self.take(",") {
                return Err(format!("found '{}', expected: ',' or 'end of string'", self.token()));
            }
        }
    }

    fn requirement(&mut self) -> std::result::Result<Requirement, String> {
        if self.take("!") {
            return Ok(Requirement { key: self.key()?, test: Test::Missing });
        }
        let key = self.key()?;
        self.space();
        let test = if self.take("==") || self.take("=") {
            Test::In(vec![self.operand()?])
        } else if self.take("!=") {
            Test::NotIn(vec![self.operand()?])
        } else if self.take(">") {
            Test::Greater(self.value().parse().map_err(|_| "for 'Gt', the value must be an integer".to_owned())?)
        } else if self.take("<") {
            Test::Less(self.value().parse().map_err(|_| "for 'Lt', the value must be an integer".to_owned())?)
        } else if self.take("notin ") || self.take("notin(") {
            Test::NotIn(self.set()?)
        } else if self.take("in ") || self.take("in(") {
            Test::In(self.set()?)
        } else if self.rest.is_empty() || self.rest.starts_with(',') {
            Test::Exists
        } else {
            return Err(format!("found '{}', expected: in, notin, =, ==, !=, gt, lt", self.token()));
        };
        if let Test::In(values) | Test::NotIn(values) = &test {
            for (index, value) in values.iter().enumerate() {
                if let Some(wrong) = builtin::label_value(value).first() {
                    return Err(format!("values[{index}][{key}]: Invalid value: {value:?}: {wrong}"));
                }
            }
        }
        Ok(Requirement { key, test })
    }

    fn set(&mut self) -> std::result::Result<Vec<String>, String> {
        self.space();
        self.take("(");
        let (inside, rest) = self.rest.split_once(')').ok_or("found '', expected: ')'")?;
        self.rest = rest;
        Ok(inside.split(',').map(|v| v.trim().to_owned()).collect())
    }

    fn word(&mut self) -> std::result::Result<String, String> {
        let word = self.value();
        if word.is_empty() { Err(format!("found '{}', expected: identifier", self.token())) } else { Ok(word) }
    }

    fn key(&mut self) -> std::result::Result<String, String> {
        let key = self.word()?;
        match builtin::qualified_name(&key).first() {
            Some(wrong) => Err(format!("<nil>: Invalid value: {key:?}: {wrong}")),
            None => Ok(key),
        }
    }

    /// What stands next, for messages.
    fn token(&self) -> &str {
        let rest = self.rest.trim_start();
        let special = |c: char| "=!(),<>".contains(c);
        let end = match rest.chars().next() {
            Some(first) if special(first) => 1,
            _ => rest.find(|c: char| special(c) || c.is_whitespace()).unwrap_or(rest.len()),
        };
        &rest[..end]
    }

    /// The value after an operator; none at all is an empty one.
    fn operand(&mut self) -> std::result::Result<String, String> {
        let value = self.value();
        if value.is_empty() && !self.rest.is_empty() && !self.rest.starts_with(',') {
            return Err(format!("found '{}', expected: identifier", self.token()));
        }
        Ok(value)
    }

    fn value(&mut self) -> String {
        self.space();
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.to_owned()
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        true
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
        assert!(parse_labels("a=b c").is_err());
        assert!(parse_labels("a in (b").is_err());
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
