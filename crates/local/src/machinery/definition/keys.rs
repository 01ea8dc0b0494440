//! Lists by keys and sets: their items have to be such that they can be told apart.

use serde_json::Value;

use super::super::error::FieldError;
use super::structural::flag;

/// What is wrong with the list that a schema describes, if it describes one.
pub(super) fn judge(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let list = &schema["x-kubernetes-list-type"];
    let keys = schema["x-kubernetes-list-map-keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let items = schema.get("items").filter(|items| items.is_object());
    if list == "set" && schema["type"] == "array" {
        set(items, at, errors);
    }
    let field = format!("{at}.x-kubernetes-list-type");
    if !keys.is_empty() && list != "map" {
        let detail = "must be map if x-kubernetes-list-map-keys is non-empty";
        errors.push(if list.is_null() {
            FieldError::required(field, detail)
        } else {
            FieldError::invalid(field, list, detail)
        });
    }
    if list == "map" {
        map(schema, keys, items, at, errors);
    }
    if let Some(items) = items.filter(|_| list == "map" || list == "set") {
        present(items, list, keys, at, errors);
    }
}

/// Items of a set are compared as a whole.
fn set(items: Option<&Value>, at: &str, errors: &mut Vec<FieldError>) {
    let detail = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let Some(items) = items else { return };
    let inner = &items["x-kubernetes-list-type"];
    if items["type"] == "array" && !inner.is_null() && inner != "atomic" {
        errors.push(FieldError::invalid(format!("{at}.items.x-kubernetes-list-type"), inner, detail));
    }
    if items["type"] == "object" && items["x-kubernetes-map-type"] != "atomic" {
        errors.push(FieldError::invalid(format!("{at}.items.x-kubernetes-map-type"), inner, detail));
    }
}

fn map(schema: &Value, keys: &[Value], items: Option<&Value>, at: &str, errors: &mut Vec<FieldError>) {
    let field = format!("{at}.x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.push(FieldError::required(&field, "must not be empty if x-kubernetes-list-type is map"));
    }
    let Some(items) = items else {
        let detail = "must have a schema if x-kubernetes-list-type is map";
        return errors.push(FieldError::required(format!("{at}.items"), detail));
    };
    if items["type"] != "object" {
        let detail = "must be object if parent array's x-kubernetes-list-type is map";
        let kind = items["type"].as_str().unwrap_or_default();
        return errors.push(FieldError::invalid(format!("{at}.items.type"), &kind.into(), detail));
    }
    for (index, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        match items["properties"].get(name) {
            None => {
                let detail = "entries must all be names of item properties";
                errors.push(FieldError::invalid(&field, &schema["x-kubernetes-list-map-keys"], detail));
            }
            Some(of) if of["type"] == "array" || of["type"] == "object" => {
                let detail = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                let field = format!("{at}.items.properties[{name}].type");
                errors.push(FieldError::invalid(field, &items["type"], detail));
            }
            Some(_) => {}
        }
        if keys[..index].contains(key) {
            let detail = "must not contain duplicate entries";
            errors.push(FieldError::invalid(&field, &schema["x-kubernetes-list-map-keys"], detail));
        }
    }
}

/// Items, and the keys of items, are always there.
fn present(items: &Value, list: &Value, keys: &[Value], at: &str, errors: &mut Vec<FieldError>) {
    if flag(items, "nullable") {
        let detail = format!("cannot be nullable when x-kubernetes-list-type is {}", list.as_str().unwrap_or_default());
        errors.push(FieldError::forbidden(format!("{at}.items.nullable"), &detail));
    }
    for key in keys.iter().filter(|_| list == "map") {
        let name = key.as_str().unwrap_or_default();
        let Some(of) = items["properties"].get(name) else { continue };
        let at = format!("{at}.items.properties[{name}]");
        let required = items["required"].as_array().is_some_and(|required| required.contains(key));
        if !required && of.get("default").is_none() {
            let detail =
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(FieldError::required(format!("{at}.default"), detail));
        }
        if flag(of, "nullable") {
            let detail = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(FieldError::forbidden(format!("{at}.nullable"), detail));
        }
    }
}
