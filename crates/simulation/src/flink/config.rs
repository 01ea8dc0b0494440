//! The options of Flink that change how it behaves here.

use std::collections::BTreeMap;

use flink::option;

use super::settings::Millis;

/// What becomes of checkpoints when a job ends other than by `FINISHED`, which removes them always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retention {
    None,
    /// Kept after a failure, not after a cancellation.
    DeleteOnCancellation,
    RetainOnCancellation,
}

/// The options, read.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub entries: BTreeMap<String, String>,
    pub interval: Option<Millis>,
    pub checkpoints: Option<String>,
    pub savepoints: Option<String>,
    pub retention: Retention,
    pub refresh: Millis,
    pub heartbeat_interval: Millis,
    pub heartbeat_timeout: Millis,
    pub registration_delay: Millis,
    pub slot_timeout: Millis,
    /// How often a job is restarted, and how long after its failure.
    pub restarts: u64,
    pub restart_delay: Millis,
    pub adaptive: bool,
    pub stabilization: Millis,
    pub highly_available: bool,
    pub keeps_uploads: bool,
}

impl Config {
    pub fn new(entries: BTreeMap<String, String>) -> Self {
        let text = |key: &str| entries.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let time = |key: &str, usual: Millis| text(key).and_then(millis).unwrap_or(usual);
        let interval = text(option::CHECKPOINT_INTERVAL).and_then(millis).filter(|interval| *interval > 0);
        let (restarts, restart_delay) = match text("restart-strategy.type").or_else(|| text("restart-strategy")) {
            Some("fixed-delay") => (
                text("restart-strategy.fixed-delay.attempts").and_then(|text| text.parse().ok()).unwrap_or(1),
                time("restart-strategy.fixed-delay.delay", 1000),
            ),
            Some("none" | "disable" | "off") => (0, 0),
            Some(_) => (u64::MAX, 1000),
            None => (if interval.is_some() { u64::MAX } else { 0 }, 1000),
        };
        Self {
            interval,
            checkpoints: option::checkpoint_directory(&entries).map(str::to_owned),
            savepoints: option::savepoint_directory(&entries).map(str::to_owned),
            retention: match text(option::CHECKPOINT_RETENTION) {
                Some("RETAIN_ON_CANCELLATION") => Retention::RetainOnCancellation,
                Some("DELETE_ON_CANCELLATION") => Retention::DeleteOnCancellation,
                _ => Retention::None,
            },
            refresh: time(option::WEB_REFRESH_INTERVAL, 3000),
            heartbeat_interval: time(option::HEARTBEAT_INTERVAL, 10_000),
            heartbeat_timeout: time(option::HEARTBEAT_TIMEOUT, 50_000),
            registration_delay: time(option::REGISTRATION_ERROR_DELAY, 10_000),
            slot_timeout: time("slot.request.timeout", 300_000),
            restarts,
            restart_delay,
            adaptive: text("jobmanager.scheduler").is_some_and(|value| value.eq_ignore_ascii_case("adaptive")),
            stabilization: time("jobmanager.adaptive-scheduler.submission.resource-stabilization-timeout", 10_000),
            highly_available: option::is_highly_available(&entries),
            keeps_uploads: text(option::WEB_UPLOAD_DIRECTORY).is_some(),
            entries,
        }
    }

    /// With options that win over these.
    pub fn with(&self, others: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut entries = self.entries.clone();
        entries.extend(others);
        Self::new(entries)
    }

    /// How long a process that died is taken for alive: two heartbeats that find its port closed.
    pub fn detection(&self) -> Millis {
        (self.heartbeat_interval * 2).min(self.heartbeat_timeout)
    }
}

/// `500`, `500 ms`, `1s`, `2 min`.
fn millis(text: &str) -> Option<Millis> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: Millis = text[..split].parse().ok()?;
    let unit = match text[split..].trim() {
        "" | "ms" | "milli" | "millis" => 1,
        "s" | "sec" | "second" | "seconds" => 1000,
        "m" | "min" | "minute" | "minutes" => 60_000,
        "h" | "hour" | "hours" => 3_600_000,
        _ => return None,
    };
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_flink_reads_them() {
        for (text, wanted) in [("500", 500), ("200 ms", 200), ("1s", 1000), ("5 min", 300_000)] {
            assert_eq!(millis(text), Some(wanted), "{text}");
        }
        assert_eq!(millis("soon"), None);
    }
}
