//! What time it is: the wall clock, which people set, and a monotonic one, which nobody does.
//!
//! Control loops read the time only here, so that it can be given to them. Invariant: `monotonic` never goes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock. Cheap to clone; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The machine's; monotonic time counts from here.
    Machine(Instant),
    Hands(Arc<Hands>),
}

/// The hands of a clock that somebody else moves.
#[derive(Debug, Default)]
pub struct Hands {
    /// Microseconds since 1970.
    wall: AtomicI64,
    /// Nanoseconds.
    monotonic: AtomicU64,
}

impl Hands {
    /// Sets the wall clock, to any time.
    pub fn set_wall(&self, now: Timestamp) {
        self.wall.store(now.as_microsecond(), Ordering::Relaxed);
    }

    /// Lets time pass, on both clocks.
    pub fn pass(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let microseconds = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        self.monotonic.fetch_add(nanoseconds, Ordering::Relaxed);
        self.wall.fetch_add(microseconds, Ordering::Relaxed);
    }
}

impl Clock {
    /// The machine's clock.
    pub fn machine() -> Self {
        Self(Source::Machine(Instant::now()))
    }

    /// A clock that shows what its hands show.
    pub fn given(hands: &Arc<Hands>) -> Self {
        Self(Source::Hands(Arc::clone(hands)))
    }

    /// The time of day. It may jump.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Machine(_) => Timestamp::now(),
            Source::Hands(hands) => {
                Timestamp::from_microsecond(hands.wall.load(Ordering::Relaxed)).unwrap_or(Timestamp::MAX)
            }
        }
    }

    /// The time since the clock was made.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::Machine(start) => start.elapsed(),
            Source::Hands(hands) => Duration::from_nanos(hands.monotonic.load(Ordering::Relaxed)),
        }
    }

    /// Returns after that time. Who sleeps by a given clock moves it.
    pub async fn sleep(&self, time: Duration) {
        match &self.0 {
            Source::Machine(_) => tokio::time::sleep(time).await,
            Source::Hands(hands) => hands.pass(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{Clock, Hands};

    #[tokio::test(start_paused = true)]
    async fn a_given_clock_shows_what_it_is_given() {
        let hands = Arc::new(Hands::default());
        let clock = Clock::given(&hands);
        clock.sleep(Duration::from_secs(3)).await;
        hands.set_wall(Timestamp::from_second(1_000).expect("in range"));
        hands.pass(Duration::from_millis(1));
        assert_eq!(clock.monotonic(), Duration::from_millis(3_001));
        assert_eq!(clock.now(), Timestamp::from_millisecond(1_000_001).expect("in range"));
        let machine = Clock::machine();
        machine.sleep(Duration::from_secs(5)).await;
        assert!(machine.monotonic() >= Duration::from_secs(5));
    }
}
