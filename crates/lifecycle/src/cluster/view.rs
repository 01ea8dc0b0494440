//! What a decision about a cluster may look at, and what comes out of it.

use api::RescalePolicy;
use api::record::ClusterRecord;
use jiff::{SignedDuration, Timestamp};

use crate::Reading;
use crate::command::Request;

/// Everything [`super::step`] may look at.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub record: &'a ClusterRecord,
    pub desired: &'a Desired,
    /// All pods of the cluster that exist, whatever their incarnation; 0 for those that nobody owns.
    pub pods: Vec<PodView>,
    pub service: Option<ServiceView>,
    pub jobs: Vec<JobView>,
    /// What the current JobManager answers.
    pub flink: Reading<FlinkView>,
    pub now: Timestamp,
}

/// What the user wants, with defaults applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub deleting: bool,
    /// When its deletion was asked for; only told.
    pub deleting_since: Option<Timestamp>,
    /// It is let go whatever may still run.
    pub force_delete: bool,
    /// The supervisor's finalizer is on the object.
    pub supervised: bool,
    /// Of all that the pods are made from.
    pub digest: String,
    /// `spec.taskManagers`, before clamping.
    pub task_managers: u32,
    pub min_task_managers: u32,
    pub max_task_managers: u32,
    /// Slots of each TaskManager, at least 1.
    pub task_slots: u32,
    pub rescale_policy: RescalePolicy,
    pub rescale_delay: SignedDuration,
    pub task_timeout: SignedDuration,
    /// After so long a pod on a node that does not answer counts as ended; never, if it is not set.
    pub node_lost_timeout: Option<SignedDuration>,
    /// Jobs that flinkctl did not start are canceled.
    pub cancel_unmanaged: bool,
    pub request: Option<Request>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    JobManager,
    TaskManager,
}

/// How far a pod is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PodState {
    /// Not running yet; why, if the node says.
    Pending {
        detail: Option<String>,
    },
    Running,
    /// All its processes have ended.
    Over {
        detail: Option<String>,
    },
}

impl PodState {
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over { .. })
    }
}

/// What is known of the node of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Node {
    /// Nothing against it.
    #[default]
    Fine,
    /// It does not answer, for so long as that was watched: the pod may run on.
    Silent { lasts: SignedDuration },
    /// It is no more, or out of service: nothing runs on it.
    Gone,
}

/// One JobManager or TaskManager pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PodView {
    pub name: String,
    pub uid: String,
    pub role: Role,
    pub incarnation: u32,
    /// 0 for a JobManager.
    pub index: u32,
    pub deleting: bool,
    pub state: PodState,
    pub node: Node,
    pub address: Option<String>,
}

impl PodView {
    /// Whether a process of it may live, if one on a silent node counts as ended after `patience`.
    pub fn may_live(&self, patience: Option<SignedDuration>) -> bool {
        !self.state.is_over()
            && match self.node {
                Node::Fine => true,
                Node::Silent { lasts } => patience.is_none_or(|patience| lasts < patience),
                Node::Gone => false,
            }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceView {
    pub uid: String,
    pub deleting: bool,
}

/// A job of the cluster, as far as the cluster is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobView {
    pub name: String,
    /// Slots that it holds or waits for.
    pub slots: u32,
    /// An execution of it may live.
    pub live: bool,
    /// Nothing about it is under way.
    pub settled: bool,
    /// The supervisor's finalizer is on it.
    pub supervised: bool,
    /// The Flink id of its attempt.
    pub flink_id: Option<String>,
}

/// What the JobManager tells of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FlinkView {
    pub version: String,
    /// The version is one that flinkctl can run.
    pub supported: bool,
    /// It brings its jobs back after the loss of a JobManager.
    pub highly_available: bool,
    pub slots_total: u32,
    /// The TaskManagers that are registered.
    pub task_managers: Vec<TaskManagerView>,
    /// Flink ids of the jobs that are not over.
    pub live_jobs: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskManagerView {
    /// Address of its pod.
    pub address: String,
    pub idle: bool,
}

/// How the number of TaskManagers comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rescale {
    pub required: u32,
    pub declared: u32,
}

/// One thing to do in the world. Idempotent; names what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    AddFinalizer,
    RemoveFinalizer,
    CreateJobManager {
        incarnation: u32,
    },
    CreateService,
    /// Gives a pod that nobody owns to the cluster, as part of this incarnation.
    AdoptPod {
        name: String,
        uid: String,
        incarnation: u32,
        job_manager: String,
    },
    AdoptService {
        uid: String,
    },
    CreateTaskManager {
        incarnation: u32,
        job_manager: String,
        index: u32,
    },
    DeletePod {
        name: String,
        uid: String,
    },
    /// Removes a pod without waiting for its processes to end.
    KillPod {
        name: String,
        uid: String,
    },
    DeleteService {
        uid: String,
    },
    /// Sets `spec.taskManagers` through the scale subresource.
    Scale {
        task_managers: u32,
    },
    CancelJob {
        job_manager: String,
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
    OldPods {
        names: Vec<String>,
    },
    /// Pods on nodes that do not answer may still run; `until` then that is not waited for any more.
    NodeLost {
        names: Vec<String>,
        until: Option<Timestamp>,
    },
    Backoff {
        until: Timestamp,
    },
    JobManager {
        detail: String,
    },
    /// A pod that will not run by itself, such as one whose image cannot be pulled.
    Trouble {
        detail: String,
    },
    Slots {
        registered: u32,
        required: u32,
        /// More than these there cannot be.
        most: u32,
    },
    Idle {
        surplus: u32,
    },
    Jobs {
        names: Vec<String>,
    },
    Pods {
        names: Vec<String>,
    },
    Flink {
        why: String,
    },
    Unsupported {
        version: String,
    },
    User,
}

/// The outcome of one decision.
pub type Step = crate::step::Step<ClusterRecord, Effect, Waiting>;

impl Observed<'_> {
    /// What is waited for while these pods may live, if any of them is on a node that does not answer.
    pub(super) fn lost(&self, pods: &[&PodView]) -> Option<Waiting> {
        let silent = |pod: &&&PodView| matches!(pod.node, Node::Silent { .. });
        let names: Vec<String> = pods.iter().filter(silent).map(|pod| pod.name.clone()).collect();
        let left = pods.iter().filter_map(|pod| match (&pod.node, self.desired.node_lost_timeout) {
            (Node::Silent { lasts }, Some(patience)) => Some(patience - *lasts),
            _ => None,
        });
        let until = left.max().filter(|left| left.is_positive()).map(|left| self.now + left);
        (!names.is_empty()).then_some(Waiting::NodeLost { names, until })
    }

    /// The JobManager of an incarnation that may live.
    pub(super) fn job_manager(&self, incarnation: u32) -> Option<&PodView> {
        self.pods.iter().find(|pod| {
            pod.role == Role::JobManager && pod.incarnation == incarnation && !pod.deleting && !pod.state.is_over()
        })
    }
}
