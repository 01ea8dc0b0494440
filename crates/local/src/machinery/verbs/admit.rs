//! What every write goes through: defaults, types, schemas, rules.

use serde_json::Value;

use super::super::builtin::{self, Admission, Allocator};
use super::super::error::Result;
use super::super::{Machinery, meta};
use super::Call;

impl Machinery {
    /// Brings `new` into the form in which it is stored, or says why it cannot be. `old` is what is there, if anything.
    pub(crate) fn admit(&self, call: &mut Call<'_>, old: Option<&Value>, new: &mut Value) -> Result<()> {
        let kind = call.kind.clone();
        let addresses = Allocator { store: &self.store, subnet: self.settings.service_subnet };
        let mut errors = builtin::validate_metadata(new);
        if kind.custom.is_none() {
            let admission = Admission { kind: &kind, old, subresource: call.subresource(), addresses };
            errors.extend(builtin::admit(&admission, new)?);
        }
        if errors.is_empty() { Ok(()) } else { Err(call.invalid(meta::name(new), &errors)) }
    }
}
