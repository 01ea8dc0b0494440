//! Labels of all objects, and the selectors made of them.
//!
//! Children are found by owner reference and label; names are never parsed to find them.

use std::collections::BTreeMap;

use crate::names;

pub const OWNER: &str = "owner";
pub const COMPONENT: &str = "component";
pub const CLUSTER_NAME: &str = "clusterName";
pub const JOB_NAME: &str = "jobName";
pub const ROLE: &str = "role";
/// Number of the JobManager pod that a JobManager or TaskManager pod is or belongs to.
pub const INCARNATION: &str = "nextbreakpoint.com/incarnation";
/// Annotation of TaskManager pods: uid of the JobManager pod that they belong to.
pub const INCARNATION_UID: &str = "nextbreakpoint.com/incarnation-uid";
/// Annotation of pods that the original made, and that were adopted: how often their containers had been restarted until then.
pub const ADOPTED_RESTARTS: &str = "nextbreakpoint.com/adopted-restarts";
/// Number of the attempt that a bootstrap Job and its pod were made for.
pub const ATTEMPT: &str = "nextbreakpoint.com/attempt";

/// Value of [`OWNER`].
pub const OWNER_VALUE: &str = "flink-operator";
/// Value of [`COMPONENT`].
pub const COMPONENT_VALUE: &str = "flink";

/// Labels by key.
pub type Labels = BTreeMap<String, String>;

/// What a pod is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    JobManager,
    TaskManager,
    Supervisor,
    Bootstrap,
}

impl Role {
    /// Value of the label [`ROLE`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobManager => "jobmanager",
            Self::TaskManager => "taskmanager",
            Self::Supervisor => "supervisor",
            Self::Bootstrap => "bootstrap",
        }
    }
}

/// Labels of a cluster, and of the deployment with its name.
pub fn cluster(cluster: &str) -> Labels {
    [(OWNER, OWNER_VALUE), (COMPONENT, COMPONENT_VALUE), (CLUSTER_NAME, cluster)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Labels of a job; `job` is its short name.
pub fn job(cluster_name: &str, job: &str) -> Labels {
    let mut labels = cluster(cluster_name);
    labels.insert(JOB_NAME.to_owned(), job.to_owned());
    labels
}

/// Labels of an object of a cluster.
pub fn role(cluster_name: &str, role: Role) -> Labels {
    let mut labels = cluster(cluster_name);
    labels.insert(ROLE.to_owned(), role.as_str().to_owned());
    labels
}

/// Labels of the bootstrap of a job; `job` is its short name.
pub fn bootstrap(cluster_name: &str, job_name: &str) -> Labels {
    let mut labels = job(cluster_name, job_name);
    labels.insert(ROLE.to_owned(), Role::Bootstrap.as_str().to_owned());
    labels
}

/// Selector of everything that belongs to a cluster.
pub fn cluster_selector(cluster: &str) -> String {
    format!("{CLUSTER_NAME}={cluster},{OWNER}={OWNER_VALUE},{COMPONENT}={COMPONENT_VALUE}")
}

/// Selector of the objects of a cluster with one role.
pub fn role_selector(cluster: &str, role: Role) -> String {
    format!("{},{ROLE}={}", cluster_selector(cluster), role.as_str())
}

/// Selector for `status.labelSelector`: the pods by whose load an autoscaler decides, that is the TaskManagers.
pub fn scale_selector(cluster: &str) -> String {
    role_selector(cluster, Role::TaskManager)
}

/// Labels of a FlinkJob resource by its full name, if the name belongs to the cluster.
pub fn of_job_resource(cluster_name: &str, resource: &str) -> Option<Labels> {
    names::short_job_name(cluster_name, resource).map(|short| job(cluster_name, short))
}
