//! Columns and rows of the built-in kinds.

use jiff::Timestamp;
use serde_json::Value;

use super::super::kinds::Kind;
use super::super::meta::{self, text};
use super::cells::{age, count, joined, list, number, of_template, or, since, span};
use super::{Column, column, pods};

const NAME: Column = column("Name", "string", 0);
const AGE: Column = column("Age", "string", 0);

/// A column of text.
const fn shown(name: &'static str) -> Column {
    column(name, "string", 0)
}

/// A column of text that only `-o wide` shows.
const fn wide(name: &'static str) -> Column {
    column(name, "string", 1)
}

const fn counted(name: &'static str) -> Column {
    column(name, "integer", 0)
}

const PODS: &[Column] = &[
    NAME,
    shown("Ready"),
    shown("Status"),
    shown("Restarts"),
    AGE,
    wide("IP"),
    wide("Node"),
    wide("Nominated Node"),
    wide("Readiness Gates"),
];
const DEPLOYMENTS: &[Column] = &[
    NAME,
    shown("Ready"),
    shown("Up-to-date"),
    shown("Available"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];
const REPLICA_SETS: &[Column] = &[
    NAME,
    counted("Desired"),
    counted("Current"),
    counted("Ready"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];
const JOBS: &[Column] = &[
    NAME,
    shown("Status"),
    shown("Completions"),
    shown("Duration"),
    AGE,
    wide("Containers"),
    wide("Images"),
    wide("Selector"),
];
const SERVICES: &[Column] =
    &[NAME, shown("Type"), shown("Cluster-IP"), shown("External-IP"), shown("Port(s)"), AGE, wide("Selector")];
const EVENTS: &[Column] = &[
    shown("Last Seen"),
    shown("Type"),
    shown("Reason"),
    shown("Object"),
    wide("Subobject"),
    wide("Source"),
    shown("Message"),
    wide("First Seen"),
    wide("Count"),
    column("Name", "string", 1),
];
const NODES: &[Column] = &[
    NAME,
    shown("Status"),
    shown("Roles"),
    AGE,
    shown("Version"),
    wide("Internal-IP"),
    wide("External-IP"),
    wide("OS-Image"),
    wide("Kernel-Version"),
    wide("Container-Runtime"),
];
const CLAIMS: &[Column] = &[
    NAME,
    shown("Status"),
    shown("Volume"),
    shown("Capacity"),
    shown("Access Modes"),
    shown("StorageClass"),
    shown("VolumeAttributesClass"),
    AGE,
    wide("VolumeMode"),
];
const BINDINGS: &[Column] = &[NAME, shown("Role"), AGE, wide("Users"), wide("Groups"), wide("ServiceAccounts")];

pub(super) fn columns(kind: &Kind) -> &'static [Column] {
    match kind.resource.as_str() {
        "pods" => PODS,
        "deployments" => DEPLOYMENTS,
        "replicasets" => REPLICA_SETS,
        "jobs" => JOBS,
        "services" => SERVICES,
        "events" => EVENTS,
        "nodes" => NODES,
        "persistentvolumeclaims" => CLAIMS,
        "rolebindings" | "clusterrolebindings" => BINDINGS,
        "namespaces" => const { &[NAME, shown("Status"), AGE] },
        "configmaps" => const { &[NAME, shown("Data"), AGE] },
        "secrets" => const { &[NAME, shown("Type"), shown("Data"), AGE] },
        "leases" => const { &[NAME, shown("Holder"), AGE] },
        "endpoints" => const { &[NAME, shown("Endpoints"), AGE] },
        "endpointslices" => const { &[NAME, shown("AddressType"), shown("Ports"), shown("Endpoints"), AGE] },
        "resourcequotas" => const { &[NAME, shown("Request"), shown("Limit"), AGE] },
        "roles" | "clusterroles" | "customresourcedefinitions" | "limitranges" => {
            const { &[NAME, column("Created At", "date", 0)] }
        }
        _ => const { &[NAME, AGE] },
    }
}

pub(super) fn cells(kind: &Kind, object: &Value, now: Timestamp) -> Vec<Value> {
    let name: Value = meta::name(object).into();
    let age = age(object, now);
    match kind.resource.as_str() {
        "pods" => pods::cells(object, now),
        "deployments" => {
            let ready = format!("{}/{}", number(object, "/status/readyReplicas"), number(object, "/spec/replicas"));
            let (updated, available) =
                (number(object, "/status/updatedReplicas"), number(object, "/status/availableReplicas"));
            [vec![name, ready.into(), updated.into(), available.into(), age], of_template(object).into()].concat()
        }
        "replicasets" => {
            let counts = ["/spec/replicas", "/status/replicas", "/status/readyReplicas"]
                .map(|pointer| number(object, pointer).into());
            [vec![name], counts.into(), vec![age], of_template(object).into()].concat()
        }
        "jobs" => job(object, now, name, age),
        "services" => service(object, name, age),
        "events" => event(object, now, name),
        "nodes" => node(object, name, age),
        "persistentvolumeclaims" => {
            let modes = joined(list(object, "/status/accessModes").iter().filter_map(Value::as_str), "");
            let text = |pointer: &str| Value::from(text(object, pointer));
            vec![
                name,
                text("/status/phase"),
                text("/spec/volumeName"),
                text("/status/capacity/storage"),
                modes,
                text("/spec/storageClassName"),
                or(object, "/spec/volumeAttributesClassName", "<unset>"),
                age,
                text("/spec/volumeMode"),
            ]
        }
        "rolebindings" | "clusterrolebindings" => {
            let of = |kind: &str| subjects(object, kind);
            let role = format!("{}/{}", text(object, "/roleRef/kind"), text(object, "/roleRef/name"));
            vec![name, role.into(), age, of("User"), of("Group"), of("ServiceAccount")]
        }
        "namespaces" => vec![name, text(object, "/status/phase").into(), age],
        "configmaps" => vec![name, (count(object, "/data") + count(object, "/binaryData")).into(), age],
        "secrets" => vec![name, text(object, "/type").into(), count(object, "/data").into(), age],
        "leases" => vec![name, text(object, "/spec/holderIdentity").into(), age],
        "endpoints" => {
            let addresses = list(object, "/subsets").iter().flat_map(|subset| {
                let ports: Vec<i64> = list(subset, "/ports").iter().map(|port| number(port, "/port")).collect();
                list(subset, "/addresses").iter().flat_map(move |address| {
                    let ip = text(address, "/ip").to_owned();
                    ports.clone().into_iter().map(move |port| format!("{ip}:{port}"))
                })
            });
            let addresses: Vec<String> = addresses.collect();
            vec![name, joined(addresses.iter().map(String::as_str), "<none>"), age]
        }
        "endpointslices" => {
            let ports: Vec<String> =
                list(object, "/ports").iter().map(|port| number(port, "/port").to_string()).collect();
            let addresses = list(object, "/endpoints")
                .iter()
                .flat_map(|endpoint| list(endpoint, "/addresses"))
                .filter_map(Value::as_str);
            vec![
                name,
                text(object, "/addressType").into(),
                joined(ports.iter().map(String::as_str), "<unset>"),
                joined(addresses, "<unset>"),
                age,
            ]
        }
        "resourcequotas" => {
            let [requests, limits] = quota(object);
            vec![name, requests, limits, age]
        }
        "roles" | "clusterroles" | "customresourcedefinitions" | "limitranges" => {
            vec![name, text(object, "/metadata/creationTimestamp").into()]
        }
        _ => vec![name, age],
    }
}

/// The names of the subjects of a kind.
fn subjects(binding: &Value, kind: &str) -> Value {
    let subjects = list(binding, "/subjects").iter().filter(|one| one["kind"] == kind);
    let names: Vec<String> = subjects
        .map(|one| match one["namespace"].as_str() {
            Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{}", text(one, "/name")),
            _ => text(one, "/name").to_owned(),
        })
        .collect();
    joined(names.iter().map(String::as_str), "")
}

/// What is used of each request, and of each limit.
fn quota(quota: &Value) -> [Value; 2] {
    let hard = quota.pointer("/status/hard").and_then(Value::as_object).into_iter().flatten();
    let (limits, requests): (Vec<_>, Vec<_>) = hard.partition(|(name, _)| name.starts_with("limits."));
    [requests, limits].map(|of| {
        let one = |(name, hard): (&String, &Value)| {
            let used = quota["status"]["used"][name].as_str().unwrap_or("0");
            format!("{name}: {used}/{}", hard.as_str().unwrap_or_default())
        };
        of.into_iter().map(one).collect::<Vec<_>>().join(", ").into()
    })
}

fn job(job: &Value, now: Timestamp, name: Value, age: Value) -> Vec<Value> {
    let condition = |wanted: &str| {
        list(job, "/status/conditions").iter().any(|one| one["type"] == wanted && one["status"] == "True")
    };
    let status = match () {
        () if condition("Complete") => "Complete",
        () if condition("Failed") => "Failed",
        () if meta::deleting(job) => "Terminating",
        () if condition("Suspended") => "Suspended",
        () if condition("FailureTarget") => "FailureTarget",
        () if condition("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    };
    let succeeded = number(job, "/status/succeeded");
    let completions = match (job.pointer("/spec/completions").and_then(Value::as_i64), number(job, "/spec/parallelism"))
    {
        (Some(completions), _) => format!("{succeeded}/{completions}"),
        (None, parallelism) if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        (None, _) => format!("{succeeded}/1"),
    };
    let duration =
        match (text(job, "/status/startTime").parse::<Timestamp>(), text(job, "/status/completionTime").parse()) {
            (Ok(start), Ok(end)) => span(Timestamp::duration_since(end, start).as_secs()),
            (Ok(start), Err(_)) => span(now.duration_since(start).as_secs()),
            (Err(_), _) => String::new(),
        };
    [vec![name, status.into(), completions.into(), duration.into(), age], of_template(job).into()].concat()
}

fn service(service: &Value, name: Value, age: Value) -> Vec<Value> {
    let kind = text(service, "/spec/type");
    let ingress = list(service, "/status/loadBalancer/ingress").iter().map(|one| text(one, "/ip"));
    let own = list(service, "/spec/externalIPs").iter().filter_map(Value::as_str);
    let external = match kind {
        "ExternalName" => text(service, "/spec/externalName").into(),
        "LoadBalancer" => joined(ingress.chain(own), "<pending>"),
        _ => joined(own, "<none>"),
    };
    let ports: Vec<String> = list(service, "/spec/ports")
        .iter()
        .map(|port| {
            let node = number(port, "/nodePort");
            let node = if node == 0 { String::new() } else { format!(":{node}") };
            format!("{}{node}/{}", number(port, "/port"), text(port, "/protocol"))
        })
        .collect();
    let selector: Vec<String> = service
        .pointer("/spec/selector")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    vec![
        name,
        kind.into(),
        or(service, "/spec/clusterIP", "<none>"),
        external,
        joined(ports.iter().map(String::as_str), "<none>"),
        age,
        joined(selector.iter().map(String::as_str), "<none>"),
    ]
}

/// Events come in two forms; both have what the columns need, under other names.
fn event(event: &Value, now: Timestamp, name: Value) -> Vec<Value> {
    let first = |pointers: &[&str]| {
        pointers.iter().map(|pointer| text(event, pointer)).find(|found| !found.is_empty()).unwrap_or_default()
    };
    let micro = first(&["/eventTime", "/firstTimestamp", "/deprecatedFirstTimestamp", "/metadata/creationTimestamp"]);
    let last = first(&[
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/deprecatedLastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ]);
    let count = [number(event, "/series/count"), number(event, "/count"), number(event, "/deprecatedCount")]
        .into_iter()
        .find(|n| *n > 0)
        .unwrap_or(1);
    let first_seen = since(micro, now);
    let seen = since(last, now);
    let about = event.get("involvedObject").or_else(|| event.get("regarding")).unwrap_or(&Value::Null);
    let object = format!("{}/{}", text(about, "/kind").to_lowercase(), text(about, "/name"));
    let source =
        first(&["/source/component", "/reportingComponent", "/reportingController", "/deprecatedSource/component"]);
    let host = first(&["/source/host", "/deprecatedSource/host"]);
    let source = if host.is_empty() { source.to_owned() } else { format!("{source}, {host}") };
    let message = first(&["/message", "/note"]).trim();
    vec![
        seen.into(),
        text(event, "/type").into(),
        text(event, "/reason").into(),
        object.into(),
        text(about, "/fieldPath").into(),
        source.into(),
        message.into(),
        first_seen.into(),
        count.into(),
        name,
    ]
}

fn node(node: &Value, name: Value, age: Value) -> Vec<Value> {
    let ready = list(node, "/status/conditions")
        .iter()
        .find(|condition| condition["type"] == "Ready")
        .map(|condition| text(condition, "/status"));
    let mut status = match ready {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if node.pointer("/spec/unschedulable") == Some(&true.into()) {
        status.push_str(",SchedulingDisabled");
    }
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object);
    let roles = labels.into_iter().flatten().filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"));
    let roles = joined(roles, "<none>");
    let address = |kind: &str| {
        list(node, "/status/addresses")
            .iter()
            .find(|one| one["type"] == kind)
            .map_or("<none>", |one| text(one, "/address"))
    };
    let info = |field: &str| or(node, &format!("/status/nodeInfo/{field}"), "<unknown>");
    vec![
        name,
        status.into(),
        roles,
        age,
        text(node, "/status/nodeInfo/kubeletVersion").into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        info("osImage"),
        info("kernelVersion"),
        info("containerRuntimeVersion"),
    ]
}
