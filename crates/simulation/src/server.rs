//! An API server with one namespace: resourceVersions, uids, generations, finalizers, and a log of all changes.
//!
//! As far as Kubernetes promises it. Invariant: each change has a resourceVersion of its own, greater than all before it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kit::client::CallError;
use kube::core::Status;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::objects::{Kind, Object, Stage};

pub const NAMESPACE: &str = "flink";

/// One change, as a watch tells it.
#[derive(Clone, Debug)]
pub struct Change {
    pub at: Duration,
    pub kind: Kind,
    pub object: Object,
    pub gone: bool,
}

/// What follows from a change by itself, later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// A pod is to be started, a Job to get its pod, a Deployment its own.
    Started { kind: Kind, name: String, uid: String },
    /// A pod has been told to end.
    Ending { name: String, uid: String },
    /// A node was not heard of for a while.
    Silent { name: String, uid: String },
    /// An owner is gone.
    Orphans { uid: String },
}

#[derive(Debug)]
pub struct Server {
    pub objects: BTreeMap<(Kind, String), Object>,
    pub log: Vec<Change>,
    pub follows: Vec<Follow>,
    /// Pods on nodes that do not answer, by uid, and whether their node is out of service.
    pub silent: BTreeMap<String, bool>,
    /// Pods whose node has come back.
    pub returned: std::collections::BTreeSet<String>,
    pub now: Duration,
    version: u64,
    uids: Dice,
}

pub type Answer<T> = Result<T, CallError>;

/// An answer that is no success.
pub fn status(code: u16, reason: &str, message: String) -> CallError {
    let mut status = Status::failure(&message, reason).with_code(code);
    if code == 422 {
        status.details =
            serde_json::from_value(json!({"causes": [{"reason": "FieldValueInvalid", "message": message}]})).ok();
    }
    CallError::Kube(kube::Error::Api(status.boxed()))
}

fn not_found(kind: Kind, name: &str) -> CallError {
    status(404, "NotFound", format!("{kind:?} {name:?} not found"))
}

fn conflict(kind: Kind, name: &str) -> CallError {
    status(409, "Conflict", format!("{kind:?} {name:?}: the object has been modified"))
}

impl Server {
    pub fn new(seed: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            log: Vec::new(),
            follows: Vec::new(),
            silent: BTreeMap::new(),
            returned: std::collections::BTreeSet::new(),
            now: Duration::ZERO,
            version: 100,
            uids: Dice::new(seed),
        }
    }

    /// The wall clock of the API server.
    pub fn time(&self) -> Timestamp {
        crate::time::wall(self.now)
    }

    pub fn get(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&(kind, name.to_owned()))
    }

    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        let (from, to) = ((kind, String::new()), (kind, "\u{10ffff}".to_owned()));
        self.objects.range(from..to).map(|(_, object)| object)
    }

    pub fn by_uid(&self, uid: &str) -> Option<&Object> {
        self.objects.values().find(|object| object.meta().uid.as_deref() == Some(uid))
    }

    fn seen(&self, kind: Kind, name: &str) -> Answer<Object> {
        self.get(kind, name).cloned().ok_or_else(|| not_found(kind, name))
    }

    /// Stores a new version; an object that nothing holds any more is gone instead.
    fn put(&mut self, mut object: Object) -> Object {
        self.version += 1;
        let (kind, name) = (object.kind(), object.meta().name.clone().unwrap_or_default());
        object.meta_mut().resource_version = Some(self.version.to_string());
        let meta = object.meta();
        let ends = meta.deletion_timestamp.is_some()
            && meta.finalizers.as_ref().is_none_or(Vec::is_empty)
            && kind != Kind::Pod;
        if ends {
            self.forget(object.clone());
        } else {
            self.log.push(Change { at: self.now, kind, object: object.clone(), gone: false });
            self.objects.insert((kind, name), object.clone());
        }
        object
    }

    fn forget(&mut self, object: Object) {
        let (kind, meta) = (object.kind(), object.meta());
        let (name, uid) = (meta.name.clone().unwrap_or_default(), meta.uid.clone().unwrap_or_default());
        self.objects.remove(&(kind, name));
        self.log.push(Change { at: self.now, kind, object, gone: true });
        self.follows.push(Follow::Orphans { uid });
    }

    /// Removes a pod whose process has ended after it was deleted.
    pub fn remove(&mut self, kind: Kind, name: &str, uid: &str) {
        let found = self.get(kind, name).filter(|object| object.meta().uid.as_deref() == Some(uid)).cloned();
        if let Some(mut object) = found {
            self.version += 1;
            object.meta_mut().resource_version = Some(self.version.to_string());
            self.forget(object);
        }
    }

    pub fn create(&mut self, kind: Kind, manifest: &Value) -> Answer<Object> {
        let mut object =
            Object::read(kind, manifest).map_err(|why| status(422, "Invalid", format!("{kind:?}: {why}")))?;
        let name = object.meta().name.clone().unwrap_or_default();
        if self.get(kind, &name).is_some() {
            return Err(status(409, "AlreadyExists", format!("{kind:?} {name:?} already exists")));
        }
        let (uid, now) = (self.uids.uid(), self.time());
        let owners: Vec<String> =
            object.meta().owner_references.iter().flatten().map(|owner| owner.uid.clone()).collect();
        let meta = object.meta_mut();
        meta.uid = Some(uid.clone());
        meta.namespace = Some(NAMESPACE.to_owned());
        meta.generation = Some(1);
        meta.creation_timestamp = Some(Time(now));
        let object = self.put(object);
        self.follows.push(Follow::Started { kind, name, uid });
        for owner in owners {
            if self.by_uid(&owner).is_none() {
                self.follows.push(Follow::Orphans { uid: owner });
            }
        }
        Ok(object)
    }

    fn guard(object: &Object, version: Option<&str>, uid: Option<&str>) -> Answer<()> {
        let meta = object.meta();
        let other = |wanted: Option<&str>, is: Option<&str>| wanted.is_some() && wanted != is;
        if other(version, meta.resource_version.as_deref()) || other(uid, meta.uid.as_deref()) {
            return Err(conflict(object.kind(), meta.name.as_deref().unwrap_or_default()));
        }
        Ok(())
    }

    /// Stores a changed object; the generation moves with the specification.
    fn update(&mut self, before: &Object, mut after: Object) -> Object {
        if !before.same_spec(&after) {
            let generation = before.meta().generation.unwrap_or_default();
            after.meta_mut().generation = Some(generation + 1);
        }
        if before.same_spec(&after) && unchanged(before.meta(), after.meta()) {
            return before.clone();
        }
        self.put(after)
    }

    pub fn replace(&mut self, kind: Kind, manifest: &Value) -> Answer<ObjectMeta> {
        let mut object =
            Object::read(kind, manifest).map_err(|why| status(422, "Invalid", format!("{kind:?}: {why}")))?;
        let name = object.meta().name.clone().unwrap_or_default();
        let before = self.seen(kind, &name)?;
        Self::guard(&before, object.meta().resource_version.as_deref(), object.meta().uid.as_deref())?;
        object.take_status(&before);
        let (old, meta) = (before.meta(), object.meta_mut());
        meta.uid.clone_from(&old.uid);
        meta.namespace.clone_from(&old.namespace);
        meta.generation = old.generation;
        meta.creation_timestamp.clone_from(&old.creation_timestamp);
        meta.deletion_timestamp.clone_from(&old.deletion_timestamp);
        Ok(self.update(&before, object).meta().clone())
    }

    pub fn replace_status(&mut self, mut object: Object) -> Answer<Object> {
        let (kind, meta) = (object.kind(), object.meta());
        let mut current = self.seen(kind, meta.name.as_deref().unwrap_or_default())?;
        Self::guard(&current, meta.resource_version.as_deref(), meta.uid.as_deref())?;
        if current.same_status(&object) {
            return Ok(current);
        }
        // Of the same version, only its status can be another one.
        if meta.resource_version.is_some() {
            object.meta_mut().clone_from(current.meta());
            return Ok(self.put(object));
        }
        current.take_status(&object);
        Ok(self.put(current))
    }

    pub fn finalizer(&mut self, seen: &Object, finalizer: &str, wanted: bool) -> Answer<Object> {
        let (kind, meta) = (seen.kind(), seen.meta());
        let mut object = self.seen(kind, meta.name.as_deref().unwrap_or_default())?;
        Self::guard(&object, meta.resource_version.as_deref(), None)?;
        let present = object.meta().finalizers.clone().unwrap_or_default();
        if present.iter().any(|one| one == finalizer) == wanted {
            return Ok(object);
        }
        if wanted && object.meta().deletion_timestamp.is_some() {
            return Err(status(422, "Invalid", "no new finalizers can be added if the object is being deleted".into()));
        }
        let mut finalizers = present;
        if wanted {
            finalizers.push(finalizer.to_owned());
        } else {
            finalizers.retain(|one| one != finalizer);
        }
        object.meta_mut().finalizers = Some(finalizers);
        Ok(self.put(object))
    }

    /// Applies `test`, `add` and `remove` to metadata.
    pub fn patch(&mut self, kind: Kind, name: &str, operations: &[Value]) -> Answer<Object> {
        let before = self.seen(kind, name)?;
        let mut meta = serde_json::to_value(before.meta()).expect("metadata is JSON");
        for operation in operations {
            let path = operation["path"].as_str().unwrap_or_default();
            let path = path.strip_prefix("/metadata").expect("only metadata is patched");
            let (parent, key) = path.rsplit_once('/').unwrap_or_default();
            let key = key.replace("~1", "/").replace("~0", "~");
            match operation["op"].as_str() {
                Some("test") if meta.pointer(path) != Some(&operation["value"]) => return Err(conflict(kind, name)),
                Some("add") => match meta.pointer_mut(parent) {
                    Some(Value::Object(members)) => {
                        members.insert(key, operation["value"].clone());
                    }
                    _ => return Err(status(422, "Invalid", format!("{parent} does not exist"))),
                },
                _ => {}
            }
        }
        let mut after = before.clone();
        *after.meta_mut() = serde_json::from_value(meta).expect("it was metadata");
        Ok(self.update(&before, after))
    }

    pub fn scale(&mut self, kind: Kind, name: &str, replicas: u32) -> Answer<()> {
        let before = self.seen(kind, name)?;
        let Some(mut cluster) = before.cluster().cloned() else { return Err(not_found(kind, name)) };
        cluster.spec.task_managers = i32::try_from(replicas).ok();
        self.update(&before, Object::Cluster(cluster.into()));
        Ok(())
    }

    /// Changes an object as a person does, who has read it just before.
    pub fn edit(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Object)) -> bool {
        let Some(before) = self.get(kind, name).cloned() else { return false };
        let mut after = before.clone();
        change(&mut after);
        self.update(&before, after);
        true
    }

    /// Changes the record in a status, as another version of ours would write it.
    pub fn rewrite(&mut self, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) {
        let Some(mut object) = self.get(kind, name).cloned() else { return };
        let record = match &mut object {
            Object::Job(job) => std::rc::Rc::make_mut(job).status.as_mut().and_then(|status| status.record.as_mut()),
            Object::Cluster(cluster) => {
                std::rc::Rc::make_mut(cluster).status.as_mut().and_then(|status| status.record.as_mut())
            }
            _ => None,
        };
        if let Some(record) = record {
            change(record);
            let _ = self.replace_status(object);
        }
    }

    pub fn delete(&mut self, kind: Kind, name: &str, uid: Option<&str>) -> Answer<()> {
        let mut object = self.seen(kind, name)?;
        Self::guard(&object, None, uid)?;
        if object.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        let (now, uid) = (self.time(), object.meta().uid.clone().unwrap_or_default());
        let meta = object.meta_mut();
        meta.deletion_timestamp = Some(Time(now));
        meta.generation = meta.generation.map(|generation| generation + 1);
        if kind == Kind::Pod {
            self.follows.push(Follow::Ending { name: name.to_owned(), uid });
        }
        self.put(object);
        Ok(())
    }

    /// Changes a pod as its node does.
    pub fn pod(&mut self, name: &str, uid: &str, stage: Stage, address: Option<String>) {
        let found = self.get(Kind::Pod, name).filter(|object| object.meta().uid.as_deref() == Some(uid)).cloned();
        if let Some(Object::Pod(mut pod)) = found {
            let changed = std::rc::Rc::make_mut(&mut pod);
            changed.stage = stage;
            changed.address = address.or_else(|| changed.address.clone());
            self.put(Object::Pod(pod));
        }
    }

    /// Writes on a pod whether its node answers.
    pub fn silence(&mut self, name: &str, uid: &str, silent: bool) {
        let found = self.get(Kind::Pod, name).filter(|object| object.meta().uid.as_deref() == Some(uid)).cloned();
        if let Some(Object::Pod(mut pod)) = found.filter(|object| object.pod().is_some_and(|pod| pod.silent != silent))
        {
            std::rc::Rc::make_mut(&mut pod).silent = silent;
            self.put(Object::Pod(pod));
        }
    }

    /// The objects of a kind as they were after so many changes.
    pub fn as_of(&self, kind: Kind, changes: usize) -> BTreeMap<String, Object> {
        if changes >= self.log.len() {
            let named = |object: &Object| (object.meta().name.clone().unwrap_or_default(), object.clone());
            return self.all(kind).map(named).collect();
        }
        let mut found = BTreeMap::new();
        for change in self.log.iter().take(changes).filter(|change| change.kind == kind) {
            let name = change.object.meta().name.clone().unwrap_or_default();
            if change.gone {
                found.remove(&name);
            } else {
                found.insert(name, change.object.clone());
            }
        }
        found
    }
}

fn unchanged(before: &ObjectMeta, after: &ObjectMeta) -> bool {
    before.annotations == after.annotations
        && before.labels == after.labels
        && before.finalizers == after.finalizers
        && before.owner_references == after.owner_references
}
