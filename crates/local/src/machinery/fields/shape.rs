//! How values merge: which lists are told apart by keys, which maps and lists are taken whole. Schemas say so.

use serde_json::{Map, Value};

use super::super::kinds::Kind;
use super::super::model;

/// A place in an object, as far as merging is concerned.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    /// An object as a whole: its metadata are those of every object.
    Root(&'a Value),
    Schema(&'a Value),
    /// Free-form content: maps by key, lists whole.
    Free,
}

/// How a list merges.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lists<'a> {
    Whole,
    Set,
    /// Items are told apart by these fields. Some have a default that stands for its absence.
    Keyed(Vec<(&'a str, Option<Value>)>),
}

/// What a plain value is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar {
    Text,
    Number,
    Flag,
    Any,
}

/// How a patch treats a field.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Strategy<'a> {
    pub merge: bool,
    pub key: Option<&'a str>,
}

impl<'a> Node<'a> {
    pub fn root(kind: &'a Kind) -> Self {
        match &kind.custom {
            Some(custom) => Self::Root(&custom.schema),
            None => model::schema_of(kind).map_or(Self::Free, Self::Root),
        }
    }

    fn schema(self) -> Option<&'a Value> {
        match self {
            Self::Root(schema) | Self::Schema(schema) => Some(schema),
            Self::Free => None,
        }
    }

    /// Whether the type has a field of this name, as opposed to an entry of a map.
    pub fn names(self, field: &str) -> bool {
        matches!(self, Self::Root(_)) && matches!(field, "apiVersion" | "kind" | "metadata")
            || self.schema().is_some_and(|schema| schema["properties"].get(field).is_some())
    }

    /// Whether a value may have this field or entry.
    pub fn allows(self, field: &str) -> bool {
        let Some(schema) = self.schema() else { return true };
        let open = schema["properties"].is_null() && schema["additionalProperties"].is_null();
        let preserved = schema["x-kubernetes-preserve-unknown-fields"] == true;
        self.names(field)
            || open
            || preserved
            || !matches!(schema["additionalProperties"], Value::Null | Value::Bool(false))
    }

    /// The node of a field, or of a map's value.
    pub fn field(self, name: &str) -> Self {
        let Some(schema) = self.schema() else { return Self::Free };
        if name == "metadata" && matches!(self, Self::Root(_)) {
            return Self::Schema(model::metadata());
        }
        let known = schema["properties"].get(name);
        let more = schema.get("additionalProperties").filter(|more| more.is_object());
        known.or(more).map_or(Self::Free, Self::of)
    }

    /// The node of a list's items.
    pub fn item(self) -> Self {
        self.schema().and_then(|schema| schema.get("items")).map_or(Self::Free, Self::of)
    }

    fn of(schema: &'a Value) -> Self {
        let target = model::resolve(schema);
        if schema["x-kubernetes-embedded-resource"] == true { Self::Root(target) } else { Self::Schema(target) }
    }

    /// The plain type of the value, if it has one.
    pub fn scalar(self) -> Option<Scalar> {
        let schema = self.schema()?;
        if schema["x-kubernetes-int-or-string"] == true || schema["format"] == "int-or-string" {
            return Some(Scalar::Any);
        }
        match schema["type"].as_str() {
            Some("string") => Some(Scalar::Text),
            Some("integer" | "number") => Some(Scalar::Number),
            Some("boolean") => Some(Scalar::Flag),
            _ => None,
        }
    }

    /// Whether only maps fit. An object of which nothing else is said may be anything.
    pub fn is_map(self) -> bool {
        self.schema().is_some_and(|schema| {
            schema["type"] == "object"
                && (schema["properties"].is_object() || !schema["additionalProperties"].is_null())
        })
    }

    pub fn is_list(self) -> bool {
        self.schema().is_some_and(|schema| schema["type"] == "array")
    }

    /// A map that is taken whole.
    pub fn whole_map(self) -> bool {
        self.schema().is_some_and(|schema| schema["x-kubernetes-map-type"] == "atomic")
    }

    pub fn lists(self) -> Lists<'a> {
        let Some(schema) = self.schema() else { return Lists::Whole };
        match schema["x-kubernetes-list-type"].as_str() {
            Some("set") => Lists::Set,
            Some("map") => {
                let of = schema.get("items").map_or(&Value::Null, model::resolve);
                let keys =
                    schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
                Lists::Keyed(keys.map(|key| (key, of["properties"][key].get("default").cloned())).collect())
            }
            _ => Lists::Whole,
        }
    }

    /// What a patch of the field does with a list, or with a map.
    pub fn strategy(self) -> Strategy<'a> {
        let Some(schema) = self.schema() else { return Strategy::default() };
        let words = schema["x-kubernetes-patch-strategy"].as_str().unwrap_or_default();
        Strategy {
            merge: words.split(',').any(|word| word == "merge"),
            key: schema["x-kubernetes-patch-merge-key"].as_str(),
        }
    }
}

impl Lists<'_> {
    /// The element of a path that stands for an item: `k:{"name":"a"}` or `v:"a"`. None when it cannot be told apart.
    pub fn element(&self, item: &Value) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Set => (!item.is_object() && !item.is_array() && !item.is_null()).then(|| format!("v:{item}")),
            Self::Keyed(keys) => {
                let item = item.as_object()?;
                let mut named = Map::new();
                for (key, default) in keys {
                    if let Some(value) = item.get(*key).or(default.as_ref()) {
                        named.insert((*key).to_owned(), value.clone());
                    }
                }
                (!named.is_empty()).then(|| format!("k:{}", Value::Object(named)))
            }
        }
    }
}
