//! The kinds that are served: the built-in table, and room for those that custom resource definitions add.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::custom::Custom;

/// A resource in one version.
pub(crate) struct Kind {
    pub group: String,
    pub version: String,
    /// Plural, lower case: as in paths.
    pub resource: String,
    pub singular: String,
    /// As in `kind` of objects.
    pub name: String,
    pub list_name: String,
    pub namespaced: bool,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub subresources: Vec<String>,
    pub scale: Option<Scale>,
    /// Requests that are answered and forgotten (`selfsubjectaccessreviews`).
    pub transient: bool,
    pub custom: Option<Custom>,
    /// Where objects lie: `/<group>/<resource>/`.
    pub prefix: String,
}

/// Where replicas are kept, as JSON pointers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    pub spec: String,
    pub status: String,
    /// A string or a label selector.
    pub selector: Option<String>,
}

impl Kind {
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub fn has(&self, subresource: &str) -> bool {
        self.subresources.iter().any(|s| s == subresource)
    }

    /// The prefix of a collection's keys; without a namespace, of all.
    pub fn collection(&self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) if self.namespaced => format!("{}{namespace}/", self.prefix),
            None if self.namespaced => self.prefix.clone(),
            _ => format!("{}/", self.prefix),
        }
    }

    pub fn key(&self, namespace: Option<&str>, name: &str) -> String {
        format!("{}{}/{name}", self.prefix, namespace.filter(|_| self.namespaced).unwrap_or_default())
    }

    /// The second face of events.
    pub fn renames_events(&self) -> bool {
        self.group == "events.k8s.io"
    }

    pub fn verbs(&self) -> &'static [&'static str] {
        match &self.custom {
            _ if self.transient => &["create"],
            _ if self.group == METRICS => &["get", "list"],
            // Nothing new comes while the definition is being deleted.
            Some(custom) if custom.terminating => &["delete", "deletecollection", "get", "list", "watch"],
            Some(_) => &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
            None if self.resource == "namespaces" => &["create", "delete", "get", "list", "patch", "update", "watch"],
            None => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }
    }

    /// Group and version in which objects are stored; nothing for what is never stored.
    pub fn stored_as(&self) -> Option<(&str, &str)> {
        let group = if self.renames_events() { "" } else { self.group.as_str() };
        let version = match &self.custom {
            Some(custom) => &custom.stored,
            // Definitions are still kept in their first form.
            None if self.resource == "customresourcedefinitions" => "v1beta1",
            None => self.version.as_str(),
        };
        (!self.transient && self.group != METRICS).then_some((group, version))
    }

    /// Whether `spec` (or all but `status`) is counted by `metadata.generation`.
    pub fn counts_generations(&self) -> bool {
        self.custom.is_some()
            || matches!(
                self.resource.as_str(),
                "deployments" | "replicasets" | "jobs" | "pods" | "customresourcedefinitions" | "endpointslices"
            )
    }

    /// Whether an update may leave the resourceVersion out.
    pub fn unconditional_update(&self) -> bool {
        self.custom.is_none() && !matches!(self.resource.as_str(), "leases" | "customresourcedefinitions")
    }

    /// Whether `PUT` makes what is missing.
    pub fn create_on_update(&self) -> bool {
        matches!(self.resource.as_str(), "leases" | "events" | "endpoints" | "services") && self.custom.is_none()
            || self.group == "rbac.authorization.k8s.io"
    }

    pub fn selectable(&self, path: &str) -> bool {
        if let Some(custom) = &self.custom {
            return custom.selectable.iter().any(|p| p == path);
        }
        let known: &[&str] = match self.resource.as_str() {
            "pods" => &[
                "spec.nodeName",
                "spec.restartPolicy",
                "spec.schedulerName",
                "spec.serviceAccountName",
                "spec.hostNetwork",
                "status.phase",
                "status.podIP",
                "status.nominatedNodeName",
            ],
            "events" => &[
                "involvedObject.kind",
                "involvedObject.namespace",
                "involvedObject.name",
                "involvedObject.uid",
                "involvedObject.apiVersion",
                "involvedObject.resourceVersion",
                "involvedObject.fieldPath",
                "reason",
                "reportingComponent",
                "source.component",
                "type",
            ],
            "secrets" => &["type"],
            "namespaces" => &["status.phase"],
            "nodes" => &["spec.unschedulable"],
            "services" => &["spec.clusterIP", "spec.type"],
            "replicasets" => &["status.replicas"],
            "jobs" => &["status.successful"],
            _ => &[],
        };
        known.contains(&path)
    }
}

/// Whether a path lies where the server's own groups are. There even what leads nowhere is answered with a `Status`.
pub(crate) fn is_own_path(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match parts.next() {
        Some("api" | "version") => true,
        Some("apis") => parts.next().is_none_or(|group| BUILTIN.iter().any(|row| row.group == group)),
        _ => false,
    }
}

/// All kinds, by group, version and resource.
#[derive(Default)]
pub(crate) struct Kinds {
    groups: BTreeMap<String, BTreeMap<String, BTreeMap<String, Arc<Kind>>>>,
}

impl Kinds {
    pub fn builtin() -> Self {
        let mut kinds = Self::default();
        for row in BUILTIN {
            kinds.add(row.kind());
        }
        kinds
    }

    /// What `kubectl top` reads. Whoever serves the machinery knows the figures.
    pub fn add_metrics(&mut self) {
        for (resource, name, namespaced) in [("nodes", "NodeMetrics", false), ("pods", "PodMetrics", true)] {
            let row = row(METRICS, resource, name, namespaced);
            self.add(Kind { version: "v1beta1".into(), singular: String::new(), ..row.kind() });
        }
    }

    pub fn has_metrics(&self) -> bool {
        self.groups.contains_key(METRICS)
    }

    pub fn add(&mut self, kind: Kind) {
        let versions = self.groups.entry(kind.group.clone()).or_default();
        versions.entry(kind.version.clone()).or_default().insert(kind.resource.clone(), Arc::new(kind));
    }

    /// Removes every version of a custom resource.
    pub fn remove(&mut self, group: &str, resource: &str) {
        let Some(versions) = self.groups.get_mut(group) else { return };
        for resources in versions.values_mut() {
            resources.remove(resource);
        }
        versions.retain(|_, resources| !resources.is_empty());
        self.groups.retain(|_, versions| !versions.is_empty());
    }

    pub fn get(&self, group: &str, version: &str, resource: &str) -> Option<&Arc<Kind>> {
        self.groups.get(group)?.get(version)?.get(resource)
    }

    /// Groups other than the core one, the most important first.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.groups.keys().map(String::as_str).filter(|group| !group.is_empty()).collect();
        groups.sort_by_key(|group| IMPORTANCE.iter().position(|known| known == group).unwrap_or(IMPORTANCE.len()));
        groups
    }

    /// Versions of a group, the preferred one first.
    pub fn versions(&self, group: &str) -> Vec<&str> {
        let mut versions: Vec<&str> =
            self.groups.get(group).into_iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(stability(version)));
        versions
    }

    pub fn resources(&self, group: &str, version: &str) -> Option<impl Iterator<Item = &Arc<Kind>>> {
        Some(self.groups.get(group)?.get(version)?.values())
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Kind>> {
        self.groups.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values)
    }
}

/// `v2` before `v1` before `v1beta2` before `v1beta1` before `v1alpha1` before anything else.
pub(crate) fn stability(version: &str) -> (u8, u32, u32) {
    let Some(rest) = version.strip_prefix('v') else { return (0, 0, 0) };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse() else { return (0, 0, 0) };
    let minor = |text: &str| text.parse().unwrap_or(0);
    match &rest[digits..] {
        "" => (3, major, 0),
        tail if tail.starts_with("beta") => (2, major, minor(&tail[4..])),
        tail if tail.starts_with("alpha") => (1, major, minor(&tail[5..])),
        _ => (0, 0, 0),
    }
}

struct Row {
    group: &'static str,
    resource: &'static str,
    kind: &'static str,
    namespaced: bool,
    short: &'static [&'static str],
    categories: &'static [&'static str],
    subresources: &'static [&'static str],
}

const fn row(group: &'static str, resource: &'static str, kind: &'static str, namespaced: bool) -> Row {
    Row { group, resource, kind, namespaced, short: &[], categories: &[], subresources: &[] }
}

impl Row {
    const fn short(mut self, short: &'static [&'static str]) -> Self {
        self.short = short;
        self
    }

    const fn all(self) -> Self {
        self.category(&["all"])
    }

    const fn category(mut self, categories: &'static [&'static str]) -> Self {
        self.categories = categories;
        self
    }

    const fn sub(mut self, subresources: &'static [&'static str]) -> Self {
        self.subresources = subresources;
        self
    }

    fn kind(&self) -> Kind {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        // Events of both groups are the same objects.
        let stored = if self.resource == "events" { "" } else { self.group };
        let scale = self.subresources.contains(&"scale").then(|| Scale {
            spec: "/spec/replicas".into(),
            status: "/status/replicas".into(),
            selector: Some("/spec/selector".into()),
        });
        Kind {
            group: self.group.into(),
            version: "v1".into(),
            resource: self.resource.into(),
            singular: self.kind.to_lowercase(),
            name: self.kind.into(),
            list_name: format!("{}List", self.kind),
            namespaced: self.namespaced,
            short_names: own(self.short),
            categories: own(self.categories),
            subresources: own(self.subresources),
            scale,
            transient: matches!(self.group, AUTHENTICATION | AUTHORIZATION),
            custom: None,
            prefix: format!("/{}/{}/", if stored.is_empty() { "core" } else { stored }, self.resource),
        }
    }
}

const METRICS: &str = "metrics.k8s.io";
const APPS: &str = "apps";
const RBAC: &str = "rbac.authorization.k8s.io";
const AUTHENTICATION: &str = "authentication.k8s.io";
const AUTHORIZATION: &str = "authorization.k8s.io";

/// The order in which groups are listed; those of definitions follow.
const IMPORTANCE: [&str; 9] = [
    APPS,
    "events.k8s.io",
    AUTHENTICATION,
    AUTHORIZATION,
    "batch",
    RBAC,
    "apiextensions.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
];

/// What is sent to a service account's `token`; no resource of its own.
pub(crate) static TOKEN_REQUEST: LazyLock<Arc<Kind>> =
    LazyLock::new(|| Arc::new(row(AUTHENTICATION, "tokenrequests", "TokenRequest", true).kind()));

const BUILTIN: &[Row] = &[
    row("", "namespaces", "Namespace", false).short(&["ns"]).sub(&["status", "finalize"]),
    row("", "pods", "Pod", true).short(&["po"]).all().sub(&[
        "status",
        "log",
        "binding",
        "eviction",
        "attach",
        "exec",
        "portforward",
    ]),
    row("", "services", "Service", true).short(&["svc"]).all().sub(&["status"]),
    row("", "configmaps", "ConfigMap", true).short(&["cm"]),
    row("", "secrets", "Secret", true),
    row("", "serviceaccounts", "ServiceAccount", true).short(&["sa"]).sub(&["token"]),
    row("", "events", "Event", true).short(&["ev"]),
    row("", "endpoints", "Endpoints", true).short(&["ep"]),
    row("", "nodes", "Node", false).short(&["no"]).sub(&["status"]),
    row("", "persistentvolumeclaims", "PersistentVolumeClaim", true).short(&["pvc"]).sub(&["status"]),
    row("", "resourcequotas", "ResourceQuota", true).short(&["quota"]).sub(&["status"]),
    row("", "limitranges", "LimitRange", true).short(&["limits"]),
    row("events.k8s.io", "events", "Event", true).short(&["ev"]),
    row(APPS, "deployments", "Deployment", true).short(&["deploy"]).all().sub(&["status", "scale"]),
    row(APPS, "replicasets", "ReplicaSet", true).short(&["rs"]).all().sub(&["status", "scale"]),
    row("batch", "jobs", "Job", true).all().sub(&["status"]),
    row("coordination.k8s.io", "leases", "Lease", true),
    row("discovery.k8s.io", "endpointslices", "EndpointSlice", true),
    row("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition", false)
        .short(&["crd", "crds"])
        .category(&["api-extensions"])
        .sub(&["status"]),
    row(RBAC, "roles", "Role", true),
    row(RBAC, "rolebindings", "RoleBinding", true),
    row(RBAC, "clusterroles", "ClusterRole", false),
    row(RBAC, "clusterrolebindings", "ClusterRoleBinding", false),
    row(AUTHENTICATION, "selfsubjectreviews", "SelfSubjectReview", false),
    row(AUTHENTICATION, "tokenreviews", "TokenReview", false),
    row(AUTHORIZATION, "localsubjectaccessreviews", "LocalSubjectAccessReview", true),
    row(AUTHORIZATION, "selfsubjectaccessreviews", "SelfSubjectAccessReview", false),
    row(AUTHORIZATION, "selfsubjectrulesreviews", "SelfSubjectRulesReview", false),
    row(AUTHORIZATION, "subjectaccessreviews", "SubjectAccessReview", false),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_preferred_by_stability() {
        let mut versions = ["v1alpha1", "v1", "v2beta1", "v2", "foo", "v1beta2"];
        versions.sort_by_key(|version| std::cmp::Reverse(stability(version)));
        assert_eq!(versions, ["v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo"]);
    }

    #[test]
    fn keys_tell_group_resource_namespace_and_name() {
        let kinds = Kinds::builtin();
        let key = |group: &str, resource: &str| kinds.get(group, "v1", resource).expect("kind").key(Some("ns"), "x");
        assert_eq!(key("", "pods"), "/core/pods/ns/x");
        assert_eq!(key("events.k8s.io", "events"), "/core/events/ns/x");
        assert_eq!(key("", "nodes"), "/core/nodes//x");
    }
}
