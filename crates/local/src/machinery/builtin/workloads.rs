//! Defaults of deployments, replica sets and jobs.

use serde_json::{Map, Value, json};

use super::super::meta::{self, map_in};
use super::{child, default, pods, spec};

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

pub(super) fn job(job: &mut Value, create: bool) {
    let unlabelled = create && job.pointer("/metadata/labels").is_none();
    if let Some(labels) = job.pointer("/spec/template/metadata/labels").filter(|_| unlabelled).cloned() {
        meta::metadata(job).insert("labels".into(), labels);
    }
    let (name, uid) = (meta::name(job).to_owned(), meta::uid(job).to_owned());
    let spec = spec(job);
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".into(), 1.into());
    }
    default(spec, "parallelism", 1);
    default(spec, "backoffLimit", 6);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(
        spec,
        "podReplacementPolicy",
        if spec.contains_key("podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" },
    );
    let own_selector = spec.get("manualSelector") == Some(&true.into());
    template(spec);
    if create && !own_selector {
        spec.insert("selector".into(), json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
        if let Some(metadata) = child(spec, "template").map(|template| map_in(template, "metadata")) {
            let labels = map_in(metadata, "labels");
            for (key, value) in [
                ("batch.kubernetes.io/controller-uid", &uid),
                ("batch.kubernetes.io/job-name", &name),
                ("controller-uid", &uid),
                ("job-name", &name),
            ] {
                labels.insert(key.into(), value.as_str().into());
            }
        }
    }
}

/// What can be had of a node is what it has, unless it says otherwise.
pub(super) fn node(node: &mut Value) {
    map_in(node.as_object_mut().expect("objects are maps"), "spec");
    let Some(status) = node.get_mut("status").and_then(Value::as_object_mut) else { return };
    if let Some(capacity) = status.get("capacity").cloned() {
        default(status, "allocatable", capacity);
    }
}
