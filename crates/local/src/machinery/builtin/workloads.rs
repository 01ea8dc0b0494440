//! Defaults of deployments, replica sets and jobs.

use serde_json::{Map, Value};

use super::super::meta::{self, map_in};
use super::{default, pods, spec};

fn template(spec: &mut Map<String, Value>) {
    let template = map_in(spec, "template");
    map_in(template, "metadata");
    pods::spec(map_in(template, "spec"));
}

pub(super) fn deployment(spec: &mut Map<String, Value>) {
    default(spec, "replicas", 1);
    default(spec, "revisionHistoryLimit", 10);
    default(spec, "progressDeadlineSeconds", 600);
    let strategy = map_in(spec, "strategy");
    default(strategy, "type", "RollingUpdate");
    if strategy["type"] == "RollingUpdate" {
        let rolling = map_in(strategy, "rollingUpdate");
        default(rolling, "maxUnavailable", "25%");
        default(rolling, "maxSurge", "25%");
    }
    template(spec);
}

pub(super) fn replica_set(spec: &mut Map<String, Value>) {
    default(spec, "replicas", 1);
    template(spec);
}

pub(super) fn job(job: &mut Value) {
    let labelled = job.pointer("/metadata/labels").and_then(Value::as_object).is_some_and(|labels| !labels.is_empty());
    if let Some(labels) = job.pointer("/spec/template/metadata/labels").filter(|_| !labelled).cloned() {
        meta::metadata(job).insert("labels".into(), labels);
    }
    let spec = spec(job);
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".into(), 1.into());
    }
    default(spec, "parallelism", 1);
    let limit = if spec.contains_key("backoffLimitPerIndex") { i32::MAX } else { 6 };
    default(spec, "backoffLimit", limit);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    default(
        spec,
        "podReplacementPolicy",
        if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" },
    );
    template(spec);
}

/// What can be had of a node is what it has, unless it says otherwise.
pub(super) fn node(node: &mut Value) {
    map_in(node.as_object_mut().expect("objects are maps"), "spec");
    let Some(status) = node.get_mut("status").and_then(Value::as_object_mut) else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        default(status, "allocatable", capacity);
    }
}
