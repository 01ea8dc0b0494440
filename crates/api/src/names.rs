//! Names of all objects. They are deterministic, so that creating twice is noticed.
//!
//! A name is made here or nowhere. Longest child names decide how long the names of clusters and jobs may be.

/// Finalizer of the operator.
pub const OPERATOR_FINALIZER: &str = "operator.nextbreakpoint.com";
/// Finalizer of the supervisor.
pub const SUPERVISOR_FINALIZER: &str = "supervisor.nextbreakpoint.com";

/// Longest name of a cluster: `jobmanager-<cluster>` names a Service, which may have 63 characters.
pub const MAX_CLUSTER_NAME: usize = 52;
/// Longest name of a FlinkJob: `bootstrap-<job>` names a Job, whose name becomes a label value of its pods.
pub const MAX_JOB_NAME: usize = 53;

/// FlinkJob of a cluster by its short name.
pub fn job(cluster: &str, job: &str) -> String {
    format!("{cluster}-{job}")
}

/// Service of the JobManager.
pub fn job_manager_service(cluster: &str) -> String {
    format!("jobmanager-{cluster}")
}

/// JobManager pod of an incarnation.
pub fn job_manager_pod(cluster: &str, incarnation: u32) -> String {
    format!("jobmanager-{cluster}-{incarnation}")
}

/// TaskManager pod of an incarnation.
pub fn task_manager_pod(cluster: &str, incarnation: u32, index: u32) -> String {
    format!("taskmanager-{cluster}-{incarnation}-{index}")
}

/// Deployment of the supervisor.
pub fn supervisor(cluster: &str) -> String {
    format!("supervisor-{cluster}")
}

/// Job that submits a job; `job` is its short name.
pub fn bootstrap(cluster: &str, job: &str) -> String {
    format!("bootstrap-{cluster}-{job}")
}

/// Lease of the operator.
pub const OPERATOR_LEASE: &str = "leader-election-operator";

/// Lease of a cluster's supervisor.
pub fn supervisor_lease(cluster: &str) -> String {
    format!("leader-election-supervisor-{cluster}")
}

/// Short name of a job within a cluster, if its name says that it could belong to it.
pub fn short_job_name<'a>(cluster: &str, job: &'a str) -> Option<&'a str> {
    job.strip_prefix(cluster)?.strip_prefix('-').filter(|short| !short.is_empty())
}

/// The cluster that a FlinkJob belongs to, and its short name there: of all clusters whose name and a dash begin the job's name,
/// the one with the longest name.
pub fn cluster_of_job<'c, 'j>(job: &'j str, clusters: impl IntoIterator<Item = &'c str>) -> Option<(&'c str, &'j str)> {
    clusters
        .into_iter()
        .filter_map(|cluster| Some((cluster, short_job_name(cluster, job)?)))
        .max_by_key(|(cluster, _)| cluster.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_belongs_to_the_cluster_with_the_longest_name() {
        let clusters = ["demo", "demo-2", "other"];
        assert_eq!(cluster_of_job("demo-2-x", clusters), Some(("demo-2", "x")));
        assert_eq!(cluster_of_job("demo-x", clusters), Some(("demo", "x")));
        assert_eq!(cluster_of_job("demo-2", clusters), Some(("demo", "2")));
        assert_eq!(cluster_of_job("demo", clusters), None);
        assert_eq!(cluster_of_job("demonstration-x", clusters), None);
        assert_eq!(cluster_of_job("demo-", clusters), None);
    }
}
