//! Whether a document has the types of its kind, and what is said where it has not: in the words of Go's decoder.
//!
//! Invariant: a document that passes can be read by every client that knows the kind.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::super::quantity::Quantity;
use super::super::syntax::shape;
use super::{reference, schema};

/// The last part of the names of types that read their values by themselves.
pub(super) const QUANTITY: &str = "Quantity";
pub(super) const TIME: &str = "Time";
pub(super) const MICRO_TIME: &str = "MicroTime";
const INT_OR_STRING: &str = "IntOrString";

/// What is wrong with the types in an object, if anything is.
pub(crate) fn mismatch(name: &str, object: &Value) -> Option<String> {
    let mut walk = Walk { first: None, path: Vec::new() };
    walk.structure(name, object).err().or(walk.first)
}

/// The name of a type without its package.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// A value of another type is noted, and what comes after it is still read; a value that its type cannot read ends it all.
struct Walk<'a> {
    first: Option<String>,
    path: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn note(&mut self, why: impl FnOnce() -> String) {
        if self.first.is_none() {
            self.first = Some(why());
        }
    }

    fn mismatch(&mut self, found: &str, holder: &str, wanted: &str) {
        let path = self.path.join(".");
        self.note(|| format!("json: cannot unmarshal {found} into Go struct field {holder}.{path} of type {wanted}"));
    }

    fn structure(&mut self, name: &'a str, object: &'a Value) -> Result<(), String> {
        let (Some(schema), Some(map)) = (schema(name), object.as_object()) else { return Ok(()) };
        for (field, value) in map {
            let Some(schema) = schema["properties"].get(field) else { continue };
            self.path.push(field);
            self.value(schema, value, short(name))?;
            self.path.pop();
        }
        Ok(())
    }

    fn value(&mut self, schema: &'a Value, value: &'a Value, holder: &str) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        if let Some(name) = reference(schema) {
            return self.named(name, value, holder);
        }
        let wanted = go_type(schema);
        match (schema["type"].as_str().unwrap_or_default(), value) {
            ("string", Value::String(text)) if schema["format"] == "byte" => {
                if let Err(at) = bytes(text) {
                    self.note(|| format!("illegal base64 data at input byte {at}"));
                }
            }
            ("string", Value::String(_)) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => {}
            ("integer", Value::Number(number)) => {
                let fits = number.as_i64().is_some_and(|number| wanted != "int32" || i32::try_from(number).is_ok());
                if !fits {
                    self.mismatch(&format!("number {number}"), holder, &wanted);
                }
            }
            ("array", Value::Array(items)) => {
                for item in items {
                    self.value(&schema["items"], item, holder)?;
                }
            }
            ("object", Value::Object(map)) => {
                for value in map.values() {
                    self.value(&schema["additionalProperties"], value, holder)?;
                }
            }
            ("string" | "boolean" | "number" | "integer" | "array" | "object", other) => {
                self.mismatch(shape(other), holder, &wanted);
            }
            _ => {}
        }
        Ok(())
    }

    /// A value of a type with a name.
    fn named(&mut self, name: &'a str, value: &'a Value, holder: &str) -> Result<(), String> {
        match short(name) {
            QUANTITY => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                Quantity::parse(text.trim()).map(|_| ()).map_err(str::to_owned)
            }
            TIME | MICRO_TIME => {
                let text = value.as_str();
                let text = text
                    .ok_or_else(|| format!("json: cannot unmarshal {} into Go value of type string", shape(value)))?;
                time(text, short(name) == MICRO_TIME)
            }
            INT_OR_STRING => match value {
                Value::String(_) => Ok(()),
                Value::Number(number) if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => Ok(()),
                Value::Number(number) => {
                    Err(format!("json: cannot unmarshal number {number} into Go value of type int32"))
                }
                other => Err(format!("json: cannot unmarshal {} into Go value of type int32", shape(other))),
            },
            _ if schema(name).is_some_and(|schema| schema.get("properties").is_some()) => {
                if !value.is_object() {
                    let mut parts = name.rsplit('.');
                    let (kind, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                    self.mismatch(shape(value), holder, &format!("{package}.{kind}"));
                }
                self.structure(name, value)
            }
            _ => Ok(()),
        }
    }
}

/// How Go calls the type of a field.
fn go_type(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        let mut parts = name.rsplit('.');
        let (kind, package) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        return format!("{package}.{kind}");
    }
    match schema["type"].as_str().unwrap_or_default() {
        "string" if schema["format"] == "byte" => "[]uint8".to_owned(),
        "boolean" => "bool".to_owned(),
        "integer" => schema["format"].as_str().unwrap_or("int64").to_owned(),
        "number" => "float64".to_owned(),
        "array" => format!("[]{}", go_type(&schema["items"])),
        "object" => format!("map[string]{}", go_type(&schema["additionalProperties"])),
        other => other.to_owned(),
    }
}

/// Where a text stops being base64.
fn bytes(text: &str) -> Result<(), usize> {
    use base64::DecodeError;
    match STANDARD.decode(text.replace(['\r', '\n'], "")) {
        Ok(_) => Ok(()),
        Err(DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _)) => Err(at),
        Err(DecodeError::InvalidLength(_) | DecodeError::InvalidPadding) => Err(text.len()),
    }
}

/// The parts of a time, as they are written and as the server calls them.
const PARTS: [(&str, usize); 11] = [
    ("2006", 4),
    ("-", 0),
    ("01", 2),
    ("-", 0),
    ("02", 2),
    ("T", 0),
    ("15", 2),
    (":", 0),
    ("04", 2),
    (":", 0),
    ("05", 2),
];

fn time(text: &str, micro: bool) -> Result<(), String> {
    let layout = if micro { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
    let wrong =
        |rest: &str, part: &str| Err(format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {part:?}"));
    let digits = |rest: &str, count: usize| {
        rest.get(..count).is_some_and(|start| start.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut rest = text;
    for (part, count) in PARTS {
        let fits = if count == 0 { rest.starts_with(part) } else { digits(rest, count) };
        if !fits {
            return wrong(rest, part);
        }
        rest = &rest[count.max(1)..];
    }
    if micro && !(rest.starts_with('.') && digits(&rest[1..], 6)) {
        return wrong(rest, ".000000");
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let offset = rest.strip_prefix(['+', '-']).is_some_and(|offset| {
        digits(offset, 2) && offset.get(2..3) == Some(":") && offset.len() == 5 && digits(&offset[3..], 2)
    });
    if rest != "Z" && !offset {
        return wrong(rest, "Z07:00");
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("parsing time {text:?}: day out of range")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(kind: &str, object: &Value) -> String {
        mismatch(&format!("io.k8s.api.{kind}"), object).expect("it is wrong")
    }

    #[test]
    fn the_first_wrong_type_is_named_with_its_place() {
        for (kind, object, expected) in [
            (
                "core.v1.ConfigMap",
                json!({"metadata": {"name": 5}}),
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
            ),
            (
                "core.v1.ConfigMap",
                json!({"metadata": {"labels": {"x": 1}}}),
                "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
            ),
            (
                "core.v1.ConfigMap",
                json!({"data": ["x"]}),
                "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string",
            ),
            (
                "apps.v1.Deployment",
                json!({"spec": {"replicas": 1.5}}),
                "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
            ),
            (
                "core.v1.Pod",
                json!({"spec": {"containers": ["x"]}}),
                "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
            ),
            ("core.v1.Secret", json!({"data": {"k": "not base64!"}}), "illegal base64 data at input byte 3"),
            (
                "coordination.v1.Lease",
                json!({"spec": {"renewTime": "2030-01-02T03:04:05Z"}}),
                "parsing time \"2030-01-02T03:04:05Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"",
            ),
        ] {
            assert_eq!(wrong(kind, &object), expected, "{object}");
        }
        let pod = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "lots"}}}]}});
        assert!(wrong("core.v1.Pod", &pod).starts_with("quantities must match"));
        let fine = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": 0.5}}, "ports": [{"containerPort": 1}]}]}});
        assert_eq!(mismatch("io.k8s.api.core.v1.Pod", &fine), None);
    }
}
