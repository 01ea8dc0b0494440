//! A cluster in a situation, for tables.

use api::RescalePolicy;
use api::annotations::Action;
use api::record::{ClusterNext, ClusterPhase, ClusterRecord, Command};
use jiff::{SignedDuration, Timestamp};
use lifecycle::Reading;
use lifecycle::cluster::{
    self, Desired, FlinkView, JobView, Node, Observed, PodState, PodView, Role, ServiceView, Step, TaskManagerView,
};
use lifecycle::command::{Request, Requested};

use crate::job_case::{ago, at, request};
use crate::table::Row;

/// Everything a decision looks at; owned, so that a case can be changed and stepped on.
#[derive(Clone)]
pub struct Case {
    pub record: ClusterRecord,
    pub desired: Desired,
    pub pods: Vec<PodView>,
    pub service: Option<ServiceView>,
    pub jobs: Vec<JobView>,
    pub flink: Reading<FlinkView>,
    pub now: Timestamp,
}

fn desired() -> Desired {
    Desired {
        deleting: false,
        deleting_since: None,
        force_delete: false,
        supervised: true,
        digest: "d1".into(),
        task_managers: 1,
        min_task_managers: 0,
        max_task_managers: 4,
        task_slots: 2,
        rescale_policy: RescalePolicy::JobParallelism,
        rescale_delay: SignedDuration::from_secs(60),
        task_timeout: SignedDuration::from_secs(300),
        node_lost_timeout: None,
        cancel_unmanaged: false,
        request: None,
    }
}

fn case(phase: ClusterPhase) -> Case {
    Case {
        record: ClusterRecord {
            phase,
            incarnation: 1,
            digest: "d1".into(),
            rescaled: Some(ago(500)),
            ..ClusterRecord::default()
        },
        desired: desired(),
        pods: vec![],
        service: Some(ServiceView { uid: "svc".into(), deleting: false }),
        jobs: vec![],
        flink: Reading::Unknown { why: "timed out".into(), since: ago(5) },
        now: at(1000),
    }
}

pub fn fresh() -> Case {
    let mut case = case(ClusterPhase::New);
    case.record = ClusterRecord::default();
    case.service = None;
    case
}

pub fn starting() -> Case {
    case(ClusterPhase::Starting { since: ago(5), not_before: None })
}

/// A cluster at rest: a JobManager, a TaskManager with two slots, a job that uses both.
pub fn started() -> Case {
    case(ClusterPhase::Started { uid: "jm-1".into() }).job_manager(1).task_managers(1).answers(2).job(2)
}

pub fn stopping(next: ClusterNext) -> Case {
    case(ClusterPhase::Stopping { next, without_savepoint: false, since: ago(5) })
}

pub fn stopped() -> Case {
    let mut case = case(ClusterPhase::Stopped);
    case.service = None;
    case
}

pub fn terminated() -> Case {
    let mut case = case(ClusterPhase::Terminated).deleting();
    case.service = None;
    case
}

fn pod(role: Role, incarnation: u32, index: u32) -> PodView {
    let (name, uid, host) = match role {
        Role::JobManager => (format!("jobmanager-c-{incarnation}"), format!("jm-{incarnation}"), 1),
        Role::TaskManager => {
            (format!("taskmanager-c-{incarnation}-{index}"), format!("tm-{incarnation}-{index}"), 10 + index)
        }
    };
    PodView {
        name,
        uid,
        role,
        incarnation,
        index,
        deleting: false,
        state: PodState::Running,
        node: Node::Fine,
        address: Some(format!("10.0.{incarnation}.{host}")),
    }
}

impl Case {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn job_manager(self, incarnation: u32) -> Self {
        self.with(|case| case.pods.push(pod(Role::JobManager, incarnation, 0)))
    }

    /// This many TaskManagers of the current incarnation.
    pub fn task_managers(self, number: u32) -> Self {
        self.with(|case| case.pods.extend((0..number).map(|index| pod(Role::TaskManager, 1, index))))
    }

    pub fn old_task_manager(self) -> Self {
        self.with(|case| case.pods.push(pod(Role::TaskManager, 0, 0)))
    }

    pub fn pods(self, change: impl FnMut(&mut PodView)) -> Self {
        self.with(|case| case.pods.iter_mut().for_each(change))
    }

    /// The JobManager answers, with so many slots and no idle TaskManager.
    pub fn answers(self, slots_total: u32) -> Self {
        self.with(|case| {
            case.flink = Reading::Known(FlinkView {
                version: "2.1.3".into(),
                supported: true,
                highly_available: false,
                slots_total,
                task_managers: vec![],
                live_jobs: vec![],
            });
        })
    }

    pub fn flink(self, change: impl FnOnce(&mut FlinkView)) -> Self {
        self.with(|case| {
            if let Reading::Known(flink) = &mut case.flink {
                change(flink);
            }
        })
    }

    /// The JobManager has not answered for so long.
    pub fn silent(self, seconds: i64) -> Self {
        self.with(|case| case.flink = Reading::Unknown { why: "timed out".into(), since: ago(seconds) })
    }

    pub fn idle(self, indexes: &[u32]) -> Self {
        self.flink(|flink| {
            let manager = |index: &u32| TaskManagerView { address: format!("10.0.1.{}", 10 + index), idle: true };
            flink.task_managers = indexes.iter().map(manager).collect();
        })
    }

    pub fn job(self, slots: u32) -> Self {
        self.with(|case| {
            case.jobs.push(JobView {
                name: format!("c-job-{}", case.jobs.len()),
                slots,
                live: slots > 0,
                settled: true,
                supervised: true,
                flink_id: Some("f1".into()),
            });
        })
    }

    pub fn deleting(self) -> Self {
        self.with(|case| case.desired.deleting = true)
    }

    /// Deleted, and to be let go at once.
    pub fn forced(self) -> Self {
        self.deleting().with(|case| case.desired.force_delete = true)
    }

    /// Flink's own high availability is on.
    pub fn highly_available(self) -> Self {
        self.with(|case| case.record.highly_available = true).flink(|flink| flink.highly_available = true)
    }

    /// The node of the JobManager has been silent for so long.
    pub fn node_silent(self, seconds: i64) -> Self {
        self.pods(|pod| {
            if pod.role == Role::JobManager {
                pod.node = Node::Silent { lasts: SignedDuration::from_secs(seconds) };
            }
        })
    }

    pub fn asks(self, action: Action) -> Self {
        self.with(|case| case.desired.request = Some(request(action)))
    }

    pub fn asks_nonsense(self) -> Self {
        self.with(|case| {
            let action = Requested::Invalid("JUMP".into());
            case.desired.request = Some(Request { action, ..request(Action::Stop) });
        })
    }

    pub fn under_way(self, action: Action) -> Self {
        self.with(|case| {
            case.record.command = Some(Command { id: "1".into(), action, done: false, without_savepoint: false });
            case.desired.request = Some(request(action));
        })
    }

    pub fn step(&self) -> Step {
        cluster::step(&self.observed())
    }

    /// What a step looks at.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            record: &self.record,
            desired: &self.desired,
            pods: self.pods.clone(),
            service: self.service.clone(),
            jobs: self.jobs.clone(),
            flink: self.flink.clone(),
            now: self.now,
        }
    }

    pub fn row(&self, name: &'static str) -> Row {
        Row::of(name, self.now, &self.record.phase, self.step(), None)
    }
}
