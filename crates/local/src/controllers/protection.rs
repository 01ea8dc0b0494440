//! Claims of volumes: one that is to go goes when no pod uses it any more.
//!
//! Invariant: a pod that runs keeps what it runs on.

use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{CLAIMS, Cache, Key, PODS};
use super::object::{self, pod};

/// Holds a claim while it is in use.
const PROTECTION: &str = "kubernetes.io/pvc-protection";

pub fn step(cache: &Cache, key: &Key) -> Step {
    let Some(claim) = cache.get(key).filter(|claim| waits(claim)) else { return Step::default() };
    if cache.objects(PODS).any(|(pod_key, pod)| pod_key.namespace == key.namespace && uses(pod, &key.name)) {
        return Step::default();
    }
    let patch = json!({"metadata": {
        "uid": object::uid(claim),
        "resourceVersion": object::text(claim, "/metadata/resourceVersion"),
        "finalizers": object::finalizers_without(claim, PROTECTION),
    }});
    Step { acts: vec![Act::Patch { key: key.clone(), subresource: "", patch }], wake: None }
}

/// Whether a claim is to go as soon as nobody uses it.
fn waits(claim: &Value) -> bool {
    object::deleting(claim) && object::has_finalizer(claim, PROTECTION)
}

fn uses(pod: &Value, claim: &str) -> bool {
    let named = |volume: &Value| object::text(volume, "/persistentVolumeClaim/claimName") == claim;
    !pod::finished(pod) && object::list(pod, "/spec/volumes").iter().any(named)
}

/// The claims that may go now that a pod is gone or has ended.
pub fn freed(cache: &Cache, pod: &Key) -> Vec<Key> {
    let here = |(key, claim): &(&Key, &std::sync::Arc<Value>)| key.namespace == pod.namespace && waits(claim);
    cache.objects(CLAIMS).filter(here).map(|(key, _)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Value {
        json!({"metadata": {
            "name": "c", "namespace": "n", "uid": "c", "resourceVersion": "5",
            "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [PROTECTION],
        }})
    }

    fn user(phase: &str) -> Value {
        json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "p", "resourceVersion": "6"},
            "spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            "status": {"phase": phase},
        })
    }

    #[test]
    fn a_claim_goes_when_its_last_pod_has_ended() {
        let key = Key::new(CLAIMS, "n", "c");
        for (phase, acts) in [("Running", 0), ("Pending", 0), ("Succeeded", 1)] {
            let mut cache = Cache::default();
            cache.put(CLAIMS, claim());
            cache.put(PODS, user(phase));
            assert_eq!(step(&cache, &key).acts.len(), acts, "{phase}");
            assert_eq!(freed(&cache, &Key::new(PODS, "n", "p")), std::slice::from_ref(&key));
        }
    }
}
