//! Events about pods and the node, as `kubectl describe` shows them.
//!
//! Recording never waits: a queue is emptied by a task of its own, and what repeats is counted up in the event that is there.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kit::client::CallError;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, Resource};
use serde_json::json;
use std::collections::HashMap;
use tokio::sync::mpsc;

const COMPONENT: &str = "flinkctl-node";
/// How many different events are remembered for counting.
const REMEMBERED: usize = 1000;

#[derive(Clone)]
pub(super) struct Recorder {
    queue: mpsc::UnboundedSender<Note>,
}

/// What an event is about.
pub(super) struct Subject<'a> {
    recorder: &'a Recorder,
    about: ObjectReference,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Normal,
    Warning,
}

struct Note {
    about: ObjectReference,
    level: Level,
    reason: &'static str,
    message: String,
    time: Timestamp,
}

/// What makes two events the same.
type Key = (String, String, &'static str, String);

impl Recorder {
    pub fn new(client: Client, node: String) -> Self {
        let (queue, mut notes) = mpsc::unbounded_channel::<Note>();
        tokio::spawn(async move {
            let mut known: HashMap<Key, (String, i32)> = HashMap::new();
            while let Some(note) = notes.recv().await {
                let (reason, about) = (note.reason, note.about.name.clone());
                match write(&client, &node, note, &mut known).await.map_err(CallError::from) {
                    Ok(()) => {}
                    Err(error) if error.is_terminating() => {
                        tracing::debug!(reason, about, "the namespace takes no event")
                    }
                    Err(error) => {
                        tracing::warn!(reason, about, error = kit::chain(&error), "an event was not recorded")
                    }
                }
            }
        });
        Recorder { queue }
    }

    /// A pod, or one of its containers.
    pub fn pod(&self, pod: &Pod, container: Option<&str>) -> Subject<'_> {
        let mut about = pod.object_ref(&());
        about.field_path = container.map(|name| format!("spec.containers{{{name}}}"));
        Subject { recorder: self, about }
    }

    /// The node.
    pub fn node(&self, name: &str) -> Subject<'_> {
        let about = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(name.to_owned()),
            uid: Some(name.to_owned()),
            ..ObjectReference::default()
        };
        Subject { recorder: self, about }
    }
}

impl Subject<'_> {
    pub fn normal(self, reason: &'static str, message: impl Into<String>) {
        self.note(Level::Normal, reason, message.into());
    }

    pub fn warning(self, reason: &'static str, message: impl Into<String>) {
        self.note(Level::Warning, reason, message.into());
    }

    fn note(self, level: Level, reason: &'static str, message: String) {
        let Subject { recorder, about } = self;
        tracing::debug!(about = about.name, reason, message, "event");
        // The queue is closed only when the node ends.
        let _ = recorder.queue.send(Note { about, level, reason, message, time: Timestamp::now() });
    }
}

async fn write(client: &Client, host: &str, note: Note, known: &mut HashMap<Key, (String, i32)>) -> kube::Result<()> {
    let namespace = note.about.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let key = (text(&note.about.uid), text(&note.about.field_path), note.reason, note.message.clone());
    if let Some((name, count)) = known.get_mut(&key) {
        let patch = json!({"count": *count + 1, "lastTimestamp": Time(note.time)});
        match events.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => {
                *count += 1;
                return Ok(());
            }
            Err(kube::Error::Api(error)) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    let name = format!("{}.{:x}", text(&note.about.name), note.time.as_nanosecond());
    let event = Event {
        metadata: ObjectMeta { name: Some(name.clone()), namespace: Some(namespace), ..ObjectMeta::default() },
        involved_object: note.about,
        reason: Some(note.reason.to_owned()),
        message: Some(note.message),
        type_: Some(format!("{:?}", note.level)),
        source: Some(EventSource { component: Some(COMPONENT.to_owned()), host: Some(host.to_owned()) }),
        reporting_component: Some(COMPONENT.to_owned()),
        reporting_instance: Some(host.to_owned()),
        first_timestamp: Some(Time(note.time)),
        last_timestamp: Some(Time(note.time)),
        count: Some(1),
        ..Event::default()
    };
    events.create(&PostParams::default(), &event).await?;
    if known.len() >= REMEMBERED {
        known.clear();
    }
    known.insert(key, (name, 1));
    Ok(())
}
