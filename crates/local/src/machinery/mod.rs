//! The rules of a Kubernetes API server, without the server: objects, resource versions, patches, watches, schemas, tables.
//!
//! Pure: no I/O, no clock, no randomness. A caller passes a [`Request`] with a [`Context`] (time and entropy) and gets a [`Reply`];
//! it stores what [`Machinery::take_changes`] tells, and asks [`Machinery::watch_events`] after each write. Scope: what flinkctl and
//! everyday `kubectl` use. Invariant: the same requests with the same contexts lead to the same objects and answers.

mod builtin;
mod custom;
mod definition;
mod discovery;
mod error;
mod fields;
mod kinds;
mod meta;
mod model;
mod number;
mod openapi;
mod options;
mod patch;
mod present;
mod protobuf;
mod quantity;
mod request;
mod scale;
mod schema;
mod selector;
mod store;
mod strict;
mod syntax;
mod table;
mod verbs;
mod watch;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::Value;

use error::Result;
use kinds::Kinds;
use request::Route;
use store::Store;

pub(crate) use builtin::selects;
pub use watch::Watch;

/// The content type of nearly all answers.
pub(crate) const JSON: &str = "application/json";

/// A request as it came over HTTP. `path` is without the query, still percent-encoded; `query` is decoded.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: http::Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub content_type: Option<String>,
    pub accept: Option<String>,
    pub user_agent: Option<String>,
    pub user: User,
    pub body: Vec<u8>,
}

/// Who asks. Authentication is the caller's; everything is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    /// What else the authenticator knows, such as the credential.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl User {
    /// A user as reviews tell of one.
    pub fn info(&self) -> Value {
        let mut info = serde_json::json!({"username": self.name});
        if !self.uid.is_empty() {
            info["uid"] = self.uid.as_str().into();
        }
        if !self.groups.is_empty() {
            info["groups"] = self.groups.clone().into();
        }
        if !self.extra.is_empty() {
            info["extra"] = self.extra.iter().map(|(key, values)| (key.clone(), Value::from(values.clone()))).collect();
        }
        info
    }
}

/// What the machinery leaves to its caller, who knows the secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A token for a service account, of which this is the uid; it may end with an object.
    Token { account: String, bound: Option<Bound> },
    /// Whose token it is.
    Review,
}

/// The object that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bound {
    /// The resource, as in paths.
    pub resource: String,
    pub name: String,
    pub uid: String,
    /// The node of a pod.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
}

/// What a pure function cannot know by itself.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub now: Timestamp,
    /// Fresh for each request: uids and generated names derive from it.
    pub seed: u64,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// `N` of `127.N.128.0` to `127.N.255.254`, from which Services get their addresses.
    pub service_subnet: u8,
    /// How many writes are remembered for watches.
    pub history: usize,
    /// Controllers are at work: they make the accounts of namespaces, so that a pod without one can be refused, and let go of
    /// claims that nobody uses, so that those in use can be held.
    pub controllers: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { service_subnet: 1, history: 10_000, controllers: false }
    }
}

/// What to answer.
pub enum Reply {
    /// A JSON document. Each warning belongs in a `Warning: 299 - "..."` header.
    Json { status: u16, body: Value, content_type: &'static str, warnings: Vec<String> },
    /// A few words, for paths that lead nowhere.
    Text { status: u16, body: &'static str },
    /// A document in a binary form.
    Binary { body: Vec<u8>, content_type: &'static str },
    /// A stream of events, one JSON document per line, with status 200: see [`Machinery::watch_events`].
    Watch(Watch),
    /// A question that only the caller can answer: the object without its status.
    Ask { question: Question, object: Value, warnings: Vec<String> },
    /// The log of a container of a pod that exists; the caller has it. `query`: `container`, `follow`, `tailLines`, `previous`, ...
    PodLog { namespace: String, name: String, query: Vec<(String, String)> },
}

/// A write, for whoever stores the objects. `object: None` is a deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub key: String,
    pub revision: u64,
    pub object: Option<Value>,
}

/// All objects of a cluster and the rules by which they change.
pub struct Machinery {
    settings: Settings,
    store: Store,
    kinds: Kinds,
}

impl Machinery {
    /// An empty cluster with the namespaces that every cluster has to be created by the caller.
    pub fn new(settings: Settings) -> Self {
        Self::load(settings, 1, std::iter::empty())
    }

    /// A cluster as it was stored: `objects` and `revision` are what [`Self::take_changes`] told.
    pub fn load(settings: Settings, revision: u64, objects: impl Iterator<Item = (String, Value)>) -> Self {
        let objects: BTreeMap<String, Arc<Value>> = objects.map(|(key, value)| (key, Arc::new(value))).collect();
        let revision = objects.values().map(|object| meta::revision(object)).max().unwrap_or(0).max(revision);
        let mut kinds = Kinds::builtin();
        for definition in objects
            .range("/apiextensions.k8s.io/customresourcedefinitions/".to_owned()..)
            .map_while(|(key, crd)| key.starts_with("/apiextensions.k8s.io/customresourcedefinitions/").then_some(crd))
        {
            custom::register(&mut kinds, definition);
        }
        let store = Store::new(revision, objects, settings.history);
        Self { settings, store, kinds }
    }

    /// From now on controllers are at work; see [`Settings::controllers`].
    pub fn expect_controllers(&mut self) {
        self.settings.controllers = true;
    }

    /// Answers one request. Never fails: a failure is an answer too.
    pub fn handle(&mut self, request: &Request, context: &Context) -> Reply {
        self.route(request, context).unwrap_or_else(|failure| {
            if failure.nowhere && !kinds::is_own_path(&request.path) {
                return Reply::Text { status: failure.code, body: "404 page not found\n" };
            }
            let (status, body) = (failure.code, failure.status());
            Reply::Json { status, body, content_type: JSON, warnings: failure.warnings }
        })
    }

    fn route(&mut self, request: &Request, context: &Context) -> Result<Reply> {
        match Route::parse(&request.path)? {
            Route::Object(target) => verbs::handle(self, request, context, target),
            route => self.discover(&route, request),
        }
    }

    /// Whether a version and a kind are those of a built-in kind.
    fn knows(version: &str, kind: &str) -> bool {
        static BUILTIN: LazyLock<Vec<(String, String)>> =
            LazyLock::new(|| Kinds::builtin().all().map(|kind| (kind.api_version(), kind.name.clone())).collect());
        BUILTIN.iter().any(|(known, name)| known == version && name == kind)
    }

    /// The writes since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        self.store.take_changes()
    }

    /// The resource version of the last write.
    pub fn revision(&self) -> u64 {
        self.store.revision()
    }

    /// Tells clients that figures of nodes and pods can be had; the caller has them.
    pub fn add_metrics(&mut self) {
        self.kinds.add_metrics();
    }

    /// Whether [`Machinery::add_metrics`] was called.
    pub fn has_metrics(&self) -> bool {
        self.kinds.has_metrics()
    }
}

fn json(body: Value) -> Reply {
    Reply::Json { status: 200, body, content_type: JSON, warnings: Vec::new() }
}
