//! A deletion that takes long says why, and how it can be had all the same.

use std::time::Duration;

use api::annotations::{self, FORCE_DELETE};
use api::names;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// How long a deletion may take without a word.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// What a deletion that was asked for at `since` is told to wait for, if it takes long; `price` is what force costs.
pub(crate) fn blocked(since: Option<Timestamp>, now: Timestamp, waits_for: &str, price: &str) -> Option<String> {
    let since = since.filter(|since| now >= *since + PATIENCE)?;
    Some(format!(
        "being deleted since {since:.0}, and {waits_for}; annotate {FORCE_DELETE}=true to let it go all the same{price}"
    ))
}

/// How long a supervisor has to let go of an object by itself.
const SUPERVISOR: SignedDuration = SignedDuration::from_mins(2);

/// Whether the operator lets go of an object in the place of its supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Force {
    /// Nobody wants it, or there is nothing to be done.
    No,
    /// The supervisor may still do it.
    After(Duration),
    Now,
}

/// The user wants an object to be let go, whatever may run on; a supervisor that does not work cannot.
pub(crate) fn force(meta: &ObjectMeta, failing: bool, now: Timestamp) -> Force {
    let Some(since) = meta.deletion_timestamp.as_ref().map(|time| time.0) else { return Force::No };
    let held = meta.finalizers.iter().flatten().any(|finalizer| finalizer == names::SUPERVISOR_FINALIZER);
    if !held || !annotations::force_delete(meta.annotations.as_ref()) {
        return Force::No;
    }
    let left = SUPERVISOR - now.duration_since(since);
    match Duration::try_from(left) {
        Ok(left) if !failing && !left.is_zero() => Force::After(left),
        _ => Force::Now,
    }
}
