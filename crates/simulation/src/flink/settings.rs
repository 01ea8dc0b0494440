//! How long things take, and what goes wrong by the caller's will. Figures are those measured on Flink 2.1.3 with small state.

/// Milliseconds, as all times in here.
pub type Millis = i64;

/// Durations and mishaps. All of them may be changed while things run; what has begun keeps what it began with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What `/overview` says.
    pub version: String,
    /// From the start of a JobManager's process until its port answers.
    pub starting: Millis,
    /// From then on it answers 503.
    pub electing: Millis,
    /// From then on, with high availability, it has an empty list of jobs.
    pub recovering: Millis,
    /// How long the election waits for a lost leader's lease.
    pub lease: Millis,
    /// From the start of a TaskManager's process until it registers.
    pub worker_starting: Millis,
    /// From submission until the job waits for slots.
    pub initializing: Millis,
    /// From slots until all tasks run.
    pub deploying: Millis,
    pub cancelling: Millis,
    /// How long the making of a checkpoint takes.
    pub checkpointing: Millis,
    /// How long the making of a savepoint takes.
    pub savepointing: Millis,
    /// From the completion of a checkpoint until its data is committed.
    pub committing: Millis,
    /// From the completion of a stop's savepoint until the job is FINISHED.
    pub finishing: Millis,
    /// How long the result of an operation is kept.
    pub keeping_results: Millis,
    /// How long an ended job stays listed.
    pub keeping_jobs: Millis,
    pub mishaps: Mishaps,
}

/// What goes wrong.
#[derive(Debug, Clone, Default)]
pub struct Mishaps {
    /// Nothing can be written to the storage: checkpoints and savepoints fail.
    pub storage_fails: bool,
    /// The storage cannot be listed or read.
    pub storage_unreadable: bool,
    /// Snapshots take so much longer.
    pub storage_slow: Millis,
    /// A stop's savepoint completes, and then the job fails and is restarted by Flink.
    pub finishing_fails: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "2.1.3".to_owned(),
            starting: 2000,
            electing: 300,
            recovering: 200,
            lease: 1000,
            worker_starting: 2000,
            initializing: 60,
            deploying: 200,
            cancelling: 20,
            checkpointing: 30,
            savepointing: 80,
            committing: 5,
            finishing: 20,
            keeping_results: 300_000,
            keeping_jobs: 3_600_000,
            mishaps: Mishaps::default(),
        }
    }
}
