//! The end of a custom resource definition: its objects go before it.

use serde_json::json;

use super::Step;
use super::act::Act;
use super::cache::{Cache, Key};
use super::{feed, object};

/// What keeps a definition until its objects are gone.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

pub fn step(cache: &Cache, key: &Key) -> Step {
    let definition = cache.get(key).filter(|found| object::deleting(found) && object::has_finalizer(found, CLEANUP));
    let Some(definition) = definition else { return Step::default() };
    let resource = feed::defined(definition).map(|resource| resource.id()).unwrap_or_default();
    let mut left = cache.objects(&resource).peekable();
    let acts = if left.peek().is_none() {
        vec![Act::Patch {
            key: key.clone(),
            subresource: "",
            patch: json!({"metadata": {
                "uid": object::uid(definition),
                "finalizers": object::finalizers_without(definition, CLEANUP),
            }}),
        }]
    } else {
        left.filter(|(_, object)| !object::deleting(object))
            .map(|(key, object)| Act::Delete {
                key: key.clone(),
                uid: object::uid(object).to_owned(),
                propagation: "Background",
            })
            .collect()
    };
    Step { acts, wake: None }
}
