//! Something worth telling: a Kubernetes Event on the object that was decided about.

use api::conditions::{READY, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// Reason of the condition, and of the event, of a pod that will not run by itself.
pub const TROUBLE: &str = "PodTrouble";

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Notice {
    pub warning: bool,
    /// In CamelCase, from a small fixed set.
    pub reason: &'static str,
    pub message: String,
}

impl Notice {
    pub fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self { warning: false, reason, message: message.into() }
    }

    pub fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self { warning: true, reason, message: message.into() }
    }

    /// A trouble that the last conditions did not tell of yet.
    pub(crate) fn new_trouble(before: &[Condition], detail: &str) -> Option<Self> {
        let known = condition(before, READY).is_some_and(|ready| ready.message == detail);
        (!known).then(|| Self::warning(TROUBLE, detail))
    }
}
