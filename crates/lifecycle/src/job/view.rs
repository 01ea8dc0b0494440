//! What a decision about a job may look at, and what comes out of it.

use api::record::{Attempt, Checkpoints, Incarnation, JobRecord};
use api::{OnFailure, RecoveryMode, RestartPolicy};
use jiff::{SignedDuration, Timestamp};

use super::newest::Looked;
use crate::Reading;
use crate::command::Request;

/// Everything [`super::step`] may look at.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub record: &'a JobRecord,
    pub desired: &'a Desired,
    pub cluster: Cluster,
    pub bootstrap: BootstrapView,
    /// Where the attempt keeps its checkpoints; read once its Flink job is seen.
    pub checkpoints: Reading<Checkpoints>,
    /// How the operation that the record names stands; read while there is one.
    pub operation: OperationView,
    /// How the deletion of the savepoint that the record names stands; read while there is one.
    pub disposal: OperationView,
    /// Ids of JARs on the JobManager that were uploaded for an attempt of this job.
    pub jars: Vec<String>,
    /// How Flink changes the parallelism of the execution; read while it is to be another one.
    pub in_place: Reading<InPlace>,
    /// What the last attempt left behind; read when the newest state is to be found out.
    pub evidence: Reading<Looked>,
    pub now: Timestamp,
}

/// What the user wants, with defaults applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub uid: String,
    pub deleting: bool,
    /// When its deletion was asked for; only told.
    pub deleting_since: Option<Timestamp>,
    /// It is let go whatever may still run.
    pub force_delete: bool,
    /// The supervisor's finalizer is on the object.
    pub supervised: bool,
    /// Within its bounds.
    pub parallelism: u32,
    /// Of the bootstrap section.
    pub digest: String,
    pub savepoint_automatic: bool,
    pub savepoint_path: Option<String>,
    /// `status.savepointPath`, which a restored or older object may carry without a record.
    pub recorded_savepoint: Option<String>,
    pub savepoint_interval: Option<SignedDuration>,
    pub savepoint_target: String,
    pub retention: Option<Retention>,
    /// What counts when it was not stopped with a savepoint.
    pub recovery_mode: RecoveryMode,
    pub on_failure: OnFailure,
    pub restart_policy: RestartPolicy,
    pub restart_delay: SignedDuration,
    pub restart_timeout: SignedDuration,
    pub request: Option<Request>,
}

/// How many savepoints are kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub count: Option<u32>,
    pub age: Option<SignedDuration>,
}

/// How far the job's cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClusterState {
    Missing,
    Starting,
    Started,
    /// Goes on after the stop.
    Restarting,
    Stopping,
    Stopped,
    Terminated,
}

/// The JobManager that answers now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobManager {
    pub number: u32,
    pub uid: String,
    pub address: String,
}

/// The task slots of a cluster, as far as a job is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slots {
    Enough,
    Missing {
        wanted: u32,
        free: u32,
        /// As many as it can ever have beside the jobs that hold some.
        most: u32,
    },
}

/// The cluster, as far as a job is concerned.
#[derive(Clone, Debug)]
pub struct Cluster {
    pub state: ClusterState,
    /// The cluster is stopping on a command that wants no savepoints.
    pub without_savepoint: bool,
    /// A job that last ran before this incarnation begins without its state, since the user started the cluster so.
    pub anew: Option<u32>,
    /// The current JobManager pod, if it lives.
    pub job_manager: Option<JobManager>,
    /// Flink itself brings jobs back after the loss of a JobManager.
    pub highly_available: bool,
    /// For how long the JobManager has answered, and no job has vanished from its list.
    pub answering_for: SignedDuration,
    /// Incarnations of which a process may still live.
    pub alive: Vec<u32>,
    /// Whether enough task slots are registered for it and for all jobs that hold some.
    pub slots: Slots,
    /// The jobs of the current JobManager.
    pub jobs: Reading<Vec<FlinkJobView>>,
}

/// A job as Flink tells.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlinkJobView {
    pub id: String,
    /// Flink's state, in upper case.
    pub state: String,
    pub terminal: bool,
    /// All its tasks run.
    pub ready: bool,
    /// Why it failed, once it has.
    pub failure: Option<String>,
}

/// How a bootstrap ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Submitted,
    /// Flink was not asked, or refused.
    NotSubmitted {
        reason: String,
        message: String,
    },
    /// Killed, or its end was not seen.
    Unknown,
}

/// The bootstrap Job and its pods.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BootstrapView {
    /// Neither the Job nor a pod of it.
    Absent,
    /// On its way out: the Job is being deleted, or is gone and a pod is left.
    Leaving {
        started: bool,
    },
    Active {
        uid: String,
        attempt: u64,
        started: bool,
        detail: Option<String>,
    },
    Ended {
        uid: String,
        attempt: u64,
        outcome: Outcome,
    },
}

/// How a savepoint operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OperationView {
    Unknown,
    /// The JobManager has not heard of it.
    NotFound,
    InProgress,
    Completed {
        path: String,
    },
    Failed {
        why: String,
    },
}

/// Whether Flink can change the parallelism of an execution while it runs, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InPlace {
    Cannot {
        why: String,
    },
    /// What is asked of it, and what runs.
    Can {
        asked: u32,
        running: u32,
    },
}

/// One thing to do in the world. Idempotent; names what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    AddFinalizer,
    RemoveFinalizer,
    CreateBootstrap {
        attempt: Attempt,
    },
    DeleteBootstrap {
        uid: String,
    },
    StopWithSavepoint {
        incarnation: Incarnation,
        job_id: String,
        trigger_id: String,
        directory: String,
    },
    TriggerSavepoint {
        incarnation: Incarnation,
        job_id: String,
        trigger_id: String,
        directory: String,
    },
    DeleteSavepoint {
        incarnation: Incarnation,
        path: String,
    },
    DeleteJar {
        incarnation: Incarnation,
        jar_id: String,
    },
    /// Has Flink change the parallelism, with a checkpoint to go on from.
    Rescale {
        incarnation: Incarnation,
        job_id: String,
        from: u32,
        to: u32,
        trigger_id: String,
    },
    CancelJob {
        incarnation: Incarnation,
        job_id: String,
    },
    /// Sets `requested-action` to `NONE` if it still says this.
    ResetAction {
        action: String,
    },
}

/// Why nothing more is done now. Becomes condition, event text and explanation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// The record is written first; the next look follows at once.
    #[default]
    Next,
    Settled,
    Finalizer,
    Deletion,
    Cluster {
        why: String,
    },
    OldPods {
        incarnations: Vec<u32>,
    },
    OldBootstrap,
    Slots {
        wanted: u32,
        free: u32,
        most: u32,
    },
    Flink {
        why: String,
    },
    /// Flink may bring the execution back; after `until` that is not expected any more.
    Recovery {
        why: String,
        until: Option<Timestamp>,
    },
    /// Its last execution may come back, so that the job is not forgotten yet.
    Adrift {
        why: String,
    },
    Submission {
        detail: String,
    },
    /// A pod that will not run by itself, such as one whose image cannot be pulled.
    Trouble {
        detail: String,
    },
    Tasks {
        state: String,
    },
    Savepoint,
    /// Flink changes the parallelism while the job runs.
    Rescale {
        detail: String,
    },
    Cancellation,
    NewestState {
        why: String,
    },
    Stalled {
        reason: &'static str,
        message: String,
    },
    RestartDelay {
        until: Timestamp,
    },
    Held {
        until: Timestamp,
    },
    User,
}

/// The outcome of one decision.
pub type Step = crate::step::Step<JobRecord, Effect, Waiting>;
