//! Bodies in Kubernetes' protobuf form, which `kubectl create namespace` and its like send without asking.
//!
//! Only what those commands can write is known; anything else is refused by name rather than dropped.

mod types;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::{Failure, Result};
use super::meta;

const MAGIC: &[u8] = b"k8s\0";

enum Type {
    Text,
    Bytes,
    Int,
    /// A number whose zero stands for its absence.
    Count,
    Bool,
    Time,
    IntOrString,
    /// A message whose first field is its text.
    Quantity,
    Message(&'static [Field]),
    Map(&'static Type),
    /// Known, and of no consequence.
    Skipped,
}

use Type::{Bool, Bytes, Count, Int, IntOrString, Message, Quantity, Skipped, Text, Time};
use types::fields_of;

/// Number, name, type, and whether it repeats.
type Field = (u64, &'static str, Type, bool);

const fn one(number: u64, name: &'static str, of: Type) -> Field {
    (number, name, of, false)
}

/// The object in a body, as JSON.
pub(crate) fn decode(body: &[u8]) -> Result<Value> {
    const ENVELOPE: &[Field] = &[
        one(1, "type", Message(&[one(1, "apiVersion", Text), one(2, "kind", Text)])),
        one(2, "raw", Bytes),
        one(3, "x", Text),
        one(4, "y", Text),
    ];
    let envelope = body.strip_prefix(MAGIC).ok_or_else(|| broken("the envelope is missing"))?;
    let envelope = message(envelope, ENVELOPE, "")?;
    let kind = meta::text(&envelope, "/type/kind");
    let fields = fields_of(kind).ok_or_else(|| broken(&format!("{kind} is not understood")))?;
    let raw = STANDARD.decode(meta::text(&envelope, "/raw")).map_err(|_| broken("the object is missing"))?;
    let mut object = message(&raw, fields, kind)?;
    object["apiVersion"] = envelope["type"]["apiVersion"].clone();
    object["kind"] = kind.into();
    Ok(object)
}

fn broken(why: &str) -> Failure {
    Failure::new(
        415,
        "UnsupportedMediaType",
        format!(
            "cannot read the protobuf body: {why}; send JSON or YAML instead (kubectl apply -f, or kubectl create -f)"
        ),
    )
}

/// One field as it is on the wire.
enum Wire<'a> {
    Number(u64),
    Content(&'a [u8]),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Number(self.varint()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                let (content, rest) = self.0.split_at_checked(length)?;
                self.0 = rest;
                Wire::Content(content)
            }
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

/// Empty texts and messages stand for absent fields: the encoder writes them all.
fn message(bytes: &[u8], fields: &[Field], at: &str) -> Result<Value> {
    let mut object = Map::new();
    let mut reader = Reader(bytes);
    while !reader.0.is_empty() {
        let (number, wire) = reader.field().ok_or_else(|| broken(&format!("{at} ends early")))?;
        let hollow = matches!(wire, Wire::Content([]) | Wire::Number(0));
        let Some((_, name, of, repeated)) = fields.iter().find(|field| field.0 == number) else {
            if hollow {
                continue;
            }
            return Err(broken(&format!("field {number} of {at} is not understood")));
        };
        match of {
            Skipped => {}
            Type::Map(of) => {
                let (key, value) = entry(&wire, of, name)?;
                meta::map_in(&mut object, name).insert(key, value);
            }
            of => {
                let value = scalar(&wire, of, name)?;
                if *repeated {
                    let list = object.entry(*name).or_insert_with(|| json!([]));
                    list.as_array_mut().expect("repeated fields are made as lists").push(value);
                } else if (!hollow || matches!(of, Int)) && value != json!({}) && !value.is_null() {
                    object.insert((*name).to_owned(), value);
                }
            }
        }
    }
    // References to keys carry their name in a message of its own.
    if let Some(Value::Object(named)) = object.remove("name_of") {
        object.extend(named);
    }
    Ok(Value::Object(object))
}

fn entry(wire: &Wire<'_>, of: &Type, at: &str) -> Result<(String, Value)> {
    let Wire::Content(bytes) = wire else { return Err(broken(&format!("{at} is no map"))) };
    let mut reader = Reader(bytes);
    let (mut key, mut value) = (String::new(), scalar(&Wire::Content(&[]), of, at)?);
    while !reader.0.is_empty() {
        match reader.field().ok_or_else(|| broken(&format!("{at} ends early")))? {
            (1, Wire::Content(bytes)) => key = text(bytes, at)?,
            (_, wire) => value = scalar(&wire, of, at)?,
        }
    }
    Ok((key, value))
}

fn text(bytes: &[u8], at: &str) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| broken(&format!("{at} is no text")))
}

fn scalar(wire: &Wire<'_>, of: &Type, at: &str) -> Result<Value> {
    Ok(match (of, wire) {
        (Text, Wire::Content(bytes)) => text(bytes, at)?.into(),
        (Bytes, Wire::Content(bytes)) => STANDARD.encode(bytes).into(),
        // Negative numbers are sign-extended.
        (Int | Count, Wire::Number(number)) => number.cast_signed().into(),
        (Bool, Wire::Number(number)) => (*number != 0).into(),
        (Message(fields), Wire::Content(bytes)) => message(bytes, fields, at)?,
        (Quantity, Wire::Content(bytes)) => message(bytes, &[one(1, "text", Text)], at)?["text"].take(),
        (Time, Wire::Content(bytes)) => {
            let time = message(bytes, &[one(1, "seconds", Int), one(2, "nanos", Int)], at)?;
            let time = time["seconds"].as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok());
            time.map_or(Value::Null, |time| meta::seconds(time).into())
        }
        (IntOrString, Wire::Content(bytes)) => {
            let either = message(bytes, &[one(1, "type", Int), one(2, "int", Int), one(3, "text", Text)], at)?;
            if either["type"] == 1 { either["text"].clone() } else { either.get("int").cloned().unwrap_or_default() }
        }
        _ => return Err(broken(&format!("{at} is of another type"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubectl_sends_is_read() {
        let body = b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x1f\x0a\x17\x0a\x07default\x12\0\x1a\0\"\0*\x002\08\0B\0\x12\0\x1a\x02\x0a\0\x1a\0\"\0";
        assert_eq!(
            decode(body).expect("a namespace"),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}})
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let lease = b"k8s\0\x0a\x0b\x0a\x02v1\x12\x05Lease\x12\0";
        assert!(decode(lease).expect_err("unknown").message.contains("Lease is not understood"));
        assert_eq!(decode(b"{}").expect_err("no protobuf").code, 415);
        let short = b"k8s\0\x0a\xff";
        assert_eq!(decode(short).expect_err("cut off").code, 415);
    }
}
