//! A watched set of objects in memory, and a call for each change of it.
//!
//! Kubernetes is watched, never polled. Objects are keyed by name, so a cache spans one namespace. A cache never goes backwards: an
//! object that a write of ours returned is kept until the watch has caught up with it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::Resource;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::chain;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The objects as last seen. Cheap to clone; all clones see the same.
pub struct Cache<K> {
    objects: Arc<Mutex<BTreeMap<String, Arc<K>>>>,
    state: watch::Receiver<State>,
    /// Moves after every change of the objects.
    changes: Arc<watch::Sender<()>>,
    /// Moves when the list is wanted anew.
    doubts: Arc<watch::Sender<()>>,
}

/// Whether the cache can be trusted to be complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was listed yet.
    Loading,
    /// Listed and watched.
    Synced,
    /// The last list or watch failed; what is cached is what was last seen.
    Failing { why: String, missing: bool, denied: bool, synced: bool },
}

impl State {
    /// Why nothing can be listed, if the API server does not allow it.
    pub fn denied(&self) -> Option<&str> {
        match self {
            Self::Failing { why, denied: true, .. } => Some(why),
            _ => None,
        }
    }

    /// A complete list was seen at some time.
    pub fn is_synced(&self) -> bool {
        matches!(self, Self::Synced | Self::Failing { synced: true, .. })
    }
}

impl<K> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            objects: Arc::clone(&self.objects),
            state: self.state.clone(),
            changes: Arc::clone(&self.changes),
            doubts: Arc::clone(&self.doubts),
        }
    }
}

impl<K> Cache<K> {
    /// The object of that name.
    pub fn get(&self, name: &str) -> Option<Arc<K>> {
        lock(&self.objects).get(name).cloned()
    }

    /// All objects, in the order of their names.
    pub fn all(&self) -> Vec<Arc<K>> {
        lock(&self.objects).values().cloned().collect()
    }

    /// The objects for which the predicate holds.
    pub fn matching(&self, mut predicate: impl FnMut(&K) -> bool) -> Vec<Arc<K>> {
        lock(&self.objects).values().filter(|object| predicate(object)).cloned().collect()
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    /// How the watch is doing.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Whether a complete list was seen at some time.
    pub fn is_synced(&self) -> bool {
        self.state.borrow().is_synced()
    }

    /// Has everything listed anew, since an event may have been lost. Until then all stays as it is.
    pub fn list_again(&self) {
        self.doubts.send_replace(());
    }

    /// Tells that something has changed since it was last asked. Changes that come together count as one.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Looks at the object of that name now and after each change, until `look` finds what it looks for.
    pub async fn until<T>(&self, name: &str, mut look: impl FnMut(Option<&Arc<K>>) -> Option<T>) -> T {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(self.get(name).as_ref()) {
                return found;
            }
            changes.changed().await.expect("the cache holds the sender");
        }
    }

    /// Waits for the first complete list.
    pub async fn synced(&self) {
        let mut state = self.state.clone();
        // An error means that the watch has ended, as the process is about to.
        let _ = state.wait_for(State::is_synced).await;
    }
}

impl<K: Resource> Cache<K> {
    /// Takes over an object as a write of ours returned it, unless the watch has brought a newer one.
    pub fn learn(&self, object: impl Into<Arc<K>>) {
        let object = object.into();
        if let Some(name) = object.meta().name.clone() {
            let mut objects = lock(&self.objects);
            // An object that is no longer here was deleted; a late answer must not bring it back.
            if objects
                .get(&name)
                .is_some_and(|known| same(known.meta(), object.meta()) && !is_newer(known.meta(), object.meta()))
            {
                objects.insert(name, object);
                drop(objects);
                self.changes.send_replace(());
            }
        }
    }

    /// Takes over an object that was read past the watch, which has not told of it; what it has told of is left as it is.
    pub fn discover(&self, object: K) {
        if let Some(name) = object.meta().name.clone() {
            let mut objects = lock(&self.objects);
            if let std::collections::btree_map::Entry::Vacant(entry) = objects.entry(name) {
                entry.insert(Arc::new(object));
                drop(objects);
                self.changes.send_replace(());
            }
        }
    }

    /// Drops an object that a deletion of ours has found gone: its end may be an event that never comes.
    pub fn forget(&self, name: &str, uid: &str) {
        let mut objects = lock(&self.objects);
        if objects.get(name).is_some_and(|known| known.meta().uid.as_deref() == Some(uid)) {
            objects.remove(name);
            drop(objects);
            self.changes.send_replace(());
        }
    }
}

/// Starts to list and watch. `changed` is called after the cache has changed, with the new object, or the last known one when it is gone.
pub fn start<K, F>(api: Api<K>, config: watcher::Config, token: CancellationToken, changed: F) -> Cache<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default,
    F: FnMut(&Arc<K>) + Send + 'static,
{
    let (cache, writer) = fed(changed);
    tokio::spawn(async move {
        tokio::select! {
            () = token.cancelled() => {}
            () = follow(writer, api, config) => {}
        }
    });
    cache
}

/// A cache, and what writes what a watch brings into it.
pub fn fed<K, F: FnMut(&Arc<K>)>(changed: F) -> (Cache<K>, Writer<K, F>) {
    let (sender, state) = watch::channel(State::Loading);
    let objects = Arc::new(Mutex::new(BTreeMap::new()));
    let changes = Arc::new(watch::Sender::new(()));
    let doubts = Arc::new(watch::Sender::new(()));
    let doubted = doubts.subscribe();
    let cache = Cache { objects: Arc::clone(&objects), state, changes: Arc::clone(&changes), doubts };
    (cache, Writer { objects, state: sender, changes, doubted, listing: BTreeMap::new(), changed })
}

async fn follow<K, F>(mut writer: Writer<K, F>, api: Api<K>, config: watcher::Config)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default,
    F: FnMut(&Arc<K>),
{
    let mut doubted = writer.doubted();
    let mut events = watcher(api.clone(), config.clone()).boxed();
    let mut pause = FIRST_PAUSE;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            // When no cache is left, nobody doubts any more.
            Ok(()) = doubted.changed() => {
                events = watcher(api.clone(), config.clone()).boxed();
                continue;
            }
        };
        match event {
            Some(Ok(event)) => {
                if !matches!(event, Event::Init) {
                    pause = FIRST_PAUSE;
                }
                writer.take(event);
            }
            Some(Err(error)) => {
                writer.fail(&error);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            None => return,
        }
    }
}

/// The one who writes into a cache.
pub struct Writer<K, F> {
    objects: Arc<Mutex<BTreeMap<String, Arc<K>>>>,
    state: watch::Sender<State>,
    changes: Arc<watch::Sender<()>>,
    doubted: watch::Receiver<()>,
    listing: BTreeMap<String, Arc<K>>,
    changed: F,
}

impl<K, F> Writer<K, F>
where
    K: Resource,
    K::DynamicType: Default,
    F: FnMut(&Arc<K>),
{
    /// Tells that the list is wanted anew.
    pub fn doubted(&self) -> watch::Receiver<()> {
        self.doubted.clone()
    }

    /// Takes what the watch brings.
    pub fn take(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(mut object) => {
                object.meta_mut().managed_fields = None;
                self.listing.insert(name(&object), Arc::new(object));
            }
            Event::InitDone => self.replace_all(),
            Event::Apply(mut object) => {
                object.meta_mut().managed_fields = None;
                self.put(&Arc::new(object));
                self.synced();
            }
            Event::Delete(object) => {
                let object = Arc::new(object);
                lock(&self.objects).remove(&name(object.as_ref()));
                self.tell(&object);
                self.synced();
            }
        }
    }

    fn put(&mut self, object: &Arc<K>) {
        let mut objects = lock(&self.objects);
        let name = name(object.as_ref());
        let known = objects.get(&name).filter(|known| same(known.meta(), object.meta()));
        if known.is_some_and(|known| is_newer(known.meta(), object.meta())) {
            return;
        }
        // What a write of ours has returned is the same version; who holds it sees that nothing is new.
        let version = object.meta().resource_version.as_ref();
        if version.is_none() || known.is_none_or(|known| known.meta().resource_version.as_ref() != version) {
            objects.insert(name, Arc::clone(object));
        }
        drop(objects);
        self.tell(object);
    }

    fn tell(&mut self, object: &Arc<K>) {
        self.changes.send_replace(());
        (self.changed)(object);
    }

    /// The list is the truth: what is not on it is gone.
    fn replace_all(&mut self) {
        let listed = std::mem::take(&mut self.listing);
        let before = std::mem::replace(&mut *lock(&self.objects), listed.clone());
        self.state.send_replace(State::Synced);
        self.changes.send_replace(());
        for object in before.iter().filter(|(name, _)| !listed.contains_key(*name)).map(|(_, object)| object) {
            (self.changed)(object);
        }
        for (name, object) in &listed {
            let unchanged = before.get(name).is_some_and(|known| {
                known.meta().uid == object.meta().uid && known.meta().resource_version == object.meta().resource_version
            });
            if !unchanged {
                (self.changed)(object);
            }
        }
    }

    fn synced(&self) {
        self.state.send_if_modified(|state| {
            let changed = matches!(state, State::Failing { synced: true, .. });
            if changed {
                *state = State::Synced;
            }
            changed
        });
    }

    fn fail(&self, error: &watcher::Error) {
        let kind = K::plural(&K::DynamicType::default()).into_owned();
        let missing = is_missing(error);
        let denied = is_denied(error);
        let why = if missing {
            format!("the API server does not know {kind}.{}", K::group(&K::DynamicType::default()))
        } else {
            format!("watch {kind}: {}", words(error))
        };
        let synced = self.state.borrow().is_synced();
        self.state.send_if_modified(|state| {
            let next = State::Failing { why: why.clone(), missing, denied, synced };
            let changed = *state != next;
            if changed {
                // A dropped watch is ordinary while a complete list is at hand; it resumes where it was.
                if synced && !missing {
                    tracing::debug!(kind, why, "watch interrupted");
                } else {
                    tracing::warn!(kind, why, "cannot watch");
                }
                *state = next;
            }
            changed
        });
    }
}

fn name<K: Resource>(object: &K) -> String {
    object.meta().name.clone().unwrap_or_default()
}

type Meta = k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

fn same(one: &Meta, other: &Meta) -> bool {
    one.uid == other.uid
}

/// Resource versions of one resource type can be compared as numbers; one that is no number is never newer.
fn is_newer(one: &Meta, other: &Meta) -> bool {
    matches!((version(one.resource_version.as_deref()), version(other.resource_version.as_deref())), (Some(one), Some(other)) if one > other)
}

fn version(text: Option<&str>) -> Option<u64> {
    text?.parse().ok()
}

/// Whether an object is at that resource version or a later one. Versions that are no numbers must be equal.
pub fn is_at_least(meta: &Meta, wanted: &str) -> bool {
    let known = meta.resource_version.as_deref();
    match (version(known), version(Some(wanted))) {
        (Some(known), Some(wanted)) => known >= wanted,
        _ => known == Some(wanted),
    }
}

/// What went wrong; an answer of the API server in its own words alone.
fn words(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.message.clone(),
        _ => chain(error),
    }
}

fn code(error: &watcher::Error) -> Option<u16> {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))) = error
    else {
        return None;
    };
    Some(status.code)
}

fn is_missing(error: &watcher::Error) -> bool {
    code(error) == Some(404)
}

fn is_denied(error: &watcher::Error) -> bool {
    code(error) == Some(403)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
