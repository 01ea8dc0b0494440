//! When the world begins.

use std::time::Duration;

use jiff::Timestamp;

/// Seconds since 1970.
const START: i64 = 1_700_000_000;

/// The true time of day, so long after the world began.
pub fn wall(since: Duration) -> Timestamp {
    let nanoseconds = i128::from(START) * 1_000_000_000 + i128::try_from(since.as_nanos()).unwrap_or_default();
    Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::MAX)
}
