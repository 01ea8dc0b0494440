use std::sync::mpsc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::Status;

use super::*;

fn object(name: &str, version: u64) -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.name = Some(name.to_owned());
    object.metadata.uid = Some(format!("uid-{name}"));
    object.metadata.resource_version = Some(version.to_string());
    object
}

type Seen = mpsc::Receiver<String>;
type Callback = Box<dyn FnMut(&Arc<ConfigMap>)>;

fn cache() -> (Cache<ConfigMap>, Writer<ConfigMap, Callback>, Seen) {
    let (sender, seen) = mpsc::channel();
    let (cache, writer) = fed(Box::new(move |object: &Arc<ConfigMap>| {
        let told = sender.send(name(object.as_ref()));
        told.expect("the test listens");
    }) as Callback);
    (cache, writer, seen)
}

fn list(writer: &mut Writer<ConfigMap, Callback>, objects: Vec<ConfigMap>) {
    writer.take(Event::Init);
    for object in objects {
        writer.take(Event::InitApply(object));
    }
    writer.take(Event::InitDone);
}

fn version(cache: &Cache<ConfigMap>, name: &str) -> Option<String> {
    cache.get(name)?.metadata.resource_version.clone()
}

#[test]
fn what_vanished_between_two_lists_is_told() {
    let (cache, mut writer, seen) = cache();
    list(&mut writer, vec![object("a", 1), object("b", 2)]);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["a", "b"]);
    list(&mut writer, vec![object("b", 2), object("c", 5)]);
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(cache.names(), ["b", "c"]);
}

/// SC-580, R-05, R-06
#[test]
fn a_late_watch_event_does_not_undo_what_a_write_returned() {
    let (cache, mut writer, seen) = cache();
    list(&mut writer, vec![object("a", 1)]);
    cache.learn(object("a", 7));
    writer.take(Event::Apply(object("a", 5)));
    assert_eq!(version(&cache, "a").as_deref(), Some("7"));
    writer.take(Event::Apply(object("a", 8)));
    assert_eq!(version(&cache, "a").as_deref(), Some("8"));
    writer.take(Event::Delete(object("a", 9)));
    cache.learn(object("a", 8));
    assert_eq!(version(&cache, "a"), None);
    assert_eq!(seen.try_iter().count(), 3);
}

#[test]
fn a_missing_resource_is_named() {
    let (cache, mut writer, _seen) = cache();
    let status = Status::failure("the server could not find the requested resource", "NotFound").with_code(404);
    writer.fail(&watcher::Error::InitialListFailed(kube::Error::Api(status.boxed())));
    assert!(matches!(cache.state(), State::Failing { missing: true, synced: false, .. }));
    list(&mut writer, vec![]);
    assert_eq!(cache.state(), State::Synced);
}

#[tokio::test]
async fn who_waits_for_an_object_is_woken_by_its_change() {
    let (cache, mut writer, _seen) = cache();
    let waiting = cache.clone();
    let waiter = tokio::spawn(async move {
        waiting.until("a", |object| object.filter(|object| is_at_least(&object.metadata, "2")).cloned()).await
    });
    tokio::task::yield_now().await;
    list(&mut writer, vec![object("a", 1)]);
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    writer.take(Event::Apply(object("a", 3)));
    assert_eq!(waiter.await.expect("no panic").metadata.resource_version.as_deref(), Some("3"));
}

#[test]
fn what_a_deletion_finds_gone_is_forgotten_and_what_has_taken_its_name_is_not() {
    let (cache, mut writer, _seen) = cache();
    list(&mut writer, vec![object("a", 1), object("b", 2)]);
    let mut changes = cache.changes();
    changes.mark_unchanged();
    cache.forget("a", "uid-of-another");
    assert_eq!(cache.names(), ["a", "b"]);
    assert!(!changes.has_changed().unwrap());
    cache.forget("a", "uid-a");
    assert_eq!(cache.names(), ["b"]);
    assert!(changes.has_changed().unwrap(), "whoever waits for its end is woken");
}

#[test]
fn a_list_is_wanted_anew_when_somebody_doubts() {
    let (cache, writer, _seen) = cache();
    let mut doubted = writer.doubted();
    assert!(!doubted.has_changed().unwrap());
    cache.clone().list_again();
    assert!(doubted.has_changed().unwrap());
    doubted.mark_unchanged();
    assert!(!doubted.has_changed().unwrap());
}
