//! ReplicaSet: as many pods as it says, made from its template.
//!
//! Invariant: pods are the ones that its uid controls; by their labels it only adopts them and lets them go.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{Cache, Key, PODS, REPLICA_SETS};
use super::claim;
use super::object::{self, pod};

pub fn step(cache: &Cache, key: &Key, now: Timestamp) -> Step {
    let Some(set) = cache.get(key).filter(|set| !object::deleting(set)) else { return Step::default() };
    let mut step = Step { acts: claim::settle(cache, set, PODS, pod::active), wake: None };
    if !step.acts.is_empty() {
        return step;
    }
    let mut active: Vec<&Value> =
        cache.controlled(object::uid(set), PODS).map(AsRef::as_ref).filter(|pod| pod::active(pod)).collect();
    let wanted = object::number(set, "/spec/replicas").unwrap_or(1).max(0);
    let have = count(&active);
    for _ in have..wanted {
        step.acts.push(Act::Create { resource: PODS, object: new_pod(set, object::name(set), &[]) });
    }
    if have > wanted {
        active.sort_by_key(|pod| std::cmp::Reverse(worth(pod)));
        for surplus in active.split_off(usize::try_from(wanted).unwrap_or(0)) {
            step.acts.push(delete(surplus));
        }
    }
    let (status, wake) = status(set, &active, now);
    if set["status"] != status {
        step.acts.push(Act::Patch {
            key: Key::of(REPLICA_SETS, set),
            subresource: "status",
            patch: json!({"metadata": {"uid": object::uid(set)}, "status": status}),
        });
    }
    step.wake = wake;
    step
}

/// A pod from the template of a controller.
pub fn new_pod(owner: &Value, prefix: &str, finalizers: &[&str]) -> Value {
    let template = &owner["spec"]["template"];
    let mut metadata = json!({
        "generateName": format!("{prefix}-"),
        "namespace": object::namespace(owner),
        "ownerReferences": [object::controller_reference(owner)],
    });
    for field in ["labels", "annotations"] {
        if template["metadata"][field].is_object() {
            metadata[field] = template["metadata"][field].clone();
        }
    }
    let own = object::list(template, "/metadata/finalizers").iter().cloned();
    let all: Vec<Value> = own.chain(finalizers.iter().map(|finalizer| Value::from(*finalizer))).collect();
    if !all.is_empty() {
        metadata["finalizers"] = all.into();
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
}

/// Deletes a pod with its usual grace.
pub fn delete(pod: &Value) -> Act {
    Act::Delete { key: Key::of(PODS, pod), uid: object::uid(pod).to_owned(), propagation: "Background" }
}

/// Pods that are worth less go first: not placed, not running, not ready; of equals the youngest.
fn worth(pod: &Value) -> (bool, bool, bool, std::cmp::Reverse<Option<Timestamp>>) {
    let placed = !object::text(pod, "/spec/nodeName").is_empty();
    let created = object::time(pod, "/metadata/creationTimestamp");
    (placed, pod::phase(pod) == "Running", pod::ready(pod), std::cmp::Reverse(created))
}

fn status(set: &Value, active: &[&Value], now: Timestamp) -> (Value, Option<Timestamp>) {
    let settle = SignedDuration::from_secs(object::number(set, "/spec/minReadySeconds").unwrap_or(0));
    let available_from: Vec<Timestamp> =
        active.iter().filter_map(|pod| pod::ready_since(pod)?.checked_add(settle).ok()).collect();
    let available = available_from.iter().filter(|from| **from <= now).count();
    let wake = available_from.into_iter().filter(|from| *from > now).min();
    let ready = active.iter().filter(|pod| pod::ready(pod)).count();
    let mut status = json!({
        "replicas": active.len(),
        "fullyLabeledReplicas": active.len(),
        "readyReplicas": ready,
        "availableReplicas": available,
        "observedGeneration": object::generation(set),
    });
    if let Some(conditions) = set["status"].get("conditions") {
        status["conditions"] = conditions.clone();
    }
    (status, wake)
}

fn count(pods: &[&Value]) -> i64 {
    i64::try_from(pods.len()).unwrap_or(i64::MAX)
}
