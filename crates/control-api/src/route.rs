//! Every route, once.

/// HTTP method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// The resource that a route is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Deployment,
    Cluster,
    Job,
}

impl Target {
    /// Its kind in the Kubernetes API.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "FlinkDeployment",
            Self::Cluster => "FlinkCluster",
            Self::Job => "FlinkJob",
        }
    }

    /// What messages call it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Cluster => "Cluster",
            Self::Job => "Job",
        }
    }

    /// Its plural in the Kubernetes API, for the question who may do it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Deployment => "flinkdeployments",
            Self::Cluster => "flinkclusters",
            Self::Job => "flinkjobs",
        }
    }
}

/// An action on a cluster or job that a supervisor carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Start,
    Stop,
    Scale,
    TriggerSavepoint,
    ForgetSavepoint,
}

impl Action {
    /// One word for it, in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Stop => "STOP",
            Self::Scale => "SCALE",
            Self::TriggerSavepoint => "TRIGGER_SAVEPOINT",
            Self::ForgetSavepoint => "FORGET_SAVEPOINT",
        }
    }
}

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The names of all.
    Names(Target),
    /// Whole resources.
    List(Target),
    Get(Target),
    Status(Target),
    Create(Target),
    Update(Target),
    Delete(Target),
    Act(Target, Action),
    Events(Target),
    Explain(Target),
    JobDetails,
    JobMetrics,
    JobManagerMetrics,
    TaskManagers,
    TaskManagerDetails,
    TaskManagerMetrics,
    /// Changes of all resources as they happen.
    Watch,
    /// The description of this API.
    OpenApi,
}

impl Operation {
    /// What it is about; watching is about all kinds, and the description about none.
    pub fn target(self) -> Option<Target> {
        match self {
            Self::Names(target)
            | Self::List(target)
            | Self::Get(target)
            | Self::Status(target)
            | Self::Create(target)
            | Self::Update(target)
            | Self::Delete(target)
            | Self::Act(target, _)
            | Self::Events(target)
            | Self::Explain(target) => Some(target),
            Self::JobDetails | Self::JobMetrics => Some(Target::Job),
            Self::JobManagerMetrics | Self::TaskManagers | Self::TaskManagerDetails | Self::TaskManagerMetrics => {
                Some(Target::Cluster)
            }
            Self::Watch | Self::OpenApi => None,
        }
    }

    /// The verb of the Kubernetes API that a caller needs on the resource, with the subresource. The description needs none.
    pub fn verb(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Names(_) | Self::List(_) => ("list", ""),
            Self::Status(_) => ("get", "status"),
            Self::Get(_)
            | Self::Events(_)
            | Self::Explain(_)
            | Self::JobDetails
            | Self::JobMetrics
            | Self::JobManagerMetrics
            | Self::TaskManagers
            | Self::TaskManagerDetails
            | Self::TaskManagerMetrics => ("get", ""),
            Self::Create(_) => ("create", ""),
            Self::Update(_) => ("update", ""),
            Self::Delete(_) => ("delete", ""),
            Self::Act(_, Action::Scale) => ("patch", "scale"),
            Self::Act(..) => ("patch", ""),
            Self::Watch => ("watch", ""),
            Self::OpenApi => return None,
        })
    }

    /// One word for it, for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Names(_) => "names",
            Self::List(_) => "list",
            Self::Get(_) => "get",
            Self::Status(_) => "status",
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
            Self::Act(_, Action::Start) => "start",
            Self::Act(_, Action::Stop) => "stop",
            Self::Act(_, Action::Scale) => "scale",
            Self::Act(_, Action::TriggerSavepoint) => "trigger-savepoint",
            Self::Act(_, Action::ForgetSavepoint) => "forget-savepoint",
            Self::Events(_) => "events",
            Self::Explain(_) => "explain",
            Self::JobDetails => "job-details",
            Self::JobMetrics => "job-metrics",
            Self::JobManagerMetrics => "jobmanager-metrics",
            Self::TaskManagers => "taskmanagers",
            Self::TaskManagerDetails => "taskmanager-details",
            Self::TaskManagerMetrics => "taskmanager-metrics",
            Self::Watch => "watch",
            Self::OpenApi => "openapi",
        }
    }

    /// Whether it changes something.
    pub fn is_mutating(self) -> bool {
        matches!(self, Self::Create(_) | Self::Update(_) | Self::Delete(_) | Self::Act(..))
    }
}

/// A route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub method: Method,
    /// Below [`crate::BASE`], with `{deployment}`, `{cluster}`, `{job}` and `{taskmanager}` for names.
    pub path: &'static str,
    pub operation: Operation,
    /// Known to clients of flink-k8s-toolbox.
    pub original: bool,
    pub summary: &'static str,
}

const fn original(method: Method, path: &'static str, operation: Operation, summary: &'static str) -> Route {
    Route { method, path, operation, original: true, summary }
}

const fn added(method: Method, path: &'static str, operation: Operation, summary: &'static str) -> Route {
    Route { method, path, operation, original: false, summary }
}

use Action::{ForgetSavepoint, Scale, Start, Stop, TriggerSavepoint};
use Method::{Delete, Get, Post, Put};
use Operation as Do;
use Target::{Cluster, Deployment, Job};

/// All of them. `/cluster` is served as an alias of `/clusters` throughout.
pub const ROUTES: &[Route] = &[
    original(Get, "/deployments", Do::Names(Deployment), "Names of all deployments"),
    original(Get, "/deployments/{deployment}/status", Do::Status(Deployment), "Status of a deployment"),
    original(Post, "/deployments/{deployment}", Do::Create(Deployment), "Create a deployment from its spec"),
    original(Put, "/deployments/{deployment}", Do::Update(Deployment), "Replace the spec of a deployment"),
    original(
        Delete,
        "/deployments/{deployment}",
        Do::Delete(Deployment),
        "Delete a deployment with its cluster and jobs",
    ),
    original(Get, "/clusters", Do::Names(Cluster), "Names of all clusters"),
    original(Get, "/clusters/{cluster}/status", Do::Status(Cluster), "Status of a cluster"),
    original(Post, "/clusters/{cluster}", Do::Create(Cluster), "Create a cluster from its spec"),
    original(Put, "/clusters/{cluster}", Do::Update(Cluster), "Replace the spec of a cluster"),
    original(Delete, "/clusters/{cluster}", Do::Delete(Cluster), "Delete a cluster; its FlinkJobs stay"),
    original(Put, "/clusters/{cluster}/start", Do::Act(Cluster, Start), "Start a cluster and its jobs"),
    original(
        Put,
        "/clusters/{cluster}/stop",
        Do::Act(Cluster, Stop),
        "Stop the jobs with savepoints, then the cluster",
    ),
    original(Put, "/clusters/{cluster}/scale", Do::Act(Cluster, Scale), "Set the number of TaskManagers"),
    original(Get, "/clusters/{cluster}/jobmanager/metrics", Do::JobManagerMetrics, "Metrics of the JobManager"),
    original(Get, "/clusters/{cluster}/taskmanagers", Do::TaskManagers, "The TaskManagers that Flink knows"),
    original(
        Get,
        "/clusters/{cluster}/taskmanagers/{taskmanager}/details",
        Do::TaskManagerDetails,
        "A TaskManager with its memory",
    ),
    original(
        Get,
        "/clusters/{cluster}/taskmanagers/{taskmanager}/metrics",
        Do::TaskManagerMetrics,
        "Metrics of a TaskManager",
    ),
    original(Get, "/clusters/{cluster}/jobs", Do::Names(Job), "Short names of the jobs of a cluster"),
    original(Get, "/clusters/{cluster}/jobs/{job}/status", Do::Status(Job), "Status of a job"),
    original(Get, "/clusters/{cluster}/jobs/{job}/details", Do::JobDetails, "What Flink says of a job"),
    original(Get, "/clusters/{cluster}/jobs/{job}/metrics", Do::JobMetrics, "Metrics of a job"),
    original(Post, "/clusters/{cluster}/jobs/{job}", Do::Create(Job), "Create a job from its spec"),
    original(Put, "/clusters/{cluster}/jobs/{job}", Do::Update(Job), "Replace the spec of a job"),
    original(Delete, "/clusters/{cluster}/jobs/{job}", Do::Delete(Job), "Delete a job, without a savepoint"),
    original(Put, "/clusters/{cluster}/jobs/{job}/start", Do::Act(Job, Start), "Start a job"),
    original(Put, "/clusters/{cluster}/jobs/{job}/stop", Do::Act(Job, Stop), "Stop a job with a savepoint"),
    original(Put, "/clusters/{cluster}/jobs/{job}/scale", Do::Act(Job, Scale), "Set the parallelism of a job"),
    original(Put, "/clusters/{cluster}/jobs/{job}/savepoint", Do::Act(Job, TriggerSavepoint), "Take a savepoint"),
    original(
        Delete,
        "/clusters/{cluster}/jobs/{job}/savepoint",
        Do::Act(Job, ForgetSavepoint),
        "Forget the last savepoint",
    ),
    added(Put, "/clusters/{cluster}/jobs/{job}/savepoint/trigger", Do::Act(Job, TriggerSavepoint), "Take a savepoint"),
    added(
        Put,
        "/clusters/{cluster}/jobs/{job}/savepoint/forget",
        Do::Act(Job, ForgetSavepoint),
        "Forget the last savepoint",
    ),
    added(Get, "/resources/deployments", Do::List(Deployment), "All deployments, whole"),
    added(Get, "/resources/clusters", Do::List(Cluster), "All clusters, whole"),
    added(Get, "/resources/jobs", Do::List(Job), "All jobs, whole"),
    added(Get, "/deployments/{deployment}", Do::Get(Deployment), "A deployment, whole"),
    added(Get, "/deployments/{deployment}/events", Do::Events(Deployment), "Events about a deployment, the last first"),
    added(Get, "/deployments/{deployment}/explain", Do::Explain(Deployment), "Why a deployment is as it is"),
    added(Get, "/clusters/{cluster}", Do::Get(Cluster), "A cluster, whole"),
    added(
        Get,
        "/clusters/{cluster}/events",
        Do::Events(Cluster),
        "Events about a cluster and its pods, the last first",
    ),
    added(Get, "/clusters/{cluster}/explain", Do::Explain(Cluster), "Why a cluster is as it is, and what to do"),
    added(Post, "/clusters/{cluster}/start", Do::Act(Cluster, Start), "Start a cluster and its jobs"),
    added(Post, "/clusters/{cluster}/stop", Do::Act(Cluster, Stop), "Stop the jobs with savepoints, then the cluster"),
    added(Post, "/clusters/{cluster}/scale", Do::Act(Cluster, Scale), "Set the number of TaskManagers"),
    added(Get, "/clusters/{cluster}/jobs/{job}", Do::Get(Job), "A job, whole"),
    added(Get, "/clusters/{cluster}/jobs/{job}/events", Do::Events(Job), "Events about a job, the last first"),
    added(Get, "/clusters/{cluster}/jobs/{job}/explain", Do::Explain(Job), "Why a job is as it is, and what to do"),
    added(Post, "/clusters/{cluster}/jobs/{job}/start", Do::Act(Job, Start), "Start a job"),
    added(Post, "/clusters/{cluster}/jobs/{job}/stop", Do::Act(Job, Stop), "Stop a job with a savepoint"),
    added(Post, "/clusters/{cluster}/jobs/{job}/scale", Do::Act(Job, Scale), "Set the parallelism of a job"),
    added(Post, "/clusters/{cluster}/jobs/{job}/savepoint", Do::Act(Job, TriggerSavepoint), "Take a savepoint"),
    added(
        Post,
        "/clusters/{cluster}/jobs/{job}/savepoint/forget",
        Do::Act(Job, ForgetSavepoint),
        "Forget the last savepoint",
    ),
    added(Get, "/watch", Do::Watch, "Changes of all resources as server-sent events"),
    added(Get, "/openapi.json", Do::OpenApi, "This description"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_route_is_there_twice() {
        let seen: BTreeSet<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
        assert_eq!(seen.len(), ROUTES.len());
    }

    #[test]
    fn names_in_a_path_are_those_that_the_operation_needs() {
        for route in ROUTES {
            let names: Vec<&str> = route.path.split('/').filter(|part| part.starts_with('{')).collect();
            let wanted: &[&str] = match route.operation {
                Operation::Names(Target::Job) => &["{cluster}"],
                Operation::Names(_) | Operation::List(_) | Operation::Watch | Operation::OpenApi => &[],
                Operation::TaskManagerDetails | Operation::TaskManagerMetrics => &["{cluster}", "{taskmanager}"],
                operation => match operation.target() {
                    Some(Target::Deployment) => &["{deployment}"],
                    Some(Target::Cluster) => &["{cluster}"],
                    Some(Target::Job) => &["{cluster}", "{job}"],
                    None => &[],
                },
            };
            assert_eq!(names, wanted, "{}", route.path);
        }
    }

    #[test]
    fn what_changes_something_is_no_question() {
        for route in ROUTES {
            assert_eq!(route.method != Method::Get, route.operation.is_mutating(), "{}", route.path);
            assert_eq!(route.operation.verb().is_none(), route.operation == Operation::OpenApi);
        }
    }

    /// SC-573
    #[test]
    fn the_original_has_twenty_nine_routes() {
        assert_eq!(ROUTES.iter().filter(|route| route.original).count(), 29);
    }
}
