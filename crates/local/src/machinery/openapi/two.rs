//! The document of version 2: the types of all kinds, in JSON and in the binary form in which `kubectl` asks for it.
//!
//! Only definitions and patch operations are in it; clients that want more use version 3.

use serde_json::{Map, Value, json};

use super::super::kinds::Kinds;
use super::wire::Message;
use super::{REFERENCE, add, identity, name};

/// `/openapi/v2` as JSON.
pub(crate) fn document(kinds: &Kinds) -> Value {
    let mut definitions = Map::new();
    let mut paths = Map::new();
    for kind in kinds.all() {
        add(&mut definitions, kind);
        if !kind.transient {
            let scope = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
            let path = format!("/{}/{scope}{}/{{name}}", super::path(kind), kind.resource);
            paths.insert(path, json!({"patch": patch(kind)}));
        }
    }
    let mut definitions = Value::Object(definitions);
    downgrade(&mut definitions);
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": super::super::discovery::GIT_VERSION},
        "paths": paths, "definitions": definitions,
    })
}

fn patch(kind: &super::Kind) -> Value {
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
        .iter()
        .map(|name| json!({"name": name, "in": "query", "type": "string", "uniqueItems": true}))
        .collect();
    json!({
        "operationId": format!("patch{}", kind.name), "parameters": parameters,
        "responses": {"200": {"description": "OK", "schema": {"$ref": format!("#/definitions/{}", name(kind))}}},
        "x-kubernetes-action": "patch", "x-kubernetes-group-version-kind": identity(kind),
    })
}

/// What version 2 has no words for goes, and references lead elsewhere.
fn downgrade(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // A reference stands alone.
            if let Some(target) = super::super::model::reference(&Value::Object(map.clone())) {
                let target = format!("#/definitions/{target}");
                let description = map.get("description").cloned();
                map.clear();
                map.insert("$ref".into(), target.into());
                map.extend(description.map(|text| ("description".to_owned(), text)));
                return;
            }
            if map.contains_key("oneOf") && !map.contains_key("type") {
                map.insert("type".into(), "string".into());
            }
            leave_open(map);
            for key in ["oneOf", "anyOf", "not", "nullable", "allOf", "$schema"] {
                if map.get(key).is_some_and(|value| !value["type"].is_string()) {
                    map.remove(key);
                }
            }
            map.values_mut().for_each(downgrade);
        }
        Value::Array(items) => items.iter_mut().for_each(downgrade),
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(REFERENCE) {
                *text = format!("#/definitions/{name}");
            }
        }
        _ => {}
    }
}

/// What may also be null, or hold more than its schema says, is of no type in version 2: `kubectl` would refuse what is in it.
fn leave_open(map: &mut Map<String, Value>) {
    let is_nullable = |schema: &Value| schema["nullable"] == true;
    let (nullable, open) = (
        map.get("nullable") == Some(&true.into()),
        map.get("x-kubernetes-preserve-unknown-fields") == Some(&true.into()),
    );
    if nullable || open {
        map.remove("items");
        map.remove("properties");
        let of_type = |text: &str| map.get("type").is_some_and(|found| found == text);
        if nullable || of_type("array") || of_type("object") {
            map.remove("type");
        }
    }
    let Some(Value::Object(properties)) = map.get("properties") else { return };
    let optional: Vec<String> =
        properties.iter().filter(|(_, schema)| is_nullable(schema)).map(|(name, _)| name.clone()).collect();
    if let Some(Value::Array(required)) = map.get_mut("required") {
        required.retain(|name| !optional.iter().any(|one| name == one.as_str()));
    }
    if map.get("required").is_some_and(|required| required == &json!([])) {
        map.remove("required");
    }
}

/// `/openapi/v2` in its binary form.
pub(crate) fn encoded(kinds: &Kinds) -> Vec<u8> {
    let document = document(kinds);
    let mut message = Message::default();
    message.text(1, "2.0");
    let mut info = Message::default();
    info.text(1, "Kubernetes");
    info.text(2, super::super::discovery::GIT_VERSION);
    message.message(2, &info);
    let mut paths = Message::default();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        let mut item = Message::default();
        item.message(8, &operation(&operations["patch"]));
        paths.named(2, path, &item);
    }
    message.message(8, &paths);
    let mut definitions = Message::default();
    for (name, schema) in document["definitions"].as_object().into_iter().flatten() {
        definitions.named(1, name, &self::schema(schema));
    }
    message.message(9, &definitions);
    message.into_bytes()
}

fn operation(operation: &Value) -> Message {
    let mut message = Message::default();
    message.text(5, operation["operationId"].as_str().unwrap_or_default());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let mut query = Message::default();
        query.text(2, "query");
        query.text(4, parameter["name"].as_str().unwrap_or_default());
        query.text(6, "string");
        let (mut plain, mut either, mut item) = (Message::default(), Message::default(), Message::default());
        plain.message(3, &query);
        either.message(2, &plain);
        item.message(1, &either);
        message.message(8, &item);
    }
    extensions(&mut message, 13, operation);
    message
}

fn schema(schema: &Value) -> Message {
    let mut message = Message::default();
    let text = |key: &str| schema[key].as_str().unwrap_or_default();
    message.text(1, text("$ref"));
    message.text(2, text("format"));
    message.text(4, text("description"));
    if let Some(default) = schema.get("default") {
        message.message(5, &Message::any(default));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        message.text(19, required.as_str().unwrap_or_default());
    }
    for value in schema["enum"].as_array().into_iter().flatten() {
        message.message(20, &Message::any(value));
    }
    if let Some(more) = schema.get("additionalProperties") {
        let mut either = Message::default();
        match more {
            Value::Bool(allowed) => either.flag(2, *allowed),
            more => either.message(1, &self::schema(more)),
        }
        message.message(21, &either);
    }
    if let Some(kind) = schema["type"].as_str() {
        let mut item = Message::default();
        item.text(1, kind);
        message.message(22, &item);
    }
    if let Some(items) = schema.get("items") {
        let mut item = Message::default();
        item.message(1, &self::schema(items));
        message.message(23, &item);
    }
    if let Some(properties) = schema["properties"].as_object() {
        let mut named = Message::default();
        for (name, schema) in properties {
            named.named(1, name, &self::schema(schema));
        }
        message.message(25, &named);
    }
    extensions(&mut message, 31, schema);
    message
}

fn extensions(message: &mut Message, number: u64, of: &Value) {
    for (key, value) in of.as_object().into_iter().flatten().filter(|(key, _)| key.starts_with("x-")) {
        message.named(number, key, &Message::any(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_more_than_its_schema_says_is_left_open() {
        let mut schema = json!({
            "type": "object", "required": ["a", "b"],
            "properties": {
                "a": {"type": "string", "nullable": true},
                "b": {"type": "array", "items": {
                    "type": "object", "required": ["name"], "properties": {"name": {"type": "string"}},
                    "x-kubernetes-preserve-unknown-fields": true,
                }},
            },
        });
        downgrade(&mut schema);
        let open = json!({"required": ["name"], "x-kubernetes-preserve-unknown-fields": true});
        let wanted = json!({
            "type": "object", "required": ["b"],
            "properties": {"a": {}, "b": {"type": "array", "items": open}},
        });
        assert_eq!(schema, wanted);
    }

    #[test]
    fn lists_of_references_are_turned_into_definitions() {
        let document = document(&Kinds::builtin());
        let pod = &document["definitions"]["io.k8s.api.core.v1.Pod"];
        assert_eq!(pod["properties"]["spec"]["$ref"], "#/definitions/io.k8s.api.core.v1.PodSpec");
        assert_eq!(pod["x-kubernetes-group-version-kind"][0]["kind"], "Pod");
        assert!(!document.to_string().contains(REFERENCE));
        assert!(encoded(&Kinds::builtin()).len() > 100_000);
    }
}
