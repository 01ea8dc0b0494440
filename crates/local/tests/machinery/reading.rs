//! get, list, watch, tables, discovery, and the way through a store.

use local::machinery::{Machinery, Settings};
use serde_json::{Value, json};

use super::{Cluster, config_map, event, pod};

const MAPS: &str = "/api/v1/namespaces/ns/configmaps";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str()).collect()
}

#[test]
fn lists_select_and_go_on_page_by_page() {
    let mut cluster = Cluster::new();
    for name in ["a", "b", "c"] {
        cluster.post(MAPS, &config_map(name)).ok();
    }
    assert_eq!(names(&cluster.get("/api/v1/configmaps").ok()), ["a", "b", "c"]);
    assert_eq!(names(&cluster.get(&format!("{MAPS}?labelSelector=app in (a,c)")).ok()), ["a", "c"]);
    assert_eq!(names(&cluster.get(&format!("{MAPS}?fieldSelector=metadata.name!=a")).ok()), ["b", "c"]);
    let unknown = cluster.get(&format!("{MAPS}?fieldSelector=spec.x=a")).refused();
    assert!(unknown.1.starts_with("\"spec.x\" is not a known field selector"), "{}", unknown.1);
    let first = cluster.get(&format!("{MAPS}?limit=2")).ok();
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a", "b"], &json!(1)));
    cluster.post(MAPS, &config_map("d")).ok();
    let next = first["metadata"]["continue"].as_str().unwrap();
    let second = cluster.get(&format!("{MAPS}?limit=2&continue={next}")).ok();
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    assert_eq!(names(&second), ["c"]);
    assert_eq!(cluster.get(&format!("{MAPS}?continue=%21")).status, 400);
    assert_eq!(cluster.get(&format!("{MAPS}?resourceVersion=99999")).status, 504);
}

#[test]
fn watches_see_what_enters_and_leaves_their_selection() {
    let mut cluster = Cluster::new();
    cluster.post(MAPS, &config_map("a")).ok();
    let mut watch = cluster.watch(&format!("{MAPS}?watch=true&labelSelector=on=yes"), None);
    let mut one = cluster.watch(&format!("{MAPS}?watch=true&fieldSelector=metadata.name=a"), None);
    assert_eq!(cluster.events(&mut watch), []);
    assert_eq!(cluster.events(&mut one), [event("ADDED", "a")]);
    let path = format!("{MAPS}/a");
    cluster.patch("merge", &path, &json!({"metadata": {"labels": {"on": "yes"}}})).ok();
    assert_eq!(cluster.events(&mut watch), [event("ADDED", "a")]);
    cluster.patch("merge", &path, &json!({"data": {"b": "2"}})).ok();
    assert_eq!(cluster.events(&mut watch), [event("MODIFIED", "a")]);
    cluster.patch("merge", &path, &json!({"metadata": {"labels": {"on": null}}})).ok();
    cluster.post(MAPS, &config_map("b")).ok();
    assert_eq!(cluster.events(&mut watch), [event("DELETED", "a")]);
    assert_eq!(cluster.events(&mut one), vec![event("MODIFIED", "a"); 3]);
    cluster.delete(&path, &Value::Null).ok();
    assert_eq!(cluster.events(&mut one), [event("DELETED", "a")]);
    assert_eq!(cluster.events(&mut watch), []);
}

#[test]
fn a_watch_goes_on_where_a_list_ended() {
    let mut cluster = Cluster::new();
    cluster.post(MAPS, &config_map("a")).ok();
    let list = cluster.get(MAPS).ok();
    cluster.post(MAPS, &config_map("b")).ok();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = cluster
        .watch(&format!("{MAPS}?watch=1&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=5"), None);
    assert_eq!((watch.timeout_seconds(), watch.bookmarks()), (Some(5), true));
    assert_eq!(cluster.events(&mut watch), [event("ADDED", "b")]);
    let bookmark = cluster.machinery.bookmark(&watch);
    assert_eq!(bookmark["object"]["metadata"]["resourceVersion"], cluster.machinery.revision().to_string());
}

#[test]
fn a_watch_list_says_when_it_is_through() {
    let mut cluster = Cluster::new();
    cluster.post(MAPS, &config_map("a")).ok();
    let path =
        format!("{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
    let mut watch = cluster.watch(&path, None);
    cluster.post(MAPS, &config_map("b")).ok();
    assert_eq!(cluster.events(&mut watch), [event("ADDED", "a"), event("BOOKMARK", ""), event("ADDED", "b")]);
}

#[test]
fn what_is_forgotten_has_expired() {
    let mut cluster = Cluster::with(Settings { service_subnet: 1, history: 3, controllers: false });
    let first = cluster.post(MAPS, &config_map("a")).ok();
    for name in ["b", "c", "d", "e"] {
        cluster.post(MAPS, &config_map(name)).ok();
    }
    let version = first["metadata"]["resourceVersion"].as_str().unwrap();
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion={version}"), None);
    let error = cluster.machinery.watch_events(&mut watch, cluster.now).expect_err("expired");
    assert_eq!(
        (&error["type"], &error["object"]["code"], &error["object"]["reason"]),
        (&json!("ERROR"), &json!(410), &json!("Expired"))
    );
}

#[test]
fn tables_have_the_columns_of_kubectl() {
    let mut cluster = Cluster::new();
    cluster.post("/api/v1/namespaces/ns/pods", &pod("p")).ok();
    cluster.wait(90);
    let table = cluster.get_as("/api/v1/namespaces/ns/pods", TABLE);
    let columns: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["priority"] == 0)
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert_eq!(columns, ["Name", "Ready", "Status", "Restarts", "Age"]);
    assert_eq!(table["rows"][0]["cells"].as_array().unwrap()[..5], ["p", "0/1", "Pending", "0", "90s"]);
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let mut watch = cluster.watch("/api/v1/namespaces/ns/pods?watch=1", Some(TABLE));
    let events = cluster.machinery.watch_events(&mut watch, cluster.now).unwrap();
    assert_eq!(events[0]["object"]["kind"], "Table");
    let metadata = cluster.get_as("/api/v1/pods", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io");
    assert_eq!((&metadata["kind"], &metadata["items"][0]["spec"]), (&json!("PartialObjectMetadataList"), &Value::Null));
}

#[test]
fn discovery_names_every_resource() {
    let mut cluster = Cluster::new();
    cluster.define_things();
    let groups = cluster.get("/apis").ok();
    let found: Vec<&str> =
        groups["groups"].as_array().unwrap().iter().filter_map(|group| group["name"].as_str()).collect();
    assert!(found.contains(&"apps") && found.contains(&"example.com"), "{found:?}");
    let core = cluster.get("/api/v1").ok();
    let found: Vec<&str> =
        core["resources"].as_array().unwrap().iter().filter_map(|resource| resource["name"].as_str()).collect();
    assert!(
        found.contains(&"pods") && found.contains(&"pods/log") && found.contains(&"namespaces/finalize"),
        "{found:?}"
    );
    let all = cluster
        .get_as("/apis", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json");
    let example =
        all["items"].as_array().unwrap().iter().find(|group| group["metadata"]["name"] == "example.com").unwrap();
    let resource = &example["versions"][0]["resources"][0];
    assert_eq!(
        (&resource["resource"], &resource["shortNames"], &resource["categories"]),
        (&json!("things"), &json!(["th"]), &json!(["all"]))
    );
    assert_eq!(
        resource["subresources"][1]["responseKind"],
        json!({"group": "autoscaling", "version": "v1", "kind": "Scale"})
    );
    let document = cluster.get("/openapi/v3/apis/example.com/v1").ok();
    assert_eq!(document["components"]["schemas"]["com.example.v1.Thing"]["properties"]["spec"]["type"], "object");
}

#[test]
fn what_was_stored_comes_back() {
    let mut cluster = Cluster::new();
    cluster.define_things();
    cluster.post(MAPS, &config_map("a")).ok();
    cluster.post(MAPS, &config_map("b")).ok();
    cluster.delete(&format!("{MAPS}/b"), &Value::Null).ok();
    let mut stored = std::collections::BTreeMap::new();
    for change in cluster.machinery.take_changes() {
        match change.object {
            Some(object) => stored.insert(change.key, object),
            None => stored.remove(&change.key),
        };
    }
    assert!(cluster.machinery.take_changes().is_empty());
    let revision = cluster.machinery.revision();
    let before = (cluster.get("/api/v1/configmaps").ok(), cluster.get("/apis/example.com/v1").ok());
    cluster.machinery = Machinery::load(Settings::default(), revision, stored.into_iter());
    assert_eq!((cluster.get("/api/v1/configmaps").ok(), cluster.get("/apis/example.com/v1").ok()), before);
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion=2"), None);
    assert!(
        cluster.machinery.watch_events(&mut watch, cluster.now).is_err(),
        "events from before a restart are forgotten"
    );
}
