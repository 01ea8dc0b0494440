//! How long to wait before something is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_mins(5);
/// A container that ran that long has not crashed in a loop.
const RESET: Duration = Duration::from_mins(10);

/// Doubles from 10 to 300 seconds, as Kubernetes does.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
    restarted: bool,
}

impl Backoff {
    pub fn next(&mut self) -> Duration {
        let delay = self.last.map_or(FIRST, |last| (last * 2).min(LAST));
        self.last = Some(delay);
        delay
    }

    /// The first restart comes at once.
    pub fn next_restart(&mut self) -> Duration {
        if std::mem::replace(&mut self.restarted, true) { self.next() } else { Duration::ZERO }
    }

    pub fn ran(&mut self, time: Duration) {
        if time >= RESET {
            *self = Backoff::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_wait_longer_each_time_until_a_long_life() {
        let mut backoff = Backoff::default();
        let delays: Vec<u64> = (0..8).map(|_| backoff.next_restart().as_secs()).collect();
        assert_eq!(delays, [0, 10, 20, 40, 80, 160, 300, 300]);
        backoff.ran(RESET);
        assert_eq!(backoff.next_restart(), Duration::ZERO);
    }
}
