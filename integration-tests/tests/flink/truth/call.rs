//! The calls of a program, and what is compared of their answers.

use std::collections::BTreeMap;

use flink::{Checkpoints, Job, JobId, Listing, ListingOutcome, Operation, RunRequest, TriggerId};
use flink_client::Error;
use integration_tests::counter;

/// Jobs and triggers by their numbers in the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Run { job: u8, program: Program, parallelism: u32, from: From },
    Stop { job: u8, trigger: u8, target: Target },
    Savepoint { job: u8, trigger: u8, target: Target },
    Cancel { job: u8 },
    DeleteJar,
    Lose(Loss),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Counter,
    Fail,
    Batch,
    /// A batch job that does not end by itself in time.
    LongBatch,
    UnknownClass,
    UnknownArgument,
    MissingJar,
}

/// From what a job is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Nothing,
    /// A path where nothing is.
    Nowhere,
    /// The newest savepoint of that target.
    Savepoint,
    /// The newest checkpoint of that job.
    Checkpoint(u8),
}

/// Where a savepoint goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Directory,
    Unset,
    UnknownScheme,
}

/// What is killed and started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    JobManager,
    TaskManager,
    Both,
}

/// Everything that can be seen, in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View(pub BTreeMap<String, String>);

impl View {
    /// The lines in which another one differs.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let mut keys: Vec<_> = self.0.keys().chain(other.0.keys()).collect();
        keys.sort();
        keys.dedup();
        let differing = keys.into_iter().filter(|key| self.0.get(*key) != other.0.get(*key));
        differing.map(|key| format!("{key}: {:?} and {:?}", self.0.get(key), other.0.get(key))).collect()
    }

    pub fn put(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }
}

/// Where things lie; the same for both.
#[derive(Debug, Clone)]
pub struct Places {
    pub root: String,
}

impl Places {
    pub fn savepoints(&self) -> String {
        format!("{}/savepoints", self.root)
    }

    pub fn checkpoints(&self, job: u8) -> String {
        format!("{}/checkpoints/{}", self.root, job_id(job))
    }

    pub fn target(&self, target: Target) -> Option<String> {
        match target {
            Target::Directory => Some(self.savepoints()),
            Target::Unset => None,
            Target::UnknownScheme => Some("nosuchscheme://bucket/path".to_owned()),
        }
    }

    /// The request to run a program; `newest` finds the newest snapshot below a path.
    pub fn request(&self, call: &Call, newest: Option<String>) -> RunRequest {
        let Call::Run { job, program, parallelism, from } = call else { return RunRequest::default() };
        let (class, arguments) = match program {
            Program::Fail => (counter::FAILING_CLASS, counter::failing_arguments(10)),
            Program::Batch => (counter::BATCH_CLASS, counter::batch_arguments(1000)),
            Program::LongBatch => {
                let mut arguments = counter::batch_arguments(1_000_000);
                arguments.push("--rate=10".to_owned());
                (counter::BATCH_CLASS, arguments)
            }
            Program::UnknownArgument => (counter::CLASS, vec!["--unknown=1".to_owned()]),
            Program::UnknownClass => ("no.Such", Vec::new()),
            Program::Counter | Program::MissingJar => {
                (counter::CLASS, counter::arguments(&format!("{}/output-{job}", self.root), 200))
            }
        };
        RunRequest {
            entry_class: Some(class.to_owned()),
            program_args_list: arguments,
            parallelism: Some(*parallelism),
            job_id: Some(job_id(*job)),
            savepoint_path: match from {
                From::Nothing => None,
                From::Nowhere => Some(format!("{}/nowhere", self.root)),
                From::Savepoint | From::Checkpoint(_) => newest,
            },
            ..RunRequest::default()
        }
    }
}

pub fn job_id(job: u8) -> JobId {
    JobId::from_bytes([job + 1; 16])
}

pub fn trigger_id(trigger: u8) -> TriggerId {
    TriggerId::from_bytes([trigger + 1; 16])
}

/// An answer that is only yes or no.
pub fn word<T>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(_) => "yes".to_owned(),
        Err(error) => said(&error),
    }
}

pub fn said(error: &Error) -> String {
    match error {
        Error::Status { code, refusal, reason, .. } => format!("{code} {refusal:?} {}", kind(reason)),
        Error::Unreachable { .. } => "unreachable".to_owned(),
        other => other.to_string(),
    }
}

/// The class of an exception, or the first words.
pub fn kind(reason: &str) -> String {
    let head = reason.split(':').next().unwrap_or(reason);
    if head.ends_with("Exception") && !head.contains(' ') {
        // Whoever notices the loss of a TaskManager first.
        return head.replace("JobMasterException", "ResourceManagerException");
    }
    reason.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

pub fn operation(operation: &Operation) -> String {
    match operation {
        Operation::InProgress => "in progress".to_owned(),
        Operation::Completed { location } => {
            let name = location.rsplit('/').next().unwrap_or_default();
            let form = location.starts_with("file:/") && name.starts_with("savepoint-") && name.len() == 29;
            format!("completed {}", if form { "well" } else { location.as_str() })
        }
        Operation::Failed { cause } => format!("failed: {}", kind(cause)),
        Operation::NotFound => "not found".to_owned(),
    }
}

pub fn job(job: &Job) -> String {
    let mut tasks = job.tasks;
    if job.name == "batch" {
        // A scheduler of its own decides how many there are.
        tasks.total = 0;
    }
    format!(
        "{} {} ended {} at work {} tasks {} scheduled {}",
        job.name,
        job.state,
        job.end_time > 0,
        tasks.at_work(),
        tasks.total,
        tasks.scheduled
    )
}

/// The listing of a directory of savepoints is exact, that of a running job's checkpoints tells whether there are some.
pub fn listing(listing: &Listing, exact: bool) -> String {
    match &listing.outcome {
        ListingOutcome::Absent => "absent".to_owned(),
        ListingOutcome::Failed { cause } => format!("failed: {}", kind(cause)),
        ListingOutcome::Found { snapshots } if exact => {
            format!(
                "{} snapshots, {} checkpoints",
                snapshots.len(),
                snapshots.iter().filter(|one| one.checkpoint.is_some()).count()
            )
        }
        ListingOutcome::Found { snapshots } => format!("some: {}", !snapshots.is_empty()),
    }
}

pub fn checkpoints(answer: &Checkpoints) -> String {
    let restored = answer.latest.restored.as_ref().map(|restored| {
        let path = restored.path().unwrap_or_default();
        let form = if path.contains("/chk-") { "checkpoint" } else { "savepoint" };
        format!("{form} named {}", restored.is_savepoint)
    });
    format!(
        "restored {} {restored:?}, completed {}, savepoint {}",
        answer.counts.restored.min(1),
        answer.latest.completed.is_some(),
        answer.latest.savepoint.is_some()
    )
}
