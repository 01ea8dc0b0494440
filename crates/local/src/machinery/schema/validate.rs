//! Validation against a structural schema, in the words of an API server: each keyword looks by itself, and all that is wrong is told.

use regex::Regex;
use serde_json::Value;

use super::super::error::FieldError;
use super::bounds::CHECKS;
use super::outcome::{Outcome, nearest};
use super::{additional, flag, format, join, properties, ratchet};

/// What is wrong with `value`. Parts that equal their counterparts in `old` are taken as they are. `under`: where the value lies, if
/// it is not the whole object.
pub(crate) fn validate(schema: &Value, value: &Value, old: Option<&Value>, under: &str) -> Vec<FieldError> {
    Walk { under }.node(schema, value, old, "").errors
}

struct Walk<'a> {
    under: &'a str,
}

impl Walk<'_> {
    fn node(&self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
        if old == Some(value) { Outcome::default() } else { self.fresh(schema, value, old, path) }
    }

    fn fresh(&self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
        let mut outcome = Outcome::default();
        if value.is_null() {
            outcome.merge(self.typed(schema, value, path));
            outcome.merge(self.allowed(schema, value, path));
            return outcome;
        }
        let mut parts = Vec::with_capacity(4);
        if !format::types(schema).is_empty() || !format::of(schema).is_empty() {
            parts.push(self.typed(schema, value, path));
        }
        parts.push(self.combined(schema, value, old, path));
        match value {
            Value::String(text) => {
                parts.push(self.string(schema, text, path));
                let format = format::of(schema);
                if !format.is_empty() && !matches!(format, "int32" | "int64" | "float" | "double") {
                    parts.push(self.formatted(format, text, path));
                }
            }
            Value::Number(_) => parts.push(self.number(schema, value, path)),
            Value::Array(items) => parts.push(self.array(schema, items, old, path)),
            _ => {}
        }
        parts.push(self.allowed(schema, value, path));
        if value.is_object() {
            parts.push(self.object(schema, value, old, path));
        }
        for part in parts {
            outcome.merge(part);
            outcome.matches += 1;
        }
        outcome.matches += 1;
        outcome
    }

    /// Where a fault is told to be.
    fn field(&self, path: &str) -> String {
        match path.trim_start_matches('.') {
            "" => self.under.to_owned(),
            path => join(self.under, path),
        }
    }

    fn invalid(&self, path: &str, value: &Value, what: &str) -> FieldError {
        FieldError::invalid(self.field(path), value, &format!("{path} in body {what}"))
    }

    /// What is said of the whole, and not of a field.
    fn general(&self, what: &str) -> FieldError {
        FieldError::invalid(self.under, &"".into(), what)
    }

    fn wrong_type(&self, path: &str, wanted: &str, found: &str) -> FieldError {
        let detail = format!("{path} in body must be of type {wanted}: {found:?}");
        FieldError::type_invalid(self.field(path), &found.into(), &detail)
    }

    fn typed(&self, schema: &Value, value: &Value, path: &str) -> Outcome {
        let (types, format) = (format::types(schema), format::of(schema));
        let (found, precise) = match value {
            Value::Null if types.is_empty() || flag(schema, "nullable") => return Outcome::of(None),
            Value::Null => return Outcome::of(Some(self.wrong_type(path, &types.join(","), "null"))),
            Value::Bool(_) => ("boolean", ""),
            Value::Number(number) if number.is_f64() => ("number", "float64"),
            Value::Number(_) => ("integer", "int64"),
            Value::String(_) => ("string", ""),
            Value::Array(_) => ("array", ""),
            Value::Object(_) => ("object", ""),
        };
        let whole = value.as_f64().is_some_and(|number| number.fract() == 0.0);
        let numeric =
            whole && found == "number" && types.contains(&"integer") || found == "integer" && types.contains(&"number");
        let fits = types.contains(&found) || numeric;
        let text = value.is_string() || value.is_array();
        if !text && !format.is_empty() && !fits && precise != format {
            return Outcome::of(Some(self.wrong_type(path, format, precise)));
        }
        let counts = types.iter().any(|wanted| matches!(*wanted, "number" | "integer"));
        if text && !format.is_empty() && !counts || fits {
            return Outcome::of(None);
        }
        Outcome::of(Some(self.wrong_type(path, &types.join(","), found)))
    }

    fn allowed(&self, schema: &Value, value: &Value, path: &str) -> Outcome {
        let same = |one: &Value| one == value || one.is_number() && one.as_f64() == value.as_f64();
        let refused = schema["enum"].as_array().filter(|allowed| !allowed.is_empty() && !allowed.iter().any(same));
        let error = refused.map(|allowed| FieldError::unsupported(self.field(path), value, allowed));
        Outcome { matches: 0, ..Outcome::of(error) }
    }

    fn string(&self, schema: &Value, text: &str, path: &str) -> Outcome {
        let value = Value::from(text);
        let length = text.chars().count() as u64;
        let error = if let Some(limit) = schema["maxLength"].as_u64().filter(|limit| length > *limit) {
            Some(FieldError::too_long(self.field(path), limit))
        } else if let Some(limit) = schema["minLength"].as_u64().filter(|limit| length < *limit) {
            Some(self.invalid(path, &value, &format!("should be at least {limit} chars long")))
        } else {
            // A pattern that is no regular expression was let in by somebody else; nothing can match it.
            let pattern = schema["pattern"].as_str().filter(|pattern| !pattern.is_empty());
            pattern
                .filter(|pattern| !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text)))
                .map(|pattern| self.invalid(path, &value, &format!("should match '{pattern}'")))
        };
        Outcome { matches: 0, ..Outcome::of(error) }
    }

    fn formatted(&self, format: &str, text: &str, path: &str) -> Outcome {
        let error = (!format::fits(format, text)).then(|| {
            let value = Value::from(text);
            let detail = format!("{path} in body must be of type {format}: {value}");
            FieldError::type_invalid(self.field(path), &value, &detail)
        });
        Outcome { matches: 0, ..Outcome::of(error) }
    }

    fn number(&self, schema: &Value, value: &Value, path: &str) -> Outcome {
        let mut outcome = Outcome { matches: 1, ..Outcome::default() };
        outcome.errors.extend(self.ranged(schema, value, "Checked", path));
        for (keyword, name, check) in CHECKS {
            let Some(limit) = schema.get(keyword).filter(|limit| limit.is_number()) else { continue };
            if let Some(wrong) = self.ranged(schema, limit, name, path) {
                outcome.add(wrong);
            }
            if let Some(what) = check(schema, value, limit) {
                outcome.add(self.invalid(path, value, &what));
            }
        }
        outcome
    }

    /// A number that its type and format cannot hold.
    fn ranged(&self, schema: &Value, number: &Value, what: &str, path: &str) -> Option<FieldError> {
        let types = format::types(schema);
        let [wanted] = types.as_slice() else { return None };
        let format = format::of(schema);
        let value = number.as_f64().unwrap_or_default();
        let fits = match (*wanted, format) {
            ("integer", "int32") => {
                value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value)
            }
            ("integer", _) => value.fract() == 0.0 && value.abs() <= 9_223_372_036_854_775_807.0,
            ("number", "float") => value.abs() <= f64::from(f32::MAX),
            _ => true,
        };
        let how = if format.is_empty() { " (default format)".to_owned() } else { format!(" with format {format}") };
        (!fits).then(|| self.general(&format!("{what} value must be of type {wanted}{how} in {path}")))
    }

    fn array(&self, schema: &Value, items: &[Value], old: Option<&Value>, path: &str) -> Outcome {
        let mut outcome = Outcome { matches: 1, ..Outcome::default() };
        if let Some(of) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                outcome.merge(self.node(of, item, ratchet::item(schema, old, item), &format!("{path}[{index}]")));
            }
        }
        if let Some(limit) = schema["minItems"].as_u64().filter(|limit| (items.len() as u64) < *limit) {
            outcome.add(self.invalid(path, &items.len().into(), &format!("should have at least {limit} items")));
        }
        if let Some(limit) = schema["maxItems"].as_u64().filter(|limit| items.len() as u64 > *limit) {
            outcome.add(FieldError::too_many(self.field(path), items.len(), limit));
        }
        outcome
    }

    fn object(&self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
        let mut outcome = Outcome::default();
        let map = value.as_object().expect("the caller matched a map");
        if let Some(limit) = schema["minProperties"].as_u64().filter(|limit| (map.len() as u64) < *limit) {
            outcome.add(self.invalid(path, &map.len().into(), &format!("should have at least {limit} properties")));
        }
        if let Some(limit) = schema["maxProperties"].as_u64().filter(|limit| map.len() as u64 > *limit) {
            outcome.add(FieldError::too_many(self.field(path), map.len(), limit));
        }
        let before = |key: &str| old.and_then(|old| old.get(key));
        let known = properties(schema);
        for (key, child) in map {
            match (known.and_then(|known| known.get(key)), additional(schema)) {
                (Some(schema), _) => outcome.merge(self.node(schema, child, before(key), &join(path, key))),
                (None, Some(schema)) => outcome.merge(self.node(schema, child, before(key), &format!("{path}.{key}"))),
                (None, None) => {}
            }
        }
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(key) {
                outcome.add(FieldError::required(self.field(&join(path, key)), ""));
            }
        }
        outcome
    }

    /// Alternatives: of those that do not fit, what is wrong with the nearest is told too.
    fn combined(&self, schema: &Value, value: &Value, old: Option<&Value>, path: &str) -> Outcome {
        let mut outcome = Outcome { matches: 1, ..Outcome::default() };
        let branches = |key: &str| -> Vec<Outcome> {
            let branches = schema[key].as_array().into_iter().flatten();
            branches.map(|branch| self.fresh(branch, value, old, path)).collect()
        };
        let any = branches("anyOf");
        if !any.is_empty() && !any.iter().any(Outcome::valid) {
            outcome.add(self.general(&format!("{path:?} must validate at least one schema (anyOf)")));
            outcome.merge(nearest(any));
        }
        let one = branches("oneOf");
        match one.iter().filter(|branch| branch.valid()).count() {
            _ if one.is_empty() => {}
            1 => {}
            0 => {
                outcome.add(self.general(&only_one(path, "Found none valid")));
                outcome.merge(nearest(one));
            }
            several => outcome.add(self.general(&only_one(path, &format!("Found {several} valid alternatives")))),
        }
        let all = branches("allOf");
        let (count, valid) = (all.len(), all.iter().filter(|branch| branch.valid()).count());
        for branch in all {
            outcome.merge(branch);
        }
        if valid < count {
            let none = if valid == 0 { ". None validated" } else { "" };
            outcome.add(self.general(&format!("{path:?} must validate all the schemas (allOf){none}")));
        }
        if schema.get("not").is_some_and(|not| self.fresh(not, value, old, path).valid()) {
            outcome.add(self.general(&format!("{path:?} must not validate the schema (not)")));
        }
        outcome
    }
}

fn only_one(path: &str, found: &str) -> String {
    format!("{path:?} must validate one and only one schema (oneOf). {found}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn messages(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<String> {
        validate(schema, value, old, "")
            .into_iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect()
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
                json!({"type": "integer", "format": "int32"}),
                json!(3_000_000_000_u64),
                ": Invalid value: \"\": Checked value must be of type integer with format int32 in x",
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
    fn the_nearest_alternative_is_told_too() {
        let schema = json!({"type": "object", "properties": {"x": {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}}});
        assert_eq!(
            messages(&schema, &json!({"x": {}}), None),
            [
                ": Invalid value: \"\": \"x\" must validate one and only one schema (oneOf). Found none valid",
                "x.a: Required value"
            ]
        );
        let schema = json!({"type": "object", "properties": {"x": {"type": "integer", "anyOf": [{"maximum": 3}, {"minimum": 10}]}}});
        assert_eq!(
            messages(&schema, &json!({"x": 5}), None),
            [
                ": Invalid value: \"\": \"x\" must validate at least one schema (anyOf)",
                "x: Invalid value: 5: x in body should be less than or equal to 3"
            ]
        );
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
