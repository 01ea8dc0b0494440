//! The OpenAPI document (3.1), made of the list of routes and of the schemas that an API server uses for the resources.

use serde_json::{Map, Value, json};

use crate::answer::{ActionResult, Envelope, Watched};
use crate::explain::{Event, Explanation};
use crate::metrics::{self, Metric, Type};
use crate::problem::Problem;
use crate::request::{ActionOptions, ScaleCluster, ScaleJob};
use crate::route::{Action, Method, Operation, ROUTES, Route, Target};
use crate::{BASE, PLAIN_MEDIA_TYPE, flink};

/// The document.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let path = paths.entry(format!("{BASE}{}", route.path)).or_insert_with(|| parameters(route));
        path[route.method.as_str().to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "flinkctl control API",
            "version": "v1",
            "description": format!(
                "Without more, answers come in an envelope whose `output` is JSON as a string. With `?envelope=false`, or `Accept: {PLAIN_MEDIA_TYPE}`, \
                 they are plain objects with HTTP codes that tell the truth, and problem details (RFC 9457). Below `{BASE}/cluster/` is the same as below `{BASE}/clusters/`."
            ),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "security": [{ "certificate": [] }, { "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "certificate": { "type": "mutualTLS" },
                "token": { "type": "http", "scheme": "bearer", "description": "A token of Kubernetes" },
            },
            "schemas": schemas(),
        },
    })
}

/// Names in a path, which all its methods share.
fn parameters(route: &Route) -> Value {
    let names = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<Value> = names
        .map(|name| {
            let schema = match name {
                "taskmanager" => json!({ "type": "string", "maxLength": 253 }),
                "cluster" | "deployment" => {
                    json!({ "type": "string", "maxLength": 63, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" })
                }
                "job" => {
                    json!({ "type": "string", "maxLength": 253, "pattern": "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$" })
                }
                other => unreachable!("{other} is no name in a path"),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if parameters.is_empty() { json!({}) } else { json!({ "parameters": parameters }) }
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "responses": responses(route),
    });
    let queries = queries(route);
    if !queries.is_empty() {
        operation["parameters"] = Value::Array(queries);
    }
    if let Some((schema, required)) = body(route.operation) {
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    operation
}

/// Method and path as one word: `putClustersClusterStop`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_lowercase();
    for part in route.path.split(['/', '.', '{', '}']).filter(|part| !part.is_empty()) {
        let mut letters = part.chars();
        id.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        id.push_str(letters.as_str());
    }
    id
}

fn queries(route: &Route) -> Vec<Value> {
    let query = |name: &str, schema: Value, description: &str| json!({ "name": name, "in": "query", "schema": schema, "description": description });
    let mut queries = Vec::new();
    if !matches!(route.operation, Operation::Watch | Operation::OpenApi) {
        queries.push(query("envelope", json!({ "type": "boolean", "default": true }), "false for plain answers"));
    }
    match (route.operation, route.method) {
        (Operation::Act(..), Method::Post) => {
            queries.push(query(
                "wait",
                json!({ "type": "string", "examples": ["60s"] }),
                "Answer when the action is done, or after this time",
            ));
        }
        (Operation::Update(_) | Operation::Delete(_), _) => {
            queries.push(query(
                "resourceVersion",
                json!({ "type": "string" }),
                "Refuse with 409 unless the resource has this version",
            ));
        }
        (Operation::Watch, _) => {
            queries.push(query(
                "kind",
                json!({ "enum": ["FlinkDeployment", "FlinkCluster", "FlinkJob"] }),
                "Only this kind",
            ));
            queries.push(query("name", json!({ "type": "string" }), "Only the resource of this name"));
        }
        _ => {}
    }
    queries
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Schema of the body, and whether it must be there.
fn body(operation: Operation) -> Option<(Value, bool)> {
    match operation {
        Operation::Create(target) | Operation::Update(target) => {
            Some((reference(&format!("{}Spec", target.kind())), true))
        }
        Operation::Act(_, Action::Start | Action::Stop) => Some((reference("ActionOptions"), true)),
        Operation::Act(Target::Cluster, Action::Scale) => Some((reference("ScaleCluster"), true)),
        Operation::Act(_, Action::Scale) => Some((reference("ScaleJob"), true)),
        _ => None,
    }
}

/// Schema of what is answered: plain, or as JSON in the `output` of the envelope.
fn output(operation: Operation) -> Value {
    let list = |item: Value| json!({ "type": "array", "items": item });
    match operation {
        Operation::Names(_) => list(json!({ "type": "string" })),
        Operation::List(target) => list(reference(target.kind())),
        Operation::Status(target) => reference(&format!("{}Status", target.kind())),
        Operation::JobDetails => flink::JOB.schema(),
        Operation::TaskManagers => flink::TASK_MANAGERS.schema(),
        Operation::TaskManagerDetails => flink::TASK_MANAGER_DETAILS.schema(),
        Operation::JobMetrics => members(metrics::JOB),
        Operation::JobManagerMetrics | Operation::TaskManagerMetrics => members(metrics::PROCESS),
        Operation::Events(_) => list(reference("Event")),
        Operation::Get(target) | Operation::Create(target) | Operation::Update(target) => reference(target.kind()),
        Operation::Act(..) => reference("ActionResult"),
        Operation::Explain(_) => reference("Explanation"),
        Operation::Delete(_) | Operation::Watch | Operation::OpenApi => {
            json!({ "type": "object" })
        }
    }
}

fn responses(route: &Route) -> Value {
    let content = match route.operation {
        Operation::Watch => json!({ "text/event-stream": {
            "schema": { "type": "string", "description": "The data of each event is a Watched" },
        } }),
        Operation::OpenApi => json!({ "application/json": { "schema": { "type": "object" } } }),
        operation => json!({
            "application/json": { "schema": reference("Envelope") },
            PLAIN_MEDIA_TYPE: { "schema": output(operation) },
        }),
    };
    json!({
        "200": { "description": "Done, or in the envelope what kept it from being done", "content": content },
        "default": {
            "description": "Not done, and why",
            "content": {
                "application/json": { "schema": reference("Envelope") },
                "application/problem+json": { "schema": reference("Problem") },
            },
        },
    })
}

fn members(metrics: &[Metric]) -> Value {
    let members: Map<String, Value> = metrics
        .iter()
        .map(|metric| {
            let type_ = match metric.type_ {
                Type::Integer => "integer",
                Type::Real => "number",
                Type::Text => "string",
            };
            let description = format!("Flink's `{}`", metric.flink);
            (metric.member.to_owned(), json!({ "type": type_, "description": description }))
        })
        .collect();
    json!({ "type": "object", "properties": members })
}

fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    for definition in api::crds() {
        let kind = &definition.spec.names.kind;
        let version = definition.spec.versions.first().expect("our definitions have a version");
        let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
        let mut schema = serde_json::to_value(schema).expect("a schema is JSON");
        for (part, suffix) in [("spec", "Spec"), ("status", "Status")] {
            let name = format!("{kind}{suffix}");
            let place = &mut schema["properties"][part];
            schemas.insert(name.clone(), std::mem::replace(place, reference(&name)));
        }
        schemas.insert(kind.clone(), schema);
    }
    let own = [
        ("Envelope", schemars::schema_for!(Envelope)),
        ("Problem", schemars::schema_for!(Problem)),
        ("ActionOptions", schemars::schema_for!(ActionOptions)),
        ("ScaleCluster", schemars::schema_for!(ScaleCluster)),
        ("ScaleJob", schemars::schema_for!(ScaleJob)),
        ("ActionResult", schemars::schema_for!(ActionResult)),
        ("Event", schemars::schema_for!(Event)),
        ("Explanation", schemars::schema_for!(Explanation)),
        ("Watched", schemars::schema_for!(Watched<Value>)),
    ];
    for (name, schema) in own {
        schemas.append(&mut lifted(name, &schema.to_value()));
    }
    schemas
}

/// A schema by its name, with what it defines within itself beside it.
fn lifted(name: &str, schema: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    // Definitions speak of each other.
    let text = schema.to_string().replace("#/$defs/", "#/components/schemas/");
    let mut schema: Value = serde_json::from_str(&text).expect("it was JSON before");
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        if let Some(Value::Object(definitions)) = members.remove("$defs") {
            all.extend(definitions);
        }
    }
    all.insert(name.to_owned(), schema);
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("it is in the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_route_has_an_id_of_its_own() {
        let ids: BTreeSet<String> = ROUTES.iter().map(operation_id).collect();
        assert_eq!(ids.len(), ROUTES.len());
        assert!(ids.contains("putClustersClusterJobsJobSavepointTrigger"), "{ids:?}");
    }
}
