//! create, update, patch, apply.

use serde_json::json;

use super::{Cluster, config_map, pod};

const MAPS: &str = "/api/v1/namespaces/ns/configmaps";
const PODS: &str = "/api/v1/namespaces/ns/pods";

#[test]
fn objects_get_what_the_server_sets() {
    let mut cluster = Cluster::new();
    let made = cluster.post(MAPS, &json!({"metadata": {"generateName": "m-"}})).ok();
    assert_eq!(made["kind"], "ConfigMap");
    assert_eq!(made["metadata"]["namespace"], "ns");
    assert_eq!(made["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    assert!(made["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("m-") && name.len() == 7), "{made}");
    assert_eq!(made["metadata"]["uid"].as_str().map(str::len), Some(36));
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "test");
    let other = cluster.post(MAPS, &json!({"metadata": {"generateName": "m-"}})).ok();
    assert_ne!(made["metadata"]["uid"], other["metadata"]["uid"]);
}

#[test]
fn refusals_have_the_words_of_the_real_server() {
    let mut cluster = Cluster::new();
    cluster.post(MAPS, &config_map("a")).ok();
    for (answer, code, message) in [
        (cluster.get(&format!("{MAPS}/x")), 404, "configmaps \"x\" not found"),
        (cluster.get("/apis/apps/v1/namespaces/ns/deployments/x"), 404, "deployments.apps \"x\" not found"),
        (cluster.get("/apis/apps/v1/things"), 404, "the server could not find the requested resource"),
        (cluster.post(MAPS, &config_map("a")), 409, "configmaps \"a\" already exists"),
        (cluster.post("/api/v1/namespaces/none/pods", &pod("p")), 404, "namespaces \"none\" not found"),
        (
            cluster.post(MAPS, &json!({"metadata": {}})),
            422,
            "ConfigMap \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            cluster.post(&format!("{MAPS}/a"), &config_map("a")),
            405,
            "the server does not allow this method on the requested resource",
        ),
        (
            cluster.post(PODS, &json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}})),
            422,
            "Pod \"p\" is invalid: spec.containers[0].image: Required value",
        ),
        (
            cluster.patch("json", &format!("{MAPS}/a"), &json!([{"op": "test", "path": "/data/a", "value": "2"}])),
            422,
            "the server rejected our request due to an error in our request",
        ),
        (
            cluster.put(&format!("{MAPS}/a"), &config_map("b")),
            400,
            "the name of the object (b) does not match the name on the URL (a)",
        ),
    ] {
        assert_eq!(answer.refused(), (code, message.to_owned()));
    }
    let nowhere = cluster.get("/apis/none/v1/things");
    assert_eq!((nowhere.status, nowhere.body.as_str()), (404, Some("404 page not found\n")));
    let wrong_type = cluster.post(PODS, &json!({"metadata": {"name": "p"}, "spec": {"containers": "none"}})).refused();
    assert_eq!(wrong_type.0, 400);
    assert!(wrong_type.1.starts_with("Pod in version \"v1\" cannot be handled as a Pod: "), "{}", wrong_type.1);
}

#[test]
fn a_stale_update_is_a_conflict_and_an_idle_one_is_no_write() {
    let mut cluster = Cluster::new();
    let first = cluster.post(MAPS, &config_map("a")).ok();
    let path = format!("{MAPS}/a");
    let mut new = first.clone();
    new["data"]["a"] = "2".into();
    let second = cluster.put(&path, &new).ok();
    assert_ne!(first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
    let words = "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again";
    assert_eq!(cluster.put(&path, &first).refused(), (409, words.to_owned()));
    let patch = json!({"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {"a": "3"}});
    assert_eq!(cluster.patch("merge", &path, &patch).refused().0, 409);
    let revision = cluster.machinery.revision();
    assert_eq!(cluster.put(&path, &second).ok(), second);
    assert_eq!(cluster.patch("strategic-merge", &path, &json!({"data": {"a": "2"}})).ok(), second);
    assert_eq!(cluster.machinery.revision(), revision);
}

#[test]
fn dry_runs_leave_nothing() {
    let mut cluster = Cluster::new();
    let revision = cluster.machinery.revision();
    cluster.post(&format!("{MAPS}?dryRun=All"), &config_map("a")).ok();
    assert_eq!(cluster.machinery.revision(), revision);
    assert_eq!(cluster.get(&format!("{MAPS}/a")).status, 404);
}

#[test]
fn pods_are_completed_bound_and_otherwise_fixed() {
    let mut cluster = Cluster::new();
    let made = cluster.post(PODS, &pod("p")).ok();
    assert_eq!(made["status"], json!({"phase": "Pending", "qosClass": "BestEffort"}));
    assert_eq!(made["spec"]["restartPolicy"], "Always");
    assert_eq!(made["spec"]["containers"][0]["imagePullPolicy"], "IfNotPresent");
    let path = format!("{PODS}/p");
    let binding = json!({"target": {"kind": "Node", "name": "n"}});
    cluster.post(&format!("{path}/binding"), &binding).ok();
    let again = cluster.post(&format!("{path}/binding"), &binding).refused();
    assert_eq!(
        again,
        (
            409,
            "Operation cannot be fulfilled on pods/binding \"p\": pod p is already assigned to node \"n\"".to_owned()
        )
    );
    let changed = cluster.patch("merge", &path, &json!({"spec": {"restartPolicy": "Never"}})).refused();
    assert!(
        changed.1.starts_with("Pod \"p\" is invalid: spec: Forbidden: pod updates may not change fields"),
        "{}",
        changed.1
    );
    // Neither side of the object is reached through the other's endpoint.
    cluster.patch("merge", &path, &json!({"status": {"phase": "Running"}})).ok();
    let bound = cluster
        .patch(
            "merge",
            &format!("{path}/status"),
            &json!({"status": {"podIP": "127.7.0.2"}, "spec": {"nodeName": "other"}}),
        )
        .ok();
    assert_eq!((&bound["status"]["phase"], &bound["spec"]["nodeName"]), (&json!("Pending"), &json!("n")));
    assert_eq!(bound["status"]["podIP"], "127.7.0.2");
}

#[test]
fn services_get_addresses_of_the_subnet_and_keep_them() {
    let mut cluster = Cluster::new();
    let path = "/api/v1/namespaces/ns/services";
    let made = cluster.post(path, &json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})).ok();
    let address = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let octets: Vec<u8> = address.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(octets[..2] == [127, 7] && octets[2] >= 128, "{address}");
    assert_eq!(made["spec"]["ports"][0], json!({"port": 80, "protocol": "TCP", "targetPort": 80}));
    let replaced =
        cluster.put(&format!("{path}/s"), &json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 81}]}})).ok();
    assert_eq!(replaced["spec"]["clusterIP"], address.as_str());
    let headless = cluster
        .post(path, &json!({"metadata": {"name": "h"}, "spec": {"clusterIP": "None", "ports": [{"port": 80}]}}))
        .ok();
    assert_eq!(headless["spec"]["clusterIP"], "None");
    let moved = cluster.patch("merge", &format!("{path}/s"), &json!({"spec": {"clusterIP": "127.7.128.9"}})).refused();
    assert!(moved.1.contains("may not change once set"), "{}", moved.1);
    let taken = cluster
        .post(path, &json!({"metadata": {"name": "t"}, "spec": {"clusterIP": address, "ports": [{"port": 80}]}}))
        .refused();
    assert!(taken.1.contains("provided IP is already allocated"), "{}", taken.1);
}

#[test]
fn deployments_and_jobs_are_completed_and_scaled() {
    let mut cluster = Cluster::new();
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let path = "/apis/apps/v1/namespaces/ns/deployments";
    let body =
        json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}});
    let made = cluster.post(path, &body).ok();
    assert_eq!((&made["spec"]["replicas"], &made["metadata"]["generation"]), (&json!(1), &json!(1)));
    let scale = cluster.get(&format!("{path}/d/scale")).ok();
    assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(1), &json!("app=a")));
    let scaled = cluster.patch("merge", &format!("{path}/d/scale"), &json!({"spec": {"replicas": 3}})).ok();
    assert_eq!((&scaled["kind"], &scaled["spec"]["replicas"]), (&json!("Scale"), &json!(3)));
    let scaled = cluster.get(&format!("{path}/d")).ok();
    assert_eq!((&scaled["spec"]["replicas"], &scaled["metadata"]["generation"]), (&json!(3), &json!(2)));
    cluster.patch("merge", &format!("{path}/d/status"), &json!({"status": {"replicas": 3}})).ok();
    assert_eq!(cluster.get(&format!("{path}/d")).ok()["metadata"]["generation"], 2);

    let mut template = template;
    template["spec"]["restartPolicy"] = "Never".into();
    let job = cluster
        .post("/apis/batch/v1/namespaces/ns/jobs", &json!({"metadata": {"name": "j"}, "spec": {"template": template}}))
        .ok();
    let uid = &job["metadata"]["uid"];
    assert_eq!(&job["spec"]["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"], uid);
    assert_eq!(&job["spec"]["template"]["metadata"]["labels"]["controller-uid"], uid);
    assert_eq!(job["spec"]["template"]["metadata"]["labels"]["job-name"], "j");
    assert_eq!((&job["spec"]["completions"], &job["spec"]["backoffLimit"]), (&json!(1), &json!(6)));
}

#[test]
fn strategic_patches_merge_containers_by_name() {
    let mut cluster = Cluster::new();
    let containers = json!([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]);
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": {"containers": containers}});
    let path = "/apis/apps/v1/namespaces/ns/deployments";
    cluster.post(path, &json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template}})).ok();
    let patch = json!({"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "2"}]}}}});
    let patched = cluster.patch("strategic-merge", &format!("{path}/d"), &patch).ok();
    let images: Vec<_> = patched["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["image"].clone())
        .collect();
    assert_eq!(images, ["1", "2"]);
}

#[test]
fn apply_creates_owns_and_conflicts() {
    let mut cluster = Cluster::new();
    let path = format!("{MAPS}/a");
    let apply = |data: serde_json::Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data});
    assert_eq!(cluster.patch("apply", &path, &apply(json!({}))).refused().0, 422);
    let made = cluster.patch("apply", &format!("{path}?fieldManager=one"), &apply(json!({"x": "1", "y": "1"})));
    assert_eq!(made.status, 201);
    let made = made.ok();
    let fields = &made["metadata"]["managedFields"][0];
    assert_eq!(
        (&fields["manager"], &fields["operation"], &fields["fieldsV1"]),
        (&json!("one"), &json!("Apply"), &json!({"f:data": {"f:x": {}, "f:y": {}}}))
    );
    let again = cluster.patch("apply", &format!("{path}?fieldManager=one"), &apply(json!({"x": "1", "y": "1"}))).ok();
    assert_eq!(again, made);
    let refused = cluster.patch("apply", &format!("{path}?fieldManager=two"), &apply(json!({"x": "2"})));
    assert_eq!(refused.body["details"]["causes"][0]["field"], ".data.x");
    assert_eq!(refused.refused(), (409, "Apply failed with 1 conflict: conflict with \"one\": .data.x".to_owned()));
    cluster.patch("apply", &format!("{path}?fieldManager=two&force=true"), &apply(json!({"x": "2"}))).ok();
    // What is no longer applied goes; what another manager took over stays.
    let last = cluster.patch("apply", &format!("{path}?fieldManager=one"), &apply(json!({}))).ok();
    assert_eq!(last["data"], json!({"x": "2"}));
}

#[test]
fn events_have_two_faces() {
    let mut cluster = Cluster::new();
    let body = json!({
        "metadata": {"name": "e"}, "regarding": {"kind": "Pod", "name": "p", "namespace": "ns"}, "note": "hello", "reason": "R", "type": "Normal",
        "action": "A", "reportingController": "c", "reportingInstance": "i", "eventTime": "2026-01-01T00:00:00.000000Z",
    });
    cluster.post("/apis/events.k8s.io/v1/namespaces/ns/events", &body).ok();
    let core = cluster.get("/api/v1/namespaces/ns/events/e").ok();
    assert_eq!(
        (&core["apiVersion"], &core["message"], &core["involvedObject"]["name"]),
        (&json!("v1"), &json!("hello"), &json!("p"))
    );
    let new = cluster.patch("merge", "/apis/events.k8s.io/v1/namespaces/ns/events/e", &json!({"note": "bye"})).ok();
    assert_eq!((&new["apiVersion"], &new["note"]), (&json!("events.k8s.io/v1"), &json!("bye")));
    for selector in ["involvedObject.name=p", "regarding.name=p", "reportingController=c"] {
        let found = cluster.get(&format!("/api/v1/namespaces/ns/events?fieldSelector={selector}"));
        let found = found.ok();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{selector}");
    }
}
