//! OpenAPI documents: version 3, one per group and version, with what `kubectl` asks of it (types, how they merge, what patches
//! take), and version 2, which it still needs for lists.

mod two;
mod wire;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::kinds::{Kind, Kinds};
use super::{model, patch};

pub(crate) use two::{document as document_two, encoded as encoded_two};

const REFERENCE: &str = "#/components/schemas/";

/// `/openapi/v3`: each document's address changes with its content, so that clients may keep it.
pub(crate) fn index(kinds: &Kinds) -> Value {
    let mut contents = std::collections::BTreeMap::<String, Sha256>::new();
    for kind in kinds.all() {
        let hash = contents.entry(path(kind)).or_default();
        hash.update(kind.name.as_bytes());
        match &kind.custom {
            Some(custom) => hash.update(custom.schema.to_string().as_bytes()),
            None => hash.update(env!("CARGO_PKG_VERSION").as_bytes()),
        }
    }
    let entry = |(path, hash): (String, Sha256)| {
        let hash = hash.finalize().iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
        let url = format!("/openapi/v3/{path}?hash={hash}");
        (path, json!({"serverRelativeURL": url}))
    };
    json!({"paths": contents.into_iter().map(entry).collect::<Map<_, _>>()})
}

fn path(kind: &Kind) -> String {
    if kind.group.is_empty() {
        format!("api/{}", kind.version)
    } else {
        format!("apis/{}/{}", kind.group, kind.version)
    }
}

/// `/openapi/v3/<path>`
pub(crate) fn document(kinds: &Kinds, wanted: &str) -> Option<Value> {
    let (mut paths, mut schemas, mut custom) = (Map::new(), Map::new(), false);
    for kind in kinds.all().filter(|kind| path(kind) == wanted) {
        let scope = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
        let collection = format!("/{wanted}/{scope}{}", kind.resource);
        if !kind.transient {
            paths.insert(format!("{collection}/{{name}}"), item(kind));
            for subresource in kind.subresources.iter().filter(|sub| matches!(sub.as_str(), "status" | "scale")) {
                paths.insert(format!("{collection}/{{name}}/{subresource}"), item(kind));
            }
        }
        paths.insert(collection, self::collection(kind));
        add(&mut schemas, kind);
        custom = kind.custom.is_some();
    }
    let (title, version) =
        if custom { ("Kubernetes CRD Swagger", "v0.1.0") } else { ("Kubernetes", super::discovery::GIT_VERSION) };
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0", "info": {"title": title, "version": version}, "paths": paths,
            "components": {"schemas": schemas},
        })
    })
}

/// Adds a kind's schema, and all that it refers to.
fn add(schemas: &mut Map<String, Value>, kind: &Kind) {
    let own = schema(kind);
    let mut wanted = BTreeSet::new();
    references(&own, &mut wanted);
    schemas.insert(name(kind), own);
    while let Some(name) = wanted.pop_first() {
        let Some(schema) = model::schema(&name).filter(|_| !schemas.contains_key(&name)) else { continue };
        references(schema, &mut wanted);
        schemas.insert(name, schema.clone());
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(|to| to.as_str()?.strip_prefix(REFERENCE)) {
                found.insert(name.to_owned());
            }
            map.values().for_each(|child| references(child, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn name(kind: &Kind) -> String {
    model::type_of(kind).filter(|_| kind.custom.is_none()).unwrap_or_else(|| {
        let group: Vec<&str> = kind.group.split('.').rev().collect();
        format!("{}.{}.{}", group.join("."), kind.version, kind.name)
    })
}

fn parameter(name: &str) -> Value {
    json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
}

fn content(kind: &Kind) -> Value {
    json!({"application/json": {"schema": {"$ref": format!("{REFERENCE}{}", name(kind))}}})
}

fn operation(kind: &Kind, verb: &str, parameters: &[&str], body: Option<&Value>) -> Value {
    let mut operation = json!({
        "operationId": format!("{verb}{}", kind.name), "parameters": parameters.iter().map(|name| parameter(name)).collect::<Vec<_>>(),
        "responses": {"200": {"description": "OK", "content": content(kind)}, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": verb, "x-kubernetes-group-version-kind": identity(kind),
    });
    if let Some(body) = body {
        operation["requestBody"] = json!({"content": body, "required": true});
    }
    operation
}

const WRITE: [&str; 3] = ["dryRun", "fieldManager", "fieldValidation"];
const DELETE: [&str; 4] = ["dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy"];
const LIST: [&str; 9] = [
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
];

/// The patch operation tells which parameters exist, and which kinds of patches.
fn item(kind: &Kind) -> Value {
    let custom = kind.custom.is_some();
    let patches = [patch::APPLY, patch::JSON_PATCH, patch::MERGE, patch::STRATEGIC];
    let patches: Map<String, Value> = patches
        .iter()
        .filter(|media| !(custom && **media == patch::STRATEGIC))
        .map(|media| ((*media).to_owned(), json!({"schema": {"type": "object"}})))
        .collect();
    json!({
        "get": operation(kind, "get", &[], None),
        "put": operation(kind, "put", &WRITE, Some(&content(kind))),
        "patch": operation(kind, "patch", &[WRITE.as_slice(), &["force"]].concat(), Some(&Value::Object(patches))),
        "delete": operation(kind, "delete", &DELETE, None),
    })
}

fn collection(kind: &Kind) -> Value {
    let post = operation(kind, "post", &WRITE, Some(&content(kind)));
    if kind.transient {
        return json!({"post": post});
    }
    json!({
        "get": operation(kind, "list", &LIST, None), "post": post,
        "delete": operation(kind, "deletecollection", &[LIST.as_slice(), &DELETE].concat(), None),
    })
}

fn identity(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.name})
}

fn schema(kind: &Kind) -> Value {
    let mut schema = match &kind.custom {
        Some(custom) => {
            let mut schema = custom.schema.clone();
            spell_out(&mut schema);
            let known = model::metadata_reference();
            for (field, of) in known.as_object().into_iter().flatten() {
                schema["properties"][field] = of.clone();
            }
            schema
        }
        None => model::schema_of(kind).cloned().unwrap_or_else(|| json!({"type": "object"})),
    };
    schema["x-kubernetes-group-version-kind"] = json!([identity(kind)]);
    schema
}

/// Says in plain words what a definition says in one of its own: a number or a text.
fn spell_out(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("x-kubernetes-int-or-string") == Some(&true.into()) && !map.contains_key("anyOf") {
                map.insert("anyOf".into(), json!([{"type": "integer"}, {"type": "string"}]));
            }
            map.values_mut().for_each(spell_out);
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let kinds = Kinds::builtin();
        for path in index(&kinds)["paths"].as_object().expect("paths").keys() {
            let document = document(&kinds, path).unwrap_or_else(|| panic!("{path}"));
            let mut wanted = BTreeSet::new();
            references(&document, &mut wanted);
            for name in wanted {
                assert!(document["components"]["schemas"].get(&name).is_some(), "{path}: {name}");
            }
        }
    }

    #[test]
    fn documents_say_how_lists_merge() {
        let document = document(&Kinds::builtin(), "apis/apps/v1").expect("apps");
        let containers = &document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
        assert_eq!(
            (&containers["x-kubernetes-patch-merge-key"], &containers["x-kubernetes-list-map-keys"]),
            (&json!("name"), &json!(["name"]))
        );
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert!(patch["requestBody"]["content"].get(patch::STRATEGIC).is_some());
    }
}
