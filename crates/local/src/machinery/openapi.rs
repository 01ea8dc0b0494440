//! OpenAPI documents: as much as kubectl needs to believe in server-side validation and to explain fields.

use serde_json::{Map, Value, json};

use super::builtin;
use super::kinds::{Kind, Kinds};

/// `/openapi/v3`
pub(crate) fn index(kinds: &Kinds) -> Value {
    let mut paths = Map::new();
    for kind in kinds.all() {
        let path = path(kind);
        paths.entry(path.clone()).or_insert_with(|| json!({"serverRelativeURL": format!("/openapi/v3/{path}")}));
    }
    json!({"paths": paths})
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
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for kind in kinds.all().filter(|kind| path(kind) == wanted) {
        let scope = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
        paths.insert(format!("/{wanted}/{scope}{}/{{name}}", kind.resource), operations(kind));
        if let Some(components) = builtin::schema(kind)
            .as_ref()
            .and_then(|document| document.pointer("/components/schemas")?.as_object().cloned())
        {
            schemas.extend(components);
        }
        schemas.insert(name(kind), schema(kind));
    }
    (!paths.is_empty()).then(|| {
        json!({
            "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.34.0"}, "paths": paths, "components": {"schemas": schemas},
        })
    })
}

fn name(kind: &Kind) -> String {
    let mut group: Vec<&str> = kind.group.split('.').filter(|part| !part.is_empty()).collect();
    group.reverse();
    let group = if kind.custom.is_some() {
        group.join(".")
    } else {
        format!("io.k8s.api.{}", group.last().copied().unwrap_or("core"))
    };
    format!("{group}.{}.{}", kind.version, kind.name)
}

/// The patch operation tells kubectl which parameters exist. Strategic merge patches are not listed: kubectl then uses its own types.
fn operations(kind: &Kind) -> Value {
    let identity = identity(kind);
    let parameter =
        |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters: Vec<Value> =
        ["dryRun", "fieldManager", "fieldValidation", "force"].into_iter().map(parameter).collect();
    let body = json!({"content": {"application/merge-patch+json": {"schema": {"type": "object"}}}});
    let answer = json!({"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{}", name(kind))}}}}});
    json!({
        "get": {"operationId": format!("read{}", kind.name), "responses": answer, "x-kubernetes-action": "get", "x-kubernetes-group-version-kind": identity},
        "patch": {
            "operationId": format!("patch{}", kind.name), "parameters": parameters, "requestBody": body, "responses": answer,
            "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": identity,
        },
    })
}

fn identity(kind: &Kind) -> Value {
    json!({"group": kind.group, "version": kind.version, "kind": kind.name})
}

fn schema(kind: &Kind) -> Value {
    let mut schema = if let Some(custom) = &kind.custom {
        custom.schema.clone()
    } else {
        let document = builtin::schema(kind);
        let mut schema = document.as_deref().cloned().unwrap_or_else(|| json!({"type": "object"}));
        if let Some(map) = schema.as_object_mut() {
            map.retain(|key, _| !matches!(key.as_str(), "components" | "$schema" | "title"));
        }
        schema
    };
    schema["x-kubernetes-group-version-kind"] = json!([identity(kind)]);
    schema
}
