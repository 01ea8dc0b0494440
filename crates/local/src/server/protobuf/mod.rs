//! Bodies in the binary form that `kubectl create` uses for built-in kinds, turned into JSON.
//!
//! The tables in [`schema`] know the kinds that kubectl makes itself; files and custom resources always come as JSON.
//! Answers are JSON, which every client takes.
//!
//! Invariant: nothing is dropped in silence: a field that the tables do not know makes the whole body unreadable.

mod schema;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use schema::{Field, Kind, Message};
use wire::{Reader, Scalar};

/// The media type.
pub const MEDIA_TYPE: &str = "application/vnd.kubernetes.protobuf";
const MAGIC: &[u8] = b"k8s\0";

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// It is damaged.
    #[error("the body is no valid protobuf")]
    Damaged,
    /// Its kind is not in the tables.
    #[error("{api_version} {kind} is not understood as protobuf, send JSON")]
    Kind {
        /// The version of the API.
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// It uses a field that is not in the tables.
    #[error("field {number} of {message} is not understood as protobuf, send JSON")]
    Field {
        /// What has the field.
        message: String,
        /// Its number.
        number: u64,
    },
}

/// Reads an object.
pub fn decode(body: &[u8]) -> Result<Value, Error> {
    let envelope = read(body.strip_prefix(MAGIC).ok_or(Error::Damaged)?, &schema::UNKNOWN, "the envelope")?;
    let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("/typeMeta/apiVersion").to_owned(), text("/typeMeta/kind").to_owned());
    let raw = STANDARD.decode(text("/raw")).map_err(|_| Error::Damaged)?;
    let Some(message) = schema::of_kind(&kind) else { return Err(Error::Kind { api_version, kind }) };
    let mut object = read(&raw, message, &kind)?;
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Ok(object)
}

fn read(bytes: &[u8], message: Message, name: &str) -> Result<Value, Error> {
    let mut fields = Map::new();
    let mut reader = Reader::new(bytes);
    while let Some((number, scalar)) = reader.next()? {
        let field = message.iter().find(|field| field.number == number);
        let field = field.ok_or_else(|| Error::Field { message: name.to_owned(), number })?;
        put(&mut fields, field, scalar)?;
    }
    Ok(fields.into())
}

fn put(fields: &mut Map<String, Value>, field: &Field, scalar: Scalar<'_>) -> Result<(), Error> {
    match field.kind {
        Kind::Skip => {}
        Kind::Map(value) => {
            let (key, value) = entry(scalar, value)?;
            let map = fields.entry(field.name).or_insert_with(|| Value::Object(Map::new()));
            map.as_object_mut().ok_or(Error::Damaged)?.insert(key, value);
        }
        Kind::List(item) => {
            let value = value(field.name, item, scalar)?.unwrap_or_else(|| String::new().into());
            let list = fields.entry(field.name).or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut().ok_or(Error::Damaged)?.push(value);
        }
        ref kind => {
            if let Some(value) = value(field.name, kind, scalar)? {
                fields.insert(field.name.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// One value; nothing if it is the default of a field that is always written.
fn value(name: &str, kind: &Kind, scalar: Scalar<'_>) -> Result<Option<Value>, Error> {
    Ok(match kind {
        Kind::Text => Some(scalar.text()?).filter(|text| !text.is_empty()).map(Value::from),
        Kind::Int => Some(scalar.int()?).filter(|number| *number != 0).map(Value::from),
        Kind::OptionalInt => Some(scalar.int()?.into()),
        Kind::Bool => Some(scalar.int()? != 0).filter(|flag| *flag).map(Value::from),
        Kind::OptionalBool => Some((scalar.int()? != 0).into()),
        Kind::Bytes => Some(STANDARD.encode(scalar.bytes()?).into()),
        Kind::Time => time(scalar.bytes()?)?,
        Kind::Quantity => read(scalar.bytes()?, &schema::QUANTITY, name)?.get("string").cloned(),
        Kind::IntOrString => int_or_string(scalar.bytes()?)?,
        Kind::Message(message) => Some(read(scalar.bytes()?, message, name)?),
        Kind::List(_) | Kind::Map(_) | Kind::Skip => None,
    })
}

fn entry(scalar: Scalar<'_>, kind: &Kind) -> Result<(String, Value), Error> {
    let mut reader = Reader::new(scalar.bytes()?);
    let (mut key, mut found) = (String::new(), Value::from(""));
    while let Some((number, scalar)) = reader.next()? {
        match number {
            1 => scalar.text()?.clone_into(&mut key),
            _ => found = value("the value of a map", kind, scalar)?.unwrap_or_else(|| "".into()),
        }
    }
    Ok((key, found))
}

fn time(bytes: &[u8]) -> Result<Option<Value>, Error> {
    let time = read(bytes, &schema::TIME, "a time")?;
    let Some(seconds) = time["seconds"].as_i64() else { return Ok(None) };
    let time = jiff::Timestamp::from_second(seconds).map_err(|_| Error::Damaged)?;
    Ok(Some(time.to_string().into()))
}

fn int_or_string(bytes: &[u8]) -> Result<Option<Value>, Error> {
    let value = read(bytes, &schema::INT_OR_STRING, "a number or text")?;
    let chosen = if value["type"] == 1 { "strVal" } else { "intVal" };
    Ok(value.get(chosen).cloned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A field with length: works for lengths and numbers below 128 and 16.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend(content);
        bytes
    }

    fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let types = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &types), field(2, raw), field(3, b""), field(4, b"")].concat()
    }

    #[test]
    fn a_config_map_is_read() {
        let metadata = [field(1, b"m"), field(2, b""), field(8, b"")].concat();
        let entry = [field(1, b"key"), field(2, b"value")].concat();
        let body = envelope("v1", "ConfigMap", &[field(1, &metadata), field(2, &entry)].concat());
        let expected =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"key": "value"}});
        assert_eq!(decode(&body).unwrap(), expected);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let unknown_field = envelope("v1", "ConfigMap", &field(15, b"x"));
        assert_eq!(decode(&unknown_field), Err(Error::Field { message: "ConfigMap".to_owned(), number: 15 }));
        assert!(matches!(decode(&envelope("x/v1", "Strange", b"")), Err(Error::Kind { .. })));
        assert_eq!(decode(b"{}"), Err(Error::Damaged));
        assert_eq!(decode(&envelope("v1", "ConfigMap", &[0x0a, 0x7f])), Err(Error::Damaged));
    }
}
