//! Namespaces: what each of them holds from the start, and their end.
//!
//! Invariant: a namespace goes when nothing is left in it, and everything in it goes when it is to go, its pods before all else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{CONFIG_MAPS, Cache, Key, NAMESPACES, PODS, SERVICE_ACCOUNTS};
use super::object;

/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";
/// What a cluster says of that config map.
const ROOT_CA_NOTE: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";
/// The config map with the authority of the API server.
const ROOT_CA: &str = "kube-root-ca.crt";

/// Whether the end of such an object matters to its namespace.
pub fn is_furniture(key: &Key) -> bool {
    matches!((key.resource.as_str(), key.name.as_str()), (SERVICE_ACCOUNTS, DEFAULT_ACCOUNT) | (CONFIG_MAPS, ROOT_CA))
}

pub fn step(cache: &Cache, key: &Key, authority: &str, now: Timestamp) -> Step {
    let Some(namespace) = cache.get(key) else { return Step::default() };
    let acts =
        if object::deleting(namespace) { empty(cache, &key.name, now) } else { furnish(cache, &key.name, authority) };
    Step { acts, wake: None }
}

fn furnish(cache: &Cache, name: &str, authority: &str) -> Vec<Act> {
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": DEFAULT_ACCOUNT, "namespace": name},
    });
    let root = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": ROOT_CA, "namespace": name, "annotations": {"kubernetes.io/description": ROOT_CA_NOTE}},
        "data": {"ca.crt": authority},
    });
    [(SERVICE_ACCOUNTS, account), (CONFIG_MAPS, root)]
        .into_iter()
        .filter(|(resource, object)| cache.get(&Key::of(resource, object)).is_none())
        .map(|(resource, object)| Act::Create { resource, object })
        .collect()
}

fn empty(cache: &Cache, name: &str, now: Timestamp) -> Vec<Act> {
    let key = Key::new(NAMESPACES, "", name);
    let finalized = cache.get(&key).is_some_and(|namespace| object::list(namespace, "/spec/finalizers").is_empty());
    let content: Vec<(&Key, &Value)> = cache
        .keys()
        .filter(|key| key.namespace == name)
        .filter_map(|key| Some((key, cache.get(key)?.as_ref())))
        .collect();
    match (content.is_empty(), finalized) {
        // Others hold it now.
        (true, true) => return Vec::new(),
        (true, false) => return vec![Act::FinalizeNamespace { name: name.to_owned() }],
        _ => {}
    }
    // Pods first, and the rest once they are gone: they may need their accounts and configuration to the end.
    let pods = content.iter().any(|(key, _)| key.resource == PODS);
    let next = content.into_iter().filter(|(key, _)| !pods || key.resource == PODS);
    let (leaving, there): (Vec<_>, Vec<_>) = next.partition(|(_, object)| object::deleting(object));
    if there.is_empty() {
        return if pods { Vec::new() } else { report(cache, &key, &leaving, now).into_iter().collect() };
    }
    there
        .into_iter()
        .map(|(key, object)| Act::Delete {
            key: key.clone(),
            uid: object::uid(object).to_owned(),
            propagation: "Background",
        })
        .collect()
}

/// What a namespace that is to end waits for, in its status.
fn report(cache: &Cache, key: &Key, leaving: &[(&Key, &Value)], now: Timestamp) -> Option<Act> {
    let namespace = cache.get(key)?;
    let (mut resources, mut finalizers) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    for (key, object) in leaving {
        // The group stands behind a dot even where it is empty.
        let resource = if key.resource.contains('.') { key.resource.clone() } else { format!("{}.", key.resource) };
        *resources.entry(resource).or_default() += 1;
        for finalizer in object::list(object, "/metadata/finalizers").iter().filter_map(Value::as_str) {
            *finalizers.entry(finalizer.to_owned()).or_default() += 1;
        }
    }
    let list = |counts: &BTreeMap<String, usize>, what: &str| {
        let parts: Vec<String> =
            counts.iter().map(|(name, count)| format!("{name} {what} {count} resource instances")).collect();
        parts.join(", ")
    };
    let remaining = format!("Some resources are remaining: {}", list(&resources, "has"));
    let held = format!("Some content in the namespace has finalizers remaining: {}", list(&finalizers, "in"));
    let free = finalizers.is_empty();
    let rows = [
        ("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            false,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            false,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", true, "SomeResourcesRemain", remaining.as_str()),
        if free {
            let message = "All content-preserving finalizers finished";
            ("NamespaceFinalizersRemaining", false, "ContentHasNoFinalizers", message)
        } else {
            ("NamespaceFinalizersRemaining", true, "SomeFinalizersRemain", held.as_str())
        },
    ];
    let conditions: Vec<Value> = rows
        .into_iter()
        .map(|(kind, holds, reason, message)| {
            let status = if holds { "True" } else { "False" };
            let since = object::condition(namespace, kind).filter(|old| old["status"] == status);
            let since = since.map_or_else(|| object::seconds(now).into(), |old| old["lastTransitionTime"].clone());
            json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since})
        })
        .collect();
    if object::list(namespace, "/status/conditions") == conditions {
        return None;
    }
    let patch = json!({"metadata": {"uid": object::uid(namespace)}, "status": {"conditions": conditions}});
    Some(Act::Patch { key: key.clone(), subresource: "status", patch })
}
