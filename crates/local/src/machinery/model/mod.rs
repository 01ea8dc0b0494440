//! The types of the built-in kinds: their schemas, how their fields merge, and in which form the server keeps them.
//!
//! The schemas come from `k8s-openapi`, which knows fields and descriptions; what it leaves out is in two tables here.
//! Invariant: definitions are made once, and are the same for every request.

mod form;
mod merging;
mod mismatch;
mod presence;
mod shown;
mod words;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenReview};
use k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, LimitRange, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota, Secret,
    Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::events::v1::Event as NewEvent;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::kinds::Kind;

pub(crate) use form::{complete, forget_empty, reduce, settle};
pub(crate) use mismatch::mismatch;
pub(crate) use shown::shown;

/// What the server knows of a type besides its schema.
#[derive(Debug, Default)]
struct Facts {
    /// Optional fields whose zero is a value of its own.
    kept: Vec<&'static str>,
    /// Fields that are always there, and what stands for their absence; without that, a structure.
    always: Vec<(&'static str, Option<Value>)>,
}

struct Model {
    schemas: Map<String, Value>,
    facts: BTreeMap<String, Facts>,
}

static MODEL: LazyLock<Model> = LazyLock::new(Model::make);

type Parse = fn(&Value) -> Result<(), serde_json::Error>;

struct Row {
    group: &'static str,
    resource: &'static str,
    name: fn() -> String,
    parse: Parse,
    register: fn(&mut SchemaGenerator),
}

fn parses<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<(), serde_json::Error> {
    T::deserialize(value).map(|_| ())
}

macro_rules! rows {
    ($($group:literal $resource:literal $type:ty;)*) => {
        [$(Row {
            group: $group,
            resource: $resource,
            name: || <$type>::schema_name().into_owned(),
            parse: parses::<$type>,
            register: |generator| { generator.subschema_for::<$type>(); },
        }),*]
    };
}

static TYPES: [Row; 30] = rows! {
    "" "namespaces" Namespace;
    "" "pods" Pod;
    "" "services" Service;
    "" "configmaps" ConfigMap;
    "" "secrets" Secret;
    "" "serviceaccounts" ServiceAccount;
    "" "events" Event;
    "" "endpoints" Endpoints;
    "" "nodes" Node;
    "" "persistentvolumeclaims" PersistentVolumeClaim;
    "" "resourcequotas" ResourceQuota;
    "" "limitranges" LimitRange;
    "events.k8s.io" "events" NewEvent;
    "apps" "deployments" Deployment;
    "apps" "replicasets" ReplicaSet;
    "batch" "jobs" Job;
    "coordination.k8s.io" "leases" Lease;
    "discovery.k8s.io" "endpointslices" EndpointSlice;
    "apiextensions.k8s.io" "customresourcedefinitions" CustomResourceDefinition;
    "rbac.authorization.k8s.io" "roles" Role;
    "rbac.authorization.k8s.io" "rolebindings" RoleBinding;
    "rbac.authorization.k8s.io" "clusterroles" ClusterRole;
    "rbac.authorization.k8s.io" "clusterrolebindings" ClusterRoleBinding;
    "authentication.k8s.io" "selfsubjectreviews" SelfSubjectReview;
    "authentication.k8s.io" "tokenrequests" TokenRequest;
    "authentication.k8s.io" "tokenreviews" TokenReview;
    "authorization.k8s.io" "selfsubjectaccessreviews" SelfSubjectAccessReview;
    "authorization.k8s.io" "selfsubjectrulesreviews" SelfSubjectRulesReview;
    "authorization.k8s.io" "subjectaccessreviews" SubjectAccessReview;
    "authorization.k8s.io" "localsubjectaccessreviews" LocalSubjectAccessReview;
};

fn find(kind: &Kind) -> Option<&'static Row> {
    TYPES.iter().find(|row| row.group == kind.group && row.resource == kind.resource)
}

/// Whether an object has the types of its kind.
pub(crate) fn check(kind: &Kind, object: &Value) -> Result<(), serde_json::Error> {
    if kind.renames_events() {
        // Checked in the form in which it is stored.
        return parses::<Event>(object);
    }
    find(kind).map_or(Ok(()), |row| (row.parse)(object))
}

/// The name of a built-in kind's type, as in OpenAPI documents.
pub(crate) fn type_of(kind: &Kind) -> Option<String> {
    find(kind).map(|row| (row.name)())
}

/// The schema of a type by its name.
pub(crate) fn schema(name: &str) -> Option<&'static Value> {
    MODEL.schemas.get(name)
}

pub(crate) fn schema_of(kind: &Kind) -> Option<&'static Value> {
    schema(&type_of(kind)?)
}

/// The schema of every object's metadata.
pub(crate) fn metadata() -> &'static Value {
    schema(METADATA).expect("every kind refers to it")
}

/// The fields that every object has, whatever its schema says.
pub(crate) fn metadata_reference() -> Value {
    let pod = schema("io.k8s.api.core.v1.Pod").expect("a built-in type");
    let field = |name: &str| (name.to_owned(), pod["properties"][name].clone());
    Value::Object(["apiVersion", "kind", "metadata"].into_iter().map(field).collect())
}

/// The name of the type by which anything is scaled.
pub(crate) const SCALE: &str = "io.k8s.api.autoscaling.v1.Scale";
/// The name of the type of every object's metadata.
pub(crate) const METADATA: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const REFERENCE: &str = "#/components/schemas/";

/// The type that a schema refers to, if it does no more than that.
pub(crate) fn reference(schema: &Value) -> Option<&str> {
    let target = schema.get("$ref").or_else(|| schema.get("allOf")?.as_array()?.first()?.get("$ref"));
    target?.as_str()?.strip_prefix(REFERENCE)
}

/// The schema itself, whatever refers to it.
pub(crate) fn resolve(schema: &Value) -> &Value {
    reference(schema).and_then(self::schema).unwrap_or(schema)
}

impl Model {
    fn make() -> Self {
        let mut generator = SchemaSettings::openapi3().into_generator();
        for row in &TYPES {
            (row.register)(&mut generator);
        }
        generator.subschema_for::<Scale>();
        let mut schemas = generator.take_definitions(true);
        // Nobody has to say that an object has metadata.
        for required in schemas.values_mut().filter_map(|schema| schema.get_mut("required")?.as_array_mut()) {
            required.retain(|field| field != "metadata");
        }
        for (kind, field, merging) in merging::MERGING {
            let Some(schema) = schemas.get_mut(&full(kind)) else { continue };
            let place =
                if field.is_empty() { Some(schema) } else { schema.pointer_mut(&format!("/properties/{field}")) };
            let extensions = merging.extensions();
            if let (Some(Value::Object(place)), Value::Object(extensions)) = (place, extensions) {
                place.extend(extensions);
            }
        }
        let mut facts = BTreeMap::new();
        for (kind, kept, always) in presence::PRESENCE {
            let name = full(kind);
            let always: Vec<(&str, Option<Value>)> = always.split_whitespace().map(present).collect();
            // What stands for an absent key tells list items apart.
            for (field, value) in &always {
                let place =
                    schemas.get_mut(&name).and_then(|schema| schema.pointer_mut(&format!("/properties/{field}")));
                if let (Some(Value::Object(place)), Some(value)) =
                    (place, value.as_ref().filter(|value| !value.is_null()))
                {
                    place.insert("default".into(), value.clone());
                }
            }
            facts.insert(name, Facts { kept: kept.split_whitespace().collect(), always });
        }
        for (kind, field, words) in words::WORDS {
            let (field, items) = field.strip_suffix("[]").map_or((*field, ""), |field| (field, "/items"));
            let place = schemas.get_mut(&full(kind));
            if let Some(place) = place.and_then(|schema| schema.pointer_mut(&format!("/properties/{field}{items}"))) {
                place["enum"] = words.split_whitespace().collect();
            }
        }
        // A quantity may be a number too.
        if let Some(Value::Object(quantity)) = schemas.get_mut("io.k8s.apimachinery.pkg.api.resource.Quantity") {
            quantity.remove("type");
            quantity.insert("oneOf".into(), json!([{"type": "string"}, {"type": "number"}]));
        }
        for kind in ["core.v1.ContainerPort", "core.v1.ServicePort"] {
            if let Some(protocol) =
                schemas.get_mut(&full(kind)).and_then(|schema| schema.pointer_mut("/properties/protocol"))
            {
                protocol["default"] = "TCP".into();
            }
        }
        Self { schemas, facts }
    }
}

fn present(word: &'static str) -> (&'static str, Option<Value>) {
    let Some((field, value)) = word.split_once('=') else { return (word, None) };
    let value = value.strip_prefix('\'').map_or_else(
        || serde_json::from_str(value).unwrap_or_default(),
        |text| Value::from(text.trim_end_matches('\'')),
    );
    (field, Some(value))
}

/// The name of a type, of which the tables leave out what is the same for many.
fn full(short: &str) -> String {
    if let Some(rest) = short.strip_prefix("meta.") {
        format!("io.k8s.apimachinery.pkg.apis.meta.{rest}")
    } else if let Some(rest) = short.strip_prefix("apiextensions.") {
        format!("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.{rest}")
    } else {
        format!("io.k8s.api.{short}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Kinds;
    use super::*;

    #[test]
    fn every_builtin_kind_has_a_type() {
        for kind in Kinds::builtin().all() {
            let schema = schema_of(kind).unwrap_or_else(|| panic!("{}", kind.resource));
            assert_eq!(schema["type"], "object", "{schema:.300}");
        }
    }

    #[test]
    fn tables_name_types_and_fields_that_exist() {
        // A minor version may know a few more than the one that the types are made from.
        let mut unknown = Vec::new();
        for (kind, field, _) in merging::MERGING {
            let found = schema(&full(kind))
                .is_some_and(|schema| field.is_empty() || schema["properties"].get(*field).is_some());
            if !found {
                unknown.push(format!("{kind}.{field}"));
            }
        }
        for (kind, field, _) in words::WORDS {
            let field = field.trim_end_matches("[]");
            if schema(&full(kind)).is_none_or(|schema| schema["properties"].get(field).is_none()) {
                unknown.push(format!("{kind}.{field}"));
            }
        }
        for (kind, kept, always) in presence::PRESENCE {
            let fields = kept.split_whitespace().chain(always.split_whitespace()).map(|word| present(word).0);
            let known = schema(&full(kind)).map(|schema| &schema["properties"]);
            unknown.extend(
                fields
                    .filter(|field| known.is_none_or(|known| known.get(*field).is_none()))
                    .map(|field| format!("{kind}.{field}")),
            );
        }
        insta::assert_snapshot!(unknown.join("\n"));
    }
}
