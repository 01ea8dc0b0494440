//! The options of a deletion: from its body or its query, and what is refused of them.

use serde_json::{Value, json};

use super::super::error::{Failure, FieldError, Result};
use super::super::{meta, request, syntax};
use super::Call;

/// `DeleteOptions`, from the body or the query.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub grace: Option<i64>,
    pub propagation: Option<String>,
    /// The old word for orphaning, or not.
    pub orphan: Option<bool>,
    pub uid: Option<String>,
    pub revision: Option<String>,
}

impl Options {
    pub fn of(call: &mut Call<'_>) -> Result<Self> {
        let body = request::body(call.request)?;
        check_types(&body)?;
        let options = Self::read(call, &body)?;
        match body["dryRun"].as_array().map(Vec::as_slice) {
            None | Some([]) => {}
            Some([only]) if only == "All" => call.dry_run = true,
            Some(other) => {
                let wrong = FieldError::unsupported("dryRun", &json!(other), &["All".into()]);
                return Err(Failure::invalid("meta.k8s.io", "DeleteOptions", "", &[wrong]));
            }
        }
        Ok(options)
    }

    pub fn read(call: &Call<'_>, body: &Value) -> Result<Self> {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let query = |name: &str| call.query.get(name).map(str::to_owned);
        // A body, even an empty one, is all that counts.
        let asked = body.is_null();
        let options = Self {
            grace: match body["gracePeriodSeconds"].as_i64() {
                None if asked => call.query.number("gracePeriodSeconds")?,
                grace => grace,
            },
            propagation: text("/propagationPolicy").or_else(|| query("propagationPolicy").filter(|_| asked)),
            orphan: body["orphanDependents"]
                .as_bool()
                .or_else(|| query("orphanDependents").filter(|_| asked).map(|orphan| orphan == "true")),
            uid: text("/preconditions/uid"),
            revision: text("/preconditions/resourceVersion"),
        };
        let mut wrong = Vec::new();
        if let Some(policy) = &options.propagation {
            let policy = Value::from(policy.as_str());
            if options.orphan.is_some() {
                let detail = "orphanDependents and deletionPropagation cannot be both set";
                wrong.push(FieldError::invalid("propagationPolicy", &policy, detail));
            }
            if !matches!(policy.as_str(), Some("Background" | "Foreground" | "Orphan")) {
                let supported = ["Foreground".into(), "Background".into(), "Orphan".into(), "nil".into()];
                wrong.push(FieldError::unsupported("propagationPolicy", &policy, &supported));
            }
        }
        if wrong.is_empty() { Ok(options) } else { Err(Failure::invalid("meta.k8s.io", "DeleteOptions", "", &wrong)) }
    }

    /// Whether a client that waits for dependents, in the old words, is told that the end is not yet.
    pub fn accepted(&self) -> bool {
        self.orphan == Some(false)
    }
}

/// The fields of the options, what they may be, and how the server calls that.
const TYPES: [(&str, &str, &str); 5] = [
    ("gracePeriodSeconds", "number", "int64"),
    ("orphanDependents", "bool", "bool"),
    ("propagationPolicy", "string", "v1.DeletionPropagation"),
    ("preconditions", "object", "v1.Preconditions"),
    ("dryRun", "array", "[]string"),
];

/// Refuses a body that is something else than options.
fn check_types(body: &Value) -> Result<()> {
    let (kind, version) = (meta::text(body, "/kind"), meta::text(body, "/apiVersion"));
    if !matches!(kind, "" | "DeleteOptions") {
        let why =
            format!("no kind {kind:?} is registered for version {version:?} in scheme \"pkg/runtime/scheme.go:111\"");
        return Err(Failure::bad_request(why));
    }
    for (field, wanted, name) in TYPES {
        let found = syntax::shape(&body[field]);
        if !matches!(found, "null") && found != wanted {
            let why =
                format!("json: cannot unmarshal {found} into Go struct field DeleteOptions.{field} of type {name}");
            return Err(Failure::bad_request(why));
        }
    }
    Ok(())
}
