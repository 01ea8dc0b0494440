//! Defaults of pods and of the templates they are made from.

use serde_json::{Map, Value, json};

use super::super::meta::map_in;
use super::{child, default, each};

/// What holds for a pod's spec and for the spec in a template.
pub(super) fn spec(spec: &mut Map<String, Value>) {
    default(spec, "restartPolicy", "Always");
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "securityContext", json!({}));
    default(spec, "terminationGracePeriodSeconds", 30);
    if let Some(account) = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned() {
        spec.insert("serviceAccount".into(), account.clone());
        spec.insert("serviceAccountName".into(), account);
    }
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(container);
    }
    each(spec, "volumes").for_each(volume);
}

/// What a pod itself has, and a template not.
pub(super) fn own(spec: &mut Map<String, Value>) {
    default(spec, "enableServiceLinks", true);
    let host_network = spec.get("hostNetwork") == Some(&true.into());
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            requests(container);
            for port in each(container, "ports").filter(|_| host_network) {
                let number = port.get("containerPort").cloned().unwrap_or_default();
                default(port, "hostPort", number);
            }
        }
    }
}

/// What is limited is asked for.
fn requests(container: &mut Map<String, Value>) {
    let resources = map_in(container, "resources");
    if let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() {
        let requests = map_in(resources, "requests");
        for (name, quantity) in limits {
            default(requests, &name, quantity);
        }
    }
}

/// What a pod gets when it is created, whatever its author said.
pub(super) fn admitted(pod: &mut Value) {
    let spec = super::spec(pod);
    default(spec, "serviceAccountName", "default");
    default(spec, "serviceAccount", spec["serviceAccountName"].clone());
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    default(spec, "priority", 0);
    tolerate(spec);
    let class = service_class(spec);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
}

/// A node that is away for a while loses its pods after five minutes, unless they say otherwise.
fn tolerate(spec: &mut Map<String, Value>) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    for taint in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covers = |one: &Value| {
            let key = one["key"].as_str().unwrap_or_default();
            let effect = one["effect"].as_str().unwrap_or_default();
            (key == taint || key.is_empty()) && matches!(effect, "NoExecute" | "")
        };
        if !tolerations.iter().any(covers) {
            tolerations
                .push(json!({"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
}

fn container(container: &mut Map<String, Value>) {
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let policy = if follows_latest(image) { "Always" } else { "IfNotPresent" };
    default(container, "imagePullPolicy", policy);
    each(container, "ports").for_each(|port| default(port, "protocol", "TCP"));
    for entry in each(container, "env") {
        if let Some(field) = child(entry, "valueFrom").and_then(|from| child(from, "fieldRef")) {
            default(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = child(container, name) {
            self::probe(probe);
        }
    }
    if let Some(lifecycle) = child(container, "lifecycle") {
        for name in ["preStop", "postStart"] {
            if let Some(get) = child(lifecycle, name).and_then(|hook| child(hook, "httpGet")) {
                http_get(get);
            }
        }
    }
}

/// An image without a tag, or with the tag `latest`, is pulled each time.
fn follows_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn probe(probe: &mut Map<String, Value>) {
    for (key, value) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        default(probe, key, value);
    }
    if let Some(get) = child(probe, "httpGet") {
        http_get(get);
    }
    if let Some(grpc) = child(probe, "grpc") {
        default(grpc, "service", "");
    }
}

fn http_get(get: &mut Map<String, Value>) {
    default(get, "path", "/");
    default(get, "scheme", "HTTP");
}

fn volume(volume: &mut Map<String, Value>) {
    if volume.len() == 1 && volume.contains_key("name") {
        volume.insert("emptyDir".into(), json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = child(volume, source) {
            default(source, "defaultMode", 420);
            field_refs(source);
            for one in each(source, "sources") {
                if let Some(token) = child(one, "serviceAccountToken") {
                    default(token, "expirationSeconds", 3600);
                }
                if let Some(downward) = child(one, "downwardAPI") {
                    field_refs(downward);
                }
            }
        }
    }
    if let Some(path) = child(volume, "hostPath") {
        default(path, "type", "");
    }
}

fn field_refs(source: &mut Map<String, Value>) {
    for item in each(source, "items") {
        if let Some(field) = child(item, "fieldRef") {
            default(field, "apiVersion", "v1");
        }
    }
}

/// `Guaranteed` when every container limits CPU and memory and asks for just that, `BestEffort` when none asks for anything.
fn service_class(spec: &Map<String, Value>) -> &'static str {
    let containers: Vec<&Value> =
        ["initContainers", "containers"].iter().filter_map(|list| spec.get(*list)?.as_array()).flatten().collect();
    let resource = |container: &Value, kind: &str, name: &str| container["resources"][kind].get(name).cloned();
    let mut any = false;
    let mut all = true;
    for container in containers {
        for name in ["cpu", "memory"] {
            let (limit, request) = (resource(container, "limits", name), resource(container, "requests", name));
            any |= limit.is_some() || request.is_some();
            all &= limit.is_some() && limit == request;
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_policy_follows_the_tag() {
        for (image, latest) in [
            ("a", true),
            ("a:latest", true),
            ("a:1", false),
            ("host:5000/a", true),
            ("host:5000/a:1", false),
            ("a@sha256:00", false),
        ] {
            assert_eq!(follows_latest(image), latest, "{image}");
        }
    }

    #[test]
    fn quality_of_service_follows_resources() {
        let class = |resources: Value| {
            service_class(json!({"containers": [{"resources": resources}]}).as_object().expect("map"))
        };
        assert_eq!(class(json!({})), "BestEffort");
        assert_eq!(class(json!({"requests": {"cpu": "1"}})), "Burstable");
        let both = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(class(json!({"requests": both, "limits": both})), "Guaranteed");
    }
}
