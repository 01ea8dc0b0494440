//! What is refused of containers.

use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::super::quantity::Quantity;
use super::super::{labels, names};
use super::{not_negative, one_of, port_number};

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Place {
    Main,
    Init,
}

/// What all containers have to be like.
pub(super) fn common(container: &Value, at: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    let name = meta::text(container, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    } else {
        let wrong = names::label(name);
        errors.extend(wrong.iter().map(|message| FieldError::invalid(format!("{at}.name"), &name.into(), message)));
    }
    if meta::text(container, "/image").is_empty() {
        errors.push(FieldError::required(format!("{at}.image"), ""));
    }
    one_of(container, "terminationMessagePolicy", at, &["File", "FallbackToLogsOnError"], errors);
    ports(container, at, errors);
    for (index, entry) in container["env"].as_array().into_iter().flatten().enumerate() {
        variable(entry, &format!("{at}.env[{index}]"), errors);
    }
    mounts(container, at, volumes, errors);
    one_of(container, "imagePullPolicy", at, &["Always", "IfNotPresent", "Never"], errors);
    resources(&container["resources"], &format!("{at}.resources"), errors);
}

fn ports(container: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}.ports[{index}]");
        let name = meta::text(port, "/name");
        if !name.is_empty() {
            let wrong = names::port(name);
            if wrong.is_empty() && seen.contains(&name) {
                errors.push(FieldError::duplicate(format!("{at}.name"), &name.into()));
            }
            errors.extend(wrong.iter().map(|message| FieldError::invalid(format!("{at}.name"), &name.into(), message)));
            seen.push(name);
        }
        let number = &port["containerPort"];
        if number.as_i64().unwrap_or_default() == 0 {
            errors.push(FieldError::required(format!("{at}.containerPort"), ""));
        } else {
            port_number(number, format!("{at}.containerPort"), errors);
        }
        if port["hostPort"].as_i64().is_some_and(|number| number != 0) {
            port_number(&port["hostPort"], format!("{at}.hostPort"), errors);
        }
        one_of(port, "protocol", &at, &["SCTP", "TCP", "UDP"], errors);
    }
}

/// Fields of a pod that it can be told of itself.
const TOLD: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Those that an environment variable may hold.
const TOLD_TO_VARIABLES: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const SOURCES: [&str; 5] = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"];

fn variable(entry: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let name = meta::text(entry, "/name");
    if name.is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    } else if !name.chars().all(|c| (c.is_ascii_graphic() || c == ' ') && c != '=') {
        let detail = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        errors.push(FieldError::invalid(format!("{at}.name"), &name.into(), detail));
    }
    let Some(from) = entry.get("valueFrom") else { return };
    let at = format!("{at}.valueFrom");
    if let Some(field) = from.get("fieldRef") {
        told(meta::text(field, "/fieldPath"), &format!("{at}.fieldRef"), errors);
    }
    for (source, field) in [("configMapKeyRef", "key"), ("secretKeyRef", "key"), ("resourceFieldRef", "resource")] {
        if from.get(source).is_some_and(|from| meta::text(from, &format!("/{field}")).is_empty()) {
            errors.push(FieldError::required(format!("{at}.{source}.{field}"), ""));
        }
    }
    let sources = SOURCES.iter().filter(|source| from.get(**source).is_some()).count();
    let detail = match sources {
        0 => "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
        _ if !meta::text(entry, "/value").is_empty() => "may not be specified when `value` is not empty",
        1 => return,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(at, &"".into(), detail));
}

fn told(path: &str, at: &str, errors: &mut Vec<FieldError>) {
    let field = format!("{at}.fieldPath");
    let plain = path.split_once("['").map_or(path, |(plain, _)| plain);
    if path.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if !TOLD.contains(&plain) {
        let detail = format!("error converting fieldPath: field label not supported: {path}");
        errors.push(FieldError::invalid(field, &path.into(), &detail));
    } else if plain == path && !TOLD_TO_VARIABLES.contains(&path) {
        errors.push(FieldError::unsupported(field, &path.into(), &TOLD_TO_VARIABLES.map(Value::from)));
    }
}

fn mounts(container: &Value, at: &str, volumes: &[&str], errors: &mut Vec<FieldError>) {
    let mut paths: Vec<&str> = Vec::new();
    for (index, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
        let at = format!("{at}.volumeMounts[{index}]");
        let (name, path) = (meta::text(mount, "/name"), meta::text(mount, "/mountPath"));
        if name.is_empty() {
            errors.push(FieldError::required(format!("{at}.name"), ""));
        }
        if !volumes.contains(&name) {
            let message = format!("Not found: {name:?}");
            errors.push(FieldError { reason: "FieldValueNotFound", field: format!("{at}.name"), message });
        }
        if path.is_empty() {
            errors.push(FieldError::required(format!("{at}.mountPath"), ""));
        }
        if paths.contains(&path) {
            errors.push(FieldError::invalid(format!("{at}.mountPath"), &path.into(), "must be unique"));
        }
        paths.push(path);
    }
}

/// No quantity is negative, and nobody asks for more than the limit.
fn resources(resources: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let quantity = |value: &Value| value.as_str().and_then(|text| Quantity::parse(text).ok());
    for list in ["limits", "requests"] {
        for (name, value) in labels(resources, &format!("/{list}")) {
            let Some(amount) = quantity(value) else { continue };
            if amount.is_negative() {
                let field = format!("{at}.{list}[{name}]");
                errors.push(FieldError::invalid(field, value, "must be greater than or equal to 0"));
            }
            let limit = resources["limits"].get(name).filter(|_| list == "requests");
            if let Some(limit) = limit.filter(|limit| quantity(limit).is_some_and(|limit| amount.is_more_than(limit))) {
                let limit = limit.as_str().unwrap_or_default();
                let detail = format!("must be less than or equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(format!("{at}.requests"), value, &detail));
            }
        }
    }
}

/// Judges how a container is asked how it is.
pub(super) fn probes(container: &Value, at: &str, place: Place, errors: &mut Vec<FieldError>) {
    let stays = place == Place::Main || container["restartPolicy"] == "Always";
    if !stays {
        for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
            if container.get(field).is_some() {
                let detail = "may not be set for init containers without restartPolicy=Always";
                errors.push(FieldError::forbidden(format!("{at}.{field}"), detail));
            }
        }
        return;
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get(name) else { continue };
        let at = format!("{at}.{name}");
        handler(probe, &at, errors);
        for field in ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
        {
            not_negative(&probe[field], format!("{at}.{field}"), errors);
        }
        let grace = &probe["terminationGracePeriodSeconds"];
        if grace.as_i64().is_some_and(|seconds| seconds <= 0) {
            let field = format!("{at}.terminationGracePeriodSeconds");
            errors.push(FieldError::invalid(field, grace, "must be greater than 0"));
        }
        let successes = &probe["successThreshold"];
        if name != "readinessProbe" && *successes != 1 {
            errors.push(FieldError::invalid(format!("{at}.successThreshold"), successes, "must be 1"));
        }
    }
}

fn handler(probe: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let mut kinds = ["exec", "httpGet", "tcpSocket", "grpc"].into_iter().filter(|kind| probe.get(*kind).is_some());
    let Some(first) = kinds.next() else {
        return errors.push(FieldError::required(at, "must specify a handler type"));
    };
    let (asks, at_first) = (&probe[first], format!("{at}.{first}"));
    match first {
        "exec" if asks["command"].as_array().is_none_or(Vec::is_empty) => {
            errors.push(FieldError::required(format!("{at_first}.command"), ""));
        }
        "httpGet" => {
            if meta::text(asks, "/path").is_empty() {
                errors.push(FieldError::required(format!("{at_first}.path"), ""));
            }
            port(&asks["port"], format!("{at_first}.port"), errors);
            one_of(asks, "scheme", &at_first, &["HTTP", "HTTPS"], errors);
        }
        "tcpSocket" => port(&asks["port"], format!("{at_first}.port"), errors),
        _ => {}
    }
    for more in kinds {
        errors.push(FieldError::forbidden(format!("{at}.{more}"), "may not specify more than 1 handler type"));
    }
}

/// The number or the name of a port.
pub(super) fn port(port: &Value, field: String, errors: &mut Vec<FieldError>) {
    match port.as_str() {
        Some(name) => {
            errors.extend(names::port(name).iter().map(|message| FieldError::invalid(&field, port, message)));
        }
        None => port_number(port, field, errors),
    }
}
