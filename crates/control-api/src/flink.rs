//! What Flink says of jobs and TaskManagers, cut down to the members that flink-k8s-toolbox showed.
//!
//! Flink's own answers differ between versions; these members do not. One that a version lacks is left out.

use serde_json::{Map, Value, json};

/// Which members of an answer are shown.
#[derive(Debug)]
pub enum Shape {
    /// A value as it is, described by its JSON type.
    Leaf(&'static str),
    /// An object with any members of one type.
    Each(&'static str),
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

use Shape::{Each, Leaf, List, Object};

const TEXT: Shape = Leaf("string");
const INTEGER: Shape = Leaf("integer");
const NUMBER: Shape = Leaf("number");
const BOOLEAN: Shape = Leaf("boolean");

/// Details of a job.
pub const JOB: Shape = Object(&[
    ("jid", TEXT),
    ("name", TEXT),
    ("isStoppable", BOOLEAN),
    ("state", TEXT),
    ("start-time", INTEGER),
    ("end-time", INTEGER),
    ("duration", INTEGER),
    ("now", INTEGER),
    ("timestamps", Each("integer")),
    ("vertices", List(&VERTEX)),
    ("status-counts", Each("integer")),
    ("plan", Object(&[("jid", TEXT), ("name", TEXT), ("nodes", List(&NODE))])),
]);

const VERTEX: Shape = Object(&[
    ("id", TEXT),
    ("name", TEXT),
    ("parallelism", INTEGER),
    ("status", TEXT),
    ("start-time", INTEGER),
    ("end-time", INTEGER),
    ("duration", INTEGER),
    ("tasks", Each("integer")),
    (
        "metrics",
        Object(&[
            ("read-bytes", INTEGER),
            ("read-bytes-complete", BOOLEAN),
            ("write-bytes", INTEGER),
            ("write-bytes-complete", BOOLEAN),
            ("read-records", INTEGER),
            ("read-records-complete", BOOLEAN),
            ("write-records", INTEGER),
            ("write-records-complete", BOOLEAN),
        ]),
    ),
]);

const NODE: Shape = Object(&[
    ("id", TEXT),
    ("parallelism", INTEGER),
    ("operator", TEXT),
    ("operator_strategy", TEXT),
    ("description", TEXT),
    ("optimizer_properties", Each("string")),
]);

/// The list of TaskManagers.
pub const TASK_MANAGERS: Shape = List(&TASK_MANAGER);

const TASK_MANAGER: Shape = Object(&[
    ("id", TEXT),
    ("path", TEXT),
    ("dataPort", INTEGER),
    ("timeSinceLastHeartbeat", INTEGER),
    ("slotsNumber", INTEGER),
    ("freeSlots", INTEGER),
    ("hardware", HARDWARE),
]);

const HARDWARE: Shape =
    Object(&[("cpuCores", NUMBER), ("physicalMemory", INTEGER), ("freeMemory", INTEGER), ("managedMemory", INTEGER)]);

/// Details of a TaskManager.
pub const TASK_MANAGER_DETAILS: Shape = Object(&[
    ("id", TEXT),
    ("path", TEXT),
    ("dataPort", INTEGER),
    ("timeSinceLastHeartbeat", INTEGER),
    ("slotsNumber", INTEGER),
    ("freeSlots", INTEGER),
    ("hardware", HARDWARE),
    (
        "metrics",
        Object(&[
            ("heapUsed", INTEGER),
            ("heapCommitted", INTEGER),
            ("heapMax", INTEGER),
            ("nonHeapUsed", INTEGER),
            ("nonHeapCommitted", INTEGER),
            ("nonHeapMax", INTEGER),
            ("directCount", INTEGER),
            ("directUsed", INTEGER),
            ("directMax", INTEGER),
            ("mappedCount", INTEGER),
            ("mappedUsed", INTEGER),
            ("mappedMax", INTEGER),
            ("memorySegmentsAvailable", INTEGER),
            ("memorySegmentsTotal", INTEGER),
            ("garbageCollectors", List(&Object(&[("name", TEXT), ("count", INTEGER), ("time", INTEGER)]))),
        ]),
    ),
]);

impl Shape {
    /// The part of a value that has this shape. What is of another type than expected is kept as it is: Flink knows better.
    pub fn of(&self, value: &Value) -> Value {
        match (self, value) {
            (Object(shapes), Value::Object(members)) => {
                let kept = shapes.iter().filter_map(|(name, shape)| Some((name, shape.of(members.get(*name)?))));
                Value::Object(kept.map(|(name, value)| ((*name).to_owned(), value)).collect())
            }
            (List(shape), Value::Array(items)) => items.iter().map(|item| shape.of(item)).collect(),
            (_, other) => other.clone(),
        }
    }

    /// Its JSON schema.
    pub fn schema(&self) -> Value {
        match self {
            Leaf(type_) => json!({ "type": type_ }),
            Each(type_) => json!({ "type": "object", "additionalProperties": { "type": type_ } }),
            List(shape) => json!({ "type": "array", "items": shape.schema() }),
            Object(shapes) => {
                let members: Map<String, Value> =
                    shapes.iter().map(|(name, shape)| ((*name).to_owned(), shape.schema())).collect();
                json!({ "type": "object", "properties": members })
            }
        }
    }
}

/// Members that have another name in newer versions, from old to new.
const RENAMED: [(&str, &str); 2] = [
    ("memorySegmentsAvailable", "nettyShuffleMemorySegmentsAvailable"),
    ("memorySegmentsTotal", "nettyShuffleMemorySegmentsTotal"),
];

/// Details of a TaskManager from Flink's answer, with the names that older versions gave.
pub fn task_manager_details(mut answer: Value) -> Value {
    if let Some(Value::Object(metrics)) = answer.get_mut("metrics") {
        for (old, new) in RENAMED {
            if let Some(value) = metrics.get(new).cloned() {
                metrics.entry(old).or_insert(value);
            }
        }
    }
    TASK_MANAGER_DETAILS.of(&answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SC-537
    #[test]
    fn only_known_members_are_shown() {
        let answer = json!({ "jid": "a", "job-type": "STREAMING", "vertices": [{ "id": "v", "slotSharingGroupId": "s", "tasks": { "RUNNING": 1 } }] });
        assert_eq!(JOB.of(&answer), json!({ "jid": "a", "vertices": [{ "id": "v", "tasks": { "RUNNING": 1 } }] }));
    }

    #[test]
    fn segments_have_the_name_of_older_versions() {
        let answer = json!({ "id": "t", "metrics": { "nettyShuffleMemorySegmentsTotal": 7, "heapUsed": 1 } });
        let expected = json!({ "id": "t", "metrics": { "memorySegmentsTotal": 7, "heapUsed": 1 } });
        assert_eq!(task_manager_details(answer), expected);
    }
}
