//! Answers without what nobody chose: uids, versions, times, generated names, addresses.
//!
//! Equal values stay equal and different ones different, so a write that changed nothing, or gave a new uid, is still seen.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

static UID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").expect("a constant"));
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z").expect("a constant"));
/// Versions in messages.
static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)(resource ?version[a-z ]*["\\]*:? ?["\\(]*)(\d+)( \(\d+\))?"#).expect("a constant")
});
static AGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^(\d+[dhms])+$").expect("a constant"));

/// What one server has shown so far in a program.
#[derive(Default)]
pub struct Normal {
    uids: BTreeMap<String, usize>,
    versions: BTreeMap<String, usize>,
    names: BTreeMap<String, String>,
}

impl Normal {
    /// The answer in normal form.
    pub fn of(&mut self, answer: &Value) -> Value {
        self.value(answer, "")
    }

    fn value(&mut self, value: &Value, key: &str) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text, key)),
            // Writers are ordered by the second in which they wrote.
            Value::Array(items) if key == "managedFields" => {
                let mut items = items.clone();
                items.sort_by_key(|item| {
                    ["operation", "manager", "apiVersion", "subresource"].map(|name| item[name].to_string())
                });
                items.iter().map(|item| self.value(item, "")).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.value(item, key)).collect(),
            Value::Object(members) => {
                self.learn(members);
                let now = tells_how_far(members);
                let mut normal: Map<String, Value> = members
                    .iter()
                    .map(|(name, member)| match member {
                        Value::Object(metadata) if now && name == "metadata" => (name.clone(), self.of_now(metadata)),
                        member => (self.uid_free(name), self.value(member, name)),
                    })
                    .collect();
                unorder(&mut normal);
                Value::Object(normal)
            }
            other => other.clone(),
        }
    }

    /// Metadata whose version says how far the server is: it is not one of those that are told apart.
    fn of_now(&mut self, metadata: &Map<String, Value>) -> Value {
        let normal = metadata.iter().map(|(name, member)| match name.as_str() {
            "resourceVersion" => (name.clone(), "<now>".into()),
            _ => (name.clone(), self.value(member, name)),
        });
        Value::Object(normal.collect())
    }

    /// A name of a member, which may hold a uid.
    fn uid_free(&mut self, name: &str) -> String {
        UID.replace_all(name, |found: &Captures<'_>| number(&mut self.uids, &found[0], "uid")).into_owned()
    }

    fn learn(&mut self, members: &Map<String, Value>) {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if let (Some(stem), Some(name)) = (text("generateName"), text("name"))
            && name.len() == stem.len() + 5
            && name.starts_with(stem)
        {
            let next = self.names.len() + 1;
            self.names.entry(name.to_owned()).or_insert_with(|| format!("{stem}<{next}>"));
        }
        // A refusal names what it would have generated, and blames what it would have generated it from.
        let causes = members.get("causes").and_then(Value::as_array).into_iter().flatten();
        let stem = causes
            .filter(|cause| cause["field"] == "metadata.generateName")
            .find_map(|cause| cause["message"].as_str()?.split('"').nth(1).map(str::to_owned));
        if let (Some(stem), Some(name)) = (stem, text("name"))
            && name.len() == stem.len() + 5
            && name.starts_with(&stem)
        {
            let next = self.names.len() + 1;
            self.names.entry(name.to_owned()).or_insert_with(|| format!("{stem}<{next}>"));
        }
    }

    fn text(&mut self, text: &str, key: &str) -> String {
        match key {
            "resourceVersion" => return number(&mut self.versions, text, "version"),
            "continue" if !text.is_empty() => return "<continue>".to_owned(),
            "clusterIP" | "clusterIPs" | "podIP" | "hostIP" | "ip" if text.contains('.') => {
                return "<address>".to_owned();
            }
            // Prose, which is each server's own.
            "description" => return "<prose>".to_owned(),
            "cells" if AGE.is_match(text) => return "<age>".to_owned(),
            _ => {}
        }
        let mut text = TIME.replace_all(text, "<time>").into_owned();
        text = UID.replace_all(&text, |found: &Captures<'_>| number(&mut self.uids, &found[0], "uid")).into_owned();
        text = VERSION.replace_all(&text, "$1<version>").into_owned();
        for (name, normal) in &self.names {
            text = text.replace(name, normal);
        }
        text
    }
}

/// Puts in one order what has none: resources of a group, conflicts of an apply, what is wrong with a custom resource, and what is wrong with the schemas
/// of a definition: the server walks through maps in no order.
fn unorder(members: &mut Map<String, Value>) {
    if let Some(resources) = members.get_mut("resources").and_then(Value::as_array_mut)
        && resources.iter().all(|resource| resource["name"].is_string())
    {
        resources.sort_by_cached_key(|resource| resource["name"].to_string());
    }
    let Some(details) = members.get("details") else { return };
    let group = details["group"].as_str().unwrap_or_default().to_owned();
    let custom = group.rsplit('.').next() == Some("test") || group == "nextbreakpoint.com";
    let definition = group == "apiextensions.k8s.io";
    let conflicts = details["causes"][0]["reason"] == "FieldManagerConflict";
    // Keys of one map are looked at in any order.
    let of_key = |cause: &Value| {
        let field = cause["field"].as_str().unwrap_or_default();
        ["data[", "binaryData["].iter().any(|map| field.starts_with(map))
    };
    let keys = details["causes"].as_array().is_some_and(|causes| causes.iter().all(of_key));
    let list = told(&details["causes"]);
    let causes = members.get_mut("details").and_then(|details| details.get_mut("causes"));
    let Some(causes) = causes.and_then(Value::as_array_mut) else { return };
    if custom || conflicts || keys {
        causes.sort_by_cached_key(Value::to_string);
    } else if definition {
        let of_schema = |cause: &Value| cause["field"].as_str().is_some_and(|field| field.contains("openAPIV3Schema"));
        causes
            .chunk_by_mut(|a, b| of_schema(a) && of_schema(b))
            .for_each(|run| run.sort_by_cached_key(Value::to_string));
    }
    // A message that lists the causes says nothing else; one that lists something else stays as it is.
    if let Some(Value::String(message)) = members.get_mut("message").filter(|_| custom || definition || keys)
        && let Some(head) = message.strip_suffix(&format!(" is invalid: [{list}]"))
    {
        *message = format!("{head} is invalid: [<causes>]");
    }
}

/// Causes as a message lists them: each once.
fn told(causes: &Value) -> String {
    let mut lines: Vec<String> = Vec::new();
    for cause in causes.as_array().into_iter().flatten() {
        let text = |key: &str| cause[key].as_str().unwrap_or_default();
        let line = format!("{}: {}", text("field"), text("message"));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.join(", ")
}

fn number(seen: &mut BTreeMap<String, usize>, value: &str, what: &str) -> String {
    let next = seen.len() + 1;
    format!("<{what} {}>", seen.entry(value.to_owned()).or_insert(next))
}

/// Lists, tables and bookmarks: their version says how far the server is, which other clients decide.
fn tells_how_far(members: &Map<String, Value>) -> bool {
    let bookmark = || {
        members.get("metadata").is_some_and(|metadata| metadata.get("uid").is_none() && metadata.get("name").is_none())
    };
    members.contains_key("items") || members.contains_key("rows") || bookmark()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_stays_equal_and_different_stays_different() {
        let mut normal = Normal::default();
        let object = |version: &str| json!({ "metadata": { "name": "a", "uid": "0b0a6a9c-0f2e-4b7e-8f3a-3f1c4bb1c111", "resourceVersion": version, "creationTimestamp": "2030-01-02T03:04:05Z" } });
        let first = normal.of(&object("17"));
        assert_eq!(
            first["metadata"],
            json!({ "name": "a", "uid": "<uid 1>", "resourceVersion": "<version 1>", "creationTimestamp": "<time>" })
        );
        assert_eq!(normal.of(&object("17")), first);
        assert_eq!(normal.of(&object("18"))["metadata"]["resourceVersion"], "<version 2>");
    }

    #[test]
    fn the_version_of_a_list_is_not_compared_but_those_of_its_items_are() {
        let list = json!({ "metadata": { "resourceVersion": "90" }, "items": [{ "metadata": { "name": "a", "resourceVersion": "7" } }] });
        let normal = Normal::default().of(&list);
        assert_eq!(normal["metadata"]["resourceVersion"], "<now>");
        assert_eq!(normal["items"][0]["metadata"]["resourceVersion"], "<version 1>");
    }

    #[test]
    fn causes_without_an_order_are_put_in_one() {
        let status = |group: &str, fields: [&str; 2], message: &str| {
            let causes = fields.map(|field| json!({ "field": field, "message": "bad" }));
            let status = json!({ "message": message, "details": { "group": group, "causes": causes } });
            Normal::default().of(&status)
        };
        let one = status("example.test", ["a", "b"], "x is invalid: [a: bad, b: bad]");
        assert_eq!(one, status("example.test", ["b", "a"], "x is invalid: [b: bad, a: bad]"));
        assert_ne!(one, status("example.test", ["b", "a"], "x is invalid: [b: bad, a: worse]"));
        let (a, b) = ("spec.validation.openAPIV3Schema.a", "spec.validation.openAPIV3Schema.b");
        assert_eq!(status("apiextensions.k8s.io", [a, b], ""), status("apiextensions.k8s.io", [b, a], ""));
        assert_ne!(status("apiextensions.k8s.io", [a, "spec"], ""), status("apiextensions.k8s.io", ["spec", a], ""));
    }

    #[test]
    fn generated_names_and_ages_are_nobodys_choice() {
        let mut normal = Normal::default();
        normal.of(&json!({ "metadata": { "generateName": "job-", "name": "job-x7k2p" } }));
        assert_eq!(normal.of(&json!("configmaps \"job-x7k2p\" not found")), "configmaps \"job-<1>\" not found");
        assert_eq!(normal.of(&json!({ "cells": ["a", "5m3s"] })), json!({ "cells": ["a", "<age>"] }));
    }
}
