//! Jobs as `/jobs/overview` shows them. This answer is fresh; `/jobs/:id` comes from a cache and is not used.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::JobId;

/// The state of a job, by Flink's own names. A name that we do not know is kept in `Other`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    Initializing,
    Created,
    Running,
    Failing,
    Failed,
    Cancelling,
    Canceled,
    Finished,
    Restarting,
    Suspended,
    Reconciling,
    Other(String),
}

impl JobState {
    const NAMED: [(&'static str, Self); 11] = [
        ("INITIALIZING", Self::Initializing),
        ("CREATED", Self::Created),
        ("RUNNING", Self::Running),
        ("FAILING", Self::Failing),
        ("FAILED", Self::Failed),
        ("CANCELLING", Self::Cancelling),
        ("CANCELED", Self::Canceled),
        ("FINISHED", Self::Finished),
        ("RESTARTING", Self::Restarting),
        ("SUSPENDED", Self::Suspended),
        ("RECONCILING", Self::Reconciling),
    ];

    /// Whether this execution is over for good. `SUSPENDED` is not: another JobManager may take it up.
    /// An unknown state is not either.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }

    /// Flink's name of the state.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            named => Self::NAMED.iter().find(|(_, state)| state == named).map_or("", |(name, _)| name),
        }
    }
}

impl From<&str> for JobState {
    fn from(name: &str) -> Self {
        Self::NAMED
            .into_iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| Self::Other(name.to_owned()), |(_, state)| state)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for JobState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

impl Serialize for JobState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// `/jobs/overview`. While a JobManager starts it can be empty although jobs will appear.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobsOverview {
    pub jobs: Vec<Job>,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Job {
    #[serde(rename = "jid")]
    pub id: JobId,
    pub name: String,
    pub state: JobState,
    /// Milliseconds since the epoch.
    #[serde(default)]
    pub start_time: i64,
    /// Milliseconds since the epoch, -1 while the job lives.
    #[serde(default = "still_alive")]
    pub end_time: i64,
    #[serde(default)]
    pub tasks: Tasks,
}

fn still_alive() -> i64 {
    -1
}

impl Job {
    /// Whether the job does its work: `RUNNING` alone also is a job that waits for slots.
    pub fn is_fully_running(&self) -> bool {
        self.state == JobState::Running && self.tasks.at_work()
    }
}

/// How many tasks are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Tasks {
    pub total: u32,
    pub created: u32,
    pub scheduled: u32,
    pub deploying: u32,
    pub initializing: u32,
    pub running: u32,
    pub finished: u32,
    pub canceling: u32,
    pub canceled: u32,
    pub failed: u32,
    pub reconciling: u32,
}

impl Tasks {
    /// Whether at least one task runs and none waits for a slot or starts. A batch job runs in stages: tasks of a later
    /// stage are `CREATED` while an earlier one works. Those of a streaming job leave `CREATED` together.
    pub fn at_work(&self) -> bool {
        self.running > 0 && self.running + self.finished + self.created == self.total
    }
}

/// `/jobs/:id/status`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JobStatus {
    pub status: JobState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_state_keeps_its_name() {
        for (name, state) in JobState::NAMED {
            assert_eq!(state.as_str(), name);
            assert_eq!(JobState::from(name), state);
        }
    }

    /// F-34
    #[test]
    fn an_unknown_state_is_kept_and_is_not_final() {
        let state: JobState = serde_json::from_str("\"HIBERNATING\"").unwrap();
        assert_eq!(state, JobState::Other("HIBERNATING".to_owned()));
        assert!(!state.is_terminal());
        assert_eq!(serde_json::to_string(&state).unwrap(), "\"HIBERNATING\"");
    }

    #[test]
    fn tasks_are_at_work_when_none_waits() {
        let tasks = |total, running, finished, created| Tasks { total, created, running, finished, ..Tasks::default() };
        assert!(tasks(3, 3, 0, 0).at_work());
        assert!(tasks(3, 2, 1, 0).at_work());
        assert!(tasks(3, 1, 0, 2).at_work(), "a batch job in its first stage");
        assert!(!tasks(3, 2, 0, 0).at_work(), "one is scheduled, deploying or failing");
        assert!(!tasks(3, 0, 0, 3).at_work());
        assert!(!tasks(0, 0, 0, 0).at_work());
    }

    /// SC-526 to SC-529
    #[test]
    fn only_three_states_are_final() {
        let last: Vec<_> = JobState::NAMED.iter().filter(|(_, s)| s.is_terminal()).map(|(n, _)| *n).collect();
        assert_eq!(last, ["FAILED", "CANCELED", "FINISHED"]);
    }
}
