//! The state that explains a failure: objects, events, and the last lines of logs.

use std::fmt::Write as _;

use serde_json::Value;

use crate::local::Local;

/// Describes everything that belongs to a cluster, or the whole namespace when `cluster` is empty. What cannot be read is said in
/// place; a report never fails.
pub async fn describe(local: &Local, cluster: &str) -> String {
    let mut text = String::new();
    for what in [&["get", "fd,fc,fj"][..], &["get", "pods,jobs,deployments,services", "-o", "wide"]] {
        section(&mut text, &format!("kubectl {}", what.join(" ")), &words(local.kubectl(what).await));
    }
    for kind in ["fc", "fj"] {
        for object in local.list(kind, "").await.unwrap_or_default() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if name.starts_with(cluster) {
                let shown = serde_yaml::to_string(&object["status"]).unwrap_or_default();
                section(&mut text, &format!("status of {kind}/{name}"), &shown);
            }
        }
    }
    section(&mut text, "events", &events(local, cluster).await);
    for pod in local.list("pod", "").await.unwrap_or_default() {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        if name.contains(cluster) || name.starts_with("flink-operator") {
            let log = words(local.kubectl(&["logs", name, "--all-containers", "--tail=25"]).await);
            section(&mut text, &format!("log of {name}"), &log);
        }
    }
    section(&mut text, "log of the local server", &local.log(20));
    text
}

/// The newest events of a cluster, oldest first, one a line.
pub async fn events(local: &Local, cluster: &str) -> String {
    let mut events = local.list("event", "").await.unwrap_or_default();
    events.retain(|event| {
        text(event, "/involvedObject/name").contains(cluster) || text(event, "/regarding/name").contains(cluster)
    });
    events.sort_by_key(|event| time(event).to_owned());
    let mut lines = String::new();
    for event in &events[events.len().saturating_sub(40)..] {
        let _ = writeln!(
            lines,
            "{} {} {}/{} {}: {}",
            time(event),
            text(event, "/type"),
            text(event, "/involvedObject/kind"),
            text(event, "/involvedObject/name"),
            text(event, "/reason"),
            text(event, "/message"),
        );
    }
    lines
}

fn time(event: &Value) -> &str {
    ["/lastTimestamp", "/series/lastObservedTime", "/eventTime", "/metadata/creationTimestamp"]
        .iter()
        .find_map(|path| event.pointer(path)?.as_str())
        .unwrap_or_default()
}

fn text<'a>(event: &'a Value, path: &str) -> &'a str {
    event.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn section(text: &mut String, title: &str, body: &str) {
    let _ = writeln!(text, "--- {title}\n{}", body.trim_end());
}

fn words(result: anyhow::Result<String>) -> String {
    result.unwrap_or_else(|error| format!("{error:#}"))
}
