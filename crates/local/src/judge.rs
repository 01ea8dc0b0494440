//! Objects judged as an API server with our definitions would judge them, offline: they are offered to the machinery and forgotten.
//!
//! Not here: what a real cluster adds, such as quotas, admission policies and objects that exist already.

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::machinery::{Context, Machinery, Reply, Request, Settings, User};

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Path of the field, such as `spec.jobManager.serviceMode`; empty if it is about the whole.
    pub field: String,
    pub message: String,
}

/// An API server that stores nothing.
pub struct Judge {
    machinery: Machinery,
    asked: u64,
}

impl Judge {
    /// Knows the built-in kinds, and those of our definitions.
    pub fn new() -> Self {
        let mut judge = Self { machinery: Machinery::new(Settings::default()), asked: 0 };
        for definition in api::crds() {
            let body = serde_json::to_value(definition).expect("a definition is JSON");
            judge.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "", &body);
        }
        judge
    }

    /// What is wrong with an object; `None` if its kind is not known.
    pub fn judge(&mut self, object: &Value) -> Option<Vec<Fault>> {
        let (path, namespaced) = self.collection(object)?;
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("default").to_owned();
        let path = if namespaced {
            self.post("/api/v1/namespaces", "", &json!({ "metadata": { "name": namespace } }));
            let (version, plural) = path.rsplit_once('/')?;
            format!("{version}/namespaces/{namespace}/{plural}")
        } else {
            path
        };
        let strict = self.post(&path, "Strict", object);
        if strict.status < 400 {
            return Some(Vec::new());
        }
        let mut faults = unknown_fields(&strict.body);
        if faults.is_empty() {
            return Some(told(&strict.body));
        }
        // What is not known hides what is wrong with the rest.
        let rest = self.post(&path, "Ignore", object);
        if rest.status >= 400 {
            faults.extend(told(&rest.body));
        }
        Some(faults)
    }

    /// Path of the collection of a kind, and whether it lies in namespaces.
    fn collection(&mut self, object: &Value) -> Option<(String, bool)> {
        let version = object["apiVersion"].as_str().filter(|version| !version.is_empty())?;
        let base = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let known = self.send(Method::GET, &base, Vec::new(), Vec::new());
        let resources = known.body["resources"].as_array()?.iter();
        let is_it = |one: &&Value| {
            one["kind"] == object["kind"] && one["name"].as_str().is_some_and(|name| !name.contains('/'))
        };
        let found = resources.into_iter().find(is_it)?;
        Some((format!("{base}/{}", found["name"].as_str()?), found["namespaced"] == true))
    }

    fn post(&mut self, path: &str, validation: &str, body: &Value) -> Answer {
        let mut query = Vec::new();
        if !validation.is_empty() {
            query.push(("fieldValidation".to_owned(), validation.to_owned()));
            query.push(("dryRun".to_owned(), "All".to_owned()));
        }
        self.send(Method::POST, path, query, body.to_string().into_bytes())
    }

    fn send(&mut self, method: Method, path: &str, query: Vec<(String, String)>, body: Vec<u8>) -> Answer {
        self.asked += 1;
        let request = Request {
            method,
            path: path.to_owned(),
            query,
            content_type: Some("application/json".to_owned()),
            accept: None,
            user_agent: None,
            user: User::default(),
            body,
        };
        // The time is in nothing that is told.
        match self.machinery.handle(&request, &Context { now: Timestamp::UNIX_EPOCH, seed: self.asked }) {
            Reply::Json { status, body, .. } => Answer { status, body },
            Reply::Text { status, .. } => Answer { status, body: Value::Null },
            _ => Answer { status: 500, body: Value::Null },
        }
    }
}

impl Default for Judge {
    fn default() -> Self {
        Self::new()
    }
}

struct Answer {
    status: u16,
    body: Value,
}

/// Fields that the schema does not have, and those that are there twice.
fn unknown_fields(body: &Value) -> Vec<Fault> {
    let message = body["message"].as_str().unwrap_or_default();
    let Some((_, list)) = message.split_once("strict decoding error: ") else { return Vec::new() };
    list.split(", ")
        .map(|one| match one.split_once(" field ") {
            Some((what, field)) => Fault {
                field: field.trim_matches('"').to_owned(),
                message: match what {
                    "unknown" => "there is no such field; see docs/reference.md for those that there are".to_owned(),
                    "duplicate" => "it is there twice".to_owned(),
                    other => other.to_owned(),
                },
            },
            None => Fault { field: String::new(), message: one.to_owned() },
        })
        .collect()
}

/// The causes of a refusal, or the refusal as a whole.
fn told(body: &Value) -> Vec<Fault> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let causes = body.pointer("/details/causes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if causes.is_empty() {
        return vec![Fault { field: String::new(), message: text(&body["message"]) }];
    }
    let mut faults: Vec<Fault> = Vec::new();
    for cause in causes {
        let fault = Fault { field: text(&cause["field"]).replace("<nil>", ""), message: text(&cause["message"]) };
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(spec: &Value) -> Value {
        json!({ "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster", "metadata": { "name": "demo" }, "spec": spec })
    }

    fn fields(object: &Value) -> Vec<String> {
        Judge::new().judge(object).expect("a known kind").into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn what_an_api_server_would_take_has_no_fault() {
        let spec = json!({
            "runtime": { "image": "flink:2.1" }, "jobManager": {}, "taskManager": {}, "supervisor": { "image": "flinkctl:1" },
        });
        assert_eq!(fields(&cluster(&spec)), Vec::<String>::new());
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_fields() {
        let spec = json!({
            "runtime": { "image": "" }, "jobManager": { "serviceMod": "NodePort" }, "taskManager": { "taskSlots": 0 },
            "supervisor": { "image": "flinkctl:1" },
        });
        let found = fields(&cluster(&spec));
        for field in ["spec.jobManager.serviceMod", "spec.runtime.image", "spec.taskManager.taskSlots"] {
            assert!(found.iter().any(|one| one == field), "{field} in {found:?}");
        }
    }

    #[test]
    fn kinds_of_others_are_not_judged_and_built_in_ones_are() {
        let mut judge = Judge::new();
        assert_eq!(judge.judge(&json!({ "apiVersion": "example.org/v1", "kind": "Thing" })), None);
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "A_b" } });
        assert_eq!(judge.judge(&map).map(|faults| faults.len()), Some(1));
    }
}
