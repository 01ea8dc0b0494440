//! What a controller calls its own: it adopts what its selector matches and nobody controls, and lets go of what it no longer matches.
//!
//! Invariant: an object has one controller at most; each write carries the version of the object that was judged.

use serde_json::{Value, json};

use super::act::Act;
use super::cache::{Cache, Key};
use super::object;
use crate::machinery::selects;

/// The changes of owners that are due, among the objects that `counts` does not leave out.
pub fn settle(cache: &Cache, owner: &Value, resource: &str, counts: impl Fn(&Value) -> bool) -> Vec<Act> {
    let uid = object::uid(owner);
    let released =
        cache.controlled(uid, resource).filter(|found| counts(found) && !matches(owner, found)).map(|found| {
            let others: Vec<Value> =
                object::owners(found).iter().filter(|other| other["uid"] != uid).cloned().collect();
            own(resource, found, &others)
        });
    let adopted = cache
        .objects(resource)
        .map(|(_, found)| found)
        .filter(|found| is_orphan(found) && counts(found) && matches(owner, found))
        .map(|found| {
            let mut owners = object::owners(found).to_vec();
            owners.push(object::controller_reference(owner));
            own(resource, found, &owners)
        });
    released.chain(adopted).collect()
}

/// Nobody controls it, and it stays.
pub fn is_orphan(found: &Value) -> bool {
    object::controller(found).is_none() && !object::deleting(found)
}

/// Whether an owner selects an object.
pub fn matches(owner: &Value, found: &Value) -> bool {
    object::namespace(owner) == object::namespace(found)
        && selects(&owner["spec"]["selector"], &found["metadata"]["labels"])
}

fn own(resource: &str, found: &Value, owners: &[Value]) -> Act {
    Act::Patch {
        key: Key::of(resource, found),
        subresource: "",
        patch: json!({"metadata": {
            "uid": object::uid(found),
            "resourceVersion": object::text(found, "/metadata/resourceVersion"),
            "ownerReferences": owners,
        }}),
    }
}
