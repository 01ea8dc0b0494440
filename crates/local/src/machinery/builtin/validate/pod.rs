//! What is refused of pods and of the templates they are made from.

use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::{labels, names};
use super::container::{self, Place};
use super::{one_of, volume};

/// Judges a pod's spec.
pub(super) fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let volumes = volume::all(&spec["volumes"], path, errors);
    containers(spec, path, &volumes, errors);
    one_of(spec, "restartPolicy", path, &["Always", "OnFailure", "Never"], errors);
    one_of(spec, "dnsPolicy", path, &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"], errors);
    names::labels(labels(spec, "/nodeSelector"), &format!("{path}.nodeSelector"), errors);
    for (field, judge) in [
        ("serviceAccountName", names::subdomain as fn(&str) -> Vec<String>),
        ("nodeName", names::subdomain),
        ("hostname", names::label),
        ("subdomain", names::label),
    ] {
        if field == "hostname" {
            deadline(spec, path, errors);
        }
        let text = meta::text(spec, &format!("/{field}"));
        if !text.is_empty() {
            let at = format!("{path}.{field}");
            errors.extend(judge(text).iter().map(|message| FieldError::invalid(&at, &text.into(), message)));
        }
    }
}

fn deadline(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let deadline = &spec["activeDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|seconds| !(1..=i64::from(i32::MAX)).contains(&seconds)) {
        let detail = "must be between 1 and 2147483647, inclusive";
        errors.push(FieldError::invalid(format!("{path}.activeDeadlineSeconds"), deadline, detail));
    }
}

fn containers(spec: &Value, path: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    let list = |name: &str| spec[name].as_array().map(Vec::as_slice).unwrap_or_default();
    if list("containers").is_empty() {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let mut seen: Vec<&str> = Vec::new();
    for (name, place) in [("containers", Place::Main), ("initContainers", Place::Init)] {
        for (index, one) in list(name).iter().enumerate() {
            let at = format!("{path}.{name}[{index}]");
            container::common(one, &at, volumes, errors);
            let own = meta::text(one, "/name");
            if seen.contains(&own) && (!own.is_empty() || place == Place::Main) {
                errors.push(FieldError::duplicate(format!("{at}.name"), &own.into()));
            }
            seen.push(own);
            container::probes(one, &at, place, errors);
        }
    }
}

/// What is asked of a pod, and not of a template.
pub(super) fn own(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for name in ["containers", "initContainers"] {
        for (index, container) in spec[name].as_array().into_iter().flatten().enumerate() {
            let image = meta::text(container, "/image");
            if image.trim().len() != image.len() {
                let detail = "must not have leading or trailing whitespace";
                errors.push(FieldError::invalid(format!("{path}.{name}[{index}].image"), &image.into(), detail));
            }
        }
    }
}

/// Judges a template of pods.
pub(super) fn template(template: &Value, path: &str, errors: &mut Vec<FieldError>) {
    names::labels(labels(template, "/metadata/labels"), &format!("{path}.labels"), errors);
    spec(&template["spec"], &format!("{path}.spec"), errors);
}

const UPDATES: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Hardly anything of a pod changes.
pub(super) fn update(old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers"] {
            for container in
                spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
            {
                container.remove("image");
            }
        }
        if let Some(spec) = spec.as_object_mut() {
            spec.remove("activeDeadlineSeconds");
            spec.remove("tolerations");
            spec.remove("terminationGracePeriodSeconds");
        }
        spec
    };
    if fixed(old) != fixed(new) {
        errors.push(FieldError::forbidden("spec", UPDATES));
    }
}
