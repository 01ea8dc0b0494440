//! What pods and the machine use of CPU and memory, as `/stats/summary` tells it.
//!
//! Nothing is measured while nobody asks: a figure of CPU is what was used since the question before, or within half a second
//! if that is too long ago. Invariant: only processes of containers count, each for the session that it belongs to.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::param::{clock_ticks_per_second, page_size};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::killing::Life;
use super::streams::Running;

/// A sample within this time says what the use is now.
const RECENT: std::ops::Range<Duration> = Duration::from_millis(900)..Duration::from_mins(1);
/// As long is waited for a second sample.
const BETWEEN: Duration = Duration::from_millis(500);
const NANOSECONDS: u64 = 1_000_000_000;

/// The last sample.
#[derive(Clone, Default)]
pub(super) struct Figures(Arc<Mutex<Option<Sample>>>);

#[derive(Debug, Clone)]
struct Sample {
    at: Instant,
    /// By session, the id of its first process.
    sessions: HashMap<i32, Use>,
    machine: Use,
}

/// CPU time since the begin, and memory now.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Use {
    ticks: u64,
    bytes: u64,
}

impl Figures {
    /// The summary of the node and its pods.
    pub async fn summary(&self, node: &str, running: &Running) -> Value {
        let mut last = self.0.lock().await;
        let before = if let Some(sample) = last.take().filter(|sample| RECENT.contains(&sample.at.elapsed())) {
            sample
        } else {
            let first = Sample::take();
            tokio::time::sleep(BETWEEN).await;
            first
        };
        let now = Sample::take();
        let summary = summarize(node, &running.all(), &before, &now);
        *last = Some(now);
        summary
    }
}

fn summarize(node: &str, running: &[Life], before: &Sample, now: &Sample) -> Value {
    let time = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let seconds = now.at.duration_since(before.at).as_secs_f64();
    let figures = |old: Use, new: Use| {
        json!({
            "cpu": {"time": time, "usageNanoCores": rate(old.ticks, new.ticks, seconds), "usageCoreNanoSeconds": new.ticks * (NANOSECONDS / clock_ticks_per_second())},
            "memory": {"time": time, "workingSetBytes": new.bytes, "usageBytes": new.bytes},
        })
    };
    let mut pods: HashMap<&str, (Value, Vec<Value>)> = HashMap::new();
    for life in running {
        let metadata = &life.sandbox.pod.metadata;
        let uid = metadata.uid.as_deref().unwrap_or_default();
        let of = |sample: &Sample| sample.sessions.get(&life.process.id).copied().unwrap_or_default();
        let mut container = figures(of(before), of(now));
        container["name"] = life.container.name.as_str().into();
        let reference = json!({"name": metadata.name, "namespace": metadata.namespace, "uid": uid});
        pods.entry(uid).or_insert_with(|| (reference, Vec::new())).1.push(container);
    }
    let pods: Vec<Value> = pods
        .into_values()
        .map(|(reference, containers)| json!({"podRef": reference, "containers": containers}))
        .collect();
    let mut own = figures(before.machine, now.machine);
    own["nodeName"] = node.into();
    json!({"node": own, "pods": pods, "windowSeconds": seconds})
}

/// Billionths of a CPU.
fn rate(before: u64, after: u64, seconds: f64) -> u64 {
    let milliseconds = Duration::from_secs_f64(seconds.max(0.001)).as_millis().max(1);
    let nanoseconds =
        u128::from(after.saturating_sub(before)) * u128::from(NANOSECONDS / clock_ticks_per_second()) * 1000;
    u64::try_from(nanoseconds / milliseconds).unwrap_or(u64::MAX)
}

impl Sample {
    fn take() -> Self {
        let mut sessions: HashMap<i32, Use> = HashMap::new();
        let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
        for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<i32>().is_ok()))
        {
            let Some((session, of)) = fs::read_to_string(entry.path().join("stat")).ok().as_deref().and_then(process)
            else {
                continue;
            };
            let sum = sessions.entry(session).or_default();
            sum.ticks += of.ticks;
            sum.bytes += of.bytes;
        }
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let machine = Use { ticks: busy(&read("/proc/stat")), bytes: used(&read("/proc/meminfo")) };
        Self { at: Instant::now(), sessions, machine }
    }
}

/// Session and use of a process, from its `stat`.
fn process(stat: &str) -> Option<(i32, Use)> {
    // The name, in parentheses, may hold anything; after it: state, parent, group, session …
    let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let bytes = number(21)? * page_size() as u64;
    Some((fields.get(3)?.parse().ok()?, Use { ticks: number(11)? + number(12)?, bytes }))
}

/// Ticks that the machine was not idle, from `/proc/stat`.
fn busy(stat: &str) -> u64 {
    let line = stat.lines().next().unwrap_or_default();
    let numbers: Vec<u64> = line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
    // user, nice, system, idle, waiting, and interrupts; those of guests are within user.
    numbers.iter().enumerate().filter(|(index, _)| !matches!(index, 3 | 4 | 8..)).map(|(_, ticks)| ticks).sum()
}

/// Bytes in use, from `/proc/meminfo`.
fn used(memory: &str) -> u64 {
    let kilobytes = |name: &str| {
        let line = memory.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default()
    };
    kilobytes("MemTotal").saturating_sub(kilobytes("MemAvailable")) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_the_kernel_writes_them() {
        let stat =
            "42 (a b) c) S 1 42 41 0 -1 4194560 100 0 0 0 7 5 0 0 20 0 1 0 100 1000000 250 18446744073709551615 1";
        assert_eq!(process(stat), Some((41, Use { ticks: 12, bytes: 250 * page_size() as u64 })));
        assert_eq!(busy("cpu  10 1 5 1000 50 2 3 0 4 0\ncpu0 1"), 21);
        assert_eq!(used("MemTotal:  100 kB\nMemFree: 5 kB\nMemAvailable:   40 kB\n"), 60 * 1024);
        assert_eq!(rate(100, 150, 1.0), 500_000_000);
    }

    #[test]
    fn this_very_process_counts() {
        let sample = Sample::take();
        assert!(sample.machine.bytes > 0 && sample.sessions.values().any(|session| session.bytes > 0));
    }
}
