//! The record of who changed what: one line for each request that changes something, or would have.

use control_api::{Operation, Problem};

use super::super::names::Names;
use super::{Caller, Identity};

pub(super) fn write(
    caller: &Caller,
    namespace: &str,
    operation: Operation,
    names: &Names,
    result: Result<(), &Problem>,
) {
    let (by, groups) = match &caller.identity {
        Identity::Address(_) => ("address", String::new()),
        Identity::Certificate(certificate) => ("certificate", certificate.organizations.join(",")),
        Identity::Token(user) => ("token", user.groups.join(",")),
    };
    let target = operation.target();
    tracing::info!(
        target: "audit",
        caller = caller.name().as_ref(),
        by,
        groups,
        operation = operation.name(),
        resource = target.map(control_api::route::Target::plural).unwrap_or_default(),
        namespace,
        name = target.and_then(|target| names.resource(target)).unwrap_or_default(),
        result = result.map_or_else(kind, |()| "done".to_owned()),
        error = result.err().map(|problem| kit::error::shorten(&problem.to_string(), 500)),
        milliseconds = u64::try_from(caller.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        "{} {}",
        operation.name(),
        if result.is_ok() { "done" } else { "refused or failed" },
    );
}

fn kind(problem: &Problem) -> String {
    let name = serde_json::to_value(problem.kind).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Caller {
    /// What the caller is called.
    pub fn name(&self) -> std::borrow::Cow<'_, str> {
        match &self.identity {
            Identity::Certificate(certificate) if certificate.common_name.is_none() => {
                "the owner of a certificate without a common name".into()
            }
            identity => identity.key(),
        }
    }
}
