//! How values merge: which lists are told apart by keys, which maps and lists are taken whole.
//!
//! Custom resources say so in their schemas; of the built-in kinds the lists are known by their names.

use serde_json::{Map, Value};

use super::super::kinds::Kind;

/// A place in an object, as far as merging is concerned.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    /// A node of a custom resource's schema.
    Schema(&'a Value),
    /// A field of a built-in kind, by its name and its parent's.
    Known { field: &'a str, parent: &'a str, service: bool },
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

impl<'a> Node<'a> {
    pub fn root(kind: &'a Kind) -> Self {
        match &kind.custom {
            Some(custom) => Self::Schema(&custom.schema),
            None => Self::Known { field: "", parent: "", service: kind.resource == "services" },
        }
    }

    /// The node of a field, or of a map's value.
    pub fn field(self, name: &'a str, root: bool) -> Self {
        match self {
            Self::Schema(_) if root && name == "metadata" => Self::Known { field: name, parent: "", service: false },
            Self::Schema(schema) => {
                let known = schema.get("properties").and_then(|known| known.get(name));
                let more = schema.get("additionalProperties").filter(|more| more.is_object());
                known.or(more).map_or(Self::Free, Self::Schema)
            }
            Self::Known { field, service, .. } => Self::Known { field: name, parent: field, service },
            Self::Free => Self::Free,
        }
    }

    pub fn item(self) -> Self {
        match self {
            Self::Schema(schema) => schema.get("items").map_or(Self::Free, Self::Schema),
            Self::Known { field, service, .. } => Self::Known { field: "", parent: field, service },
            Self::Free => Self::Free,
        }
    }

    /// A map that is taken whole.
    pub fn whole_map(self) -> bool {
        match self {
            Self::Schema(schema) => schema["x-kubernetes-map-type"] == "atomic",
            Self::Known { field, .. } => matches!(
                field,
                "selector"
                    | "labelSelector"
                    | "nodeSelector"
                    | "namespaceSelector"
                    | "fieldRef"
                    | "resourceFieldRef"
                    | "secretKeyRef"
                    | "configMapKeyRef"
                    | "secretRef"
                    | "configMapRef"
                    | "involvedObject"
                    | "regarding"
                    | "targetRef"
                    | "roleRef"
                    | "claimRef"
            ),
            Self::Free => false,
        }
    }

    pub fn lists(self) -> Lists<'a> {
        match self {
            Self::Schema(schema) => of_schema(schema),
            Self::Known { field, parent, service } => known(field, parent, service),
            Self::Free => Lists::Whole,
        }
    }
}

fn of_schema(schema: &Value) -> Lists<'_> {
    match schema["x-kubernetes-list-type"].as_str() {
        Some("set") => Lists::Set,
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let default = |key: &str| schema.pointer(&format!("/items/properties/{key}/default")).cloned();
            Lists::Keyed(keys.map(|key| (key, default(key))).collect())
        }
        _ => Lists::Whole,
    }
}

fn known<'a>(field: &str, parent: &str, service: bool) -> Lists<'a> {
    let by = |key: &'static str| Lists::Keyed(vec![(key, None)]);
    match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "resourceClaims"
        | "claims"
        | "schedulingGates" => by("name"),
        "secrets" if parent.is_empty() => by("name"),
        "ports" if service && parent == "spec" => Lists::Keyed(vec![("port", None), ("protocol", Some("TCP".into()))]),
        "ports" => Lists::Keyed(vec![("containerPort", None), ("protocol", Some("TCP".into()))]),
        "volumeMounts" => by("mountPath"),
        "volumeDevices" => by("devicePath"),
        "hostAliases" | "podIPs" => by("ip"),
        "conditions" | "addresses" => by("type"),
        "ownerReferences" => by("uid"),
        "topologySpreadConstraints" => Lists::Keyed(vec![("topologyKey", None), ("whenUnsatisfiable", None)]),
        "finalizers" => Lists::Set,
        _ => Lists::Whole,
    }
}

impl Lists<'_> {
    /// The element of a path that stands for an item: `k:{"name":"a"}` or `v:"a"`. None when it cannot be told apart.
    pub fn element(&self, item: &Value) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::Set => (!item.is_object() && !item.is_array()).then(|| format!("v:{item}")),
            Self::Keyed(keys) => {
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

    /// The elements of all items; none when the list is whole, or some items cannot be told apart.
    pub fn elements(&self, items: &[Value]) -> Option<Vec<String>> {
        if *self == Self::Whole {
            return None;
        }
        let elements: Vec<String> = items.iter().map(|item| self.element(item)).collect::<Option<_>>()?;
        let twice = elements.iter().enumerate().any(|(index, element)| elements[..index].contains(element));
        (!twice).then_some(elements)
    }
}
