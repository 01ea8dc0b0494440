//! Garbage collection: what has owners goes when the last of them goes, in the way that the deletion asked for.
//!
//! Invariant: nothing is deleted because the cache lacks an owner; the server is asked first.

use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{Cache, EVENTS, Key};
use super::object;

const FOREGROUND: &str = "foregroundDeletion";
const ORPHAN: &str = "orphan";

/// Whether an object can be of interest at all.
pub fn concerns(object: &Value) -> bool {
    !object::owners(object).is_empty() || (object::deleting(object) && propagation(object) != "Background")
}

pub fn step(cache: &Cache, key: &Key) -> Step {
    let Some(object) = cache.get(key).filter(|_| key.resource != EVENTS) else { return Step::default() };
    let acts = if object::deleting(object) { let_go(cache, key, object) } else { collect(cache, key, object) };
    Step { acts, wake: None }
}

/// What the finalizers of an object say about its dependents.
fn propagation(object: &Value) -> &'static str {
    if object::has_finalizer(object, ORPHAN) {
        "Orphan"
    } else if object::has_finalizer(object, FOREGROUND) {
        "Foreground"
    } else {
        "Background"
    }
}

/// Takes the collector's finalizer from an object that is being deleted, once its dependents are dealt with.
fn let_go(cache: &Cache, key: &Key, object: &Value) -> Vec<Act> {
    let uid = object::uid(object);
    let (acts, finalizer): (Vec<Act>, _) = match propagation(object) {
        "Orphan" => {
            let acts = cache.dependents(uid).map(|(key, dependent)| keep_owners(key, dependent, |owner| owner != uid));
            (acts.collect(), ORPHAN)
        }
        "Foreground" => {
            let blocking: Vec<(&Key, &Value)> = cache
                .dependents(uid)
                .map(|(key, dependent)| (key, dependent.as_ref()))
                .filter(|(_, dependent)| {
                    reference(dependent, uid).is_some_and(|owner| owner["blockOwnerDeletion"] == true)
                })
                .collect();
            if !blocking.is_empty() {
                // Each of them is looked at by itself: it may have other owners.
                return Vec::new();
            }
            (Vec::new(), FOREGROUND)
        }
        _ => return Vec::new(),
    };
    let mut acts = acts;
    acts.push(Act::Patch {
        key: key.clone(),
        subresource: "",
        patch: json!({"metadata": {
            "uid": uid,
            "resourceVersion": object::text(object, "/metadata/resourceVersion"),
            "finalizers": object::finalizers_without(object, finalizer),
        }}),
    });
    acts
}

/// Deletes an object without living owners, or takes the dead ones from its list.
fn collect(cache: &Cache, key: &Key, object: &Value) -> Vec<Act> {
    let owners = object::owners(object);
    if owners.is_empty() {
        return Vec::new();
    }
    let (mut solid, mut waiting, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for owner in owners {
        let uid = object::text(owner, "/uid");
        match cache.by_uid(uid) {
            Some((found, _)) if !found.namespace.is_empty() && found.namespace != key.namespace => absent.push(owner),
            Some((_, found)) if object::deleting(found) && propagation(found) == "Foreground" => waiting.push(owner),
            Some(_) => solid.push(object::text(owner, "/uid")),
            None => absent.push(owner),
        }
    }
    if !solid.is_empty() {
        return if waiting.is_empty() && absent.is_empty() {
            Vec::new()
        } else {
            vec![Act::Disown {
                key: key.clone(),
                revision: object::text(object, "/metadata/resourceVersion").to_owned(),
                waiting: waiting.iter().map(|owner| object::text(owner, "/uid").to_owned()).collect(),
                absent: absent.into_iter().cloned().collect(),
            }]
        };
    }
    let has_dependents = cache.dependents(object::uid(object)).next().is_some();
    let propagation = if !waiting.is_empty() && has_dependents { "Foreground" } else { propagation(object) };
    vec![Act::Collect {
        key: key.clone(),
        uid: object::uid(object).to_owned(),
        revision: object::resource_version(object),
        owners: absent.into_iter().cloned().collect(),
        propagation,
    }]
}

fn reference<'a>(dependent: &'a Value, uid: &str) -> Option<&'a Value> {
    object::owners(dependent).iter().find(|owner| owner["uid"] == uid)
}

fn keep_owners(key: &Key, object: &Value, keep: impl Fn(&str) -> bool) -> Act {
    let kept: Vec<&Value> = object::owners(object).iter().filter(|owner| keep(object::text(owner, "/uid"))).collect();
    Act::Patch {
        key: key.clone(),
        subresource: "",
        patch: json!({"metadata": {
            "uid": object::uid(object),
            "resourceVersion": object::text(object, "/metadata/resourceVersion"),
            "ownerReferences": kept,
        }}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cache::{CONFIG_MAPS, PODS};
    use super::*;

    fn object(name: &str, owners: &[(&str, bool)], extra: &Value) -> Value {
        let owners: Vec<Value> = owners
            .iter()
            .map(|(uid, block)| json!({"uid": uid, "apiVersion": "v1", "kind": "ConfigMap", "name": uid, "blockOwnerDeletion": block}))
            .collect();
        let mut object = json!({"metadata": {
            "name": name, "namespace": "n", "uid": name, "resourceVersion": "5", "ownerReferences": owners,
        }});
        for (field, value) in extra.as_object().into_iter().flatten() {
            object["metadata"][field] = value.clone();
        }
        object
    }

    fn acts(objects: Vec<(&str, Value)>, of: &str) -> Vec<Act> {
        let mut cache = Cache::default();
        for (resource, object) in objects {
            cache.put(resource, object);
        }
        let key = cache.by_uid(of).unwrap().0.clone();
        step(&cache, &key).acts
    }

    fn deleting(finalizer: &str) -> Value {
        json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [finalizer]})
    }

    #[test]
    fn what_has_a_living_owner_stays_without_those_that_are_gone() {
        let owner = object("owner", &[], &Value::Null);
        let one = object("child", &[("owner", true)], &Value::Null);
        assert_eq!(acts(vec![(CONFIG_MAPS, owner.clone()), (PODS, one)], "child"), vec![]);
        let both = object("child", &[("owner", true), ("dead", true)], &Value::Null);
        let acts = acts(vec![(CONFIG_MAPS, owner), (PODS, both)], "child");
        let [Act::Disown { waiting, absent, .. }] = acts.as_slice() else { panic!("{acts:?}") };
        assert_eq!((waiting.len(), &absent[0]["uid"]), (0, &json!("dead")));
    }

    #[test]
    fn what_lost_its_last_owner_goes_if_the_server_agrees() {
        let acts = acts(vec![(PODS, object("child", &[("dead", true)], &Value::Null))], "child");
        let [Act::Collect { owners, propagation, revision: 5, .. }] = acts.as_slice() else { panic!("{acts:?}") };
        assert_eq!((owners.len(), *propagation), (1, "Background"));
    }

    #[test]
    fn an_owner_waits_for_its_dependents_if_asked_to() {
        let owner = object("owner", &[], &deleting(FOREGROUND));
        let child = object("child", &[("owner", true)], &Value::Null);
        let both = vec![(CONFIG_MAPS, owner.clone()), (PODS, child)];
        assert_eq!(acts(both.clone(), "owner"), vec![]);
        let of_child = acts(both, "child");
        assert!(matches!(of_child.as_slice(), [Act::Collect { owners, .. }] if owners.is_empty()), "{of_child:?}");
        let alone = acts(vec![(CONFIG_MAPS, owner)], "owner");
        let [Act::Patch { patch, .. }] = alone.as_slice() else { panic!("{alone:?}") };
        assert_eq!(patch["metadata"]["finalizers"], json!([]));
    }

    #[test]
    fn orphans_lose_the_reference_and_live() {
        let owner = object("owner", &[], &deleting(ORPHAN));
        let child = object("child", &[("owner", true), ("other", true)], &Value::Null);
        let acts = acts(vec![(CONFIG_MAPS, owner), (PODS, child)], "owner");
        let [Act::Patch { patch, .. }, Act::Patch { .. }] = acts.as_slice() else { panic!("{acts:?}") };
        assert_eq!(patch["metadata"]["ownerReferences"][0]["uid"], "other");
    }
}
