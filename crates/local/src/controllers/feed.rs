//! Where the cache comes from: a list and a watch for each resource that the API serves.
//!
//! Invariant: what is sent for a resource is a list first, and after it every change to that list, in order.

use std::time::Duration;

use futures::TryStreamExt as _;
use kube::Client;
use kube::core::WatchEvent;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::cache::Resource;
use super::object;

const RETRY: Duration = Duration::from_millis(500);

/// One message about a resource.
#[derive(Debug)]
pub enum News {
    List {
        resource: String,
        revision: u64,
        objects: Vec<Value>,
    },
    Put {
        resource: String,
        object: Value,
    },
    Gone {
        resource: String,
        object: Value,
    },
    /// The resource is not served (any more).
    Unserved {
        resource: String,
    },
}

/// Follows a resource until it is told to stop.
pub fn follow(client: Client, resource: Resource, sender: mpsc::Sender<News>, stop: CancellationToken) {
    let id = resource.id();
    let follower = async move {
        loop {
            match follow_once(&client, &resource, &sender).await {
                Ok(()) if sender.is_closed() => return,
                Ok(()) => {}
                Err(error) => {
                    if is_not_found(&error) {
                        let _ = sender.send(News::Unserved { resource: resource.id() }).await;
                    }
                    tracing::debug!(%error, resource = resource.id(), "a watch failed");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = follower => {}
            () = stop.cancelled() => tracing::trace!(id, "a watch ends"),
        }
    });
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Lists, and watches until the server no longer knows the version to go on from.
async fn follow_once(client: &Client, resource: &Resource, sender: &mpsc::Sender<News>) -> Result<(), kube::Error> {
    let mut revision = list(client, resource, sender).await?;
    loop {
        let path = format!("{}?watch=true&allowWatchBookmarks=true&resourceVersion={revision}", resource.path(""));
        let mut events = std::pin::pin!(client.request_events::<Value>(get(&path)).await?);
        while let Some(event) = events.try_next().await? {
            let news = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    News::Put { resource: resource.id(), object }
                }
                WatchEvent::Deleted(object) => News::Gone { resource: resource.id(), object },
                WatchEvent::Bookmark(bookmark) => {
                    revision = bookmark.metadata.resource_version.parse().unwrap_or(revision);
                    continue;
                }
                WatchEvent::Error(status) if status.code == 410 => return Ok(()),
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            };
            if let News::Put { object, .. } | News::Gone { object, .. } = &news {
                revision = object::resource_version(object).max(revision);
            }
            if sender.send(news).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn list(client: &Client, resource: &Resource, sender: &mpsc::Sender<News>) -> Result<u64, kube::Error> {
    let mut list: Value = client.request(get(&resource.path(""))).await?;
    let revision = object::resource_version(&list);
    let (group, kind) = (&resource.group, &resource.kind);
    let api_version = if group.is_empty() { resource.version.clone() } else { format!("{group}/{}", resource.version) };
    let mut objects = match list["items"].take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    // Items of a list do not say what they are.
    for object in &mut objects {
        object["apiVersion"] = api_version.as_str().into();
        object["kind"] = kind.as_str().into();
    }
    // A closed channel is noticed by whoever sends next.
    let _ = sender.send(News::List { resource: resource.id(), revision, objects }).await;
    Ok(revision)
}

/// Everything that can be listed, watched and deleted, but for the second name of events and for custom resources.
pub async fn builtin(client: &Client) -> Result<Vec<Resource>, kube::Error> {
    let mut lists = vec![client.list_core_api_resources("v1").await?];
    for group in client.list_api_groups().await?.groups {
        let preferred = group.preferred_version.or_else(|| group.versions.first().cloned());
        if let Some(version) = preferred.filter(|_| group.name != "events.k8s.io") {
            lists.push(client.list_api_group_resources(&version.group_version).await?);
        }
    }
    let mut resources = Vec::new();
    for list in lists {
        let (group, version) = list.group_version.split_once('/').unwrap_or(("", &list.group_version));
        for resource in list.resources {
            let can = |verb: &str| resource.verbs.iter().any(|found| found == verb);
            if !resource.name.contains('/') && can("list") && can("watch") && can("delete") {
                resources.push(Resource {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    plural: resource.name,
                    kind: resource.kind,
                    namespaced: resource.namespaced,
                });
            }
        }
    }
    Ok(resources)
}

/// The resource that a definition defines, once it is served.
pub fn defined(definition: &Value) -> Option<Resource> {
    if !object::holds(definition, "Established") {
        return None;
    }
    let versions = object::list(definition, "/spec/versions");
    let version = versions.iter().find(|version| version["storage"] == true && version["served"] == true);
    let version = version.or_else(|| versions.iter().find(|version| version["served"] == true))?;
    Some(Resource {
        group: object::text(definition, "/spec/group").to_owned(),
        version: object::text(version, "/name").to_owned(),
        plural: object::text(definition, "/spec/names/plural").to_owned(),
        kind: object::text(definition, "/spec/names/kind").to_owned(),
        namespaced: object::text(definition, "/spec/scope") == "Namespaced",
    })
}

fn get(path: &str) -> http::Request<Vec<u8>> {
    http::Request::get(path).body(Vec::new()).expect("paths are made of names")
}
