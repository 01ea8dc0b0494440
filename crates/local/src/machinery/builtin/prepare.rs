//! What the server decides of an object that is created or updated, after its fields have found their owners.

use serde_json::{Value, json};

use super::super::meta::{self, map_in};
use super::{Admission, child, default, pods, reviews, spec};

pub(super) fn object(admission: &Admission<'_>, object: &mut Value) {
    let create = admission.old.is_none();
    match (admission.kind.resource.as_str(), create) {
        ("pods", true) => pods::admitted(object),
        ("namespaces", true) => {
            let name = meta::name(object).to_owned();
            map_in(meta::metadata(object), "labels").insert("kubernetes.io/metadata.name".into(), name.into());
            spec(object).insert("finalizers".into(), json!(["kubernetes"]));
            object["status"] = json!({"phase": "Active"});
        }
        ("persistentvolumeclaims", true) => object["status"] = json!({"phase": "Pending"}),
        ("jobs", true) => job(object, admission.unlabelled),
        _ if admission.kind.transient => reviews::settle(admission.kind, object),
        _ => {}
    }
}

/// Pods of a job carry its uid, and it finds them by that. A job without labels of its own has those of its template.
fn job(job: &mut Value, shares_labels: bool) {
    let (name, uid) = (meta::name(job).to_owned(), meta::uid(job).to_owned());
    let spec = spec(job);
    if spec.get("manualSelector") == Some(&true.into()) {
        return;
    }
    let Some(template) = child(spec, "template").map(|template| map_in(template, "metadata")) else { return };
    let labels = map_in(template, "labels");
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        labels.insert(key.into(), value.as_str().into());
    }
    let shared = shares_labels.then(|| labels.clone());
    let selector = map_in(spec, "selector");
    map_in(selector, "matchLabels").insert("batch.kubernetes.io/controller-uid".into(), uid.into());
    default(spec, "manualSelector", false);
    if let Some(labels) = shared {
        meta::metadata(job).insert("labels".into(), labels.into());
    }
}
