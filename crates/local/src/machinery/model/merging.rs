//! How the fields of built-in kinds merge, as their published types declare it. Lists and maps that are not named here are
//! taken whole if they are lists, and key by key if they are maps.

use serde_json::{Value, json};

/// What is declared of a field; of a type as a whole when the field's name is empty.
#[derive(Debug, Clone, Copy)]
pub(super) enum Merging {
    /// A map that is taken whole.
    Atomic,
    /// A list whose items are told apart by these keys. Patches look at the first of them.
    Keyed(&'static [&'static str]),
    /// The same; a patch of an item says which of its keys stay.
    KeyedRetained(&'static [&'static str]),
    /// Told apart by an apply, replaced by a patch.
    Applied(&'static [&'static str]),
    /// Replaced by an apply, merged by a patch.
    Patched(&'static str),
    /// A list of plain values without order.
    Set,
    /// The same for an apply; a patch replaces it.
    AppliedSet,
    /// A map of which a patch says which keys stay.
    Retained,
}

impl Merging {
    /// The extensions of the schema that say so.
    pub fn extensions(self) -> Value {
        let keyed = |keys: &[&str]| json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys});
        let patched = |mut extensions: Value, key: &str, strategy: &str| {
            extensions["x-kubernetes-patch-merge-key"] = key.into();
            extensions["x-kubernetes-patch-strategy"] = strategy.into();
            extensions
        };
        match self {
            Self::Atomic => json!({"x-kubernetes-map-type": "atomic"}),
            Self::Keyed(keys) => patched(keyed(keys), keys[0], "merge"),
            Self::KeyedRetained(keys) => patched(keyed(keys), keys[0], "merge,retainKeys"),
            Self::Applied(keys) => keyed(keys),
            Self::Patched(key) => patched(json!({"x-kubernetes-list-type": "atomic"}), key, "merge"),
            Self::Set => json!({"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}),
            Self::AppliedSet => json!({"x-kubernetes-list-type": "set"}),
            Self::Retained => json!({"x-kubernetes-patch-strategy": "retainKeys"}),
        }
    }
}

use Merging::{Applied, AppliedSet, Atomic, Keyed, KeyedRetained, Patched, Retained, Set};

/// Type, field, and how it merges.
pub(super) const MERGING: &[(&str, &str, Merging)] = &[
    ("apps.v1.DeploymentSpec", "strategy", Retained),
    ("apps.v1.DeploymentStatus", "conditions", Keyed(&["type"])),
    ("apps.v1.ReplicaSetStatus", "conditions", Keyed(&["type"])),
    ("batch.v1.JobStatus", "conditions", Patched("type")),
    ("batch.v1.PodFailurePolicyOnExitCodesRequirement", "values", AppliedSet),
    ("batch.v1.UncountedTerminatedPods", "failed", AppliedSet),
    ("batch.v1.UncountedTerminatedPods", "succeeded", AppliedSet),
    ("core.v1.ConfigMapKeySelector", "", Atomic),
    ("core.v1.Container", "env", Keyed(&["name"])),
    ("core.v1.Container", "ports", Keyed(&["containerPort", "protocol"])),
    ("core.v1.Container", "volumeDevices", Keyed(&["devicePath"])),
    ("core.v1.Container", "volumeMounts", Keyed(&["mountPath"])),
    ("core.v1.ContainerRestartRuleOnExitCodes", "values", AppliedSet),
    ("core.v1.ContainerStatus", "allocatedResourcesStatus", Keyed(&["name"])),
    ("core.v1.ContainerStatus", "volumeMounts", Keyed(&["mountPath"])),
    ("core.v1.EndpointAddress", "", Atomic),
    ("core.v1.EndpointPort", "", Atomic),
    ("core.v1.EphemeralContainer", "env", Keyed(&["name"])),
    ("core.v1.EphemeralContainer", "ports", Keyed(&["containerPort", "protocol"])),
    ("core.v1.EphemeralContainer", "volumeDevices", Keyed(&["devicePath"])),
    ("core.v1.EphemeralContainer", "volumeMounts", Keyed(&["mountPath"])),
    ("core.v1.FileKeySelector", "", Atomic),
    ("core.v1.LocalObjectReference", "", Atomic),
    ("core.v1.NamespaceStatus", "conditions", Keyed(&["type"])),
    ("core.v1.NodeSelector", "", Atomic),
    ("core.v1.NodeSelectorTerm", "", Atomic),
    ("core.v1.NodeSpec", "podCIDRs", Set),
    ("core.v1.NodeStatus", "addresses", Keyed(&["type"])),
    ("core.v1.NodeStatus", "conditions", Keyed(&["type"])),
    ("core.v1.ObjectFieldSelector", "", Atomic),
    ("core.v1.ObjectReference", "", Atomic),
    ("core.v1.PersistentVolumeClaimStatus", "conditions", Keyed(&["type"])),
    ("core.v1.PodSpec", "containers", Keyed(&["name"])),
    ("core.v1.PodSpec", "ephemeralContainers", Keyed(&["name"])),
    ("core.v1.PodSpec", "hostAliases", Keyed(&["ip"])),
    ("core.v1.PodSpec", "imagePullSecrets", Keyed(&["name"])),
    ("core.v1.PodSpec", "initContainers", Keyed(&["name"])),
    ("core.v1.PodSpec", "nodeSelector", Atomic),
    ("core.v1.PodSpec", "resourceClaims", KeyedRetained(&["name"])),
    ("core.v1.PodSpec", "schedulingGates", Keyed(&["name"])),
    ("core.v1.PodSpec", "topologySpreadConstraints", Keyed(&["topologyKey", "whenUnsatisfiable"])),
    ("core.v1.PodSpec", "volumes", KeyedRetained(&["name"])),
    ("core.v1.PodStatus", "conditions", Keyed(&["type"])),
    ("core.v1.PodStatus", "hostIPs", Patched("ip")),
    ("core.v1.PodStatus", "podIPs", Keyed(&["ip"])),
    ("core.v1.PodStatus", "resourceClaimStatuses", KeyedRetained(&["name"])),
    ("core.v1.ResourceFieldSelector", "", Atomic),
    ("core.v1.ResourceRequirements", "claims", Applied(&["name"])),
    ("core.v1.ResourceStatus", "resources", Applied(&["resourceID"])),
    ("core.v1.SecretKeySelector", "", Atomic),
    ("core.v1.ServiceAccount", "secrets", Keyed(&["name"])),
    ("core.v1.ServiceSpec", "ports", Keyed(&["port", "protocol"])),
    ("core.v1.ServiceSpec", "selector", Atomic),
    ("core.v1.ServiceStatus", "conditions", Keyed(&["type"])),
    ("core.v1.TypedLocalObjectReference", "", Atomic),
    ("discovery.v1.Endpoint", "addresses", AppliedSet),
    ("discovery.v1.EndpointPort", "", Atomic),
    ("rbac.v1.RoleRef", "", Atomic),
    ("rbac.v1.Subject", "", Atomic),
    ("apiextensions.v1.CustomResourceDefinitionStatus", "conditions", Applied(&["type"])),
    ("apiextensions.v1.JSONSchemaProps", "x-kubernetes-validations", Keyed(&["rule"])),
    ("meta.v1.LabelSelector", "", Atomic),
    ("meta.v1.ObjectMeta", "finalizers", Set),
    ("meta.v1.ObjectMeta", "ownerReferences", Keyed(&["uid"])),
    ("meta.v1.OwnerReference", "", Atomic),
];
