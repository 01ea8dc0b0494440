//! The row of a pod: its status is what its containers make of it.

use jiff::Timestamp;
use serde_json::Value;

use super::super::meta::{self, text};
use super::cells::{age, list, number, or, since};

pub(super) fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let statuses = list(pod, "/status/containerStatuses");
    let ready =
        statuses.iter().filter(|status| status["ready"] == true && status["state"].get("running").is_some()).count();
    let total = list(pod, "/spec/containers").len();
    vec![
        meta::name(pod).into(),
        format!("{ready}/{total}").into(),
        status(pod).into(),
        restarts(pod, now).into(),
        age(pod, now),
        or(pod, "/status/podIP", "<none>"),
        or(pod, "/spec/nodeName", "<none>"),
        or(pod, "/status/nominatedNodeName", "<none>"),
        "<none>".into(),
    ]
}

fn restarts(pod: &Value, now: Timestamp) -> String {
    let statuses = list(pod, "/status/initContainerStatuses").iter().chain(list(pod, "/status/containerStatuses"));
    let (mut count, mut last) = (0, "");
    for status in statuses {
        count += number(status, "/restartCount");
        last = last.max(text(status, "/lastState/terminated/finishedAt"));
    }
    if count == 0 || last.is_empty() { count.to_string() } else { format!("{count} ({} ago)", since(last, now)) }
}

fn status(pod: &Value) -> String {
    let own = text(pod, "/status/reason");
    let mut reason = if own.is_empty() { text(pod, "/status/phase").to_owned() } else { own.to_owned() };
    match initializing(pod) {
        Some(init) => reason = init,
        None => running(pod, &mut reason),
    }
    if meta::deleting(pod) {
        if own == "NodeLost" {
            return "Unknown".into();
        }
        if !matches!(text(pod, "/status/phase"), "Succeeded" | "Failed") {
            return "Terminating".into();
        }
    }
    reason
}

/// What an init container that is not through makes of the pod.
fn initializing(pod: &Value) -> Option<String> {
    let statuses = list(pod, "/status/initContainerStatuses");
    let total = list(pod, "/spec/initContainers").len();
    for (index, status) in statuses.iter().enumerate() {
        let state = &status["state"];
        if let Some(terminated) = state.get("terminated") {
            if number(terminated, "/exitCode") == 0 {
                continue;
            }
            return Some(format!("Init:{}", ended(terminated)));
        }
        let sidecar = list(pod, "/spec/initContainers")
            .iter()
            .any(|c| c["name"] == status["name"] && c["restartPolicy"] == "Always");
        if sidecar && status["started"] == true {
            continue;
        }
        let waiting = text(state, "/waiting/reason");
        if !waiting.is_empty() && waiting != "PodInitializing" {
            return Some(format!("Init:{waiting}"));
        }
        return Some(format!("Init:{index}/{total}"));
    }
    None
}

fn ended(terminated: &Value) -> String {
    let (reason, signal) = (text(terminated, "/reason"), number(terminated, "/signal"));
    match () {
        () if !reason.is_empty() => reason.to_owned(),
        () if signal != 0 => format!("Signal:{signal}"),
        () => format!("ExitCode:{}", number(terminated, "/exitCode")),
    }
}

fn running(pod: &Value, reason: &mut String) {
    let mut any_running = false;
    for status in list(pod, "/status/containerStatuses").iter().rev() {
        let state = &status["state"];
        let waiting = text(state, "/waiting/reason");
        if !waiting.is_empty() {
            waiting.clone_into(reason);
        } else if let Some(terminated) = state.get("terminated") {
            *reason = ended(terminated);
        } else if status["ready"] == true && state.get("running").is_some() {
            any_running = true;
        }
    }
    if reason == "Completed" && any_running {
        let ready = list(pod, "/status/conditions")
            .iter()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        *reason = if ready { "Running" } else { "NotReady" }.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn the_status_tells_what_matters_most() {
        let waiting = json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}}], "phase": "Pending"});
        let failed =
            json!({"containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}], "phase": "Failed"});
        let init = json!({"initContainerStatuses": [{"name": "i", "state": {"running": {}}}], "phase": "Pending"});
        for (status, deleting, expected) in [
            (json!({"phase": "Running"}), false, "Running"),
            (json!({"phase": "Running"}), true, "Terminating"),
            (waiting, false, "ErrImagePull"),
            (failed, false, "ExitCode:3"),
            (init, false, "Init:0/1"),
            (json!({"phase": "Failed", "reason": "Evicted"}), false, "Evicted"),
        ] {
            let mut pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}], "initContainers": [{"name": "i"}]}, "status": status});
            if deleting {
                pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
            }
            assert_eq!(super::status(&pod), expected, "{pod}");
        }
    }
}
