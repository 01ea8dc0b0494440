//! Something worth telling: a Kubernetes Event on the object that was decided about.

use api::conditions::{READY, condition, reasons};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The reason of a condition about a pod that will not run by itself.
pub fn trouble_reason(detail: &str) -> &'static str {
    const IMAGES: [&str; 6] = [
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    ];
    if IMAGES.iter().any(|word| detail.contains(word)) {
        reasons::IMAGE_ERROR
    } else if detail.contains("Unschedulable") {
        reasons::UNSCHEDULABLE
    } else {
        reasons::POD_TROUBLE
    }
}

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
        (!known).then(|| Self::warning(trouble_reason(detail), detail))
    }
}
