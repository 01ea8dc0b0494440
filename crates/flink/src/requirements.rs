//! How many subtasks the operators of a job are to have, which the adaptive scheduler changes while a job runs:
//! `/jobs/:id/resource-requirements`.
//!
//! Flink wants all operators in one request, and knows no parallelism of the job as a whole: an operator follows it unless the program
//! gives the operator a number of its own. Which of them do is told by their numbers alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::TriggerId;

/// What is asked of Flink for each operator, by its id.
pub type Requirements = BTreeMap<String, Requirement>;

/// What is asked for one operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    pub parallelism: Bounds,
}

/// Flink uses as many slots as there are between these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    pub lower_bound: u32,
    pub upper_bound: u32,
}

/// The same requirements, in which operators that follow the job's parallelism get another one. `None` if no operator does.
pub fn changed(requirements: &Requirements, from: u32, to: u32) -> Option<Requirements> {
    let mut changed = requirements.clone();
    let mut any = false;
    for Requirement { parallelism } in changed.values_mut().filter(|one| one.parallelism.upper_bound == from) {
        any = true;
        *parallelism = Bounds { lower_bound: parallelism.lower_bound.min(to), upper_bound: to };
    }
    any.then_some(changed)
}

/// `/jobs/:id`, as far as it tells how many subtasks there are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Vertices {
    #[serde(default)]
    pub vertices: Vec<Vertex>,
}

/// One operator that runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Vertex {
    pub id: String,
    pub parallelism: u32,
}

/// The body of `POST /jobs/:id/checkpoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointRequest {
    /// As the job is configured; `INCREMENTAL` is refused.
    pub checkpoint_type: &'static str,
    pub trigger_id: TriggerId,
}

impl CheckpointRequest {
    pub fn new(trigger_id: TriggerId) -> Self {
        Self { checkpoint_type: "CONFIGURED", trigger_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operators_that_follow_the_job_are_changed() {
        let text = r#"{"a":{"parallelism":{"lowerBound":1,"upperBound":2}},"b":{"parallelism":{"lowerBound":1,"upperBound":1}},
                       "c":{"parallelism":{"lowerBound":2,"upperBound":2}}}"#;
        let requirements: Requirements = serde_json::from_str(text).unwrap();
        let more = changed(&requirements, 2, 4).unwrap();
        let bounds = |all: &Requirements, id: &str| (all[id].parallelism.lower_bound, all[id].parallelism.upper_bound);
        assert_eq!((bounds(&more, "a"), bounds(&more, "b"), bounds(&more, "c")), ((1, 4), (1, 1), (2, 4)));
        assert_eq!(bounds(&changed(&requirements, 2, 1).unwrap(), "c"), (1, 1));
        assert_eq!(changed(&requirements, 3, 4), None);
        assert_eq!(
            serde_json::to_value(&requirements).unwrap(),
            serde_json::from_str::<serde_json::Value>(text).unwrap()
        );
    }
}
