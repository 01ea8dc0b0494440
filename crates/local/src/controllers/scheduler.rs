//! The scheduler: gives each pod to the first node that is ready.
//!
//! There is one node, and it is the developer's machine: resources, node selectors, affinities and taints are not
//! weighed, so that manifests made for a large cluster run here.
//!
//! Invariant: a pod is bound once; the server refuses a second binding.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{Cache, Key, NODES};
use super::object::{self, pod};

const NAME: &str = "default-scheduler";
/// How long a pod may wait before it says so: a node that is just starting is no news.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// Whether a pod waits for a node.
pub fn waits(pod: &Value) -> bool {
    let scheduler = object::text(pod, "/spec/schedulerName");
    pod::active(pod)
        && object::text(pod, "/spec/nodeName").is_empty()
        && matches!(scheduler, "" | NAME)
        && object::list(pod, "/spec/schedulingGates").is_empty()
}

pub fn step(cache: &Cache, key: &Key, now: Timestamp) -> Step {
    let Some(pod) = cache.get(key).filter(|pod| waits(pod)) else { return Step::default() };
    if let Some((node, _)) = cache.objects(NODES).find(|(_, node)| takes_pods(node)) {
        let about = super::reference(pod);
        let message = format!("Successfully assigned {}/{} to {}", key.namespace, key.name, node.name);
        return Step {
            acts: vec![
                Act::Bind { pod: key.clone(), uid: object::uid(pod).to_owned(), node: node.name.clone() },
                Act::Tell { from: NAME, about, kind: "Normal", reason: "Scheduled", message },
            ],
            wake: None,
        };
    }
    let created = object::time(pod, "/metadata/creationTimestamp").unwrap_or(now);
    let late = created.checked_add(PATIENCE).unwrap_or(Timestamp::MAX);
    if now < late {
        return Step { acts: Vec::new(), wake: Some(late) };
    }
    Step { acts: complain(key, pod, now).into_iter().collect(), wake: None }
}

fn takes_pods(node: &Value) -> bool {
    object::holds(node, "Ready") && node["spec"]["unschedulable"] != true && !object::deleting(node)
}

fn complain(key: &Key, pod: &Value, now: Timestamp) -> Option<Act> {
    let known = object::condition(pod, "PodScheduled").is_some_and(|condition| condition["status"] == "False");
    if known {
        return None;
    }
    let mut conditions = object::list(pod, "/status/conditions").to_vec();
    conditions.retain(|condition| condition["type"] != "PodScheduled");
    conditions.push(json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "no node is ready to take pods",
        "lastTransitionTime": object::seconds(now),
    }));
    let patch = json!({"metadata": {"uid": object::uid(pod)}, "status": {"conditions": conditions}});
    Some(Act::Patch { key: key.clone(), subresource: "status", patch })
}
