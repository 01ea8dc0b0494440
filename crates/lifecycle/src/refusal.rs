//! What Kubernetes refused to do: told in the conditions of the resource that needs it, until it is done.
//!
//! No decision depends on it: what is needed is tried again in any case.

use api::conditions::reasons;

/// A write that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: &'static str,
    pub message: String,
}

impl Refusal {
    /// From the code and the message of an API server's answer; a conflict, or a server in trouble, is no refusal.
    pub fn of(code: u16, message: &str) -> Option<Self> {
        let reason = match code {
            403 if message.contains("exceeded quota") || message.contains("failed quota") => reasons::QUOTA_EXCEEDED,
            401 | 403 => reasons::FORBIDDEN,
            400 | 422 => reasons::INVALID,
            404 | 405 | 413 => reasons::KUBERNETES_FAILED,
            _ => return None,
        };
        Some(Self { reason, message: message.to_owned() })
    }

    /// Reason and message of a condition that would otherwise say `waiting`.
    pub(crate) fn over(&self, waiting: &str) -> (&'static str, String) {
        (self.reason, format!("{}; {waiting}", self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let reason = |code, message| Refusal::of(code, message).map(|refusal| refusal.reason);
        let quota = "pods \"a\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3";
        assert_eq!(reason(403, quota), Some("QuotaExceeded"));
        assert_eq!(reason(403, "pods is forbidden: User \"x\" cannot create resource \"pods\""), Some("Forbidden"));
        assert_eq!(reason(422, "Pod \"a\" is invalid: spec.containers[0].name"), Some("Invalid"));
        assert_eq!((reason(409, "conflict"), reason(500, "etcd"), reason(429, "slow down")), (None, None, None));
    }
}
