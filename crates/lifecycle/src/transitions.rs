//! The phases and the ways between them, as a table: graphs and documentation are generated from it, and a test
//! holds the model's walks against it.

/// One way from a phase to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: &'static str,
    pub to: &'static str,
    pub why: &'static str,
}

const fn edge(from: &'static str, to: &'static str, why: &'static str) -> Edge {
    Edge { from, to, why }
}

/// Ways of a cluster.
pub const CLUSTER: &[Edge] = &[
    edge("New", "Starting", "taken over"),
    edge("Adopting", "Started", "all pods that the original left are adopted"),
    edge("Adopting", "Starting", "no JobManager was left"),
    edge("New", "Terminated", "deleted before it was taken over"),
    edge("Starting", "Started", "the JobManager answers"),
    edge("Starting", "Starting", "the JobManager ended"),
    edge("Starting", "Stopping", "STOP, changed, or deleted"),
    edge("Started", "Starting", "the JobManager is gone"),
    edge("Started", "Stopping", "STOP, START, changed, or deleted"),
    edge("Stopping", "Starting", "restart"),
    edge("Stopping", "Stopped", "stop"),
    edge("Stopping", "Terminated", "deletion"),
    edge("Stopped", "Starting", "START"),
    edge("Stopped", "Stopping", "deleted"),
];

/// Ways of a job.
pub const JOB: &[Edge] = &[
    edge("New", "Waiting", "taken over"),
    edge("Adopting", "Running", "Flink runs it, or has lost it"),
    edge("Adopting", "Stopping", "a stop of the original is finished"),
    edge("Adopting", "Ended", "the original had stopped it"),
    edge("Adopting", "Waiting", "the original was starting it"),
    edge("New", "Terminated", "deleted before it was taken over"),
    edge("Waiting", "Submitting", "cluster, slots and restore point are there"),
    edge("Waiting", "Stopping", "an earlier execution still lives"),
    edge("Waiting", "Ended", "STOP, the cluster stops, or parallelism 0"),
    edge("Waiting", "Terminated", "deleted"),
    edge("Submitting", "Running", "Flink runs it"),
    edge("Submitting", "Submitting", "the bootstrap was lost"),
    edge("Submitting", "Waiting", "the JobManager is gone"),
    edge("Submitting", "Stopping", "STOP, changed, timeout, the cluster stops, or deleted"),
    edge("Submitting", "Ended", "it could not be submitted, has ended already, or is not to be started again"),
    edge("Submitting", "Terminated", "the JobManager is gone while it is being deleted"),
    edge("Running", "Waiting", "the JobManager is gone"),
    edge("Running", "Stopping", "STOP, START, changed, the cluster stops, or deleted"),
    edge("Running", "Ended", "it ended"),
    edge("Running", "Terminated", "it ended while being deleted"),
    edge("Stopping", "Waiting", "restart"),
    edge("Stopping", "Stopping", "what was submitted is stopped too"),
    edge("Stopping", "Running", "the savepoint failed"),
    edge("Stopping", "Ended", "stop"),
    edge("Stopping", "Terminated", "deletion"),
    edge("Ended", "Stopping", "its Flink job lives after all"),
    edge("Ended", "Waiting", "START, the restart policy, or a mended definition"),
    edge("Ended", "Terminated", "deleted"),
];

/// Ways of a deployment, and of the supervisor that the operator runs for a cluster.
pub const OPERATOR: &[Edge] = &[
    edge("Declared", "Applied", "cluster and jobs are created or brought in line"),
    edge("Applied", "Applied", "the declaration changed"),
    edge("Applied", "Supervised", "each cluster has a supervisor Deployment"),
    edge("Supervised", "Applied", "the supervisor section changed"),
    edge("Supervised", "Removing", "deleted: jobs and cluster first"),
    edge("Applied", "Removing", "deleted"),
    edge("Removing", "Gone", "nothing is left"),
];
