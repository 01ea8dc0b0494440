//! What controllers do: acts as data, and the one place where they become requests.
//!
//! Invariant: an act that depends on what a controller saw carries the uid or the resourceVersion of that, so that it
//! fails rather than hits something else.

use http::{Method, Request};
use kit::client::CallError;
use kube::Client;
use serde_json::{Value, json};

use super::cache::{Cache, Changed, EVENTS, Key, NAMESPACES, Resource};
use super::object;

/// Who writes, as managed fields show it.
const MANAGER: &str = "flinkctl-local-controllers";

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Creates an object. One that exists already is as good.
    Create { resource: &'static str, object: Value },
    /// Merges into an object, or into one of its subresources.
    Patch { key: Key, subresource: &'static str, patch: Value },
    /// Deletes the object with this uid.
    Delete { key: Key, uid: String, propagation: &'static str },
    /// Deletes an object whose owners are gone, if they are.
    Collect { key: Key, uid: String, revision: u64, owners: Vec<Value>, propagation: &'static str },
    /// Takes owners from the list of an object: the living ones that let it go, and those of the others that are gone.
    Disown { key: Key, revision: String, waiting: Vec<String>, absent: Vec<Value> },
    /// Runs a pod on a node.
    Bind { pod: Key, uid: String, node: String },
    /// Lets a namespace go, if it is empty.
    FinalizeNamespace { name: String },
    /// Tells the user, in the name of a component of a cluster, about an object.
    Tell { from: &'static str, about: Value, kind: &'static str, reason: &'static str, message: String },
}

/// Why an act failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server said no.
    #[error("{what}: {}", kit::chain(source.as_ref()))]
    Request {
        /// What was tried.
        what: String,
        /// What the server said.
        source: Box<CallError>,
    },
    /// The cache does not know the resource (any more).
    #[error("the server does not serve {0}")]
    Unserved(String),
    /// Something is still in a namespace.
    #[error("namespace {namespace} still holds {resource}")]
    NotEmpty {
        /// The namespace.
        namespace: String,
        /// What it holds.
        resource: String,
    },
}

impl Error {
    /// A lost race: what changed meanwhile is on its way through a watch. So is the end of a namespace that takes nothing new.
    pub fn is_race(&self) -> bool {
        match self {
            Self::Request { source, .. } => code(source) == Some(409) || source.is_terminating(),
            Self::Unserved(_) | Self::NotEmpty { .. } => false,
        }
    }
}

/// Performs an act; what it changed is in the cache afterwards.
pub async fn perform(client: &Client, cache: &mut Cache, act: &Act) -> Result<Vec<Changed>, Error> {
    match act {
        Act::Create { resource, object } => create(client, cache, resource, object).await,
        Act::Patch { key, subresource, patch } => {
            let path = with_subresource(path_of(cache, key)?, subresource);
            let answer = request(client, Method::PATCH, &path, patch).await;
            put(cache, key, answer)
        }
        Act::Delete { key, uid, propagation } => {
            let options = json!({"preconditions": {"uid": uid}, "propagationPolicy": propagation});
            delete(client, cache, key, uid, &options).await
        }
        Act::Collect { key, uid, revision, owners, propagation } => {
            for owner in owners {
                if owner_exists(client, cache, &key.namespace, owner).await? {
                    return Ok(Vec::new());
                }
            }
            let conditions = json!({"uid": uid, "resourceVersion": revision.to_string()});
            let options = json!({"preconditions": conditions, "propagationPolicy": propagation});
            delete(client, cache, key, uid, &options).await
        }
        Act::Disown { key, revision, waiting, absent } => {
            disown(client, cache, key, revision, waiting.clone(), absent).await
        }
        Act::Bind { pod, uid, node } => {
            let binding = json!({
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": uid},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            });
            let path = with_subresource(path_of(cache, pod)?, "binding");
            request(client, Method::POST, &path, &binding).await.map(|_| Vec::new())
        }
        Act::FinalizeNamespace { name } => finalize_namespace(client, cache, name).await,
        Act::Tell { from, about, kind, reason, message } => {
            Ok(tell(client, cache, from, about, (kind, reason, message)).await)
        }
    }
}

async fn create(client: &Client, cache: &mut Cache, id: &str, object: &Value) -> Result<Vec<Changed>, Error> {
    let resource = cache.resource(id).ok_or_else(|| Error::Unserved(id.to_owned()))?;
    let path = resource.path(object::namespace(object));
    match request(client, Method::POST, &path, object).await {
        Ok(created) => Ok(cache.put(id, created).into_iter().collect()),
        Err(error) if error.is_race() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The answer to a write of an object. If it is gone, the cache learns that.
fn put(cache: &mut Cache, key: &Key, answer: Result<Value, Error>) -> Result<Vec<Changed>, Error> {
    match answer {
        // The write took away the last finalizer of an object that was to be deleted.
        Ok(object) if object::deleting(&object) && object::list(&object, "/metadata/finalizers").is_empty() => {
            let holds = key.resource == NAMESPACES && !object::list(&object, "/spec/finalizers").is_empty();
            let over = !holds && object::number(&object, "/metadata/deletionGracePeriodSeconds").unwrap_or(0) == 0;
            let changed = if over { cache.remove(key, object::uid(&object)) } else { cache.put(&key.resource, object) };
            Ok(changed.into_iter().collect())
        }
        Ok(object) => Ok(cache.put(&key.resource, object).into_iter().collect()),
        Err(error) => gone(cache, key, error),
    }
}

fn gone(cache: &mut Cache, key: &Key, error: Error) -> Result<Vec<Changed>, Error> {
    let Error::Request { source, .. } = &error else { return Err(error) };
    if code(source) != Some(404) {
        return Err(error);
    }
    let uid = cache.get(key).map(|found| object::uid(found).to_owned()).unwrap_or_default();
    Ok(cache.remove(key, &uid).into_iter().collect())
}

async fn delete(
    client: &Client,
    cache: &mut Cache,
    key: &Key,
    uid: &str,
    options: &Value,
) -> Result<Vec<Changed>, Error> {
    let path = path_of(cache, key)?;
    let answer = match request(client, Method::DELETE, &path, options).await {
        Ok(answer) => answer,
        Err(error) => return gone(cache, key, error),
    };
    let remains = answer["kind"] != "Status" && object::deleting(&answer);
    let changed = if remains { cache.put(&key.resource, answer) } else { cache.remove(key, uid) };
    Ok(changed.into_iter().collect())
}

async fn disown(
    client: &Client,
    cache: &mut Cache,
    key: &Key,
    revision: &str,
    mut leaving: Vec<String>,
    absent: &[Value],
) -> Result<Vec<Changed>, Error> {
    for owner in absent {
        if !owner_exists(client, cache, &key.namespace, owner).await? {
            leaving.push(object::text(owner, "/uid").to_owned());
        }
    }
    let Some(object) = cache.get(key).filter(|_| !leaving.is_empty()) else { return Ok(Vec::new()) };
    let stays = |owner: &&Value| !leaving.iter().any(|uid| owner["uid"] == uid.as_str());
    let kept: Vec<&Value> = object::owners(object).iter().filter(stays).collect();
    let metadata = json!({"uid": object::uid(object), "resourceVersion": revision, "ownerReferences": kept});
    let path = path_of(cache, key)?;
    let answer = request(client, Method::PATCH, &path, &json!({"metadata": metadata})).await;
    put(cache, key, answer)
}

/// Asks the server, since the cache may lag behind it.
async fn owner_exists(client: &Client, cache: &Cache, namespace: &str, owner: &Value) -> Result<bool, Error> {
    let (version, kind) = (object::text(owner, "/apiVersion"), object::text(owner, "/kind"));
    let Some(resource) = cache.resource_of_kind(version, kind) else {
        // A kind that nobody knows says nothing about its objects: better keep what refers to them.
        return Ok(true);
    };
    let path = format!("{}/{}", resource.path(namespace), object::text(owner, "/name"));
    match request(client, Method::GET, &path, &Value::Null).await {
        Ok(found) => Ok(object::uid(&found) == object::text(owner, "/uid")),
        Err(Error::Request { source, .. }) if code(&source) == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn finalize_namespace(client: &Client, cache: &mut Cache, name: &str) -> Result<Vec<Changed>, Error> {
    let namespaced: Vec<Resource> = cache.resources().filter(|resource| resource.namespaced).cloned().collect();
    for resource in namespaced {
        let path = format!("{}?limit=1", resource.path(name));
        let list = match request(client, Method::GET, &path, &Value::Null).await {
            Ok(list) => list,
            // Its definition has gone meanwhile, with all that it defined.
            Err(Error::Request { source, .. }) if code(&source) == Some(404) => continue,
            Err(error) => return Err(error),
        };
        if !object::list(&list, "/items").is_empty() {
            return Err(Error::NotEmpty { namespace: name.to_owned(), resource: resource.id() });
        }
    }
    let key = Key::new(NAMESPACES, "", name);
    let Some(namespace) = cache.get(&key) else { return Ok(Vec::new()) };
    let mut namespace = Value::clone(namespace);
    namespace["spec"]["finalizers"] = json!([]);
    let path = with_subresource(path_of(cache, &key)?, "finalize");
    let answer = request(client, Method::PUT, &path, &namespace).await;
    put(cache, &key, answer)
}

/// An event that cannot be written is no reason to stop. What was told before is counted.
async fn tell(
    client: &Client,
    cache: &mut Cache,
    from: &str,
    about: &Value,
    (kind, reason, message): (&str, &str, &str),
) -> Vec<Changed> {
    let namespace = Some(object::namespace(about)).filter(|namespace| !namespace.is_empty()).unwrap_or("default");
    let time = jiff::Timestamp::now();
    let now = object::seconds(time);
    let path = format!("/api/v1/namespaces/{namespace}/events");
    let again = cache.objects(EVENTS).map(|(_, event)| event).find(|event| {
        object::namespace(event) == namespace
            && object::text(event, "/involvedObject/uid") == object::uid(about)
            && object::text(event, "/source/component") == from
            && ["type", "reason", "message"].map(|field| event[field].as_str().unwrap_or_default())
                == [kind, reason, message]
    });
    if let Some(before) = again {
        let patch = json!({"count": before["count"].as_i64().unwrap_or(1) + 1, "lastTimestamp": now});
        let path = format!("{path}/{}", object::name(before));
        if let Ok(event) = request(client, Method::PATCH, &path, &patch).await {
            return cache.put(EVENTS, event).into_iter().collect();
        }
    }
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": format!("{}.{:x}", object::name(about), time.as_nanosecond()), "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": about["metadata"]["name"],
            "namespace": about["metadata"]["namespace"],
            "uid": about["metadata"]["uid"],
            "resourceVersion": about["metadata"]["resourceVersion"],
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": from},
        "reportingComponent": from,
    });
    match request(client, Method::POST, &path, &event).await {
        Ok(event) => cache.put(EVENTS, event).into_iter().collect(),
        Err(error) => {
            tracing::debug!(%error, reason, "failed to write an event");
            Vec::new()
        }
    }
}

fn path_of(cache: &Cache, key: &Key) -> Result<String, Error> {
    let resource = cache.resource(&key.resource).ok_or_else(|| Error::Unserved(key.resource.clone()))?;
    Ok(format!("{}/{}", resource.path(&key.namespace), key.name))
}

fn with_subresource(path: String, subresource: &str) -> String {
    if subresource.is_empty() { path } else { format!("{path}/{subresource}") }
}

async fn request(client: &Client, method: Method, path: &str, body: &Value) -> Result<Value, Error> {
    let content_type = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let what = format!("{method} {path}");
    let path = match method {
        Method::PATCH | Method::POST => format!("{path}?fieldManager={MANAGER}"),
        _ => path.to_owned(),
    };
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, content_type)
        .body(body)
        .expect("paths are made of names");
    client.request(request).await.map_err(|source| Error::Request { what, source: Box::new(source.into()) })
}

fn code(error: &CallError) -> Option<u16> {
    error.status().map(|status| status.code)
}
