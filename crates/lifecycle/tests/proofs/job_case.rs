//! A job in a situation, for tables.

use api::annotations::Action;
use api::record::{
    Attempt, Checkpoints, Command, End, Incarnation, JobNext, JobPhase, JobRecord, Made, Rescaling, Restore,
    SavepointOperation, Stop,
};
use api::{OnFailure, RecoveryMode, RestartPolicy};
use jiff::{SignedDuration, Timestamp};
use lifecycle::Reading;
use lifecycle::command::{Request, Requested};
use lifecycle::job::{
    self, BootstrapView, Cluster, ClusterState, Desired, Evidence, FlinkJobView, Found, InPlace, JobManager, Looked,
    Observed, OperationView, Outcome, Slots, Step,
};

use crate::table::Row;

pub const UID: &str = "00000000-0000-0000-0000-000000000100";
/// The job id of attempt 1.
pub const JOB: &str = "00000000000000000000000000000101";
/// "Now" in all cases.
const NOW: i64 = 1000;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a valid time")
}

/// So many seconds ago.
pub fn ago(seconds: i64) -> Timestamp {
    at(NOW - seconds)
}

/// Everything a decision looks at; owned, so that a case can be changed and stepped on.
#[derive(Clone)]
pub struct Case {
    pub record: JobRecord,
    pub desired: Desired,
    pub cluster: Cluster,
    pub bootstrap: BootstrapView,
    pub checkpoints: Reading<Checkpoints>,
    pub operation: OperationView,
    pub disposal: OperationView,
    pub jars: Vec<String>,
    pub in_place: Reading<InPlace>,
    pub evidence: Reading<Looked>,
    pub now: Timestamp,
}

pub fn unknown<T>() -> Reading<T> {
    Reading::Unknown { why: "timed out".into(), since: ago(1) }
}

pub fn directory() -> Checkpoints {
    Checkpoints::Directory { path: format!("ck/{JOB}"), retained: true }
}

pub fn attempt() -> Attempt {
    Attempt {
        number: 1,
        job_id: JOB.into(),
        incarnation: Incarnation { number: 1, uid: "jm-1".into() },
        restore: Restore::Empty,
        parallelism: 2,
        digest: "d1".into(),
        checkpoints: directory(),
        savepoint: None,
        stop_directory: None,
        forgotten: None,
    }
}

pub fn stop_with_savepoint() -> Stop {
    Stop::Savepoint { trigger_id: "t1".into(), directory: "sp/stop-t1".into() }
}

pub fn not_submitted(reason: &str) -> Outcome {
    Outcome::NotSubmitted { reason: reason.into(), message: "why".into() }
}

fn desired() -> Desired {
    Desired {
        uid: UID.into(),
        deleting: false,
        deleting_since: None,
        force_delete: false,
        supervised: true,
        parallelism: 2,
        digest: "d1".into(),
        savepoint_automatic: true,
        savepoint_path: None,
        recorded_savepoint: None,
        savepoint_interval: None,
        savepoint_target: "sp/".into(),
        retention: None,
        recovery_mode: RecoveryMode::LatestState,
        on_failure: OnFailure::KeepRunning,
        restart_policy: RestartPolicy::OnlyIfFailed,
        restart_delay: SignedDuration::from_secs(60),
        restart_timeout: SignedDuration::from_secs(180),
        request: None,
    }
}

/// Two slots are wanted, and there are none.
pub fn none_free() -> Slots {
    Slots::Missing { wanted: 2, free: 0, most: 4 }
}

/// In a phase, on a cluster that runs, with nothing else to see.
pub fn case(phase: JobPhase) -> Case {
    Case {
        record: JobRecord { phase, attempt: Some(attempt()), restore: Restore::Newest, ..JobRecord::default() },
        desired: desired(),
        cluster: Cluster {
            state: ClusterState::Started,
            without_savepoint: false,
            anew: None,
            job_manager: Some(JobManager { number: 1, uid: "jm-1".into(), address: "10.0.0.1".into() }),
            highly_available: false,
            answering_for: SignedDuration::from_secs(100),
            alive: vec![1],
            slots: Slots::Enough,
            jobs: Reading::Known(vec![]),
        },
        bootstrap: BootstrapView::Absent,
        checkpoints: unknown(),
        operation: OperationView::Unknown,
        disposal: OperationView::Unknown,
        jars: vec![],
        in_place: Reading::Known(InPlace::Cannot { why: "the scheduler is another one".into() }),
        evidence: unknown(),
        now: at(NOW),
    }
}

pub fn fresh() -> Case {
    let mut case = case(JobPhase::New);
    case.record = JobRecord::default();
    case
}

/// Waiting to start for the first time.
pub fn waiting() -> Case {
    let mut case = fresh();
    case.record.phase = JobPhase::Waiting { since: ago(5) };
    case
}

/// Waiting to start again, from the newest state there is.
pub fn returning() -> Case {
    case(JobPhase::Waiting { since: ago(5) })
}

pub fn submitting() -> Case {
    let mut case = case(JobPhase::Submitting { since: ago(5), tries: 1 });
    case.record.restore = Restore::Empty;
    case
}

pub fn running() -> Case {
    case(JobPhase::Running).flink("RUNNING")
}

pub fn stopping(stop: Stop, next: JobNext) -> Case {
    case(JobPhase::Stopping { stop, next, since: ago(5) }).flink("RUNNING")
}

pub fn stay() -> JobNext {
    JobNext::Stay { end: End::Stopped }
}

/// Ended, long enough ago for every delay to be over.
pub fn ended(end: End) -> Case {
    case(JobPhase::Ended { end, at: ago(500) })
}

pub fn failed() -> End {
    End::Failed { message: "boom".into() }
}

pub fn not_started() -> End {
    End::NotStarted { reason: "MissingJar".into(), message: "no JAR".into() }
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Flink tells this state of the attempt's job.
    pub fn flink(mut self, state: &str) -> Self {
        let id = self.record.attempt.as_ref().map_or_else(|| JOB.to_owned(), |attempt| attempt.job_id.clone());
        self.cluster.jobs = Reading::Known(vec![flink_job(&id, state)]);
        self.checkpoints = Reading::Known(directory());
        self
    }

    pub fn silent(self) -> Self {
        self.with(|case| case.cluster.jobs = unknown())
    }

    pub fn no_jobs(self) -> Self {
        self.with(|case| case.cluster.jobs = Reading::Known(vec![]))
    }

    pub fn cluster(self, state: ClusterState) -> Self {
        self.with(|case| case.cluster.state = state)
    }

    /// The attempt's JobManager is gone; the next one is up.
    pub fn replaced(self) -> Self {
        self.with(|case| {
            case.cluster.job_manager = Some(JobManager { number: 2, uid: "jm-2".into(), address: "10.0.0.2".into() });
            case.cluster.alive = vec![2];
            case.cluster.jobs = Reading::Known(vec![]);
        })
    }

    /// Flink's own high availability is on, and its JobManager has answered for so long.
    pub fn highly_available(self, seconds: i64) -> Self {
        self.with(|case| {
            case.cluster.highly_available = true;
            case.cluster.answering_for = SignedDuration::from_secs(seconds);
        })
    }

    /// Flink has brought the job back under the next JobManager.
    pub fn brought_back(self, state: &str) -> Self {
        self.replaced().flink(state).highly_available(2)
    }

    /// The JobManager is gone, and there is no other one yet.
    pub fn without_job_manager(self) -> Self {
        self.silent().with(|case| {
            case.cluster.job_manager = None;
            case.cluster.alive = vec![];
        })
    }

    /// Deleted, and to be let go at once.
    pub fn forced(self) -> Self {
        self.deleting().with(|case| case.desired.force_delete = true)
    }

    pub fn deleting(self) -> Self {
        self.with(|case| case.desired.deleting = true)
    }

    pub fn policy(self, policy: RestartPolicy) -> Self {
        self.with(|case| case.desired.restart_policy = policy)
    }

    pub fn bootstrap(self, view: BootstrapView) -> Self {
        self.with(|case| case.bootstrap = view)
    }

    pub fn operation(self, view: OperationView) -> Self {
        self.with(|case| case.operation = view)
    }

    /// Flink runs the job, and not all its tasks yet.
    pub fn deploying(self) -> Self {
        self.with(|case| {
            case.cluster.jobs = Reading::Known(vec![FlinkJobView { ready: false, ..flink_job(JOB, "RUNNING") }]);
        })
    }

    /// A savepoint that was asked for so many seconds ago is under way.
    pub fn saving(self, seconds: i64) -> Self {
        self.with(|case| {
            case.record.operation = Some(SavepointOperation { trigger_id: "t1".into(), since: ago(seconds) });
        })
    }

    /// To run with parallelism 3 in place of 2; Flink can change it, is asked for this, and runs that.
    pub fn rescaling(self, asked: u32, running: u32) -> Self {
        self.with(|case| {
            case.desired.parallelism = 3;
            case.in_place = Reading::Known(InPlace::Can { asked, running });
        })
    }

    /// That is recorded, and Flink was asked so many seconds ago.
    pub fn asked(self, seconds: Option<i64>) -> Self {
        self.with(|case| {
            let asked = seconds.map(ago);
            let checkpoint = asked.map(|since| SavepointOperation { trigger_id: "t1".into(), since });
            case.record.rescaling = Some(Rescaling { parallelism: 3, asked, checkpoint, given_up: false });
        })
    }

    /// Savepoints `s1` to `s4` were made, 400 to 100 seconds ago; so many of them are kept, for so many seconds.
    pub fn keeps(self, count: Option<u32>, age: Option<i64>) -> Self {
        self.with(|case| {
            case.desired.retention = Some(job::Retention { count, age: age.map(SignedDuration::from_secs) });
            let made = |number: i64| Made {
                path: format!("file:/sp/s{number}"),
                at: ago(500 - 100 * number),
                base: false,
                leaving: false,
            };
            case.record.made = (1..=4).map(made).collect();
        })
    }

    /// Flink was asked to delete the first of them.
    pub fn leaving(self, disposal: OperationView) -> Self {
        self.with(|case| {
            case.record.made[0].leaving = true;
            case.disposal = disposal;
        })
    }

    /// Flink may bring its last execution back.
    pub fn adrift(self) -> Self {
        self.with(|case| case.record.adrift = true)
    }

    /// Nothing disruptive is to be tried for a while.
    pub fn held(self) -> Self {
        self.with(|case| case.record.hold = Some(at(1010)))
    }

    /// It was tried in vain.
    pub fn given_up(self) -> Self {
        self.with(|case| case.record.rescaling.as_mut().unwrap().given_up = true)
    }

    /// It is being stopped for so many seconds.
    pub fn since(&mut self, seconds: i64) {
        if let JobPhase::Stopping { since, .. } = &mut self.record.phase {
            *since = ago(seconds);
        }
    }

    pub fn asks(self, action: Action) -> Self {
        self.with(|case| case.desired.request = Some(request(action)))
    }

    pub fn under_way(self, action: Action) -> Self {
        self.with(|case| {
            case.record.command = Some(Command { id: "1".into(), action, done: false, without_savepoint: false });
            case.desired.request = Some(request(action));
        })
    }

    pub fn left_behind(self, checkpoints: &[(u64, i64)], savepoints: &[(&str, i64)]) -> Self {
        let checkpoint = |(number, second): &(u64, i64)| Found {
            path: format!("ck/{JOB}/chk-{number}"),
            number: *number,
            modified: at(*second),
        };
        let savepoint = |(path, second): &(&str, i64)| Found { path: (*path).into(), number: 0, modified: at(*second) };
        let found = Evidence {
            checkpoints: checkpoints.iter().map(checkpoint).collect(),
            savepoints: savepoints.iter().map(savepoint).collect(),
        };
        self.with(|case| case.evidence = Reading::Known(Looked { found, known_place: true }))
    }

    pub fn step(&self) -> Step {
        job::step(&self.observed())
    }

    /// What a step looks at.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            record: &self.record,
            desired: &self.desired,
            cluster: self.cluster.clone(),
            bootstrap: self.bootstrap.clone(),
            checkpoints: self.checkpoints.clone(),
            operation: self.operation.clone(),
            disposal: self.disposal.clone(),
            jars: self.jars.clone(),
            in_place: self.in_place.clone(),
            evidence: self.evidence.clone(),
            now: self.now,
        }
    }

    /// The same case after its step.
    pub fn next(&self) -> Self {
        let mut next = self.clone();
        next.record = self.step().record;
        next
    }

    pub fn row(&self, name: &'static str) -> Row {
        let step = self.step();
        let restore = Some(step.record.restore.clone()).filter(|restore| *restore != self.record.restore);
        Row::of(name, self.now, &self.record.phase, step, restore.as_ref())
    }
}

pub fn request(action: Action) -> Request {
    Request { id: "7".into(), stamped: false, action: Requested::Known(action), without_savepoint: false }
}

pub fn flink_job(id: &str, state: &str) -> FlinkJobView {
    FlinkJobView {
        id: id.into(),
        state: state.into(),
        terminal: matches!(state, "FINISHED" | "FAILED" | "CANCELED"),
        ready: state == "RUNNING",
        failure: (state == "FAILED").then(|| "boom".to_owned()),
    }
}

pub fn active(attempt: u64) -> BootstrapView {
    BootstrapView::Active { uid: "b1".into(), attempt, started: true, detail: None }
}

pub fn over(outcome: Outcome) -> BootstrapView {
    BootstrapView::Ended { uid: "b1".into(), attempt: 1, outcome }
}
