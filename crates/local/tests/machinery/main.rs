//! Programs against the API machinery: requests in, answers and events out, without server, clock or chance.

mod custom;
mod deletion;
mod reading;
mod writing;

use http::Method;
use jiff::{SignedDuration, Timestamp};
use local::machinery::{Context, Machinery, Reply, Request, Settings, User, Watch};
use serde_json::{Value, json};

/// A cluster with the namespace `ns`, and a client of it.
pub(crate) struct Cluster {
    pub machinery: Machinery,
    pub now: Timestamp,
    seed: u64,
}

pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

impl Answer {
    /// The body of a success.
    pub fn ok(self) -> Value {
        assert!(self.status < 300, "{}: {}", self.status, self.body);
        self.body
    }

    /// Code and message of a failure.
    pub fn refused(self) -> (u16, String) {
        assert_eq!(self.body["status"], "Failure", "{}", self.body);
        assert_eq!(self.body["code"], self.status);
        (self.status, self.body["message"].as_str().unwrap_or_default().to_owned())
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        Self::with(Settings { service_subnet: 7, history: 1000, controllers: false })
    }

    pub fn with(settings: Settings) -> Self {
        let mut cluster =
            Self { machinery: Machinery::new(settings), now: "2026-01-01T00:00:00Z".parse().expect("a time"), seed: 0 };
        cluster.post("/api/v1/namespaces", &json!({"metadata": {"name": "ns"}})).ok();
        cluster
    }

    pub fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub fn request(
        &mut self,
        method: Method,
        path: &str,
        content_type: &str,
        accept: Option<&str>,
        body: Vec<u8>,
    ) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key.to_owned(), value.to_owned())
        };
        let request = Request {
            method,
            path: path.to_owned(),
            query: query.split('&').filter(|part| !part.is_empty()).map(pair).collect(),
            content_type: Some(content_type.to_owned()),
            accept: accept.map(str::to_owned),
            user_agent: Some("test/1".to_owned()),
            user: User::default(),
            body,
        };
        self.seed += 1;
        self.machinery.handle(&request, &Context { now: self.now, seed: self.seed })
    }

    fn answer(&mut self, method: Method, path: &str, content_type: &str, accept: Option<&str>, body: &Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        match self.request(method, path, content_type, accept, body) {
            Reply::Json { status, body, warnings, .. } => Answer { status, body, warnings },
            Reply::Text { status, body } => Answer { status, body: body.into(), warnings: Vec::new() },
            _ => panic!("{path} is answered with a stream"),
        }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.answer(Method::GET, path, "", None, &Value::Null)
    }

    pub fn get_as(&mut self, path: &str, accept: &str) -> Value {
        self.answer(Method::GET, path, "", Some(accept), &Value::Null).ok()
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.answer(Method::POST, path, "application/json", None, body)
    }

    pub fn put(&mut self, path: &str, body: &Value) -> Answer {
        self.answer(Method::PUT, path, "application/json", None, body)
    }

    /// `kind`: `json`, `merge`, `strategic-merge` or `apply`.
    pub fn patch(&mut self, kind: &str, path: &str, body: &Value) -> Answer {
        let suffix = if kind == "apply" { "yaml" } else { "json" };
        self.answer(Method::PATCH, path, &format!("application/{kind}-patch+{suffix}"), None, body)
    }

    pub fn delete(&mut self, path: &str, options: &Value) -> Answer {
        self.answer(Method::DELETE, path, "application/json", None, options)
    }

    pub fn watch(&mut self, path: &str, accept: Option<&str>) -> Watch {
        match self.request(Method::GET, path, "", accept, Vec::new()) {
            Reply::Watch(watch) => watch,
            Reply::Json { body, .. } => panic!("{body}"),
            _ => panic!("no watch"),
        }
    }

    /// What a watch delivers now, as (type, name).
    pub fn events(&self, watch: &mut Watch) -> Vec<(String, String)> {
        let events = self.machinery.watch_events(watch, self.now).expect("not expired");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        events.iter().map(|event| (text(&event["type"]), text(&event["object"]["metadata"]["name"]))).collect()
    }

    /// The definition of `Thing`, with status and scale.
    pub fn define_things(&mut self) {
        self.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &custom::definition()).ok();
    }
}

pub(crate) fn config_map(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": name}}, "data": {"a": "1"}})
}

pub(crate) fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "busybox:1"}]}})
}

pub(crate) fn event(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}
