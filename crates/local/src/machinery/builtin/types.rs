//! The types of the built-in kinds, from `k8s-openapi`: a body that does not fit is refused, and the schema finds unknown fields.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, Event, Namespace, Node, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::events::v1::Event as NewEvent;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::Value;

use super::Kind;

fn parses<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<(), serde_json::Error> {
    T::deserialize(value).map(|_| ())
}

fn schema_of<T: JsonSchema>() -> Schema {
    // References inside a document keep it small; they are resolved while walking.
    SchemaSettings::openapi3().into_generator().into_root_schema_for::<T>()
}

type Row = (&'static str, &'static str, fn(&Value) -> Result<(), serde_json::Error>, fn() -> Schema);

macro_rules! rows {
    ($($group:literal $resource:literal $type:ty;)*) => {
        [$(($group, $resource, parses::<$type>, schema_of::<$type>)),*]
    };
}

const TYPES: [Row; 22] = rows! {
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
    "authorization.k8s.io" "selfsubjectaccessreviews" SelfSubjectAccessReview;
};

fn find(kind: &Kind) -> Option<&'static Row> {
    TYPES.iter().find(|(group, resource, ..)| *group == kind.group && *resource == kind.resource)
}

pub(super) fn check(kind: &Kind, object: &Value) -> Result<(), serde_json::Error> {
    if kind.renames_events() {
        // Objects are checked in the form in which they are stored.
        return parses::<Event>(object);
    }
    find(kind).map_or(Ok(()), |(_, _, parses, _)| parses(object))
}

/// The schema of a built-in kind: a document with `components.schemas`. Made when first asked for.
pub(crate) fn schema(kind: &Kind) -> Option<Arc<Value>> {
    type Made = BTreeMap<(&'static str, &'static str), Arc<Value>>;
    static MADE: LazyLock<Mutex<Made>> = LazyLock::new(Mutex::default);
    let (group, resource, _, make) = find(kind)?;
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    Some(made.entry((group, resource)).or_insert_with(|| Arc::new(make().to_value())).clone())
}

#[cfg(test)]
mod tests {
    use super::super::super::kinds::Kinds;
    use super::*;

    #[test]
    fn every_builtin_kind_has_a_type() {
        for kind in Kinds::builtin().all() {
            let schema = schema(kind).unwrap_or_else(|| panic!("{}", kind.resource));
            assert_eq!(schema["type"], "object", "{schema:.300}");
        }
    }
}
