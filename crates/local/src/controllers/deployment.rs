//! Deployment: one ReplicaSet for each version of its template, and the way from the old ones to the new one.
//!
//! Left out: proportional scaling in the middle of a rollout.
//!
//! Invariant: the ReplicaSet of a template is found by the digest of the template, which is in its name: it is made once.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Step;
use super::act::Act;
use super::cache::{Cache, DEPLOYMENTS, Key, PODS, REPLICA_SETS};
use super::claim;
use super::object::{self, pod};
use super::rollout::{self, Plan};

const FROM: &str = "deployment-controller";
const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The revisions that a replica set had before its template was wanted again.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a deployment that its replica sets do not get.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MOST,
];

pub fn step(cache: &Cache, key: &Key, now: Timestamp) -> Step {
    let Some(deployment) = cache.get(key).filter(|deployment| !object::deleting(deployment)) else {
        return Step::default();
    };
    let mut step = Step { acts: claim::settle(cache, deployment, REPLICA_SETS, |_| true), wake: None };
    if !step.acts.is_empty() {
        return step;
    }
    let hash = hash(&deployment["spec"]["template"]);
    let sets: Vec<&Value> = cache
        .controlled(object::uid(deployment), REPLICA_SETS)
        .map(AsRef::as_ref)
        .filter(|set| !object::deleting(set))
        .collect();
    let (new, old): (Vec<&Value>, Vec<&Value>) =
        sets.iter().partition(|set| set["metadata"]["labels"][HASH] == hash.as_str());
    let new = new.first().copied();
    let paused = deployment["spec"]["paused"] == true;
    let running_old_pods =
        old.iter().any(|set| cache.controlled(object::uid(set), PODS).any(|pod| !pod::finished(pod)));
    if !paused || new.is_some_and(|new| old.is_empty() && replicas(new) != replicas(deployment)) {
        let plan = rollout::plan(&view(deployment, new, &old, running_old_pods));
        carry_out(deployment, new, &old, &hash, &plan, &mut step.acts);
    }
    tidy(deployment, &old, &mut step.acts);
    let (status, wake) = super::progress::status(deployment, new, &old, now);
    if deployment["status"] != status {
        step.acts.push(super::replace_status(DEPLOYMENTS, deployment, &status));
    }
    step.wake = wake;
    step
}

fn view(deployment: &Value, new: Option<&Value>, old: &[&Value], running_old_pods: bool) -> rollout::View {
    let wanted = replicas(deployment);
    let available = |set: &Value| object::number(set, "/status/availableReplicas").unwrap_or(0);
    let (surge, unavailable) = bounds(deployment);
    rollout::View {
        recreate: object::text(deployment, "/spec/strategy/type") == "Recreate",
        wanted,
        surge,
        unavailable,
        new: new.map(|set| rollout::Set { replicas: replicas(set), available: available(set) }),
        old: old.iter().map(|set| rollout::Set { replicas: replicas(set), available: available(set) }).collect(),
        running_old_pods,
    }
}

/// How many replicas there may be above the wanted number, and how many may be missing.
fn bounds(deployment: &Value) -> (i64, i64) {
    let (wanted, rolling) = (replicas(deployment), &deployment["spec"]["strategy"]["rollingUpdate"]);
    let surge = share(&rolling["maxSurge"], wanted, true);
    let unavailable = share(&rolling["maxUnavailable"], wanted, false);
    // Where both round to nothing one has to give, or nothing ever moves.
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

fn carry_out(deployment: &Value, new: Option<&Value>, old: &[&Value], hash: &str, plan: &Plan, acts: &mut Vec<Act>) {
    let revision = old.iter().chain(&new).map(|set| revision(set)).max().unwrap_or(0);
    for (set, target) in old.iter().zip(&plan.old) {
        scale(deployment, set, *target, acts);
    }
    let own_revision = match (new, plan.new) {
        (Some(set), Some(target)) => {
            scale(deployment, set, target, acts);
            // An old template that is wanted again is the newest revision.
            let newest = old.iter().map(|set| self::revision(set)).max().unwrap_or(0);
            let mut wanted = copied(deployment);
            wanted.retain(|key, value| set["metadata"]["annotations"].get(key) != Some(value));
            let before = self::revision(set);
            if before <= newest {
                wanted.insert(REVISION.into(), (newest + 1).to_string().into());
                if before > 0 {
                    let past =
                        object::text(&set["metadata"]["annotations"], &format!("/{}", HISTORY.replace('/', "~1")));
                    let comma = if past.is_empty() { "" } else { "," };
                    wanted.insert(HISTORY.into(), format!("{past}{comma}{before}").into());
                }
            }
            if !wanted.is_empty() {
                acts.push(annotate(REPLICA_SETS, set, &wanted));
            }
            before.max(newest + i64::from(before <= newest))
        }
        (None, Some(target)) => {
            acts.push(Act::Create { resource: REPLICA_SETS, object: new_set(deployment, hash, target, revision + 1) });
            if target > 0 {
                let message = format!("Scaled up replica set {}-{hash} from 0 to {target}", object::name(deployment));
                acts.push(tell(deployment, message));
            }
            revision + 1
        }
        (_, None) => return,
    };
    if deployment["metadata"]["annotations"][REVISION] != own_revision.to_string().as_str() {
        let revision = Map::from_iter([(REVISION.to_owned(), own_revision.to_string().into())]);
        acts.push(annotate(DEPLOYMENTS, deployment, &revision));
    }
}

fn scale(deployment: &Value, set: &Value, target: i64, acts: &mut Vec<Act>) {
    let current = replicas(set);
    if current == target {
        return;
    }
    acts.push(Act::Patch {
        key: Key::of(REPLICA_SETS, set),
        subresource: "",
        patch: json!({
            "metadata": {"uid": object::uid(set), "annotations": sizes(deployment)}, "spec": {"replicas": target},
        }),
    });
    let direction = if target > current { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {current} to {target}", object::name(set));
    acts.push(tell(deployment, message));
}

/// Deletes empty replica sets beyond the history limit, the oldest first.
fn tidy(deployment: &Value, old: &[&Value], acts: &mut Vec<Act>) {
    let limit = object::number(deployment, "/spec/revisionHistoryLimit").unwrap_or(10).max(0);
    let mut empty: Vec<&&Value> = old
        .iter()
        .filter(|set| replicas(set) == 0 && object::number(set, "/status/replicas").unwrap_or(0) == 0)
        .collect();
    empty.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    for set in empty.into_iter().skip(usize::try_from(limit).unwrap_or(0)) {
        let key = Key::of(REPLICA_SETS, set);
        acts.push(Act::Delete { key, uid: object::uid(set).to_owned(), propagation: "Background" });
    }
}

fn new_set(deployment: &Value, hash: &str, replicas: i64, revision: i64) -> Value {
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = hash.into();
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = hash.into();
    let spec = json!({
        "replicas": replicas,
        "minReadySeconds": deployment["spec"]["minReadySeconds"].as_i64().unwrap_or(0),
        "selector": selector,
        "template": template,
    });
    let mut annotations = copied(deployment);
    annotations.extend(sizes(deployment));
    annotations.insert(REVISION.into(), revision.to_string().into());
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", object::name(deployment)),
            "namespace": object::namespace(deployment),
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [object::controller_reference(deployment)],
        },
        "spec": spec,
    })
}

/// The annotations that a deployment hands down.
fn copied(deployment: &Value) -> Map<String, Value> {
    let mut annotations = deployment["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    annotations.retain(|key, _| !OWN.contains(&key.as_str()));
    annotations
}

/// How many replicas are wanted, and how many there may be, when a replica set is scaled.
fn sizes(deployment: &Value) -> Map<String, Value> {
    let wanted = replicas(deployment);
    let rolling = object::text(deployment, "/spec/strategy/type") != "Recreate";
    let most = wanted + if rolling { bounds(deployment).0 } else { 0 };
    Map::from_iter([(DESIRED.to_owned(), wanted.to_string().into()), (MOST.to_owned(), most.to_string().into())])
}

fn annotate(resource: &'static str, object: &Value, annotations: &Map<String, Value>) -> Act {
    Act::Patch {
        key: Key::of(resource, object),
        subresource: "",
        patch: json!({"metadata": {"uid": object::uid(object), "annotations": annotations}}),
    }
}

fn tell(deployment: &Value, message: String) -> Act {
    Act::Tell { from: FROM, about: super::reference(deployment), kind: "Normal", reason: "ScalingReplicaSet", message }
}

fn replicas(object: &Value) -> i64 {
    object::number(object, "/spec/replicas").unwrap_or(1).max(0)
}

fn revision(set: &Value) -> i64 {
    set["metadata"]["annotations"][REVISION].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A number, or a percentage of `of`, rounded up or down; 25% if absent.
fn share(value: &Value, of: i64, up: bool) -> i64 {
    let percent = match value {
        Value::Number(number) => return number.as_i64().unwrap_or(0).max(0),
        Value::String(text) => text.trim_end_matches('%').parse::<i64>().unwrap_or(25),
        _ => 25,
    };
    let hundredths = of * percent.clamp(0, 100);
    if up { (hundredths + 99) / 100 } else { hundredths / 100 }
}

/// A digest of the template as letters that spell no words. Maps are hashed in the order of their keys.
fn hash(template: &Value) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut text = String::new();
    canonical(template, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(10).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

fn canonical(value: &Value, into: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            into.push('{');
            for (name, value) in fields {
                into.push_str(name);
                into.push(':');
                canonical(value, into);
                into.push(',');
            }
            into.push('}');
        }
        Value::Array(items) => {
            into.push('[');
            for item in items {
                canonical(item, into);
                into.push(',');
            }
            into.push(']');
        }
        other => into.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_towards_progress() {
        assert_eq!(share(&json!("25%"), 1, true), 1);
        assert_eq!(share(&json!("25%"), 1, false), 0);
        assert_eq!(share(&json!(2), 10, true), 2);
        assert_eq!(share(&Value::Null, 8, false), 2);
    }

    #[test]
    fn the_order_of_keys_does_not_change_a_hash() {
        let one: Value = serde_json::from_str(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#).unwrap();
        assert_eq!(hash(&one), hash(&two));
        assert_ne!(hash(&one), hash(&json!({"a": 2})));
    }
}
