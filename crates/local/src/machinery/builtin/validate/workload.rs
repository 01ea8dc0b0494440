//! What is refused of deployments, replica sets and jobs.

use serde_json::{Value, json};

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::{labels, selects};
use super::{immutable, not_negative, pod};

/// A deployment or a replica set.
pub(super) fn replicated(kind: &str, old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    not_negative(&spec["replicas"], "spec.replicas".to_owned(), errors);
    if kind == "replicasets" {
        not_negative(&spec["minReadySeconds"], "spec.minReadySeconds".to_owned(), errors);
    }
    let selector = &spec["selector"];
    let empty = labels(selector, "/matchLabels").next().is_none()
        && selector["matchExpressions"].as_array().is_none_or(Vec::is_empty);
    if selector.is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    } else if empty {
        errors.push(FieldError::invalid("spec.selector", selector, "empty selector is invalid for deployment"));
    }
    if selector.is_null() || !empty {
        matching(spec, errors);
    }
    pod::template(&spec["template"], "spec.template", errors);
    let policy = &spec["template"]["spec"]["restartPolicy"];
    if policy != "Always" {
        errors.push(FieldError::unsupported("spec.template.spec.restartPolicy", policy, &["Always".into()]));
    }
    if spec["template"]["spec"].get("activeDeadlineSeconds").is_some() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        errors.push(FieldError::forbidden("spec.template.spec.activeDeadlineSeconds", detail));
    }
    if kind == "deployments" {
        rollout(spec, errors);
    }
    if let Some(old) = old {
        immutable(old, object, "/spec/selector", errors);
    }
}

/// The selector finds what the template makes.
fn matching(spec: &Value, errors: &mut Vec<FieldError>) {
    let own = spec.pointer("/template/metadata/labels").unwrap_or(&Value::Null);
    if spec["selector"].is_null() || !selects(&spec["selector"], own) {
        let value = if own.is_null() { json!({}) } else { own.clone() };
        let detail = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid("spec.template.metadata.labels", &value, detail));
    }
}

fn rollout(spec: &Value, errors: &mut Vec<FieldError>) {
    let strategy = &spec["strategy"];
    let rolling = strategy.get("rollingUpdate");
    match meta::text(strategy, "/type") {
        "Recreate" if rolling.is_some() => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.push(FieldError::forbidden("spec.strategy.rollingUpdate", detail));
        }
        "Recreate" => {}
        "RollingUpdate" => self::rolling(rolling.unwrap_or(&Value::Null), errors),
        kind => errors.push(FieldError {
            reason: "FieldValueNotSupported",
            field: "spec.strategy".to_owned(),
            // What stands in the field is not shown.
            message: format!(
                "Unsupported value: {{\"Type\":{kind:?},\"RollingUpdate\":null}}: supported values: \"Recreate\", \"RollingUpdate\""
            ),
        }),
    }
    for field in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
        not_negative(&spec[field], format!("spec.{field}"), errors);
    }
    let deadline = &spec["progressDeadlineSeconds"];
    if deadline.as_i64().is_some_and(|seconds| seconds <= spec["minReadySeconds"].as_i64().unwrap_or_default()) {
        errors.push(FieldError::invalid(
            "spec.progressDeadlineSeconds",
            deadline,
            "must be greater than minReadySeconds",
        ));
    }
}

fn rolling(rolling: &Value, errors: &mut Vec<FieldError>) {
    const AT: &str = "spec.strategy.rollingUpdate";
    let percent = |value: &Value| value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok());
    for field in ["maxUnavailable", "maxSurge"] {
        let (value, at) = (&rolling[field], format!("{AT}.{field}"));
        if value.is_string() && percent(value).is_none_or(|percent| percent < 0) {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
            errors.push(FieldError::invalid(at, value, detail));
        } else {
            not_negative(value, at, errors);
        }
    }
    let none = |field: &str| percent(&rolling[field]).or_else(|| rolling[field].as_i64()) == Some(0);
    let unavailable = &rolling["maxUnavailable"];
    if none("maxUnavailable") && none("maxSurge") {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.push(FieldError::invalid(format!("{AT}.maxUnavailable"), unavailable, detail));
    }
    if percent(unavailable).is_some_and(|percent| percent > 100) {
        let detail = "must not be greater than 100%";
        errors.push(FieldError::invalid(format!("{AT}.maxUnavailable"), unavailable, detail));
    }
}

pub(super) fn job(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    if old.is_none() {
        generated_selector(object, errors);
    }
    for field in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] {
        not_negative(&spec[field], format!("spec.{field}"), errors);
    }
    let Some(old) = old else {
        pod::template(&spec["template"], "spec.template", errors);
        let policy = &spec["template"]["spec"]["restartPolicy"];
        match policy.as_str() {
            Some("OnFailure" | "Never") => {}
            Some("Always") | None => errors.push(FieldError::required(
                "spec.template.spec.restartPolicy",
                "valid values: \"OnFailure\", \"Never\"",
            )),
            Some(_) => {
                let known = ["OnFailure".into(), "Never".into()];
                errors.push(FieldError::unsupported("spec.template.spec.restartPolicy", policy, &known));
            }
        }
        return matching(spec, errors);
    };
    for pointer in ["/spec/completions", "/spec/selector", "/spec/template", "/spec/completionMode"] {
        immutable(old, object, pointer, errors);
    }
}

/// A selector that the server makes is not written by anyone else.
fn generated_selector(job: &Value, errors: &mut Vec<FieldError>) {
    let selector = &job["spec"]["selector"];
    if job["spec"]["manualSelector"] == true || selector.is_null() {
        return;
    }
    let expected = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": meta::uid(job)}});
    if *selector != expected {
        errors.push(FieldError::invalid("spec.selector", selector, "`selector` not auto-generated"));
    }
}

/// Counts of a job's status.
pub(super) fn job_status(object: &Value, errors: &mut Vec<FieldError>) {
    let status = &object["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or_default();
    for field in ["active", "succeeded", "failed", "ready", "terminating"] {
        if count(field) < 0 {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(format!("status.{field}"), &status[field], detail));
        }
    }
    if status.get("ready").is_some() && count("ready") > count("active") {
        errors.push(FieldError::invalid("status.ready", &status["ready"], "cannot set more ready pods than active"));
    }
}
