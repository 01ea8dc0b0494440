//! Validation against a structural schema, in the words of an API server.

use regex::Regex;
use serde_json::Value;

use super::super::error::FieldError;
use super::{embedded, field, flag, join, map_keys, ratchet};

/// What is wrong with `value`. Parts that equal their counterparts in `old` are taken as they are.
pub(crate) fn validate(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut walk = Walk { errors: Vec::new() };
    walk.node(schema, value, old, "", true);
    walk.errors
}

struct Walk {
    errors: Vec<FieldError>,
}

impl Walk {
    fn node(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str, resource: bool) {
        if old == Some(value) {
            return;
        }
        if value.is_null() && flag(schema, "nullable") {
            return;
        }
        if !self.has_type(schema, value, path) {
            return;
        }
        self.allowed(schema, value, path);
        match value {
            Value::String(text) => self.string(schema, text, path),
            Value::Number(number) => self.number(schema, number.as_f64().unwrap_or_default(), value, path),
            Value::Array(items) => self.array(schema, items, old, path),
            Value::Object(_) => self.object(schema, value, old, path, resource),
            _ => {}
        }
        self.combined(schema, value, path);
    }

    fn invalid(&mut self, path: &str, value: &Value, what: &str) {
        self.errors.push(FieldError::invalid(path, value, &format!("{path} in body {what}")));
    }

    fn has_type(&mut self, schema: &Value, value: &Value, path: &str) -> bool {
        if flag(schema, "x-kubernetes-int-or-string") {
            let fits = value.is_string() || value.is_i64() || value.is_u64();
            if !fits {
                self.wrong_type(path, value, "integer,string");
            }
            return fits;
        }
        let Some(wanted) = schema["type"].as_str() else { return true };
        let fits = match wanted {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
            "number" => value.is_number(),
            _ => true,
        };
        if !fits {
            self.wrong_type(path, value, wanted);
        }
        fits
    }

    fn wrong_type(&mut self, path: &str, value: &Value, wanted: &str) {
        let found: Value = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(n) if n.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }
        .into();
        let detail = format!("{path} in body must be of type {wanted}: {found}");
        self.errors.push(FieldError::type_invalid(path, &found, &detail));
    }

    fn allowed(&mut self, schema: &Value, value: &Value, path: &str) {
        if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
            self.errors.push(FieldError::unsupported(path, value, allowed));
        }
    }

    fn string(&mut self, schema: &Value, text: &str, path: &str) {
        let value = Value::from(text);
        let length = text.chars().count() as u64;
        if let Some(limit) = schema["maxLength"].as_u64().filter(|limit| length > *limit) {
            return self.errors.push(FieldError::too_long(path, limit));
        }
        if let Some(limit) = schema["minLength"].as_u64().filter(|limit| length < *limit) {
            return self.invalid(path, &value, &format!("should be at least {limit} chars long"));
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            // A pattern that is no regular expression was let in by somebody else; nothing can match it.
            if !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)) {
                return self.invalid(path, &value, &format!("should match '{pattern}'"));
            }
        }
        if let Some(format) = schema["format"].as_str().filter(|format| !of_format(format, text)) {
            self.errors.push(FieldError::type_invalid(
                path,
                &value,
                &format!("{path} in body must be of type {format}: {value}"),
            ));
        }
    }

    fn number(&mut self, schema: &Value, number: f64, value: &Value, path: &str) {
        if let Some(limit) = schema["minimum"].as_f64() {
            if flag(schema, "exclusiveMinimum") && number <= limit {
                self.invalid(path, value, &format!("should be greater than {limit}"));
            } else if number < limit {
                self.invalid(path, value, &format!("should be greater than or equal to {limit}"));
            }
        }
        if let Some(limit) = schema["maximum"].as_f64() {
            if flag(schema, "exclusiveMaximum") && number >= limit {
                self.invalid(path, value, &format!("should be less than {limit}"));
            } else if number > limit {
                self.invalid(path, value, &format!("should be less than or equal to {limit}"));
            }
        }
        if let Some(factor) =
            schema["multipleOf"].as_f64().filter(|factor| *factor > 0.0 && (number / factor).fract() != 0.0)
        {
            self.invalid(path, value, &format!("should be a multiple of {factor}"));
        }
        // Of the formats of numbers only this one is checked; those of unsigned numbers are not Kubernetes'.
        if schema["format"] == "int32" && !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number) {
            let detail = format!("{path} in body must be of type int32: {value}");
            self.errors.push(FieldError::type_invalid(path, value, &detail));
        }
    }

    fn array(&mut self, schema: &Value, items: &[Value], old: Option<&Value>, path: &str) {
        if let Some(limit) = schema["maxItems"].as_u64().filter(|limit| items.len() as u64 > *limit) {
            self.errors.push(FieldError::too_many(path, items.len(), limit));
        }
        if let Some(limit) = schema["minItems"].as_u64().filter(|limit| (items.len() as u64) < *limit) {
            self.invalid(path, &items.len().into(), &format!("should have at least {limit} items"));
        }
        self.duplicates(schema, items, path);
        if let Some(of) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.node(of, item, ratchet::item(schema, old, item), &format!("{path}[{index}]"), embedded(of));
            }
        }
    }

    fn duplicates(&mut self, schema: &Value, items: &[Value], path: &str) {
        let keys = map_keys(schema);
        let set = schema["x-kubernetes-list-type"] == "set";
        if keys.is_empty() && !set {
            return;
        }
        let of = &schema["items"]["properties"];
        let identity = |item: &Value| -> Value {
            if set {
                return item.clone();
            }
            let key =
                |key: &&str| Some(((*key).to_owned(), item.get(*key).or_else(|| of[*key].get("default"))?.clone()));
            Value::Object(keys.iter().filter_map(key).collect())
        };
        let identities: Vec<Value> = items.iter().map(identity).collect();
        for (index, one) in identities.iter().enumerate() {
            if identities[..index].contains(one) {
                self.errors.push(FieldError::duplicate(format!("{path}[{index}]"), one));
            }
        }
    }

    fn object(&mut self, schema: &Value, value: &Value, old: Option<&Value>, path: &str, resource: bool) {
        let map = value.as_object().expect("the caller matched a map");
        if let Some(limit) = schema["maxProperties"].as_u64().filter(|limit| map.len() as u64 > *limit) {
            self.errors.push(FieldError::too_many(path, map.len(), limit));
        }
        if let Some(limit) = schema["minProperties"].as_u64().filter(|limit| (map.len() as u64) < *limit) {
            self.invalid(path, &map.len().into(), &format!("should have at least {limit} properties"));
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(key) {
                self.errors.push(FieldError::required(join(path, key), ""));
            }
        }
        for (key, child) in map {
            if resource && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                continue;
            }
            if let Some(schema) = field(schema, key) {
                self.node(schema, child, old.and_then(|old| old.get(key)), &join(path, key), embedded(schema));
            }
        }
    }

    /// Junctors only add conditions on values in structural schemas; types come from the schema around them.
    fn combined(&mut self, schema: &Value, value: &Value, path: &str) {
        let fits = |schema: &Value| {
            let mut walk = Walk { errors: Vec::new() };
            walk.node(schema, value, None, path, false);
            walk.errors.is_empty()
        };
        let branches = |key: &str| schema[key].as_array().filter(|branches| !branches.is_empty());
        for branch in branches("allOf").into_iter().flatten() {
            self.node(branch, value, None, path, false);
        }
        if branches("anyOf").is_some_and(|branches| !branches.iter().any(fits)) {
            self.invalid(path, value, "must validate at least one schema (anyOf)");
        }
        if branches("oneOf").is_some_and(|branches| branches.iter().filter(|branch| fits(branch)).count() != 1) {
            self.invalid(path, value, "must validate one and only one schema (oneOf)");
        }
        if schema.get("not").is_some_and(fits) {
            self.invalid(path, value, "must not validate the schema (not)");
        }
    }
}

fn of_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "uuid" => uuid::Uuid::parse_str(text).is_ok(),
        "ipv4" => text.parse::<std::net::Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<std::net::Ipv6Addr>().is_ok(),
        // Formats that are not known are not checked.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<String> {
        validate(schema, value, old).into_iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
    }

    #[test]
    fn keywords_refuse_in_the_servers_words() {
        let schema = |of: Value| json!({"type": "object", "properties": {"x": of}});
        for (of, x, expected) in [
            (
                json!({"type": "integer"}),
                json!("a"),
                "x: Invalid value: \"string\": x in body must be of type integer: \"string\"",
            ),
            (
                json!({"type": "integer", "minimum": 0}),
                json!(-1),
                "x: Invalid value: -1: x in body should be greater than or equal to 0",
            ),
            (
                json!({"type": "integer", "maximum": 5}),
                json!(6),
                "x: Invalid value: 6: x in body should be less than or equal to 5",
            ),
            (
                json!({"type": "string", "enum": ["A", "B"]}),
                json!("C"),
                "x: Unsupported value: \"C\": supported values: \"A\", \"B\"",
            ),
            (
                json!({"type": "string", "minLength": 1}),
                json!(""),
                "x: Invalid value: \"\": x in body should be at least 1 chars long",
            ),
            (json!({"type": "string", "maxLength": 1}), json!("ab"), "x: Too long: may not be more than 1 byte"),
            (
                json!({"type": "string", "pattern": "^a$"}),
                json!("b"),
                "x: Invalid value: \"b\": x in body should match '^a$'",
            ),
            (
                json!({"type": "array", "maxItems": 1, "items": {"type": "integer"}}),
                json!([1, 2]),
                "x: Too many: 2: must have at most 1 item",
            ),
            (json!({"type": "object", "required": ["y"]}), json!({}), "x.y: Required value"),
            (
                json!({"type": "string", "nullable": false}),
                json!(null),
                "x: Invalid value: \"null\": x in body must be of type string: \"null\"",
            ),
            (
                json!({"x-kubernetes-int-or-string": true}),
                json!(true),
                "x: Invalid value: \"boolean\": x in body must be of type integer,string: \"boolean\"",
            ),
            (
                json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object", "properties": {"name": {"type": "string"}}}}),
                json!([{"name": "a"}, {"name": "a"}]),
                "x[1]: Duplicate value: {\"name\":\"a\"}",
            ),
            (
                json!({"type": "integer", "format": "int32"}),
                json!(3_000_000_000_u64),
                "x: Invalid value: 3000000000: x in body must be of type int32: 3000000000",
            ),
        ] {
            assert_eq!(messages(&schema(of.clone()), &json!({"x": x}), None), [expected], "{of}");
        }
    }

    #[test]
    fn what_fits_is_let_through() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}, "p": {"x-kubernetes-int-or-string": true}, "f": {"type": "number"}, "i": {"type": "integer"}}});
        assert_eq!(messages(&schema, &json!({"a": null, "p": "50%", "f": 1, "i": 2.0}), None), Vec::<String>::new());
    }

    #[test]
    fn what_was_wrong_before_may_stay_but_not_come_back() {
        let schema =
            json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": "integer"}}});
        let old = json!({"a": -1, "b": 1});
        assert_eq!(messages(&schema, &json!({"a": -1, "b": 2}), Some(&old)), Vec::<String>::new());
        assert_eq!(messages(&schema, &json!({"a": -2, "b": 1}), Some(&old)).len(), 1);
    }
}
