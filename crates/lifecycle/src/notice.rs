//! Something worth telling: a Kubernetes Event on the object that was decided about.

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
}
