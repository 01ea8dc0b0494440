//! How long ago something was.

use jiff::Timestamp;

/// A span of seconds as kubectl writes ages: the two largest units, and one where that says enough.
pub fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 && seconds % 60 > 0 => format!("{minutes}m{}s", seconds % 60),
        () if hours < 3 => format!("{minutes}m"),
        () if hours < 8 && minutes % 60 > 0 => format!("{hours}h{}m", minutes % 60),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 && hours % 24 > 0 => format!("{days}d{}h", hours % 24),
        () => format!("{days}d"),
    }
}

/// How long a point in time is past, which text tells; empty if it tells none.
pub fn ago(text: &str, now: Timestamp) -> String {
    match text.parse::<Timestamp>() {
        // The original wrote the begin of time where there was none.
        Ok(then) if then.as_second() > 0 => age(now.as_second() - then.as_second()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_or_two_units() {
        let cases = [
            (-5, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (150, "2m30s"),
            (3599, "59m"),
            (7200, "120m"),
            (12_600, "3h30m"),
            (40_000, "11h"),
            (200_000, "2d7h"),
            (864_000, "10d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(age(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn the_begin_of_time_is_no_time() {
        let now = Timestamp::from_second(1_000_000_000).expect("a time");
        assert_eq!(ago("1970-01-01T00:00:00.000Z", now), "");
        assert_eq!(ago("2001-09-09T01:46:00Z", now), "40s");
        assert_eq!(ago("soon", now), "");
    }
}
