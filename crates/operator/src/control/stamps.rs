//! The identities of actions: milliseconds since 1970, as flink-k8s-toolbox wrote them, but never the same twice.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Gives each action its own.
#[derive(Debug, Default)]
pub struct Stamps {
    last: AtomicI64,
}

impl Stamps {
    /// The next one: now, or one more than the last.
    pub fn next(&self) -> String {
        let now = Timestamp::now().as_millisecond();
        let step = |last: i64| Some(now.max(last + 1));
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap_or_default();
        now.max(last + 1).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Stamps;

    #[test]
    fn two_actions_in_one_millisecond_are_two() {
        let stamps = Stamps::default();
        let all: BTreeSet<String> = (0..1000).map(|_| stamps.next()).collect();
        assert_eq!(all.len(), 1000);
    }
}
