//! How the world looks to a supervisor. What cannot be read is unknown.

use api::RescalePolicy;
use api::record::{Attempt, Checkpoints, ClusterNext, ClusterPhase, ClusterRecord, JobPhase, JobRecord, Restore, Stop};
use jiff::{SignedDuration, Timestamp};
use lifecycle::cluster::{self, FlinkView, JobView, PodState, PodView};
use lifecycle::command::{Request, Requested};
use lifecycle::job::{
    self, BootstrapView, Cluster, ClusterState, Evidence, FlinkJobView, Found, InPlace, JobManager, Looked,
    OperationView, Slots,
};
use lifecycle::{Reading, ids};

use super::clock;
use super::world::{Course, Name, Object, Pod, Progress, Seen, Silence, State, World};
use super::{Laws, wanted};
use crate::job_case::UID;

/// The serial stands for the resourceVersion.
pub fn request<R>(object: &Object<R>) -> Option<Request> {
    let ask = object.ask.as_ref()?;
    Some(Request {
        id: object.stamp.map_or_else(|| format!("rv-{}", ask.serial), |stamp| stamp.to_string()),
        stamped: object.stamp.is_some(),
        action: Requested::Known(ask.action),
        without_savepoint: ask.without_savepoint,
    })
}

fn cluster_desired(object: &Object<ClusterRecord>) -> cluster::Desired {
    cluster::Desired {
        deleting: object.deleting,
        deleting_since: None,
        force_delete: false,
        supervised: object.supervised,
        digest: format!("d{}", object.spec),
        task_managers: 1,
        min_task_managers: 0,
        max_task_managers: 1,
        task_slots: 1,
        rescale_policy: RescalePolicy::None,
        rescale_delay: clock::TICK,
        task_timeout: clock::TICK,
        node_lost_timeout: None,
        cancel_unmanaged: false,
        request: request(object),
    }
}

fn job_desired(object: &Object<JobRecord>, laws: &Laws) -> job::Desired {
    let (digest, parallelism) = wanted(object.spec, laws);
    job::Desired {
        uid: UID.into(),
        deleting: object.deleting,
        deleting_since: None,
        force_delete: false,
        supervised: object.supervised,
        parallelism,
        digest,
        savepoint_automatic: laws.savepoints_are_automatic,
        savepoint_path: None,
        recorded_savepoint: None,
        savepoint_interval: None,
        savepoint_target: "sp".into(),
        retention: None,
        recovery_mode: laws.recovery_mode,
        on_failure: laws.on_failure,
        restart_policy: laws.policy,
        restart_delay: clock::TICK,
        restart_timeout: SignedDuration::from_secs(30),
        request: request(object),
    }
}

fn pod(pod: &Pod) -> PodView {
    PodView {
        name: format!("{:?}", pod.name),
        uid: pod.uid.clone(),
        role: if pod.is_job_manager() { cluster::Role::JobManager } else { cluster::Role::TaskManager },
        incarnation: pod.incarnation(),
        index: match pod.name {
            Name::TaskManager(_, index) => index,
            _ => 0,
        },
        deleting: pod.deleting,
        state: match (pod.over, pod.pending) {
            (true, _) => PodState::Over { detail: None },
            (_, true) => PodState::Pending { detail: None },
            _ => PodState::Running,
        },
        node: cluster::Node::Fine,
        address: Some(pod.uid.clone()),
    }
}

fn job_view(object: &Object<JobRecord>) -> JobView {
    let (live, settled) = match object.record.phase {
        JobPhase::New | JobPhase::Waiting { .. } => (false, false),
        JobPhase::Adopting { .. } | JobPhase::Submitting { .. } | JobPhase::Stopping { .. } => (true, false),
        JobPhase::Running => (true, true),
        JobPhase::Ended { .. } | JobPhase::Terminated => (false, true),
    };
    let flink_id = object.record.attempt.as_ref().map(|attempt| attempt.job_id.clone());
    JobView { name: "c-job".into(), slots: 1, live, settled, supervised: object.supervised, flink_id }
}

fn unknown<T>(since: Timestamp) -> Reading<T> {
    Reading::Unknown { why: "no answer".into(), since }
}

/// What a JobManager says, if it says anything.
fn told<T>(manager: &Reading<&Pod>, what: impl FnOnce(&Pod) -> T) -> Reading<T> {
    match manager {
        Reading::Known(manager) => Reading::Known(what(manager)),
        Reading::Unknown { since, .. } => unknown(*since),
    }
}

impl World {
    /// Pods and bootstrap as caches have them.
    pub fn seen(&self) -> Seen {
        let fresh = || Seen { pods: self.pods.clone(), bootstrap: self.bootstrap.clone() };
        self.stale.clone().unwrap_or_else(fresh)
    }

    /// The JobManager that the cluster's record means, in the supervisor's eyes.
    fn current<'a>(&self, seen: &'a Seen) -> Option<&'a Pod> {
        let number = self.cluster.as_ref()?.record.incarnation;
        seen.pods.iter().find(|pod| pod.name == Name::JobManager(number) && !pod.deleting && !pod.over)
    }

    fn slots(&self, manager: &Pod) -> u32 {
        let registered = self.pods.iter().filter(|pod| {
            let own = !pod.is_job_manager() && pod.incarnation() == manager.incarnation();
            own && !pod.over && !pod.orphaned && !pod.pending
        });
        u32::try_from(registered.count()).unwrap_or(u32::MAX)
    }

    /// Decides about the cluster as `self` looks; `real` answers requests.
    pub fn decide_cluster(&self, real: &Self) -> Option<cluster::Step> {
        let object = self.cluster.as_ref()?;
        let seen = self.seen();
        let flink = told(&real.ask_as(self, &seen), |manager| FlinkView {
            version: "2".into(),
            supported: true,
            highly_available: real.highly_available,
            slots_total: real.slots(manager),
            task_managers: vec![],
            live_jobs: vec![],
        });
        Some(cluster::step(&cluster::Observed {
            record: &object.record,
            desired: &cluster_desired(object),
            pods: seen.pods.iter().map(pod).collect(),
            service: (!matches!(object.record.phase, ClusterPhase::Stopping { .. } | ClusterPhase::Stopped))
                .then(|| cluster::ServiceView { uid: "svc".into(), deleting: false }),
            jobs: self.job.iter().map(job_view).collect(),
            flink,
            now: clock::now(self.triggers),
        }))
    }

    /// A JobManager is asked at its pod's address, so that nobody else answers.
    fn ask_as(&self, looker: &Self, seen: &Seen) -> Reading<&Pod> {
        let asked = looker.current(seen).and_then(|pod| self.job_manager(&pod.uid));
        match asked.map(|pod| (pod, pod.silence)) {
            Some((pod, Silence::None)) => Reading::Known(pod),
            None | Some((_, Silence::Short)) => unknown(clock::now(0)),
            Some((_, Silence::Long)) => unknown(clock::long_ago()),
        }
    }

    /// Decides about the job as `self` looks; `real` answers requests.
    pub fn decide_job(&self, real: &Self, laws: &Laws) -> Option<job::Step> {
        let object = self.job.as_ref()?;
        let seen = self.seen();
        let manager = real.ask_as(self, &seen);
        let nothing = || unknown(clock::now(0));
        let desired = job_desired(object, laws);
        Some(job::step(&job::Observed {
            record: &object.record,
            desired: &desired,
            cluster: self.cluster_view(real, &seen, &manager, laws),
            bootstrap: bootstrap(&seen),
            checkpoints: object.record.attempt.as_ref().map_or_else(nothing, |attempt| {
                let path = format!("ck/{}", attempt.job_id);
                told(&manager, |_| Checkpoints::Directory { path, retained: true })
            }),
            operation: operation(real, &object.record, &manager),
            disposal: OperationView::Unknown,
            jars: vec![],
            in_place: told(&manager, |manager| real.in_place(object.record.attempt.as_ref(), manager, laws)),
            evidence: match &object.record.attempt {
                Some(attempt) if object.record.restore == Restore::Newest => {
                    told(&manager, |_| real.evidence(&job::places(attempt, Some("ck"), laws.recovery_mode), laws))
                }
                _ => unknown(clock::now(0)),
            },
            now: clock::now(self.triggers),
        }))
    }

    fn cluster_view(&self, real: &Self, seen: &Seen, manager: &Reading<&Pod>, laws: &Laws) -> Cluster {
        let (state, without_savepoint) = match self.cluster.as_ref().map(|object| &object.record.phase) {
            None => (ClusterState::Missing, false),
            Some(ClusterPhase::New | ClusterPhase::Adopting | ClusterPhase::Starting { .. }) => {
                (ClusterState::Starting, false)
            }
            Some(ClusterPhase::Started { .. }) => (ClusterState::Started, false),
            Some(ClusterPhase::Stopping { next: ClusterNext::Restart, without_savepoint, .. }) => {
                (ClusterState::Restarting, *without_savepoint)
            }
            Some(ClusterPhase::Stopping { without_savepoint, .. }) => (ClusterState::Stopping, *without_savepoint),
            Some(ClusterPhase::Stopped) => (ClusterState::Stopped, false),
            Some(ClusterPhase::Terminated) => (ClusterState::Terminated, false),
        };
        let current = self.current(seen);
        let mut alive: Vec<u32> = seen.pods.iter().filter(|pod| !pod.over).map(Pod::incarnation).collect();
        alive.sort_unstable();
        alive.dedup();
        if !laws.old_pods_are_seen {
            alive.retain(|number| current.is_some_and(|pod| pod.incarnation() == *number));
        }
        Cluster {
            state,
            without_savepoint,
            anew: self.cluster.as_ref().and_then(|object| object.record.anew),
            job_manager: current.map(|pod| JobManager {
                number: pod.incarnation(),
                uid: pod.uid.clone(),
                address: "10.0.0.1".into(),
            }),
            highly_available: real.highly_available,
            answering_for: match manager.known() {
                Some(manager) if manager.settled => clock::TICK * 2,
                _ => SignedDuration::ZERO,
            },
            alive,
            slots: match manager.known() {
                Some(manager) if real.slots(manager) > 0 => Slots::Enough,
                _ => Slots::Missing { wanted: 1, free: 0, most: 1 },
            },
            jobs: told(manager, |manager| real.jobs_of(manager)),
        }
    }

    fn jobs_of(&self, manager: &Pod) -> Vec<FlinkJobView> {
        let view = |execution: &super::world::Execution| FlinkJobView {
            id: ids::job_id(UID, execution.attempt),
            state: match execution.state {
                State::Running => "RUNNING",
                State::Finished => "FINISHED",
                State::Canceled => "CANCELED",
                State::Failed => "FAILED",
            }
            .into(),
            terminal: execution.state != State::Running,
            ready: true,
            failure: None,
        };
        self.executions.iter().filter(|execution| execution.job_manager == manager.uid).map(view).collect()
    }

    fn in_place(&self, attempt: Option<&Attempt>, manager: &Pod, laws: &Laws) -> InPlace {
        let own = |execution: &&super::world::Execution| {
            let same = attempt.is_some_and(|attempt| attempt.number == execution.attempt);
            same && execution.job_manager == manager.uid && execution.state == State::Running
        };
        match self.executions.iter().find(own).filter(|_| laws.adaptive) {
            Some(execution) => InPlace::Can { asked: execution.asked, running: execution.parallelism },
            None => InPlace::Cannot { why: "the scheduler is another one".into() },
        }
    }

    /// What lies where the last attempt may have left something.
    fn evidence(&self, places: &job::Places, laws: &Laws) -> Looked {
        let mut found = Evidence::default();
        for (index, saved) in self.storage.iter().enumerate().filter(|_| laws.storage_is_looked_at) {
            let position = index + 1;
            let modified = clock::completed(position);
            let below = |place: &String| saved.path.starts_with(place.as_str());
            if saved.checkpoint && places.checkpoints.as_ref().is_some_and(below) {
                let number = position as u64;
                found.checkpoints.push(Found { path: saved.path.clone(), number, modified });
            } else if !saved.checkpoint && places.savepoints.iter().any(below) {
                found.savepoints.push(Found { path: saved.path.clone(), number: 0, modified });
            }
        }
        Looked { found, known_place: true }
    }
}

fn bootstrap(seen: &Seen) -> BootstrapView {
    let Some(bootstrap) = &seen.bootstrap else { return BootstrapView::Absent };
    let (uid, attempt) = (bootstrap.uid.clone(), bootstrap.attempt.number);
    match &bootstrap.progress {
        _ if bootstrap.deleting => BootstrapView::Leaving { started: bootstrap.progress != Progress::Created },
        Progress::Ended(outcome) => BootstrapView::Ended { uid, attempt, outcome: outcome.clone() },
        progress => BootstrapView::Active { uid, attempt, started: *progress != Progress::Created, detail: None },
    }
}

fn operation(real: &World, record: &JobRecord, manager: &Reading<&Pod>) -> OperationView {
    let trigger = match (&record.phase, &record.operation) {
        (JobPhase::Stopping { stop: Stop::Savepoint { trigger_id, .. }, .. }, _) => trigger_id,
        (JobPhase::Running, Some(operation)) => &operation.trigger_id,
        _ => return OperationView::Unknown,
    };
    let own =
        record.attempt.as_ref().zip(manager.known()).is_some_and(|(attempt, pod)| attempt.incarnation.uid == pod.uid);
    if !own {
        return OperationView::Unknown;
    }
    match real.operations.iter().find(|operation| operation.trigger == *trigger).map(|operation| &operation.course) {
        None => OperationView::NotFound,
        Some(Course::InProgress) => OperationView::InProgress,
        Some(Course::Completed(path)) => OperationView::Completed { path: path.clone() },
        Some(Course::Failed) => OperationView::Failed { why: "disk full".into() },
    }
}
