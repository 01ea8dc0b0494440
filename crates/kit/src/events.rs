//! Kubernetes Events, so that `kubectl describe` tells the story.
//!
//! Fire and forget: a full queue or a failing API server loses events, never time. The same event again is counted, not repeated.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::client::{CallError, call};
use crate::error::shorten;

const WAITING: usize = 256;
const REMEMBERED: usize = 256;
/// A repeated event is written again at most this often.
const REPEAT: Duration = Duration::from_secs(10);
/// After this time the same event is a new one.
const FORGET: Duration = Duration::from_mins(10);
const LONGEST_NOTE: usize = 1024;
const DEADLINE: Duration = Duration::from_secs(5);

/// Whether the event is news or trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Normal,
    Warning,
}

/// What is to be told of an object.
#[derive(Clone, Debug)]
pub struct Notice {
    pub about: ObjectReference,
    pub kind: Type,
    pub reason: String,
    pub note: String,
}

/// Where to say what happened. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    sender: mpsc::Sender<Notice>,
}

impl Events {
    /// Starts to write events in the name of the component (`flink-operator`, `flink-supervisor`). Ends when the last clone is dropped.
    pub fn start(client: Client, component: &'static str) -> Self {
        let (sender, notices) = mpsc::channel(WAITING);
        tokio::spawn(Recorder { client, component, known: HashMap::new() }.run(notices));
        Self { sender }
    }

    /// Events for whoever takes them from the channel.
    pub fn collected() -> (Self, mpsc::Receiver<Notice>) {
        let (sender, notices) = mpsc::channel(WAITING);
        (Self { sender }, notices)
    }

    /// Something happened as it should.
    pub fn normal(&self, about: &ObjectReference, reason: impl Into<String>, note: impl Into<String>) {
        self.publish(about, Type::Normal, reason.into(), &note.into());
    }

    /// Something needs a look.
    pub fn warning(&self, about: &ObjectReference, reason: impl Into<String>, note: impl Into<String>) {
        self.publish(about, Type::Warning, reason.into(), &note.into());
    }

    fn publish(&self, about: &ObjectReference, kind: Type, reason: String, note: &str) {
        let object = about.name.as_deref().unwrap_or_default();
        match kind {
            Type::Normal => tracing::info!(object, reason, "{note}"),
            Type::Warning => tracing::warn!(object, reason, "{note}"),
        }
        let note = shorten(note, LONGEST_NOTE);
        if self.sender.try_send(Notice { about: about.clone(), kind, reason, note }).is_err() {
            tracing::debug!(object, "event dropped");
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    uid: String,
    kind: Type,
    reason: String,
    note: String,
}

struct Known {
    name: String,
    count: i32,
    written: Instant,
}

struct Recorder {
    client: Client,
    component: &'static str,
    known: HashMap<Key, Known>,
}

impl Recorder {
    async fn run(mut self, mut notices: mpsc::Receiver<Notice>) {
        while let Some(notice) = notices.recv().await {
            if let Err(error) = self.record(&notice).await {
                tracing::debug!(error = crate::chain(&error), reason = notice.reason, "cannot write an event");
            }
        }
    }

    async fn record(&mut self, notice: &Notice) -> Result<(), CallError> {
        let namespace = notice.about.namespace.as_deref().unwrap_or("default");
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let key = Key {
            uid: notice.about.uid.clone().or_else(|| notice.about.name.clone()).unwrap_or_default(),
            kind: notice.kind,
            reason: notice.reason.clone(),
            note: notice.note.clone(),
        };
        let now = Instant::now();
        self.known.retain(|_, known| now.duration_since(known.written) < FORGET);
        if let Some(known) = self.known.get_mut(&key) {
            known.count += 1;
            if now.duration_since(known.written) < REPEAT {
                return Ok(());
            }
            known.written = now;
            let patch = json!({"count": known.count, "lastTimestamp": Timestamp::now()});
            let written =
                call(DEADLINE, events.patch(&known.name, &PatchParams::default(), &Patch::Merge(&patch))).await;
            return match written {
                Err(error) if error.is_not_found() => {
                    self.known.remove(&key);
                    self.create(&events, notice, key).await
                }
                other => other.map(drop),
            };
        }
        self.create(&events, notice, key).await
    }

    async fn create(&mut self, events: &Api<Event>, notice: &Notice, key: Key) -> Result<(), CallError> {
        let event = event(self.component, notice, Timestamp::now());
        let name = event.metadata.name.clone().unwrap_or_default();
        call(DEADLINE, events.create(&PostParams::default(), &event)).await?;
        if self.known.len() < REMEMBERED {
            self.known.insert(key, Known { name, count: 1, written: Instant::now() });
        }
        Ok(())
    }
}

fn event(component: &str, notice: &Notice, now: Timestamp) -> Event {
    let object = notice.about.name.as_deref().unwrap_or(component);
    // Object names may take up to 253 bytes; the event's name must leave room for its suffix.
    let prefix: String = object.chars().take(220).collect();
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}.{:x}", now.as_nanosecond())),
            namespace: notice.about.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: notice.about.clone(),
        type_: Some(format!("{:?}", notice.kind)),
        reason: Some(notice.reason.clone()),
        message: Some(notice.note.clone()),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        source: Some(EventSource { component: Some(component.to_owned()), host: None }),
        reporting_component: Some(component.to_owned()),
        reporting_instance: crate::process::pod_name().or_else(|| Some(component.to_owned())),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;
    use k8s_openapi::jiff::Timestamp;

    use super::{Notice, Type, event};

    /// D-05
    #[test]
    fn an_event_names_its_object() {
        let about = ObjectReference {
            kind: Some("FlinkJob".into()),
            name: Some("demo-job".into()),
            namespace: Some("flink".into()),
            ..ObjectReference::default()
        };
        let notice = Notice {
            about: about.clone(),
            kind: Type::Warning,
            reason: "MissingJar".into(),
            note: "no such file".into(),
        };
        let event = event("flink-supervisor", &notice, Timestamp::from_second(1).expect("in range"));
        assert_eq!(event.metadata.name.as_deref(), Some("demo-job.3b9aca00"));
        assert_eq!(event.involved_object, about);
        assert_eq!(event.type_.as_deref(), Some("Warning"));
    }
}
