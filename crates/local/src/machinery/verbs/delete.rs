//! delete: preconditions, grace, finalizers, propagation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::error::{Failure, Result};
use super::super::kinds::Kind;
use super::super::request::Include;
use super::super::selector::Filter;
use super::super::{Machinery, Reply, meta, present};
use super::Call;
use super::deletion::Options;
use super::update::grace;

/// What a deletion came to.
enum Outcome {
    Gone(Arc<Value>),
    Pending(Arc<Value>),
}

/// Kinds whose deletion answers with the object, not with a mere success.
fn returns_deleted(kind: &Kind) -> bool {
    kind.custom.is_none()
        && matches!(
            kind.resource.as_str(),
            "pods" | "services" | "serviceaccounts" | "persistentvolumeclaims" | "namespaces"
        )
}

impl Machinery {
    pub(crate) fn delete(&mut self, mut call: Call<'_>) -> Result<Reply> {
        spare_the_system(&call)?;
        let options = Options::of(&mut call)?;
        let (key, current) = self.current(&call)?;
        match self.remove(&call, &options, &key, &current)? {
            Outcome::Pending(object) => Ok(call.answer(if options.accepted() { 202 } else { 200 }, &object)),
            Outcome::Gone(object) if returns_deleted(&call.kind) => Ok(call.answer(200, &object)),
            Outcome::Gone(object) => {
                let mut details =
                    json!({"name": meta::name(&object), "kind": call.kind.resource, "uid": meta::uid(&object)});
                if !call.kind.group.is_empty() {
                    details["group"] = call.kind.group.as_str().into();
                }
                let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
                Ok(call.answer_raw(200, status))
            }
        }
    }

    pub(crate) fn delete_collection(&mut self, mut call: Call<'_>) -> Result<Reply> {
        if !call.kind.verbs().contains(&"deletecollection") || (call.kind.namespaced && call.namespace().is_none()) {
            return Err(Failure::method_not_allowed());
        }
        let options = Options::of(&mut call)?;
        let filter = Filter::of(&call.query, &call.kind)?;
        let mut deleted = Vec::new();
        for (key, object) in self.select(&call, &filter) {
            self.remove(&call, &options, &key, &object)?;
            // What is shown are the objects as they were found.
            deleted.push(object);
        }
        let page = present::Page { revision: self.store.revision(), next: None, remaining: None };
        let body = present::list(&call.kind, &deleted, page, call.shape, Include::of(&call.query), call.now);
        Ok(call.answer_raw(200, body))
    }

    /// Deletes a pod as its `Eviction` asks for. No disruption budgets are kept here.
    pub(crate) fn evict(&mut self, call: &Call<'_>, key: &str, current: &Arc<Value>, eviction: &Value) -> Result<()> {
        let options = Options::read(call, eviction.get("deleteOptions").unwrap_or(&Value::Null))?;
        self.remove(call, &options, key, current).map(|_| ())
    }

    fn remove(&mut self, call: &Call<'_>, options: &Options, key: &str, current: &Arc<Value>) -> Result<Outcome> {
        check(call, options, current)?;
        let kind = call.kind.clone();
        let mut new = Value::clone(current);
        propagate(&kind, options, &mut new);
        if kind.resource == "customresourcedefinitions" {
            hold(&mut new);
        }
        let period = wanted_grace(&kind, options, current);
        let holds = !meta::finalizers(&new).is_empty() || held(&kind, &new);
        if period == 0 && !holds {
            if call.dry_run {
                return Ok(Outcome::Gone(current.clone()));
            }
            if dies_gracefully(&kind) && !meta::deleting(current) {
                // Whoever watches sees it on its way out, however short that is.
                mark(call, &kind, current, &mut new, 0);
                self.commit(&kind, key, new);
            }
            return Ok(Outcome::Gone(self.erase(&kind, key).unwrap_or_else(|| current.clone())));
        }
        mark(call, &kind, current, &mut new, period);
        if new == **current {
            return Ok(Outcome::Pending(current.clone()));
        }
        if call.dry_run {
            return Ok(Outcome::Pending(Arc::new(new)));
        }
        let object = self.commit(&kind, key, new);
        if kind.resource == "customresourcedefinitions" {
            self.delete_instances(call, &object);
        }
        Ok(Outcome::Pending(object))
    }

    /// A definition goes with its instances, and not before them.
    fn delete_instances(&mut self, call: &Call<'_>, definition: &Value) {
        let (group, resource) = (meta::text(definition, "/spec/group"), meta::text(definition, "/spec/names/plural"));
        let Some(kind) = self.kinds.all().find(|kind| kind.group == group && kind.resource == resource).cloned() else {
            return self.finish_definition(group, resource);
        };
        let instances: Vec<(String, Arc<Value>)> =
            self.store.scan(&kind.prefix, "").map(|(key, object)| (key.clone(), object.clone())).collect();
        for (key, current) in instances {
            if meta::finalizers(&current).is_empty() {
                self.erase(&kind, &key);
            } else {
                let mut new = Value::clone(&current);
                mark(call, &kind, &current, &mut new, 0);
                if new != *current {
                    self.commit(&kind, &key, new);
                }
            }
        }
        self.finish_definition(group, resource);
    }

    /// Takes out a definition that is being deleted, once it has no instances and no other finalizers.
    fn finish_definition(&mut self, group: &str, resource: &str) {
        let key = format!("/apiextensions.k8s.io/customresourcedefinitions//{resource}.{group}");
        let Some(definition) = self.store.get(&key).filter(|definition| meta::deleting(definition)).cloned() else {
            return;
        };
        if self.store.scan(&format!("/{group}/{resource}/"), "").next().is_some() {
            return;
        }
        let others: Vec<&str> =
            meta::finalizers(&definition).into_iter().filter(|finalizer| *finalizer != CLEANUP).collect();
        if others.is_empty() {
            self.store.remove(&key);
            self.kinds.remove(group, resource);
        } else if others.len() < meta::finalizers(&definition).len() {
            let mut new = Value::clone(&definition);
            new["metadata"]["finalizers"] = json!(others);
            self.store.put(&key, new);
        }
    }

    /// Takes an object out of the store.
    pub(crate) fn erase(&mut self, kind: &Kind, key: &str) -> Option<Arc<Value>> {
        let last = self.store.remove(key)?;
        if kind.resource == "customresourcedefinitions" {
            self.kinds.remove(meta::text(&last, "/spec/group"), meta::text(&last, "/spec/names/plural"));
        } else if kind.custom.is_some() {
            self.finish_definition(&kind.group, &kind.resource);
        }
        Some(last)
    }
}

/// Namespaces without which there is no system.
fn spare_the_system(call: &Call<'_>) -> Result<()> {
    let name = call.target.name.as_deref().unwrap_or_default();
    let needed = matches!(name, "default" | "kube-system" | "kube-public");
    if needed && call.kind.resource == "namespaces" && call.kind.custom.is_none() {
        return Err(Failure::forbidden("", "namespaces", name, "this namespace may not be deleted"));
    }
    Ok(())
}

/// Something other than finalizers keeps the object: a namespace's content.
pub(crate) fn held(kind: &Kind, object: &Value) -> bool {
    kind.resource == "namespaces"
        && object.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty())
}

/// Keeps a definition until its instances are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

fn hold(definition: &mut Value) {
    let metadata = meta::metadata(definition);
    let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(finalizers) = finalizers.as_array_mut().filter(|all| !all.iter().any(|one| one == CLEANUP)) {
        finalizers.push(CLEANUP.into());
    }
}

fn check(call: &Call<'_>, options: &Options, current: &Value) -> Result<()> {
    let kind = &call.kind;
    let stored = [
        ("UID", "deleted and then recreated", &options.uid, meta::uid(current)),
        ("ResourceVersion", "modified", &options.revision, meta::text(current, "/metadata/resourceVersion")),
    ];
    for (what, fate, wanted, found) in stored {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({found}). The object might have been {fate}"
            );
            // Here the kind stands for the resource.
            return Err(Failure::conflict(&kind.group, &kind.name, meta::name(current), &why));
        }
    }
    Ok(())
}

/// Foreground and orphaning deletion are finalizers that the garbage collector takes off.
fn propagate(kind: &Kind, options: &Options, object: &mut Value) {
    if kind.resource == "events" && kind.custom.is_none() {
        return;
    }
    let finalizers = meta::finalizers(object);
    // Jobs of old orphaned their pods, and so they do unless told otherwise.
    let job = kind.resource == "jobs" && kind.custom.is_none();
    let wanted = match (options.orphan, options.propagation.as_deref()) {
        (Some(true), _) | (None, Some("Orphan")) => Some("orphan"),
        (None, Some("Foreground")) => Some("foregroundDeletion"),
        (Some(false), _) | (None, Some(_)) => None,
        (None, None) => {
            let own = finalizers.iter().copied().find(|one| matches!(*one, "orphan" | "foregroundDeletion"));
            own.or(job.then_some("orphan"))
        }
    };
    let mut kept: Vec<Value> = finalizers
        .iter()
        .filter(|f| !matches!(**f, "foregroundDeletion" | "orphan"))
        .map(|f| Value::from(*f))
        .collect();
    kept.extend(wanted.map(Value::from));
    if kept.len() == finalizers.len() && kept.iter().all(|one| finalizers.iter().any(|other| one == other)) {
        return;
    }
    let metadata = meta::metadata(object);
    if kept.is_empty() {
        metadata.remove("finalizers");
    } else {
        metadata.insert("finalizers".into(), kept.into());
    }
}

/// Pods alone are given time to end.
fn dies_gracefully(kind: &Kind) -> bool {
    kind.resource == "pods" && kind.custom.is_none()
}

/// Only pods that a node runs are given time.
fn wanted_grace(kind: &Kind, options: &Options, pod: &Value) -> i64 {
    let ended = matches!(meta::text(pod, "/status/phase"), "Succeeded" | "Failed");
    if !dies_gracefully(kind) || meta::text(pod, "/spec/nodeName").is_empty() || ended {
        return 0;
    }
    let own = pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64).unwrap_or(30);
    let wanted = options.grace.unwrap_or(own);
    let wanted = if wanted < 0 { 1 } else { wanted };
    if meta::deleting(pod) { wanted.min(grace(pod)) } else { wanted }
}

fn mark(call: &Call<'_>, kind: &Kind, current: &Value, object: &mut Value, period: i64) {
    let generation = meta::generation(current);
    let again = meta::deleting(current);
    if again && grace(current) <= period {
        return;
    }
    let at = call.now + jiff::SignedDuration::from_secs(period);
    let metadata = meta::metadata(object);
    metadata.insert("deletionTimestamp".into(), meta::seconds(at).into());
    if kind.resource != "namespaces" || kind.custom.is_some() {
        metadata.insert("deletionGracePeriodSeconds".into(), period.into());
    }
    if generation > 0 && !again {
        metadata.insert("generation".into(), (generation + 1).into());
    }
    if kind.resource == "namespaces" {
        object["status"]["phase"] = "Terminating".into();
    }
}
