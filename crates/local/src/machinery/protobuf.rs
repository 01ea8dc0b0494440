//! Bodies in Kubernetes' protobuf form, which `kubectl create namespace` and its like send without asking.
//!
//! Only what those commands can write is known; anything else is refused by name rather than dropped.

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

/// Number, name, type, and whether it repeats.
type Field = (u64, &'static str, Type, bool);

const fn one(number: u64, name: &'static str, of: Type) -> Field {
    (number, name, of, false)
}

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

const META: Field = one(1, "metadata", Message(METADATA));
const STATUS: Field = one(3, "status", Skipped);

fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        // What a review asks for does not matter: everything is allowed.
        "Namespace"
        | "SelfSubjectAccessReview"
        | "SelfSubjectRulesReview"
        | "SubjectAccessReview"
        | "LocalSubjectAccessReview" => const { &[META, one(2, "spec", Skipped), STATUS] },
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
