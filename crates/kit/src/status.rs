//! Status writes. The object carries the resourceVersion that was observed, so a write on stale knowledge does not happen.

use std::fmt::Debug;

use kube::Resource;
use kube::api::{Api, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Outcome;
use crate::client::{CallError, DEADLINE, call};

/// Replaces the status of the object by the one in `object`, if it is still at `object`'s resourceVersion.
pub async fn replace<K>(api: &Api<K>, object: &K) -> Result<Outcome<K>, CallError>
where
    K: Resource + Serialize + DeserializeOwned + Clone + Debug,
{
    let meta = object.meta();
    debug_assert!(meta.resource_version.is_some(), "a status write without an observed resourceVersion");
    let name = meta.name.as_deref().unwrap_or_default();
    Outcome::of(call(DEADLINE, api.replace_status(name, &PostParams::default(), object)).await)
}
