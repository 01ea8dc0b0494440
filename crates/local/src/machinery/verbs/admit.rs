//! What every write goes through: unknown fields, defaults, types, schemas, rules.

use serde_json::Value;

use super::super::builtin::{self, Admission, Allocator};
use super::super::custom::{self, Custom};
use super::super::error::{Failure, FieldError, Result};
use super::super::request::FieldValidation;
use super::super::{Machinery, meta, schema};
use super::Call;

impl Machinery {
    /// Brings `new` into the form in which it is stored, or says why it cannot be. `old` is what is there, if anything.
    pub(crate) fn admit(&self, call: &mut Call<'_>, old: Option<&Value>, new: &mut Value) -> Result<()> {
        let kind = call.kind.clone();
        let mut errors = builtin::validate_metadata(new);
        if let Some(custom) = &kind.custom {
            errors.extend(conform(custom, old, new));
        } else {
            let addresses = Allocator { store: &self.store, subnet: self.settings.service_subnet };
            let admission = Admission { kind: &kind, old, subresource: call.subresource(), addresses };
            errors.extend(builtin::admit(&admission, new)?);
            if kind.resource == "customresourcedefinitions" {
                custom::establish(new, call.now);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(call.invalid(meta::name(new), &errors)) }
    }
}

fn conform(custom: &Custom, old: Option<&Value>, new: &mut Value) -> Vec<FieldError> {
    schema::apply_defaults(&custom.schema, new);
    let mut errors = schema::validate(&custom.schema, new, old);
    // Rules expect values of the right types.
    if errors.is_empty() {
        errors = custom.rules.check(&custom.schema, new, old);
    }
    errors
}

/// Drops the fields of a body that its kind does not have; a strict request is refused for them.
pub(crate) fn drop_unknown(call: &mut Call<'_>, object: &mut Value) -> Result<()> {
    let mut unknown: Vec<String> = Vec::new();
    meta::metadata(object).retain(|key, _| {
        let known = meta::FIELDS.contains(&key.as_str());
        if !known {
            unknown.push(format!("metadata.{key}"));
        }
        known
    });
    if let Some(custom) = &call.kind.custom {
        unknown.extend(schema::prune(&custom.schema, object));
    } else if let Some(document) = builtin::schema(&call.kind) {
        unknown.extend(schema::unknown(&document, object));
    }
    unknown.sort();
    let named: Vec<String> = unknown.iter().map(|path| format!("unknown field {path:?}")).collect();
    match call.validation {
        FieldValidation::Strict if !named.is_empty() => {
            let (kind, version) = (&call.kind.name, &call.kind.version);
            let why = named.join(", ");
            Err(Failure::bad_request(format!(
                "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {why}"
            )))
        }
        FieldValidation::Warn => {
            call.warnings.extend(named);
            Ok(())
        }
        FieldValidation::Strict | FieldValidation::Ignore => Ok(()),
    }
}
