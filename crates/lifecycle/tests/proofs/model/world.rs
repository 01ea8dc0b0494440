//! The world in which decisions are made: API objects, pods, a bootstrap, Flink's jobs, storage.
//!
//! Small on purpose: one cluster, one job, TaskManagers of one slot. Everything that may fail or be
//! late is an action of its own (`actions`); what is counted in a [`Budget`] happens so often at most.

use api::annotations::Action;
use api::record::{Attempt, ClusterRecord, JobRecord};
use lifecycle::{cluster, job};

/// What the user asks for by annotation; the serial is known to the model alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    pub serial: u8,
    pub action: Action,
    pub without_savepoint: bool,
}

/// A custom resource. Two that are equal have the same resourceVersion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object<R> {
    pub record: R,
    /// Version of the specification.
    pub spec: u8,
    pub ask: Option<Ask>,
    /// The action's timestamp, which stays when the action is reset or another one is asked for without.
    pub stamp: Option<u8>,
    pub deleting: bool,
    pub supervised: bool,
}

/// The deterministic name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    JobManager(u32),
    TaskManager(u32, u32),
    Bootstrap(u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::struct_excessive_bools, reason = "each may hold with any other")]
pub struct Pod {
    pub name: Name,
    pub uid: String,
    pub deleting: bool,
    /// Its processes have ended.
    pub over: bool,
    /// A TaskManager with tasks of a JobManager that is gone.
    pub orphaned: bool,
    /// It waits for a node.
    pub pending: bool,
    pub silence: Silence,
    /// A JobManager that has listed for long what it brings back.
    pub settled: bool,
}

/// Whether a process that lives answers requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Silence {
    #[default]
    None,
    Short,
    /// Longer than anybody waits.
    Long,
}

/// How far a bootstrap is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    Created,
    /// Its attempt was the pending one when it asked.
    Checked,
    Ended(job::Outcome),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bootstrap {
    pub uid: String,
    pub attempt: Attempt,
    pub progress: Progress,
    pub deleting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    Running,
    Finished,
    Canceled,
    Failed,
}

/// A job that a JobManager knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Execution {
    pub attempt: u64,
    pub job_manager: String,
    pub state: State,
    pub parallelism: u32,
    /// What it is to become.
    pub asked: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Course {
    InProgress,
    Completed(String),
    Failed,
}

/// A savepoint operation, known by its trigger id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    pub trigger: String,
    pub attempt: u64,
    pub job_manager: String,
    /// The job ends with it.
    pub stop: bool,
    pub directory: String,
    pub course: Course,
}

/// A restore point in storage; its place in the list, from 1, is the position in the input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Saved {
    pub path: String,
    pub checkpoint: bool,
}

/// What a supervisor's caches tell of the objects that it made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub pods: Vec<Pod>,
    pub bootstrap: Option<Bootstrap>,
}

/// An effect that is carried out later, with the object that it was decided on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Late {
    Job(job::Effect, Box<Object<JobRecord>>),
    Cluster(cluster::Effect, Box<Object<ClusterRecord>>),
}

/// What properties look at, and nothing else does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Witness {
    /// Position that the next execution must start from, at least.
    pub newest: usize,
    /// The user allowed the next one to start from less.
    pub waived: bool,
    pub last_started: u64,
    /// Commands that were taken up.
    pub taken: Vec<u8>,
    /// Promises that were broken on the way.
    pub broken: Vec<&'static str>,
    pub unpublished: Option<(String, String)>,
}

impl Witness {
    pub fn breaks(&mut self, promise: &'static str, broken: bool) {
        if broken && !self.broken.contains(&promise) {
            self.broken.push(promise);
        }
    }

    pub fn saw_kept(&self, promise: &str) -> bool {
        !self.broken.contains(&promise)
    }
}

/// How often what may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    pub checkpoints: u8,
    pub job_manager_deaths: u8,
    pub bootstrap_deaths: u8,
    pub crashes: u8,
    pub late: u8,
    pub stale: u8,
    pub deposed: u8,
    pub savepoint_failures: u8,
    pub refusals: u8,
    pub full_nodes: u8,
    pub job_failures: u8,
    /// A JobManager lives and no longer answers.
    pub silences: u8,
    pub changes: u8,
    pub stops: u8,
    pub starts: u8,
    pub fresh_starts: u8,
    pub triggers: u8,
    pub forgets: u8,
    pub deletions: u8,
    pub cluster_stops: u8,
    pub cluster_starts: u8,
    pub cluster_changes: u8,
    pub cluster_deletions: u8,
}

impl Budget {
    pub const NONE: Self = Self {
        checkpoints: 0,
        job_manager_deaths: 0,
        bootstrap_deaths: 0,
        crashes: 0,
        late: 0,
        stale: 0,
        deposed: 0,
        savepoint_failures: 0,
        refusals: 0,
        full_nodes: 0,
        job_failures: 0,
        silences: 0,
        changes: 0,
        stops: 0,
        starts: 0,
        fresh_starts: 0,
        triggers: 0,
        forgets: 0,
        deletions: 0,
        cluster_stops: 0,
        cluster_starts: 0,
        cluster_changes: 0,
        cluster_deletions: 0,
    };

    pub fn each(&mut self, change: &mut impl FnMut(&mut u8)) {
        for limit in [
            &mut self.checkpoints,
            &mut self.job_manager_deaths,
            &mut self.bootstrap_deaths,
            &mut self.crashes,
            &mut self.late,
            &mut self.stale,
            &mut self.deposed,
            &mut self.savepoint_failures,
            &mut self.refusals,
            &mut self.full_nodes,
            &mut self.job_failures,
            &mut self.silences,
            &mut self.changes,
            &mut self.stops,
            &mut self.starts,
            &mut self.fresh_starts,
            &mut self.triggers,
            &mut self.forgets,
            &mut self.deletions,
            &mut self.cluster_stops,
            &mut self.cluster_starts,
            &mut self.cluster_changes,
            &mut self.cluster_deletions,
        ] {
            change(limit);
        }
    }

    /// Up to so many of everything.
    pub fn all(number: u8) -> Self {
        let mut budget = Self::NONE;
        budget.each(&mut |limit| *limit = number);
        budget
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// `None` once it is deleted.
    pub cluster: Option<Object<ClusterRecord>>,
    pub job: Option<Object<JobRecord>>,
    pub pods: Vec<Pod>,
    /// What was created before, so that another one of that name gets another uid.
    pub created: Vec<(Name, u8)>,
    pub bootstrap: Option<Bootstrap>,
    /// No node has room for a TaskManager that is not there yet.
    pub full: bool,
    /// Flink keeps what runs apart from its JobManagers.
    pub highly_available: bool,
    /// Attempts that ran under a JobManager that is gone, with what was asked for, and that the next one brings back.
    pub stored: Vec<(u64, u32)>,
    /// Submissions whose sender is gone.
    pub in_flight: Vec<Attempt>,
    pub executions: Vec<Execution>,
    pub operations: Vec<Operation>,
    pub storage: Vec<Saved>,
    /// Number of trigger ids that were drawn; makes the next one another.
    pub triggers: u8,
    /// Serial of the last command.
    pub asked: u8,
    /// The last timestamp of an action.
    pub stamps: u8,
    pub late: Vec<Late>,
    /// What the leader's caches still tell.
    pub stale: Option<Seen>,
    /// What a supervisor knew that leads no longer.
    pub deposed: Option<Box<World>>,
    pub budget: Budget,
    pub witness: Witness,
}

impl World {
    pub fn new(budget: Budget) -> Self {
        Self {
            cluster: Some(Object { supervised: true, ..Object::default() }),
            job: Some(Object { supervised: true, ..Object::default() }),
            pods: vec![],
            created: vec![],
            bootstrap: None,
            full: false,
            highly_available: false,
            stored: vec![],
            in_flight: vec![],
            executions: vec![],
            operations: vec![],
            storage: vec![],
            triggers: 0,
            asked: 0,
            stamps: 0,
            late: vec![],
            stale: None,
            deposed: None,
            budget,
            witness: Witness::default(),
        }
    }

    /// A uid for a new object of that name.
    pub fn uid(&mut self, name: Name) -> String {
        let number = if let Some((_, number)) = self.created.iter_mut().find(|(earlier, _)| *earlier == name) {
            *number += 1;
            *number
        } else {
            self.created.push((name, 0));
            self.created.sort_unstable();
            0
        };
        match name {
            Name::JobManager(incarnation) => format!("jm-{incarnation}-{number}"),
            Name::TaskManager(incarnation, index) => format!("tm-{incarnation}-{index}-{number}"),
            Name::Bootstrap(attempt) => format!("b-{attempt}-{number}"),
        }
    }

    /// The JobManager of that uid, while its process lives.
    pub fn job_manager(&self, uid: &str) -> Option<&Pod> {
        self.pods.iter().find(|pod| pod.is_job_manager() && !pod.over && pod.uid == uid)
    }

    /// Executions that may process records: those of JobManagers that live, and tasks that outlive one.
    pub fn living(&self) -> usize {
        let known = self.executions.iter().filter(|execution| execution.state == State::Running).count();
        let mut orphaned: Vec<u32> =
            self.pods.iter().filter(|pod| pod.orphaned && !pod.over).map(Pod::incarnation).collect();
        orphaned.sort_unstable();
        orphaned.dedup();
        known + orphaned.len()
    }

    /// The process of a pod ends; what lived in it alone is gone.
    pub fn end_process(&mut self, uid: &str) {
        let Some(index) = self.pods.iter().position(|pod| pod.uid == uid && !pod.over) else { return };
        self.pods[index].over = true;
        self.pods[index].orphaned = false;
        self.pods[index].silence = Silence::None;
        let pod = self.pods[index].clone();
        if !pod.is_job_manager() {
            return;
        }
        let ran =
            self.executions.iter().any(|execution| execution.job_manager == uid && execution.state == State::Running);
        self.store(|manager| manager == uid);
        self.executions.retain(|execution| execution.job_manager != uid);
        self.operations.retain(|operation| operation.job_manager != uid);
        self.in_flight.retain(|attempt| attempt.incarnation.uid != uid);
        if self.highly_available {
            // What its tasks still write is never committed.
            return;
        }
        for manager in &mut self.pods {
            let own = !manager.is_job_manager() && manager.incarnation() == pod.incarnation();
            manager.orphaned |= ran && own && !manager.over && !manager.pending;
        }
    }

    /// What runs under these JobManagers, runs under the next one.
    pub fn store(&mut self, of: impl Fn(&str) -> bool) {
        if !self.highly_available {
            return;
        }
        for execution in self.executions.iter().filter(|execution| of(&execution.job_manager)) {
            if execution.state == State::Running {
                self.stored.push((execution.attempt, execution.asked));
            }
        }
        self.executions.retain(|execution| execution.state != State::Running || !of(&execution.job_manager));
        self.stored.sort_unstable();
    }

    /// The JobManager that leads, if there is one.
    pub fn leader(&self) -> Option<&Pod> {
        let managers = self.pods.iter().filter(|pod| pod.is_job_manager() && !pod.over);
        managers.max_by_key(|pod| pod.incarnation())
    }

    /// The JobManager that leads brings back what ran.
    pub fn recover(&mut self) {
        let Some(job_manager) = self.leader().map(|pod| pod.uid.clone()) else { return };
        for (attempt, asked) in std::mem::take(&mut self.stored) {
            let (job_manager, state) = (job_manager.clone(), State::Running);
            self.executions.push(Execution { attempt, job_manager, state, parallelism: asked, asked });
        }
    }

    pub fn remove_pod(&mut self, uid: &str) {
        self.end_process(uid);
        self.pods.retain(|pod| pod.uid != uid);
    }

    /// The position that a restore point stands for; 0 for none.
    pub fn position(&self, path: Option<&str>) -> usize {
        path.and_then(|path| self.storage.iter().position(|saved| saved.path == path)).map_or(0, |index| index + 1)
    }
}

impl Pod {
    pub fn is_job_manager(&self) -> bool {
        matches!(self.name, Name::JobManager(_))
    }

    pub fn incarnation(&self) -> u32 {
        match self.name {
            Name::JobManager(incarnation) | Name::TaskManager(incarnation, _) => incarnation,
            Name::Bootstrap(_) => 0,
        }
    }
}
