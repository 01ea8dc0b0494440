//! What pods and annotations say, read from the JSON that an API server sends.

use std::sync::Arc;

use lifecycle::cluster::{JobView, PodState, Role};
use lifecycle::command::Requested;
use lifecycle::job::{BootstrapView, Outcome, Slots};
use serde_json::{Value, json};

use lifecycle::desired::request;

use super::{flink_pod, present, slots};
use crate::caches::{JobObject, PodObject};

fn pod(labels: &Value, status: &Value) -> PodObject {
    let owner = json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": "owner", "controller": true});
    let metadata = json!({"name": "taskmanager-demo-3-2", "uid": "p", "labels": labels, "ownerReferences": [owner]});
    serde_json::from_value(json!({"metadata": metadata, "spec": {"nodeName": "n"}, "status": status})).unwrap()
}

fn bootstrap(status: &Value) -> BootstrapView {
    let metadata = json!({"name": "b", "uid": "owner", "labels": {"nextbreakpoint.com/attempt": "7"}});
    let job: JobObject = serde_json::from_value(json!({"metadata": metadata, "status": {"active": 1}})).unwrap();
    present(&job, &[Arc::new(pod(&json!({"role": "bootstrap"}), status))])
}

fn ended(exit_code: i32, message: &str) -> BootstrapView {
    let terminated = json!({"exitCode": exit_code, "reason": "Error", "message": message});
    let container = json!({"name": "bootstrap", "state": {"terminated": terminated}});
    bootstrap(&json!({"phase": "Failed", "containerStatuses": [container]}))
}

/// F-09
#[test]
fn a_pod_is_read_by_its_labels_and_its_owner() {
    let labels = json!({"role": "taskmanager", "nextbreakpoint.com/incarnation": "3"});
    let view = flink_pod(&pod(&labels, &json!({"phase": "Running", "podIP": "127.1.0.2"})), "owner").unwrap();
    assert_eq!((view.role, view.incarnation, view.index), (Role::TaskManager, 3, 2));
    assert_eq!((view.state, view.address.as_deref()), (PodState::Running, Some("127.1.0.2")));
    assert!(flink_pod(&pod(&labels, &json!({"phase": "Running"})), "another").is_none());
    assert!(flink_pod(&pod(&json!({"role": "supervisor"}), &json!({})), "owner").is_none());
}

#[test]
fn a_pod_that_ended_says_why() {
    let detail = |terminated: &Value| {
        let container = json!({"name": "taskmanager", "state": {"terminated": terminated}});
        let status = json!({"phase": "Failed", "containerStatuses": [container]});
        let view = flink_pod(&pod(&json!({"role": "taskmanager"}), &status), "owner").unwrap();
        let PodState::Over { detail: Some(detail) } = view.state else { panic!("{:?}", view.state) };
        detail
    };
    assert_eq!(
        detail(&json!({"exitCode": 137, "reason": "OOMKilled"})),
        "container taskmanager ended with exit code 137 (OOMKilled)"
    );
    let log =
        "Starting\nCaused by: org.apache.flink.configuration.IllegalConfigurationException: too little memory\n\tat X";
    assert_eq!(
        detail(&json!({"exitCode": 1, "reason": "Error", "message": log})),
        "container taskmanager ended with exit code 1 (Error): IllegalConfigurationException: too little memory"
    );
}

#[test]
fn a_pod_that_no_node_takes_says_so() {
    let message = "0/3 nodes are available: 3 Insufficient memory.";
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
    let status = json!({"phase": "Pending", "conditions": [condition]});
    let view = flink_pod(&pod(&json!({"role": "taskmanager"}), &status), "owner").unwrap();
    let PodState::Pending { detail: Some(detail) } = view.state else { panic!("{:?}", view.state) };
    assert_eq!(detail, format!("Unschedulable: {message}"));
}

/// SC-039
#[test]
fn an_image_that_cannot_be_pulled_is_seen_before_the_bootstrap_starts() {
    let waiting = json!({"reason": "ErrImagePull", "message": "no image x; give --image x=DIR"});
    let container = json!({"name": "bootstrap", "state": {"waiting": waiting}});
    let view = bootstrap(&json!({"phase": "Pending", "containerStatuses": [container]}));
    let BootstrapView::Active { attempt: 7, started: false, detail: Some(detail), .. } = view else {
        panic!("{view:?}")
    };
    assert!(detail.contains("ErrImagePull") && detail.contains("--image"));
}

#[test]
fn only_a_refusal_says_that_nothing_was_submitted() {
    let refused = r#"{"reason":"WrongClass","message":"no such class"}"#;
    let BootstrapView::Ended { outcome, .. } = ended(5, refused) else { panic!("not ended") };
    assert_eq!(outcome, Outcome::NotSubmitted { reason: "WrongClass".into(), message: "no such class".into() });
    for (code, message) in [(137, ""), (8, r#"{"reason":"Unreachable","message":"no answer"}"#), (1, "panic")] {
        let BootstrapView::Ended { outcome, .. } = ended(code, message) else { panic!("not ended") };
        assert_eq!(outcome, Outcome::Unknown, "{message}");
    }
    let BootstrapView::Ended { outcome, .. } = ended(0, "") else { panic!("not ended") };
    assert_eq!(outcome, Outcome::Submitted);
}

#[test]
fn a_request_is_named_by_its_timestamp_or_by_the_version_that_was_read() {
    let meta = |annotations: Value| {
        serde_json::from_value(json!({"resourceVersion": "42", "annotations": annotations})).unwrap()
    };
    let key = "operator.nextbreakpoint.com/requested-action";
    assert_eq!(request(&meta(json!({key: "NONE"}))), None);
    let plain = request(&meta(json!({key: "stop"}))).unwrap();
    assert_eq!((plain.id.as_str(), plain.stamped), ("42", false));
    assert!(matches!(plain.action, Requested::Known(api::Action::Stop)));
    let stamped = request(&meta(json!({key: "HALT", "operator.nextbreakpoint.com/action-timestamp": "7"}))).unwrap();
    assert_eq!((stamped.id.as_str(), stamped.stamped), ("7", true));
    assert_eq!(stamped.action, Requested::Invalid("HALT".into()));
}

/// SC-282, F-30
#[test]
fn a_job_that_wants_too_much_keeps_no_other_waiting() {
    let job = |name: &str, slots, live| JobView {
        name: name.into(),
        slots,
        live,
        settled: live,
        supervised: true,
        flink_id: None,
    };
    let jobs = [job("running", 2, true), job("huge", 100, false), job("small", 1, false)];
    assert_eq!(slots(&jobs, "small", 3, 8), Slots::Enough);
    assert_eq!(slots(&jobs, "huge", 3, 8), Slots::Missing { wanted: 100, free: 1, most: 6 });
    assert_eq!(slots(&jobs, "small", 2, 8), Slots::Missing { wanted: 1, free: 0, most: 6 });
}
