//! What a random program does: few objects, few values, so that requests meet.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::case::{Content, Step};

const NAMES: [&str; 3] = ["a", "b", "c"];
const MANAGERS: [&str; 3] = ["alice", "bob", "carol"];
const RESOURCES: [Resource; 4] = [
    Resource { plural: "configmaps", api: "v1", kind: "ConfigMap" },
    Resource { plural: "secrets", api: "v1", kind: "Secret" },
    Resource { plural: "leases", api: "coordination.k8s.io/v1", kind: "Lease" },
    Resource { plural: "widgets", api: "example.test/v1", kind: "Widget" },
];

#[derive(Clone, Copy)]
struct Resource {
    plural: &'static str,
    api: &'static str,
    kind: &'static str,
}

/// A program of this many steps; the same seed always gives the same one.
pub fn program(seed: u64, steps: usize) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    (0..steps).map(|_| Step { optional: true, ..step(&mut rng) }).collect()
}

fn step(rng: &mut Rng) -> Step {
    let resource = one(rng, &RESOURCES);
    let name = one(rng, &NAMES);
    match rng.u32(..100) {
        0..24 => create(rng, resource, name),
        24..34 => update(rng, resource, name),
        34..46 => merge(rng, resource, name),
        46..54 => json_patch(rng, resource, name),
        54..72 => apply(rng, resource, name),
        72..78 => subresource(rng, name),
        78..88 => delete(rng, resource, name),
        88..90 => delete_collection(rng, resource),
        90..97 => read(rng, resource, name),
        _ => watch(resource),
    }
}

fn one<T: Copy>(rng: &mut Rng, all: &[T]) -> T {
    all[rng.usize(..all.len())]
}

fn create(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let validation = one(rng, &["Strict", "Warn", "Ignore"]);
    let query = query(rng, &[("dryRun", "All", 8), ("fieldValidation", validation, 3)], true);
    let mut body = object(rng, resource, name);
    if rng.u32(..6) == 0 {
        body["metadata"]["finalizers"] = json!(["example.test/hold"]);
    }
    saved(
        resource,
        name,
        Step { request: format!("POST {}{query}", resource.plural), body: Some(body), ..Step::default() },
    )
}

fn update(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let query = query(rng, &[("dryRun", "All", 8)], true);
    let mut body = object(rng, resource, name);
    match rng.u32(..4) {
        0 => {}
        1 => body["metadata"]["resourceVersion"] = json!(format!("{{first-{}-{name}}}", resource.plural)),
        _ => body["metadata"]["resourceVersion"] = json!(format!("{{version-{}-{name}}}", resource.plural)),
    }
    saved(
        resource,
        name,
        Step { request: format!("PUT {}/{name}{query}", resource.plural), body: Some(body), ..Step::default() },
    )
}

fn merge(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let strategic = resource.kind != "Widget" && rng.bool();
    let content = if strategic { Content::StrategicPatch } else { Content::MergePatch };
    let query = query(rng, &[("dryRun", "All", 8)], true);
    let mut body = json!({});
    match rng.u32(..6) {
        0 => body["metadata"] = json!({ "labels": { one(rng, &["x", "y"]): label(rng) } }),
        1 => body["metadata"] = json!({ "labels": null }),
        2 => body["metadata"] = json!({ "finalizers": one(rng, &[&[][..], &["example.test/hold"][..]]) }),
        3 => body["metadata"] = json!({ "annotations": { "note": label(rng) } }),
        _ => content_of(rng, resource, &mut body),
    }
    saved(
        resource,
        name,
        Step {
            request: format!("PATCH {}/{name}{query}", resource.plural),
            body: Some(body),
            content,
            ..Step::default()
        },
    )
}

fn json_patch(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let path = match resource.kind {
        "Widget" => {
            one(rng, &["/spec/size", "/spec/tags", "/spec/tags/0", "/spec/tags/-", "/spec/colour", "/metadata/labels"])
        }
        "Lease" => one(rng, &["/spec/holderIdentity", "/spec/leaseDurationSeconds", "/metadata/labels"]),
        _ => one(rng, &["/data/x", "/data", "/metadata/labels/x", "/metadata/labels"]),
    };
    let value = match path.rsplit('/').next() {
        Some("size" | "leaseDurationSeconds") => json!(rng.u32(1..9)),
        Some("labels") => json!({ "x": label(rng) }),
        Some("data") => json!({ "y": "Mg==" }),
        Some("tags") => json!(["p", "q"]),
        Some("colour") => json!("blue"),
        _ => json!(one(rng, &["Mg==", "Mw=="])),
    };
    let operation = match rng.u32(..5) {
        0 => json!({ "op": "remove", "path": path }),
        1 => json!({ "op": "test", "path": path, "value": value }),
        2 => json!({ "op": "replace", "path": path, "value": value }),
        _ => json!({ "op": "add", "path": path, "value": value }),
    };
    let step = Step {
        request: format!("PATCH {}/{name}", resource.plural),
        body: Some(json!([operation])),
        content: Content::JsonPatch,
        ..Step::default()
    };
    saved(resource, name, step)
}

fn apply(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let manager = one(rng, &MANAGERS);
    let force = if rng.u32(..3) == 0 { "&force=true" } else { "" };
    let dry = if rng.u32(..10) == 0 { "&dryRun=All" } else { "" };
    let body = object(rng, resource, name);
    let request = format!("PATCH {}/{name}?fieldManager={manager}{force}{dry}", resource.plural);
    saved(resource, name, Step { request, body: Some(body), content: Content::Apply, ..Step::default() })
}

/// Status and scale; widgets alone have them here.
fn subresource(rng: &mut Rng, name: &str) -> Step {
    let widgets = RESOURCES[3];
    let step = match rng.u32(..4) {
        0 => Step { request: format!("GET widgets/{name}/scale"), ..Step::default() },
        1 => Step {
            request: format!("PATCH widgets/{name}/scale"),
            body: Some(json!({ "spec": { "replicas": rng.u32(..4) } })),
            content: Content::MergePatch,
            ..Step::default()
        },
        2 => Step {
            request: format!("PATCH widgets/{name}/status"),
            body: Some(json!({ "spec": { "size": 1 }, "status": { "phase": label(rng), "replicas": rng.u32(..4) } })),
            content: Content::MergePatch,
            ..Step::default()
        },
        _ => {
            let mut body = object(rng, widgets, name);
            body["metadata"]["resourceVersion"] = json!(format!("{{version-widgets-{name}}}"));
            body["status"] = json!({ "phase": label(rng), "conditions": [{ "type": "Ready", "status": "True" }] });
            Step { request: format!("PUT widgets/{name}/status"), body: Some(body), ..Step::default() }
        }
    };
    if step.request.contains("/scale") { step } else { saved(widgets, name, step) }
}

fn delete(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let key = format!("{}-{name}", resource.plural);
    let body = match rng.u32(..6) {
        0 => json!({ "preconditions": { "uid": format!("{{uid-{key}}}") } }),
        1 => json!({ "preconditions": { "resourceVersion": format!("{{version-{key}}}") } }),
        2 => json!({ "preconditions": { "resourceVersion": format!("{{first-{key}}}") } }),
        3 => json!({ "propagationPolicy": one(rng, &["Orphan", "Background"]) }),
        4 => json!({ "dryRun": ["All"] }),
        _ => json!({ "gracePeriodSeconds": 0 }),
    };
    Step { request: format!("DELETE {}/{name}", resource.plural), body: Some(body), ..Step::default() }
}

fn delete_collection(rng: &mut Rng, resource: Resource) -> Step {
    let selector = one(rng, &["labelSelector=x%3D1", "labelSelector=x", "fieldSelector=metadata.name%3Da"]);
    Step { request: format!("DELETE {}?{selector}", resource.plural), ..Step::default() }
}

fn read(rng: &mut Rng, resource: Resource, name: &str) -> Step {
    let plural = resource.plural;
    // Controllers add objects of these kinds to each namespace in their own time.
    let ours = "labelSelector=x";
    let request = match rng.u32(..6) {
        0 => format!("GET {plural}?{ours}"),
        1 => format!("GET {plural}?labelSelector=x%20in%20(1,2)"),
        2 => format!("GET {plural}?fieldSelector=metadata.name%3D{name}"),
        3 => format!("GET {plural}?{ours}&limit=1"),
        _ => format!("GET {plural}/{name}"),
    };
    let accept = match rng.u32(..4) {
        0 => Some("application/json;as=Table;v=v1;g=meta.k8s.io".to_owned()),
        1 => Some("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io".to_owned())
            .filter(|_| request.contains('?')),
        _ => None,
    };
    Step { request, accept, ..Step::default() }
}

/// All that happened since the first version that was seen.
fn watch(resource: Resource) -> Step {
    let plural = resource.plural;
    Step {
        request: format!("WATCH {plural}?fieldSelector=metadata.name%3Da&resourceVersion={{first-{plural}-a}}"),
        ..Step::default()
    }
}

/// An object with some of the values that its kind has, and at times one that it must not have.
fn object(rng: &mut Rng, resource: Resource, name: &str) -> Value {
    let mut object = json!({ "apiVersion": resource.api, "kind": resource.kind, "metadata": { "name": name } });
    match rng.u32(..4) {
        0 => {}
        1 => object["metadata"]["labels"] = json!({ "x": label(rng), "y": label(rng) }),
        _ => object["metadata"]["labels"] = json!({ "x": label(rng) }),
    }
    content_of(rng, resource, &mut object);
    object
}

fn content_of(rng: &mut Rng, resource: Resource, object: &mut Value) {
    match resource.kind {
        "Widget" => object["spec"] = widget(rng),
        "Lease" => {
            object["spec"] =
                json!({ "holderIdentity": label(rng), "leaseDurationSeconds": one(rng, &[15, 30, 30, 0]) });
        }
        _ => {
            object["data"] = json!({ one(rng, &["x", "y"]): one(rng, &["MQ==", "Mg=="]) });
            if rng.u32(..12) == 0 {
                object["data"]["bad key"] = json!("MQ==");
            }
        }
    }
    if rng.u32(..15) == 0 {
        object["unheardOf"] = json!(1);
    }
}

fn widget(rng: &mut Rng) -> Value {
    let mut spec = json!({ "size": rng.u32(..12) });
    for _ in 0..rng.u32(..4) {
        match rng.u32(..16) {
            0 => spec["colour"] = json!(one(rng, &["red", "green", "mauve"])),
            1 => spec["tags"] = json!(one(rng, &[&["p"][..], &["q", "p"][..], &["p", "p"][..], &[][..]])),
            2 => spec["parts"] = json!([{ "name": "p", "count": rng.u32(..4) }, { "name": "q" }]),
            3 => spec["parts"] = json!([{ "name": one(rng, &["p", "q", "r"]), "note": label(rng) }]),
            4 => spec["options"] = json!({ one(rng, &["k", "l"]): label(rng) }),
            5 => spec["limit"] = json!(rng.u32(..12)),
            6 => spec["label"] = json!(one(rng, &["short", "much-too-long", "UPPER"])),
            7 => spec["block"] = json!({ one(rng, &["a", "b"]): label(rng) }),
            8 => spec["free"] = json!({ "any": { "thing": rng.u32(..3) } }),
            9 => spec["sequence"] = json!([rng.u32(..3), rng.u32(..3)]),
            10 => spec["whole"] = json!([label(rng)]),
            11 => spec["quantity"] = if rng.bool() { json!(5) } else { json!("5Mi") },
            12 => spec["nothing"] = Value::Null,
            13 => spec["ratio"] = json!(one(rng, &[0.5, 2.0])),
            14 => spec["unknown"] = json!(label(rng)),
            _ => spec["sealed"] = json!(label(rng)),
        }
    }
    spec
}

fn label(rng: &mut Rng) -> &'static str {
    one(rng, &["1", "2", "3"])
}

/// A query of parameters, each with one chance in so many.
fn query(rng: &mut Rng, parameters: &[(&str, &str, u32)], manager: bool) -> String {
    let mut all: Vec<String> = parameters
        .iter()
        .filter(|(_, _, chance)| rng.u32(..*chance) == 0)
        .map(|(name, value, _)| format!("{name}={value}"))
        .collect();
    if manager && rng.bool() {
        all.push(format!("fieldManager={}", one(rng, &MANAGERS)));
    }
    if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
}

/// A step after which the object's uid and version are known.
fn saved(resource: Resource, name: &str, step: Step) -> Step {
    if step.request.contains("dryRun") {
        return step;
    }
    let key = format!("{}-{name}", resource.plural);
    let mut save = std::collections::BTreeMap::from([
        (format!("version-{key}"), "/metadata/resourceVersion".to_owned()),
        (format!("uid-{key}"), "/metadata/uid".to_owned()),
    ]);
    if step.request.starts_with("POST") {
        save.insert(format!("first-{key}"), "/metadata/resourceVersion".to_owned());
    }
    Step { save, ..step }
}
