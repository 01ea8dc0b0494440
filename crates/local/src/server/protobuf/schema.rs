//! The numbers of the fields, as Kubernetes publishes them with its API.

use Kind::{Bool, Bytes, Int, IntOrString, List, Map, OptionalBool, OptionalInt, Quantity, Skip, Text, Time};

/// What a field holds. Fields that are always written are left out of the JSON when they have their default.
#[derive(Debug)]
pub enum Kind {
    Text,
    Int,
    OptionalInt,
    Bool,
    OptionalBool,
    Bytes,
    Time,
    Quantity,
    IntOrString,
    Message(Message),
    List(&'static Kind),
    Map(&'static Kind),
    /// What a client has no business to send: a status.
    Skip,
}

#[derive(Debug)]
pub struct Field {
    pub number: u64,
    pub name: &'static str,
    pub kind: Kind,
}

pub type Message = &'static [Field];

const fn f(number: u64, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

const fn m(number: u64, name: &'static str, message: Message) -> Field {
    f(number, name, Kind::Message(message))
}

/// The message of a kind.
pub fn of_kind(kind: &str) -> Option<Message> {
    Some(match kind {
        "Namespace" => NAMESPACE,
        "ConfigMap" => CONFIG_MAP,
        "Secret" => SECRET,
        "ServiceAccount" => SERVICE_ACCOUNT,
        "Service" => SERVICE,
        "Deployment" => DEPLOYMENT,
        "Job" => JOB,
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => ROLE_BINDING,
        "TokenRequest" => TOKEN_REQUEST,
        "SelfSubjectAccessReview" => ACCESS_REVIEW,
        "SelfSubjectReview" => SUBJECT_REVIEW,
        "Eviction" => EVICTION,
        "DeleteOptions" => DELETE_OPTIONS,
        _ => return None,
    })
}

/// What every body is wrapped into.
pub static UNKNOWN: [Field; 4] = [
    m(1, "typeMeta", &[f(1, "apiVersion", Text), f(2, "kind", Text)]),
    f(2, "raw", Bytes),
    f(3, "contentEncoding", Text),
    f(4, "contentType", Text),
];
pub static TIME: [Field; 2] = [f(1, "seconds", OptionalInt), f(2, "nanos", Skip)];
pub static QUANTITY: [Field; 1] = [f(1, "string", Text)];
pub static INT_OR_STRING: [Field; 3] = [f(1, "type", OptionalInt), f(2, "intVal", Int), f(3, "strVal", Text)];

const TEXTS: Kind = List(&Text);
const TEXT_MAP: Kind = Map(&Text);

const OWNER: Message = &[
    f(1, "kind", Text),
    f(3, "name", Text),
    f(4, "uid", Text),
    f(5, "apiVersion", Text),
    f(6, "controller", OptionalBool),
    f(7, "blockOwnerDeletion", OptionalBool),
];
const META: Message = &[
    f(1, "name", Text),
    f(2, "generateName", Text),
    f(3, "namespace", Text),
    f(4, "selfLink", Text),
    f(5, "uid", Text),
    f(6, "resourceVersion", Text),
    f(7, "generation", Int),
    f(8, "creationTimestamp", Time),
    f(9, "deletionTimestamp", Time),
    f(10, "deletionGracePeriodSeconds", OptionalInt),
    f(11, "labels", TEXT_MAP),
    f(12, "annotations", TEXT_MAP),
    f(13, "ownerReferences", List(&Kind::Message(OWNER))),
    f(14, "finalizers", TEXTS),
    f(17, "managedFields", Skip),
];
const SELECTOR: Message = &[
    f(1, "matchLabels", TEXT_MAP),
    f(2, "matchExpressions", List(&Kind::Message(&[f(1, "key", Text), f(2, "operator", Text), f(3, "values", TEXTS)]))),
];

const NAMESPACE: Message = &[m(1, "metadata", META), m(2, "spec", &[f(1, "finalizers", TEXTS)]), f(3, "status", Skip)];
const CONFIG_MAP: Message =
    &[m(1, "metadata", META), f(2, "data", TEXT_MAP), f(3, "binaryData", Map(&Bytes)), f(4, "immutable", OptionalBool)];
const SECRET: Message = &[
    m(1, "metadata", META),
    f(2, "data", Map(&Bytes)),
    f(3, "type", Text),
    f(4, "stringData", TEXT_MAP),
    f(5, "immutable", OptionalBool),
];
const NAMED: Message = &[f(1, "name", Text)];
const SERVICE_ACCOUNT: Message = &[
    m(1, "metadata", META),
    f(3, "imagePullSecrets", List(&Kind::Message(NAMED))),
    f(4, "automountServiceAccountToken", OptionalBool),
];

const SERVICE_PORT: Message = &[
    f(1, "name", Text),
    f(2, "protocol", Text),
    f(3, "port", Int),
    f(4, "targetPort", IntOrString),
    f(5, "nodePort", Int),
    f(6, "appProtocol", Text),
];
const SERVICE_SPEC: Message = &[
    f(1, "ports", List(&Kind::Message(SERVICE_PORT))),
    f(2, "selector", TEXT_MAP),
    f(3, "clusterIP", Text),
    f(4, "type", Text),
    f(5, "externalIPs", TEXTS),
    f(7, "sessionAffinity", Text),
    f(8, "loadBalancerIP", Text),
    f(9, "loadBalancerSourceRanges", TEXTS),
    f(10, "externalName", Text),
    f(11, "externalTrafficPolicy", Text),
    f(12, "healthCheckNodePort", Int),
    f(13, "publishNotReadyAddresses", Bool),
    f(17, "ipFamilyPolicy", Text),
    f(18, "clusterIPs", TEXTS),
    f(19, "ipFamilies", TEXTS),
    f(22, "internalTrafficPolicy", Text),
];
const SERVICE: Message = &[m(1, "metadata", META), m(2, "spec", SERVICE_SPEC), f(3, "status", Skip)];

const CONTAINER_PORT: Message = &[
    f(1, "name", Text),
    f(2, "hostPort", Int),
    f(3, "containerPort", Int),
    f(4, "protocol", Text),
    f(5, "hostIP", Text),
];
const CONTAINER: Message = &[
    f(1, "name", Text),
    f(2, "image", Text),
    f(3, "command", TEXTS),
    f(4, "args", TEXTS),
    f(5, "workingDir", Text),
    f(6, "ports", List(&Kind::Message(CONTAINER_PORT))),
    f(7, "env", List(&Kind::Message(&[f(1, "name", Text), f(2, "value", Text)]))),
    m(8, "resources", &[f(1, "limits", Map(&Quantity)), f(2, "requests", Map(&Quantity))]),
    f(13, "terminationMessagePath", Text),
    f(14, "imagePullPolicy", Text),
    f(16, "stdin", Bool),
    f(17, "stdinOnce", Bool),
    f(18, "tty", Bool),
    f(20, "terminationMessagePolicy", Text),
];
const POD_SPEC: Message = &[
    f(2, "containers", List(&Kind::Message(CONTAINER))),
    f(3, "restartPolicy", Text),
    f(4, "terminationGracePeriodSeconds", OptionalInt),
    f(5, "activeDeadlineSeconds", OptionalInt),
    f(6, "dnsPolicy", Text),
    f(7, "nodeSelector", TEXT_MAP),
    f(8, "serviceAccountName", Text),
    f(9, "serviceAccount", Text),
    f(10, "nodeName", Text),
    f(11, "hostNetwork", Bool),
    f(12, "hostPID", Bool),
    f(13, "hostIPC", Bool),
    f(16, "hostname", Text),
    f(17, "subdomain", Text),
    f(19, "schedulerName", Text),
    f(20, "initContainers", List(&Kind::Message(CONTAINER))),
    f(24, "priorityClassName", Text),
];
const TEMPLATE: Message = &[m(1, "metadata", META), m(2, "spec", POD_SPEC)];
const DEPLOYMENT_SPEC: Message = &[
    f(1, "replicas", OptionalInt),
    m(2, "selector", SELECTOR),
    m(3, "template", TEMPLATE),
    m(
        4,
        "strategy",
        &[
            f(1, "type", Text),
            m(2, "rollingUpdate", &[f(1, "maxUnavailable", IntOrString), f(2, "maxSurge", IntOrString)]),
        ],
    ),
    f(5, "minReadySeconds", Int),
    f(6, "revisionHistoryLimit", OptionalInt),
    f(7, "paused", Bool),
    f(9, "progressDeadlineSeconds", OptionalInt),
];
const DEPLOYMENT: Message = &[m(1, "metadata", META), m(2, "spec", DEPLOYMENT_SPEC), f(3, "status", Skip)];
const JOB_SPEC: Message = &[
    f(1, "parallelism", OptionalInt),
    f(2, "completions", OptionalInt),
    f(3, "activeDeadlineSeconds", OptionalInt),
    m(4, "selector", SELECTOR),
    f(5, "manualSelector", OptionalBool),
    m(6, "template", TEMPLATE),
    f(7, "backoffLimit", OptionalInt),
    f(8, "ttlSecondsAfterFinished", OptionalInt),
    f(9, "completionMode", Text),
    f(10, "suspend", OptionalBool),
];
const JOB: Message = &[m(1, "metadata", META), m(2, "spec", JOB_SPEC), f(3, "status", Skip)];

const RULE: Message = &[
    f(1, "verbs", TEXTS),
    f(2, "apiGroups", TEXTS),
    f(3, "resources", TEXTS),
    f(4, "resourceNames", TEXTS),
    f(5, "nonResourceURLs", TEXTS),
];
const ROLE: Message = &[
    m(1, "metadata", META),
    f(2, "rules", List(&Kind::Message(RULE))),
    m(3, "aggregationRule", &[f(1, "clusterRoleSelectors", List(&Kind::Message(SELECTOR)))]),
];
const SUBJECT: Message = &[f(1, "kind", Text), f(2, "apiGroup", Text), f(3, "name", Text), f(4, "namespace", Text)];
const ROLE_BINDING: Message = &[
    m(1, "metadata", META),
    f(2, "subjects", List(&Kind::Message(SUBJECT))),
    m(3, "roleRef", &[f(1, "apiGroup", Text), f(2, "kind", Text), f(3, "name", Text)]),
];

const BOUND: Message = &[f(1, "kind", Text), f(2, "apiVersion", Text), f(3, "name", Text), f(4, "uid", Text)];
const TOKEN_SPEC: Message =
    &[f(1, "audiences", TEXTS), m(3, "boundObjectRef", BOUND), f(4, "expirationSeconds", OptionalInt)];
const TOKEN_REQUEST: Message = &[m(1, "metadata", META), m(2, "spec", TOKEN_SPEC), f(3, "status", Skip)];
const RESOURCE_ATTRIBUTES: Message = &[
    f(1, "namespace", Text),
    f(2, "verb", Text),
    f(3, "group", Text),
    f(4, "version", Text),
    f(5, "resource", Text),
    f(6, "subresource", Text),
    f(7, "name", Text),
];
const ACCESS_SPEC: Message = &[
    m(1, "resourceAttributes", RESOURCE_ATTRIBUTES),
    m(2, "nonResourceAttributes", &[f(1, "path", Text), f(2, "verb", Text)]),
];
const ACCESS_REVIEW: Message = &[m(1, "metadata", META), m(2, "spec", ACCESS_SPEC), f(3, "status", Skip)];
const SUBJECT_REVIEW: Message = &[m(1, "metadata", META), f(2, "status", Skip)];

const DELETE_OPTIONS: Message = &[
    f(1, "gracePeriodSeconds", OptionalInt),
    m(2, "preconditions", &[f(1, "uid", Text), f(2, "resourceVersion", Text)]),
    f(3, "orphanDependents", OptionalBool),
    f(4, "propagationPolicy", Text),
    f(5, "dryRun", TEXTS),
];
const EVICTION: Message = &[m(1, "metadata", META), m(2, "deleteOptions", DELETE_OPTIONS)];
