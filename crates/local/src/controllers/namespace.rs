//! Namespaces: what each of them holds from the start, and their end.
//!
//! Invariant: a namespace goes when nothing is left in it, and everything in it goes when it is to go, its pods before all else.

use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{CONFIG_MAPS, Cache, Key, PODS, SERVICE_ACCOUNTS};
use super::object;

/// The service account of pods that name none.
const DEFAULT_ACCOUNT: &str = "default";
/// The config map with the authority of the API server.
const ROOT_CA: &str = "kube-root-ca.crt";

/// Whether the end of such an object matters to its namespace.
pub fn is_furniture(key: &Key) -> bool {
    matches!((key.resource.as_str(), key.name.as_str()), (SERVICE_ACCOUNTS, DEFAULT_ACCOUNT) | (CONFIG_MAPS, ROOT_CA))
}

pub fn step(cache: &Cache, key: &Key, authority: &str) -> Step {
    let Some(namespace) = cache.get(key) else { return Step::default() };
    let acts = if object::deleting(namespace) { empty(cache, &key.name) } else { furnish(cache, &key.name, authority) };
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
        "metadata": {"name": ROOT_CA, "namespace": name},
        "data": {"ca.crt": authority},
    });
    [(SERVICE_ACCOUNTS, account), (CONFIG_MAPS, root)]
        .into_iter()
        .filter(|(resource, object)| cache.get(&Key::of(resource, object)).is_none())
        .map(|(resource, object)| Act::Create { resource, object })
        .collect()
}

fn empty(cache: &Cache, name: &str) -> Vec<Act> {
    let content: Vec<(&Key, &Value)> = cache
        .keys()
        .filter(|key| key.namespace == name)
        .filter_map(|key| Some((key, cache.get(key)?.as_ref())))
        .collect();
    if content.is_empty() {
        return vec![Act::FinalizeNamespace { name: name.to_owned() }];
    }
    // Pods first, and the rest once they are gone: they may need their accounts and configuration to the end.
    let pods = content.iter().any(|(key, _)| key.resource == PODS);
    content
        .into_iter()
        .filter(|(key, _)| !pods || key.resource == PODS)
        .filter(|(_, object)| !object::deleting(object))
        .map(|(key, object)| Act::Delete {
            key: key.clone(),
            uid: object::uid(object).to_owned(),
            propagation: "Background",
        })
        .collect()
}
