//! What the controllers know: the last seen version of each object, by key, by uid and by owner.
//!
//! The answers to the controllers' own writes go in at once, so that a controller always reads what it wrote: a slow
//! watch leads neither to a second pod nor to a second count.
//!
//! Invariant: an object is never replaced by an older version of itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::object;

/// A kind of object, as the API serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resource {
    pub group: String,
    pub version: String,
    pub plural: String,
    pub kind: String,
    pub namespaced: bool,
}

impl Resource {
    /// `pods`, `deployments.apps`: how keys name a resource.
    pub fn id(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The path of the collection, of all namespaces or of one.
    pub fn path(&self, namespace: &str) -> String {
        let root = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        if namespace.is_empty() || !self.namespaced {
            format!("{root}/{}", self.plural)
        } else {
            format!("{root}/namespaces/{namespace}/{}", self.plural)
        }
    }
}

pub const PODS: &str = "pods";
pub const NODES: &str = "nodes";
pub const EVENTS: &str = "events";
pub const NAMESPACES: &str = "namespaces";
pub const SERVICE_ACCOUNTS: &str = "serviceaccounts";
pub const CONFIG_MAPS: &str = "configmaps";
pub const DEPLOYMENTS: &str = "deployments.apps";
pub const REPLICA_SETS: &str = "replicasets.apps";
pub const CLAIMS: &str = "persistentvolumeclaims";
pub const JOBS: &str = "jobs.batch";
pub const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

/// Resources whose spec and status matter to a controller; of all others only the metadata is kept.
const WHOLE: [&str; 7] = [PODS, NODES, NAMESPACES, DEPLOYMENTS, REPLICA_SETS, JOBS, DEFINITIONS];

/// One object's place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// See [`Resource::id`].
    pub resource: String,
    /// Empty for what belongs to no namespace.
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(resource: &str, namespace: &str, name: &str) -> Self {
        Self { resource: resource.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }

    /// The key of an object of a resource.
    pub fn of(resource: &str, object: &Value) -> Self {
        Self::new(resource, object::namespace(object), object::name(object))
    }
}

/// An object that changed, as it was and as it is.
#[derive(Debug, Clone)]
pub struct Changed {
    pub key: Key,
    pub old: Option<Arc<Value>>,
    pub new: Option<Arc<Value>>,
}

/// The known objects.
#[derive(Debug, Default)]
pub struct Cache {
    resources: BTreeMap<String, Resource>,
    objects: BTreeMap<Key, Arc<Value>>,
    by_uid: HashMap<String, Key>,
    dependents: HashMap<String, BTreeSet<Key>>,
}

impl Cache {
    pub fn add_resource(&mut self, resource: Resource) {
        self.resources.insert(resource.id(), resource);
    }

    /// Forgets a resource with its objects.
    pub fn remove_resource(&mut self, id: &str) -> Vec<Changed> {
        self.resources.remove(id);
        let keys: Vec<Key> = self.keys_of(id).cloned().collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }

    pub fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.get(id)
    }

    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// The resource of a kind, as owner references name it.
    pub fn resource_of_kind(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        self.resources.values().find(|resource| resource.group == group && resource.kind == kind)
    }

    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(key)
    }

    pub fn by_uid(&self, uid: &str) -> Option<(&Key, &Arc<Value>)> {
        let key = self.by_uid.get(uid)?;
        Some((key, self.objects.get(key)?))
    }

    /// All objects of a resource.
    pub fn objects<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        self.objects.range(Key::new(resource, "", "")..).take_while(move |(key, _)| key.resource == resource)
    }

    pub fn keys_of<'a>(&'a self, resource: &'a str) -> impl Iterator<Item = &'a Key> {
        self.objects(resource).map(|(key, _)| key)
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.keys()
    }

    /// Everything that names this uid among its owners.
    pub fn dependents(&self, uid: &str) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        let keys = self.dependents.get(uid).into_iter().flatten();
        keys.filter_map(|key| Some((key, self.objects.get(key)?)))
    }

    /// The objects of one resource that this uid controls.
    pub fn controlled<'a>(&'a self, uid: &'a str, resource: &'a str) -> impl Iterator<Item = &'a Arc<Value>> {
        self.dependents(uid)
            .filter(move |(key, object)| key.resource == resource && object::controller(object) == Some(uid))
            .map(|(_, object)| object)
    }

    /// Takes in a version of an object.
    pub fn put(&mut self, resource: &str, object: Value) -> Option<Changed> {
        let key = Key::of(resource, &object);
        let old = self.objects.get(&key).cloned();
        if old.as_ref().is_some_and(|old| object::resource_version(old) >= object::resource_version(&object)) {
            return None;
        }
        if let Some(old) = &old {
            self.unlink(&key, old);
        }
        let new = Arc::new(keep(resource, object));
        self.link(&key, &new);
        self.objects.insert(key.clone(), Arc::clone(&new));
        Some(Changed { key, old, new: Some(new) })
    }

    /// Takes in that an object is gone.
    pub fn remove(&mut self, key: &Key, uid: &str) -> Option<Changed> {
        self.objects.get(key).filter(|found| object::uid(found) == uid)?;
        self.take(key)
    }

    /// Takes in a whole list of a resource, at a revision.
    pub fn replace(&mut self, resource: &str, objects: Vec<Value>, revision: u64) -> Vec<Changed> {
        let present: BTreeSet<Key> = objects.iter().map(|object| Key::of(resource, object)).collect();
        let gone: Vec<Key> = self
            .objects(resource)
            .filter(|(key, object)| !present.contains(*key) && object::resource_version(object) <= revision)
            .map(|(key, _)| key.clone())
            .collect();
        let mut changed: Vec<Changed> = gone.iter().filter_map(|key| self.take(key)).collect();
        changed.extend(objects.into_iter().filter_map(|object| self.put(resource, object)));
        changed
    }

    fn take(&mut self, key: &Key) -> Option<Changed> {
        let old = self.objects.remove(key)?;
        self.unlink(key, &old);
        Some(Changed { key: key.clone(), old: Some(old), new: None })
    }

    fn link(&mut self, key: &Key, object: &Value) {
        self.by_uid.insert(object::uid(object).to_owned(), key.clone());
        for owner in object::owners(object) {
            let uid = object::text(owner, "/uid").to_owned();
            self.dependents.entry(uid).or_default().insert(key.clone());
        }
    }

    fn unlink(&mut self, key: &Key, object: &Value) {
        self.by_uid.remove(object::uid(object));
        for owner in object::owners(object) {
            let uid = object::text(owner, "/uid");
            if let Some(keys) = self.dependents.get_mut(uid) {
                keys.remove(key);
                if keys.is_empty() {
                    self.dependents.remove(uid);
                }
            }
        }
    }
}

/// The part of an object that is kept.
fn keep(resource: &str, mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    if WHOLE.contains(&resource) {
        return object;
    }
    let times: &[&str] = if resource == EVENTS { &["lastTimestamp", "eventTime"] } else { &[] };
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|field, _| {
            matches!(field.as_str(), "apiVersion" | "kind" | "metadata") || times.contains(&field.as_str())
        });
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(name: &str, uid: &str, version: u64, owner: &str) -> Value {
        json!({
            "metadata": {"name": name, "namespace": "n", "uid": uid, "resourceVersion": version.to_string(),
                "ownerReferences": [{"uid": owner, "controller": true}]},
            "data": {"large": "content"},
        })
    }

    #[test]
    fn an_older_version_changes_nothing() {
        let mut cache = Cache::default();
        assert!(cache.put(CONFIG_MAPS, map("a", "u", 5, "o")).is_some());
        assert!(cache.put(CONFIG_MAPS, map("a", "u", 4, "p")).is_none());
        assert!(cache.put(CONFIG_MAPS, map("a", "u", 5, "p")).is_none());
        assert_eq!(cache.controlled("o", CONFIG_MAPS).count(), 1);
        let kept = cache.get(&Key::new(CONFIG_MAPS, "n", "a")).unwrap();
        assert_eq!(kept.get("data"), None, "only metadata is kept of what no controller reads");
    }

    #[test]
    fn the_end_of_a_predecessor_does_not_remove_its_successor() {
        let mut cache = Cache::default();
        cache.put(CONFIG_MAPS, map("a", "old", 1, "o"));
        cache.put(CONFIG_MAPS, map("a", "new", 3, "o"));
        let key = Key::new(CONFIG_MAPS, "n", "a");
        assert!(cache.remove(&key, "old").is_none());
        assert!(cache.by_uid("new").is_some() && cache.by_uid("old").is_none());
        assert!(cache.remove(&key, "new").is_some());
        assert_eq!(cache.dependents("o").count(), 0);
    }

    #[test]
    fn a_list_removes_what_it_lacks_but_not_what_is_newer() {
        let mut cache = Cache::default();
        cache.put(CONFIG_MAPS, map("gone", "1", 1, "o"));
        cache.put(CONFIG_MAPS, map("written", "2", 9, "o"));
        let changed = cache.replace(CONFIG_MAPS, vec![map("seen", "3", 4, "o")], 5);
        assert_eq!(changed.len(), 2);
        let left: Vec<&str> = cache.keys_of(CONFIG_MAPS).map(|key| key.name.as_str()).collect();
        assert_eq!(left, ["seen", "written"]);
    }
}
