//! The fields of the messages that `kubectl` sends, by number.

use super::Type::{self, Bool, Bytes, Count, Int, IntOrString, Message, Quantity, Skipped, Text, Time};
use super::{Field, one};

const fn many(number: u64, name: &'static str, of: Type) -> Field {
    (number, name, of, true)
}

const TEXTS: Type = Type::Map(&Text);
const NAMED: Type = Message(&[one(1, "name", Text)]);

const OWNER: &[Field] = &[
    one(1, "kind", Text),
    one(3, "name", Text),
    one(4, "uid", Text),
    one(5, "apiVersion", Text),
    one(6, "controller", Bool),
    one(7, "blockOwnerDeletion", Bool),
];
const METADATA: &[Field] = &[
    one(1, "name", Text),
    one(2, "generateName", Text),
    one(3, "namespace", Text),
    one(4, "selfLink", Text),
    one(5, "uid", Text),
    one(6, "resourceVersion", Text),
    one(7, "generation", Skipped),
    one(8, "creationTimestamp", Time),
    one(11, "labels", TEXTS),
    one(12, "annotations", TEXTS),
    many(13, "ownerReferences", Message(OWNER)),
    many(14, "finalizers", Text),
];
const EXPRESSION: &[Field] = &[one(1, "key", Text), one(2, "operator", Text), many(3, "values", Text)];
const SELECTOR: &[Field] = &[one(1, "matchLabels", TEXTS), many(2, "matchExpressions", Message(EXPRESSION))];
const KEY: &[Field] = &[one(1, "name_of", NAMED), one(2, "key", Text)];
const SOURCE: &[Field] = &[
    one(1, "fieldRef", Message(&[one(1, "apiVersion", Text), one(2, "fieldPath", Text)])),
    one(3, "configMapKeyRef", Message(KEY)),
    one(4, "secretKeyRef", Message(KEY)),
];
const ENV: &[Field] = &[one(1, "name", Text), one(2, "value", Text), one(3, "valueFrom", Message(SOURCE))];
const CONTAINER_PORT: &[Field] = &[
    one(1, "name", Text),
    one(2, "hostPort", Count),
    one(3, "containerPort", Int),
    one(4, "protocol", Text),
    one(5, "hostIP", Text),
];
const RESOURCES: &[Field] = &[one(1, "limits", Type::Map(&Quantity)), one(2, "requests", Type::Map(&Quantity))];
const CONTAINER: &[Field] = &[
    one(1, "name", Text),
    one(2, "image", Text),
    many(3, "command", Text),
    many(4, "args", Text),
    one(5, "workingDir", Text),
    many(6, "ports", Message(CONTAINER_PORT)),
    many(7, "env", Message(ENV)),
    one(8, "resources", Message(RESOURCES)),
    one(13, "terminationMessagePath", Text),
    one(14, "imagePullPolicy", Text),
    one(16, "stdin", Bool),
    one(17, "stdinOnce", Bool),
    one(18, "tty", Bool),
    one(20, "terminationMessagePolicy", Text),
];
const POD: &[Field] = &[
    many(2, "containers", Message(CONTAINER)),
    one(3, "restartPolicy", Text),
    one(4, "terminationGracePeriodSeconds", Int),
    one(5, "activeDeadlineSeconds", Int),
    one(6, "dnsPolicy", Text),
    one(7, "nodeSelector", TEXTS),
    one(8, "serviceAccountName", Text),
    one(9, "serviceAccount", Text),
    one(10, "nodeName", Text),
    one(11, "hostNetwork", Bool),
    one(12, "hostPID", Bool),
    one(13, "hostIPC", Bool),
    one(14, "securityContext", Message(&[])),
    one(16, "hostname", Text),
    one(17, "subdomain", Text),
    one(19, "schedulerName", Text),
];
const TEMPLATE: &[Field] = &[one(1, "metadata", Message(METADATA)), one(2, "spec", Message(POD))];
const DEPLOYMENT: &[Field] = &[
    one(1, "replicas", Int),
    one(2, "selector", Message(SELECTOR)),
    one(3, "template", Message(TEMPLATE)),
    one(4, "strategy", Message(&[one(1, "type", Text)])),
    one(5, "minReadySeconds", Count),
    one(6, "revisionHistoryLimit", Int),
    one(7, "paused", Bool),
    one(9, "progressDeadlineSeconds", Int),
];
const JOB: &[Field] = &[
    one(1, "parallelism", Int),
    one(2, "completions", Int),
    one(3, "activeDeadlineSeconds", Int),
    one(4, "selector", Message(SELECTOR)),
    one(5, "manualSelector", Bool),
    one(6, "template", Message(TEMPLATE)),
    one(7, "backoffLimit", Int),
    one(8, "ttlSecondsAfterFinished", Int),
];
const SERVICE_PORT: &[Field] = &[
    one(1, "name", Text),
    one(2, "protocol", Text),
    one(3, "port", Int),
    one(4, "targetPort", IntOrString),
    one(5, "nodePort", Count),
];
const SERVICE: &[Field] = &[
    many(1, "ports", Message(SERVICE_PORT)),
    one(2, "selector", TEXTS),
    one(3, "clusterIP", Text),
    one(4, "type", Text),
    many(5, "externalIPs", Text),
    one(7, "sessionAffinity", Text),
    one(8, "loadBalancerIP", Text),
    one(10, "externalName", Text),
    one(11, "externalTrafficPolicy", Text),
    one(12, "healthCheckNodePort", Skipped),
    one(13, "publishNotReadyAddresses", Bool),
];
const RULE: &[Field] = &[
    many(1, "verbs", Text),
    many(2, "apiGroups", Text),
    many(3, "resources", Text),
    many(4, "resourceNames", Text),
    many(5, "nonResourceURLs", Text),
];
const SUBJECT: &[Field] =
    &[one(1, "kind", Text), one(2, "apiGroup", Text), one(3, "name", Text), one(4, "namespace", Text)];
const ROLE_REF: &[Field] = &[one(1, "apiGroup", Text), one(2, "kind", Text), one(3, "name", Text)];
const BINDING: &[Field] = &[
    one(1, "metadata", Message(METADATA)),
    many(2, "subjects", Message(SUBJECT)),
    one(3, "roleRef", Message(ROLE_REF)),
];
const ROLE: &[Field] = &[one(1, "metadata", Message(METADATA)), many(2, "rules", Message(RULE))];

const PRECONDITIONS: &[Field] = &[one(1, "uid", Text), one(2, "resourceVersion", Text)];
const DELETION: &[Field] = &[
    one(1, "gracePeriodSeconds", Int),
    one(2, "preconditions", Message(PRECONDITIONS)),
    one(3, "orphanDependents", Bool),
    one(4, "propagationPolicy", Text),
    many(5, "dryRun", Text),
];

const BOUND_TO: &[Field] =
    &[one(1, "kind", Text), one(2, "apiVersion", Text), one(3, "name", Text), one(4, "uid", Text)];
const TOKEN: &[Field] =
    &[many(1, "audiences", Text), one(3, "boundObjectRef", Message(BOUND_TO)), one(4, "expirationSeconds", Int)];

const TOKEN_TO_REVIEW: &[Field] = &[one(1, "token", Text), many(2, "audiences", Text)];
const RESOURCE_ATTRIBUTES: &[Field] = &[
    one(1, "namespace", Text),
    one(2, "verb", Text),
    one(3, "group", Text),
    one(4, "version", Text),
    one(5, "resource", Text),
    one(6, "subresource", Text),
    one(7, "name", Text),
];
const ACCESS: &[Field] = &[
    one(1, "resourceAttributes", Message(RESOURCE_ATTRIBUTES)),
    one(2, "nonResourceAttributes", Message(&[one(1, "path", Text), one(2, "verb", Text)])),
    one(3, "user", Text),
    many(4, "groups", Text),
    one(6, "uid", Text),
];
const RULES_OF: &[Field] = &[one(1, "namespace", Text)];
const QUOTA: &[Field] = &[one(1, "hard", Type::Map(&Quantity)), many(2, "scopes", Text)];

const META: Field = one(1, "metadata", Message(METADATA));
const STATUS: Field = one(3, "status", Skipped);

/// The fields of a kind that may come in this form.
pub(super) fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" => const { &[META, one(2, "spec", Skipped), STATUS] },
        "SelfSubjectAccessReview" | "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            const { &[META, one(2, "spec", Message(ACCESS)), STATUS] }
        }
        "SelfSubjectRulesReview" => const { &[META, one(2, "spec", Message(RULES_OF)), STATUS] },
        "TokenReview" => const { &[META, one(2, "spec", Message(TOKEN_TO_REVIEW)), STATUS] },
        "ResourceQuota" => const { &[META, one(2, "spec", Message(QUOTA)), STATUS] },
        "ConfigMap" => {
            const { &[META, one(2, "data", TEXTS), one(3, "binaryData", Type::Map(&Bytes)), one(4, "immutable", Bool)] }
        }
        "Secret" => {
            const {
                &[
                    META,
                    one(2, "data", Type::Map(&Bytes)),
                    one(3, "type", Text),
                    one(4, "stringData", TEXTS),
                    one(5, "immutable", Bool),
                ]
            }
        }
        "ServiceAccount" => {
            const { &[META, many(3, "imagePullSecrets", NAMED), one(4, "automountServiceAccountToken", Bool)] }
        }
        "Pod" => const { &[META, one(2, "spec", Message(POD)), STATUS] },
        "Deployment" => const { &[META, one(2, "spec", Message(DEPLOYMENT)), STATUS] },
        "Job" => const { &[META, one(2, "spec", Message(JOB)), STATUS] },
        "Service" => const { &[META, one(2, "spec", Message(SERVICE)), STATUS] },
        "Role" | "ClusterRole" => ROLE,
        "RoleBinding" | "ClusterRoleBinding" => BINDING,
        "SelfSubjectReview" => const { &[META, one(2, "status", Skipped)] },
        "TokenRequest" => const { &[META, one(2, "spec", Message(TOKEN)), STATUS] },
        "DeleteOptions" => DELETION,
        _ => return None,
    })
}
