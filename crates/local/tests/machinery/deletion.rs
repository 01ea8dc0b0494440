//! delete: finalizers, grace, preconditions, propagation, namespaces, definitions.

use serde_json::{Value, json};

use super::{Cluster, config_map, event, pod};

const MAPS: &str = "/api/v1/namespaces/ns/configmaps";
const PODS: &str = "/api/v1/namespaces/ns/pods";

#[test]
fn finalizers_hold_an_object_until_the_last_is_gone() {
    let mut cluster = Cluster::new();
    let mut map = config_map("a");
    map["metadata"]["finalizers"] = json!(["example.com/x"]);
    cluster.post(MAPS, &map).ok();
    let path = format!("{MAPS}/a");
    let pending = cluster.delete(&path, &Value::Null).ok();
    assert_eq!(pending["metadata"]["deletionTimestamp"], "2026-01-01T00:00:00Z");
    let added = cluster
        .patch("merge", &path, &json!({"metadata": {"finalizers": ["example.com/x", "example.com/y"]}}))
        .refused();
    let words = "ConfigMap \"a\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"example.com/y\"}";
    assert_eq!(added, (422, words.to_owned()));
    let revision = cluster.machinery.revision();
    cluster.delete(&path, &Value::Null).ok();
    assert_eq!(cluster.machinery.revision(), revision, "deleting again changes nothing");
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={revision}"), None);
    cluster.patch("merge", &path, &json!({"metadata": {"finalizers": null}})).ok();
    assert_eq!(cluster.get(&path).status, 404);
    assert_eq!(cluster.events(&mut watch).last(), Some(&event("DELETED", "a")));
}

#[test]
fn pods_on_a_node_are_given_time() {
    let mut cluster = Cluster::new();
    cluster.post(PODS, &pod("waiting")).ok();
    cluster.delete(&format!("{PODS}/waiting"), &Value::Null).ok();
    assert_eq!(cluster.get(&format!("{PODS}/waiting")).status, 404);

    let mut bound = pod("p");
    bound["spec"]["nodeName"] = "n".into();
    bound["spec"]["terminationGracePeriodSeconds"] = 20.into();
    cluster.post(PODS, &bound).ok();
    let path = format!("{PODS}/p");
    let pending = cluster.delete(&path, &Value::Null).ok();
    assert_eq!(
        (&pending["metadata"]["deletionTimestamp"], &pending["metadata"]["deletionGracePeriodSeconds"]),
        (&json!("2026-01-01T00:00:20Z"), &json!(20))
    );
    cluster.delete(&path, &json!({"gracePeriodSeconds": 60})).ok();
    assert_eq!(cluster.get(&path).ok()["metadata"]["deletionGracePeriodSeconds"], 20, "time is only ever shortened");
    cluster.delete(&path, &json!({"gracePeriodSeconds": 5})).ok();
    assert_eq!(cluster.get(&path).ok()["metadata"]["deletionGracePeriodSeconds"], 5);
    cluster.patch("merge", &format!("{path}/status"), &json!({"status": {"phase": "Running"}})).ok();
    let last = cluster.delete(&path, &json!({"gracePeriodSeconds": 0})).ok();
    assert_eq!(last["kind"], "Pod");
    assert_eq!(cluster.get(&path).status, 404);
}

#[test]
fn preconditions_guard() {
    let mut cluster = Cluster::new();
    let made = cluster.post(MAPS, &config_map("a")).ok();
    let path = format!("{MAPS}/a");
    let uid = made["metadata"]["uid"].as_str().unwrap();
    let refused = cluster.delete(&path, &json!({"preconditions": {"uid": "other"}})).refused();
    let words = format!(
        "Operation cannot be fulfilled on ConfigMap \"a\": the UID in the precondition (other) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
    );
    assert_eq!(refused, (409, words));
    assert_eq!(cluster.delete(&path, &json!({"preconditions": {"resourceVersion": "1"}})).status, 409);
    let done = cluster.delete(&path, &json!({"preconditions": {"uid": uid}})).ok();
    assert_eq!((&done["status"], &done["details"]["uid"]), (&json!("Success"), &json!(uid)));
}

#[test]
fn propagation_leaves_work_for_the_garbage_collector() {
    let mut cluster = Cluster::new();
    for (policy, finalizer) in [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")] {
        cluster.post(MAPS, &config_map("a")).ok();
        let pending = cluster.delete(&format!("{MAPS}/a"), &json!({"propagationPolicy": policy})).ok();
        assert_eq!(pending["metadata"]["finalizers"], json!([finalizer]));
        cluster.patch("merge", &format!("{MAPS}/a"), &json!({"metadata": {"finalizers": []}})).ok();
        assert_eq!(cluster.get(&format!("{MAPS}/a")).status, 404);
    }
    assert_eq!(cluster.delete(&format!("{MAPS}/a?propagationPolicy=Never"), &Value::Null).status, 422);
}

#[test]
fn collections_are_deleted_by_selector() {
    let mut cluster = Cluster::new();
    for name in ["a", "b", "c"] {
        cluster.post(MAPS, &config_map(name)).ok();
    }
    cluster.delete(&format!("{MAPS}?labelSelector=app!=b"), &Value::Null).ok();
    let left = cluster.get(MAPS).ok();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(cluster.delete("/api/v1/configmaps", &Value::Null).status, 405);
}

#[test]
fn a_namespace_closes_first_and_goes_last() {
    let mut cluster = Cluster::new();
    let pending = cluster.delete("/api/v1/namespaces/ns", &Value::Null).ok();
    assert_eq!(pending["status"]["phase"], "Terminating");
    let refused = cluster.post(MAPS, &config_map("a"));
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let words =
        "configmaps \"a\" is forbidden: unable to create new content in namespace ns because it is being terminated";
    assert_eq!(refused.refused(), (403, words.to_owned()));
    let mut last = cluster.get("/api/v1/namespaces/ns").ok();
    last["spec"]["finalizers"] = json!([]);
    cluster.put("/api/v1/namespaces/ns/finalize", &last).ok();
    assert_eq!(cluster.get("/api/v1/namespaces/ns").status, 404);
}

#[test]
fn a_definition_goes_after_its_instances() {
    let mut cluster = Cluster::new();
    cluster.define_things();
    let things = "/apis/example.com/v1/namespaces/ns/things";
    let thing = |name: &str, finalizers: Value| json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": name, "finalizers": finalizers}, "spec": {"mode": "A"}});
    cluster.post(things, &thing("a", json!([]))).ok();
    cluster.post(things, &thing("b", json!(["example.com/x"]))).ok();
    let definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com";
    cluster.delete(definition, &Value::Null).ok();
    assert_eq!(cluster.get(&format!("{things}/a")).status, 404);
    assert_eq!(
        cluster.post(things, &thing("c", json!([]))).refused(),
        (405, "create not allowed while custom resource definition is terminating".to_owned())
    );
    cluster.patch("merge", &format!("{things}/b"), &json!({"metadata": {"finalizers": []}})).ok();
    assert_eq!(cluster.get(definition).status, 404);
    assert_eq!(cluster.get(things).status, 404);
}
