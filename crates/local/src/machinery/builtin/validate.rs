//! What is refused of the built-in kinds, in the words of an API server.

use serde_json::{Value, json};

use super::super::error::FieldError;
use super::super::{definition, meta};
use super::{Admission, labels, names, selects};

const POD_UPDATES: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Where the content of a volume may come from, in the order in which it is looked for.
const VOLUME_SOURCES: [&str; 11] = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "secret",
    "nfs",
    "persistentVolumeClaim",
    "downwardAPI",
    "configMap",
    "projected",
    "csi",
    "ephemeral",
];

pub(super) fn object(admission: &Admission<'_>, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if admission.subresource == "status" {
        if admission.kind.resource == "jobs" {
            job_status(object, &mut errors);
        }
        return errors;
    }
    match admission.kind.resource.as_str() {
        "pods" => match admission.old {
            None => pod(object, "spec", &mut errors),
            Some(old) => pod_update(old, object, &mut errors),
        },
        "deployments" | "replicasets" => workload(admission.old, object, &mut errors),
        "jobs" => job(admission.old, object, &mut errors),
        "services" => service(object, &mut errors),
        "configmaps" => config_map(admission.old, object, &mut errors),
        "leases" => lease(object, &mut errors),
        "secrets" => secret(admission.old, object, &mut errors),
        "customresourcedefinitions" => errors.extend(definition::judge(object, admission.old)),
        _ => {}
    }
    errors
}

fn pod(object: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let spec = object.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null);
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(format!("{path}.containers"), ""));
    }
    let volumes: Vec<&str> =
        spec["volumes"].as_array().into_iter().flatten().map(|volume| meta::text(volume, "/name")).collect();
    for (index, volume) in volumes.iter().enumerate() {
        if volumes[..index].contains(volume) {
            errors.push(FieldError::duplicate(format!("{path}.volumes[{index}].name"), &(*volume).into()));
        }
    }
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        // The first source counts; each further one is too much.
        let found = |source: &&&str| volume.get(**source).is_some();
        for source in VOLUME_SOURCES.iter().filter(found).skip(1) {
            errors.push(FieldError::forbidden(
                format!("{path}.volumes[{index}].{source}"),
                "may not specify more than 1 volume type",
            ));
        }
    }
    let volumes: Vec<&str> = spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|volume| volume.as_object().is_some_and(|volume| volume.len() <= 2))
        .map(|volume| meta::text(volume, "/name"))
        .collect();
    let mut seen: Vec<&str> = Vec::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let at = format!("{path}.{list}[{index}]");
            self::container(container, &at, &volumes, errors);
            let name = meta::text(container, "/name");
            if !name.is_empty() && seen.contains(&name) {
                errors.push(FieldError::duplicate(format!("{at}.name"), &name.into()));
            }
            seen.push(name);
        }
    }
    let policy = &spec["restartPolicy"];
    if !matches!(policy.as_str(), Some("Always" | "OnFailure" | "Never")) {
        let supported = ["Always".into(), "OnFailure".into(), "Never".into()];
        errors.push(FieldError::unsupported(format!("{path}.restartPolicy"), policy, &supported));
    }
}

fn container(container: &Value, at: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    let name = meta::text(container, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    } else {
        let wrong = names::label(name);
        errors.extend(wrong.iter().map(|message| FieldError::invalid(format!("{at}.name"), &name.into(), message)));
    }
    if meta::text(container, "/image").trim().is_empty() {
        errors.push(FieldError::required(format!("{at}.image"), ""));
    }
    for (index, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
        self::port(&port["containerPort"], &format!("{at}.ports[{index}].containerPort"), errors);
    }
    for (index, entry) in container["env"].as_array().into_iter().flatten().enumerate() {
        if meta::text(entry, "/name").is_empty() {
            errors.push(FieldError::required(format!("{at}.env[{index}].name"), ""));
        }
        let value = meta::text(entry, "/value");
        if !value.is_empty() && entry.get("valueFrom").is_some() {
            let detail = "may not be specified when `value` is not empty";
            errors.push(FieldError::invalid(format!("{at}.env[{index}].valueFrom"), &"".into(), detail));
        }
    }
    let mut paths: Vec<&str> = Vec::new();
    for (index, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
        let (name, path) = (meta::text(mount, "/name"), meta::text(mount, "/mountPath"));
        if !volumes.contains(&name) {
            let message = format!("Not found: {name:?}");
            errors.push(FieldError {
                reason: "FieldValueNotFound",
                field: format!("{at}.volumeMounts[{index}].name"),
                message,
            });
        }
        if path.is_empty() {
            errors.push(FieldError::required(format!("{at}.volumeMounts[{index}].mountPath"), ""));
        } else if paths.contains(&path) {
            errors.push(FieldError::invalid(
                format!("{at}.volumeMounts[{index}].mountPath"),
                &path.into(),
                "must be unique",
            ));
        }
        paths.push(path);
    }
}

fn port(port: &Value, field: &str, errors: &mut Vec<FieldError>) {
    match port.as_i64() {
        None | Some(0) => errors.push(FieldError::required(field, "")),
        Some(1..=65535) => {}
        Some(_) => errors.push(FieldError::invalid(field, port, "must be between 1 and 65535, inclusive")),
    }
}

fn pod_update(old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
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
        errors.push(FieldError::forbidden("spec", POD_UPDATES));
    }
}

fn immutable(old: &Value, new: &Value, pointer: &str, errors: &mut Vec<FieldError>) {
    let (before, after) = (old.pointer(pointer), new.pointer(pointer));
    if before != after {
        let field = pointer.trim_start_matches('/').replace('/', ".");
        errors.push(FieldError::invalid(field, after.unwrap_or(&Value::Null), "field is immutable"));
    }
}

fn workload(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    if object["spec"]["replicas"].as_i64().is_some_and(|n| n < 0) {
        errors.push(FieldError::invalid(
            "spec.replicas",
            &object["spec"]["replicas"],
            "must be greater than or equal to 0",
        ));
    }
    let selector = &object["spec"]["selector"];
    let own = object.pointer("/spec/template/metadata/labels").unwrap_or(&Value::Null);
    let empty = labels(selector, "/matchLabels").next().is_none()
        && selector["matchExpressions"].as_array().is_none_or(Vec::is_empty);
    if selector.is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    } else if empty {
        errors.push(FieldError::invalid("spec.selector", selector, "empty selector is invalid for deployment"));
    } else if !selects(selector, own) {
        let value = if own.is_null() { json!({}) } else { own.clone() };
        errors.push(FieldError::invalid(
            "spec.template.metadata.labels",
            &value,
            "`selector` does not match template `labels`",
        ));
    }
    pod(object, "spec.template.spec", errors);
    let policy = object.pointer("/spec/template/spec/restartPolicy").unwrap_or(&Value::Null);
    if policy != "Always" {
        errors.push(FieldError::unsupported("spec.template.spec.restartPolicy", policy, &["Always".into()]));
    }
    if let Some(old) = old {
        immutable(old, object, "/spec/selector", errors);
    }
}

fn job(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    for field in ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"] {
        let value = &object["spec"][field];
        if value.as_i64().is_some_and(|n| n < 0) {
            errors.push(FieldError::invalid(format!("spec.{field}"), value, "must be greater than or equal to 0"));
        }
    }
    let Some(old) = old else {
        pod(object, "spec.template.spec", errors);
        let policy = object.pointer("/spec/template/spec/restartPolicy").unwrap_or(&Value::Null);
        if policy == "Always" {
            errors.push(FieldError::unsupported(
                "spec.template.spec.restartPolicy",
                policy,
                &["OnFailure".into(), "Never".into()],
            ));
        }
        return;
    };
    for pointer in ["/spec/selector", "/spec/template", "/spec/completions", "/spec/completionMode"] {
        immutable(old, object, pointer, errors);
    }
}

fn job_status(object: &Value, errors: &mut Vec<FieldError>) {
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

fn lease(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    for (field, least, detail) in [
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ] {
        if spec[field].as_i64().is_some_and(|number| number < least) {
            errors.push(FieldError::invalid(format!("spec.{field}"), &spec[field], detail));
        }
    }
    if !meta::text(spec, "/preferredHolder").is_empty() && meta::text(spec, "/strategy").is_empty() {
        errors.push(FieldError::forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined"));
    }
}

/// Keys are names of files; a map that is immutable stays as it is.
fn config_map(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    for field in ["data", "binaryData"] {
        for (key, _) in labels(object, &format!("/{field}")) {
            let wrong = names::config_key(key);
            let at = format!("{field}[{key}]");
            errors.extend(wrong.iter().map(|message| FieldError::invalid(&at, &key.as_str().into(), message)));
        }
    }
    for (key, _) in labels(object, "/binaryData").filter(|(key, _)| object["data"].get(key.as_str()).is_some()) {
        let at = format!("data[{key}]");
        errors.push(FieldError::invalid(
            at,
            &key.as_str().into(),
            &format!("duplicate of key present in binaryData: {key}"),
        ));
    }
    frozen(old, object, &["data", "binaryData"], errors);
}

fn secret(old: Option<&Value>, object: &Value, errors: &mut Vec<FieldError>) {
    for (key, _) in labels(object, "/data") {
        let wrong = names::config_key(key);
        let at = format!("data[{key}]");
        errors.extend(wrong.iter().map(|message| FieldError::invalid(&at, &key.as_str().into(), message)));
    }
    let Some(old) = old else { return };
    immutable(old, object, "/type", errors);
    frozen(Some(old), object, &["data"], errors);
}

fn frozen(old: Option<&Value>, object: &Value, fields: &[&str], errors: &mut Vec<FieldError>) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else { return };
    let detail = "field is immutable when `immutable` is set";
    if object["immutable"] != true {
        errors.push(FieldError::forbidden("immutable", detail));
    }
    for field in fields {
        if old.get(*field) != object.get(*field) {
            errors.push(FieldError::forbidden(*field, detail));
        }
    }
}

fn service(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let headless = spec["clusterIP"] == "None";
    if ports.is_empty() && !headless && spec["type"] != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    for (index, one) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        if ports.len() > 1 && meta::text(one, "/name").is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
        if let Some(name) =
            one["name"].as_str().filter(|name| ports[..index].iter().any(|other| other["name"] == *name))
        {
            errors.push(FieldError::duplicate(format!("{at}.name"), &name.into()));
        }
        match one["port"].as_i64() {
            Some(1..=65535) => {}
            _ => errors.push(FieldError::invalid(
                format!("{at}.port"),
                &one["port"],
                "must be between 1 and 65535, inclusive",
            )),
        }
    }
}
