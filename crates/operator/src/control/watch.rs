//! Changes of resources as server-sent events: what is there first, then what changes.
//!
//! A stream compares the caches with what it has sent, so a slow reader gets the last state of what changed several times, and a fast
//! one everything that the caches saw. Nothing is queued for a reader but what it has not read of one comparison.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use api::{FlinkCluster, FlinkDeployment, FlinkJob};
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use control_api::Problem;
use control_api::answer::Change;
use futures::stream;
use kit::cache::Cache;
use kit::projection::Parsed;
use kube::Resource;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Control;
use super::dialect::Reply;
use super::query::Query;
use super::read::whole;
use super::served::Served;

/// How often something is said, so that both sides know of each other.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One kind of resources, as far as it was sent.
struct Followed<K> {
    cache: Cache<Parsed<K>>,
    changes: watch::Receiver<()>,
    sent: BTreeMap<String, Arc<Parsed<K>>>,
    name: Option<String>,
}

/// One open stream.
struct Stream {
    deployments: Option<Followed<FlinkDeployment>>,
    clusters: Option<Followed<FlinkCluster>>,
    jobs: Option<Followed<FlinkJob>>,
    ready: VecDeque<Bytes>,
    synced: bool,
    token: CancellationToken,
}

impl Control {
    pub(super) fn watch(&self, query: &Query) -> Result<Reply, Problem> {
        let stream = Stream {
            deployments: self.follow(query)?,
            clusters: self.follow(query)?,
            jobs: self.follow(query)?,
            ready: VecDeque::new(),
            synced: false,
            token: self.0.token.clone(),
        };
        let body = Body::from_stream(stream::unfold(stream, async |mut stream| {
            let bytes = stream.next().await?;
            Some((Ok::<_, std::convert::Infallible>(bytes), stream))
        }));
        let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
        Ok(Reply::Raw(IntoResponse::into_response((headers, body)) as Response))
    }

    /// The resources of a kind, if the caller wants it.
    fn follow<K: Served>(&self, query: &Query) -> Result<Option<Followed<K>>, Problem> {
        if query.kind.is_some_and(|kind| kind != K::TARGET) {
            return Ok(None);
        }
        let cache = self.cache::<K>()?.clone();
        let mut changes = cache.changes();
        changes.mark_changed();
        Ok(Some(Followed { cache, changes, sent: BTreeMap::new(), name: query.name.clone() }))
    }
}

impl Stream {
    /// The next bytes; none when the operator ends.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            tokio::select! {
                biased;
                () = self.token.cancelled() => return None,
                () = changed(self.deployments.as_mut()) => compare(self.deployments.as_mut(), &mut self.ready),
                () = changed(self.clusters.as_mut()) => compare(self.clusters.as_mut(), &mut self.ready),
                () = changed(self.jobs.as_mut()) => compare(self.jobs.as_mut(), &mut self.ready),
                () = std::future::ready(()), if !self.synced => {
                    self.synced = true;
                    self.ready.push_back(event(Change::Synced, None));
                }
                () = tokio::time::sleep(HEARTBEAT) => return Some(Bytes::from_static(b": alive\n\n")),
            }
        }
    }
}

async fn changed<K>(followed: Option<&mut Followed<K>>) {
    match followed {
        Some(followed) => followed.changes.changed().await.expect("the cache holds the sender"),
        None => std::future::pending().await,
    }
}

fn compare<K: Served>(followed: Option<&mut Followed<K>>, ready: &mut VecDeque<Bytes>) {
    let Some(followed) = followed else { return };
    let wanted = followed.name.clone();
    let now = followed.cache.matching(|object| wanted.is_none() || object.meta().name == wanted);
    let mut sent = std::mem::take(&mut followed.sent);
    for object in now {
        let name = object.meta().name.clone().unwrap_or_default();
        let before = sent.remove(&name);
        let change = match &before {
            Some(before) if Arc::ptr_eq(before, &object) => None,
            Some(before) if before.meta().uid == object.meta().uid => {
                let same = before.meta().resource_version == object.meta().resource_version;
                (!same).then_some(Change::Modified)
            }
            Some(before) => {
                ready.extend(told(Change::Deleted, before));
                Some(Change::Added)
            }
            None => Some(Change::Added),
        };
        ready.extend(change.and_then(|change| told(change, &object)));
        followed.sent.insert(name, object);
    }
    ready.extend(sent.values().filter_map(|gone| told(Change::Deleted, gone)));
}

fn told<K: Served>(change: Change, object: &Parsed<K>) -> Option<Bytes> {
    match whole(object) {
        Ok(document) => Some(event(change, Some(&document))),
        Err(problem) => {
            tracing::warn!(%problem, "a resource is left out of a watch");
            None
        }
    }
}

/// One event. A JSON document has no line breaks, so it fits in one line of data.
fn event(change: Change, document: Option<&str>) -> Bytes {
    let change = match change {
        Change::Added => "ADDED",
        Change::Modified => "MODIFIED",
        Change::Deleted => "DELETED",
        Change::Synced => "SYNCED",
    };
    Bytes::from(match document {
        Some(document) => format!("data: {{\"type\":\"{change}\",\"object\":{document}}}\n\n"),
        None => format!("data: {{\"type\":\"{change}\"}}\n\n"),
    })
}

#[cfg(test)]
mod tests {
    use control_api::answer::Watched;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_event_is_what_the_library_reads() {
        let read = |bytes: &Bytes| -> Watched<Value> {
            let text = std::str::from_utf8(bytes).unwrap();
            serde_json::from_str(text.strip_prefix("data: ").unwrap().trim_end()).unwrap()
        };
        let added = read(&event(Change::Added, Some(r#"{"kind":"FlinkJob"}"#)));
        assert_eq!(added, Watched { change: Change::Added, object: Some(json!({ "kind": "FlinkJob" })) });
        assert_eq!(read(&event(Change::Synced, None)), Watched { change: Change::Synced, object: None });
    }
}
