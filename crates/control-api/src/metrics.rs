//! Metrics of jobs, JobManagers and TaskManagers: members of an answer, and the Flink metric that each is.
//!
//! Flink answers with text. What it does not know is 0 or empty, as clients of flink-k8s-toolbox expect.

use serde_json::{Map, Value};

/// How the text of a metric becomes a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Integer,
    Real,
    Text,
}

/// A member of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name of the member.
    pub member: &'static str,
    /// Name of the Flink metric.
    pub flink: &'static str,
    pub type_: Type,
}

const fn integer(member: &'static str, flink: &'static str) -> Metric {
    Metric { member, flink, type_: Type::Integer }
}

/// Of a job.
pub const JOB: &[Metric] = &[
    integer("totalNumberOfCheckpoints", "totalNumberOfCheckpoints"),
    integer("numberOfCompletedCheckpoints", "numberOfCompletedCheckpoints"),
    integer("numberOfInProgressCheckpoints", "numberOfInProgressCheckpoints"),
    integer("numberOfFailedCheckpoints", "numberOfFailedCheckpoints"),
    integer("lastCheckpointDuration", "lastCheckpointDuration"),
    integer("lastCheckpointSize", "lastCheckpointSize"),
    integer("lastCheckpointRestoreTimestamp", "lastCheckpointRestoreTimestamp"),
    integer("lastCheckpointAlignmentBuffered", "lastCheckpointAlignmentBuffered"),
    Metric { member: "lastCheckpointExternalPath", flink: "lastCheckpointExternalPath", type_: Type::Text },
    // `fullRestarts` is `numRestarts` since Flink 2.0; see `read`.
    integer("fullRestarts", "fullRestarts"),
    integer("numRestarts", "numRestarts"),
    integer("restartingTime", "restartingTime"),
    integer("uptime", "uptime"),
    integer("downtime", "downtime"),
];

/// Of a JobManager, and of a TaskManager, where the last four are 0.
pub const PROCESS: &[Metric] = &[
    integer("jvmCPUTime", "Status.JVM.CPU.Time"),
    Metric { member: "jvmCPULoad", flink: "Status.JVM.CPU.Load", type_: Type::Real },
    integer("jvmThreadsCount", "Status.JVM.Threads.Count"),
    integer("jvmMemoryHeapMax", "Status.JVM.Memory.Heap.Max"),
    integer("jvmMemoryHeapUsed", "Status.JVM.Memory.Heap.Used"),
    integer("jvmMemoryHeapCommitted", "Status.JVM.Memory.Heap.Committed"),
    integer("jvmMemoryNonHeapMax", "Status.JVM.Memory.NonHeap.Max"),
    integer("jvmMemoryNonHeapUsed", "Status.JVM.Memory.NonHeap.Used"),
    integer("jvmMemoryNonHeapCommitted", "Status.JVM.Memory.NonHeap.Committed"),
    integer("jvmMemoryDirectCount", "Status.JVM.Memory.Direct.Count"),
    integer("jvmMemoryDirectMemoryUsed", "Status.JVM.Memory.Direct.MemoryUsed"),
    integer("jvmMemoryDirectTotalCapacity", "Status.JVM.Memory.Direct.TotalCapacity"),
    integer("jvmMemoryMappedCount", "Status.JVM.Memory.Mapped.Count"),
    integer("jvmMemoryMappedMemoryUsed", "Status.JVM.Memory.Mapped.MemoryUsed"),
    integer("jvmMemoryMappedTotalCapacity", "Status.JVM.Memory.Mapped.TotalCapacity"),
    integer("jvmGarbageCollectorCopyTime", "Status.JVM.GarbageCollector.Copy.Time"),
    integer("jvmGarbageCollectorCopyCount", "Status.JVM.GarbageCollector.Copy.Count"),
    integer("jvmGarbageCollectorMarkSweepCompactTime", "Status.JVM.GarbageCollector.MarkSweepCompact.Time"),
    integer("jvmGarbageCollectorMarkSweepCompactCount", "Status.JVM.GarbageCollector.MarkSweepCompact.Count"),
    // The collectors of other JVMs than the one that flink-k8s-toolbox was made for; Flink writes blanks as underscores.
    integer("jvmGarbageCollectorG1YoungGenerationTime", "Status.JVM.GarbageCollector.G1_Young_Generation.Time"),
    integer("jvmGarbageCollectorG1YoungGenerationCount", "Status.JVM.GarbageCollector.G1_Young_Generation.Count"),
    integer("jvmGarbageCollectorG1OldGenerationTime", "Status.JVM.GarbageCollector.G1_Old_Generation.Time"),
    integer("jvmGarbageCollectorG1OldGenerationCount", "Status.JVM.GarbageCollector.G1_Old_Generation.Count"),
    integer("jvmGarbageCollectorAllTime", "Status.JVM.GarbageCollector.All.Time"),
    integer("jvmGarbageCollectorAllCount", "Status.JVM.GarbageCollector.All.Count"),
    integer("jvmClassLoaderClassesLoaded", "Status.JVM.ClassLoader.ClassesLoaded"),
    integer("jvmClassLoaderClassesUnloaded", "Status.JVM.ClassLoader.ClassesUnloaded"),
    integer("taskSlotsTotal", "taskSlotsTotal"),
    integer("taskSlotsAvailable", "taskSlotsAvailable"),
    integer("numRegisteredTaskManagers", "numRegisteredTaskManagers"),
    integer("numRunningJobs", "numRunningJobs"),
];

/// The names to ask Flink for.
pub fn wanted(metrics: &[Metric]) -> impl Iterator<Item = &'static str> {
    metrics.iter().map(|metric| metric.flink)
}

/// The members, from what Flink answered. Text that is no number counts as not known.
pub fn read(metrics: &[Metric], value: impl Fn(&str) -> Option<String>) -> Value {
    let mut members = Map::new();
    for metric in metrics {
        let text = value(metric.flink);
        let read = match metric.type_ {
            Type::Text => Value::from(text.unwrap_or_default()),
            Type::Integer => Value::from(text.as_deref().and_then(whole).unwrap_or(0)),
            Type::Real => {
                let number = text.and_then(|text| text.parse::<f64>().ok()).filter(|number| number.is_finite());
                Value::from(number.unwrap_or(0.0))
            }
        };
        members.insert(metric.member.to_owned(), read);
    }
    // One name for both generations of Flink.
    if let Some(restarts) = members.get("numRestarts").filter(|restarts| **restarts != 0).cloned() {
        members.insert("fullRestarts".to_owned(), restarts);
    }
    Value::Object(members)
}

/// A whole number; Flink writes some of them as `12.0` or `1.2E10`.
fn whole(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are looked at, and the fraction is not wanted")]
    (number.abs() < 9e15).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// SC-543
    #[test]
    fn what_flink_does_not_know_is_zero() {
        let known = BTreeMap::from([
            ("uptime", "1200"),
            ("lastCheckpointSize", "1.5E4"),
            ("downtime", "NaN"),
            ("numRestarts", "3"),
            ("lastCheckpointExternalPath", "file:/c/chk-1"),
        ]);
        let read = read(JOB, |name| known.get(name).map(|text| (*text).to_owned()));
        assert_eq!(read["uptime"], 1200);
        assert_eq!(read["lastCheckpointSize"], 15_000);
        assert_eq!(read["downtime"], 0);
        assert_eq!(read["fullRestarts"], 3);
        assert_eq!(read["lastCheckpointExternalPath"], "file:/c/chk-1");
    }

    /// F-36
    #[test]
    fn direct_memory_is_asked_for() {
        assert!(wanted(PROCESS).any(|name| name == "Status.JVM.Memory.Direct.MemoryUsed"));
    }
}
