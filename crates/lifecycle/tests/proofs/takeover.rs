//! What the original left behind: its statuses have no record, its pods no owner.

use api::{FlinkCluster, FlinkJob};
use lifecycle::cluster::{Effect, PodState, Role};
use lifecycle::job::{BootstrapView, ClusterState};
use serde_json::{Value, json};

use crate::cluster_case::{self, Case as ClusterCase};
use crate::job_case::{self, Case as JobCase, JOB, active};
use crate::table::{Row, render};

/// A cluster as the original leaves it.
fn cluster(status: &str, restart: bool) -> ClusterCase {
    let object: FlinkCluster = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster",
        "metadata": { "name": "c", "annotations": { "operator.nextbreakpoint.com/should-restart": restart.to_string() } },
        "spec": { "runtime": { "image": "flink:1.20" }, "jobManager": {}, "taskManager": {}, "supervisor": { "image": "nextbreakpoint/flinkctl:1.4.4-beta" } },
        "status": { "supervisorStatus": status, "resourceStatus": "Updated", "digest": { "runtime": "rL0Y20zC+Fzt72VPzMSk2A==" } },
    }))
    .expect("the original's cluster can be read");
    let record = lifecycle::cluster::status::record(&object).expect("there is no record");
    cluster_case::fresh().with(|case| case.record = record)
}

/// As the original makes pods: nobody's, and with a random name.
fn ownerless(case: ClusterCase) -> ClusterCase {
    case.job_manager(0).task_managers(2).pods(|pod| pod.incarnation = 0)
}

pub fn clusters() -> Vec<Row> {
    let started = || ownerless(cluster("Started", false));
    vec![
        started().row("cluster started, pods are nobody's"),
        started().deleting().row("cluster started, pods are nobody's, deleted"),
        started()
            .pods(|pod| pod.incarnation = u32::from(pod.role == Role::JobManager))
            .row("cluster started, some pods adopted"),
        started().pods(|pod| pod.incarnation = 1).row("cluster started, all pods adopted"),
        cluster_case::fresh()
            .with(|case| case.record = started().pods(|pod| pod.incarnation = 1).step().record)
            .job_manager(1)
            .pods(|pod| pod.uid = "jm-0".into())
            .answers(2)
            .flink(|flink| flink.supported = false)
            .row("cluster taken over, its Flink is too old"),
        started().asks(api::Action::Stop).row("cluster started, STOP: looked at later"),
        started().pods(|pod| pod.state = PodState::Over { detail: None }).row("cluster started, pods ended"),
        cluster("Started", false).row("cluster started, no pods"),
        ownerless(cluster("Starting", false)).row("cluster was starting"),
        ownerless(cluster("Stopping", false)).row("cluster was stopping"),
        ownerless(cluster("Stopping", true)).row("cluster was restarting"),
        cluster("Stopped", false).row("cluster stopped"),
        cluster("Terminated", false).row("cluster terminated"),
    ]
}

/// A job as the original leaves it.
fn job(status: &Value, restart: bool) -> JobCase {
    let object: FlinkJob = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob",
        "metadata": { "name": "c-job", "annotations": { "operator.nextbreakpoint.com/should-restart": restart.to_string() } },
        "spec": {
            "jobParallelism": 2,
            "bootstrap": { "image": "jobs:1", "className": "a.Job", "jarPath": "/a.jar" },
            "savepoint": { "savepointMode": "Automatic", "savepointInterval": 0, "savepointTargetPath": "sp" },
            "restart": { "restartPolicy": "OnlyIfFailed", "restartDelay": 60, "restartTimeout": 180 },
        },
        "status": status,
    }))
    .expect("the original's job can be read");
    let record = lifecycle::job::status::record(&object).expect("there is no record");
    let digest = record.attempt.as_ref().map(|attempt| attempt.digest.clone());
    job_case::fresh().with(|case| {
        case.record = record;
        case.desired.digest = digest.unwrap_or_default();
        case.desired.recorded_savepoint = status["savepointPath"].as_str().map(str::to_owned);
    })
}

fn in_state(state: &str) -> Value {
    json!({ "supervisorStatus": state, "jobId": JOB, "jobStatus": "RUNNING", "jobParallelism": 2, "savepointPath": "s1" })
}

pub fn jobs() -> Vec<Row> {
    let started = || job(&in_state("Started"), false);
    let stopping = || job(&in_state("Stopping"), false);
    let stopped = |last: &str| {
        job(&json!({ "supervisorStatus": "Stopped", "jobId": JOB, "jobStatus": last, "savepointPath": "s1" }), false)
    };
    let saving = |state: &str| {
        let mut status = in_state(state);
        status["savepointJobId"] = json!(JOB);
        status["savepointTriggerId"] = json!("0123456789abcdef0123456789abcdef");
        job(&status, false)
    };
    let nameless = |state: &str| job(&json!({ "supervisorStatus": state, "jobId": "", "savepointPath": "s1" }), false);
    vec![
        started().flink("RUNNING").row("job started, Flink runs it"),
        started().flink("RUNNING").cluster(ClusterState::Starting).row("job started, its cluster is being taken over"),
        started().flink("RUNNING").bootstrap(active(0)).row("job started, a bootstrap is at work"),
        started()
            .flink("RUNNING")
            .bootstrap(BootstrapView::Leaving { started: true })
            .row("job started, a bootstrap is going"),
        saving("Started").flink("RUNNING").row("job started, a savepoint is under way"),
        saving("Stopping").flink("RUNNING").row("job was stopping, its savepoint is under way"),
        saving("Stopping").flink("CANCELED").row("job was stopping, nobody looked at its savepoint"),
        started().silent().row("job started, Flink does not answer"),
        started().silent().deleting().row("job started, Flink does not answer, deleted"),
        started().row("job started, Flink has lost it"),
        started().with(|case| case.cluster.job_manager = None).row("job started, the JobManager is gone"),
        stopping().flink("RUNNING").row("job was stopping, Flink runs it"),
        stopping().flink("FINISHED").row("job was stopping, it has ended"),
        job(&in_state("Stopping"), true).flink("FINISHED").row("job was restarting, it has ended"),
        nameless("Stopping").row("job was stopping, nothing runs"),
        job(&in_state("Starting"), false).flink("RUNNING").row("job was starting, Flink runs it"),
        job(&in_state("Starting"), false).row("job was starting, with the id of its last execution"),
        nameless("Starting").row("job was starting, nothing was submitted"),
        stopped("").row("job stopped"),
        stopped("FINISHED").row("job finished"),
        stopped("FAILED").row("job failed"),
        nameless("Terminated").row("job terminated"),
    ]
}

/// SC-182, SC-183, SC-249, SC-250, SC-310, SC-311, SC-391
#[test]
fn each_thing_left_behind_has_its_decision() {
    insta::assert_snapshot!(render(&clusters().into_iter().chain(jobs()).collect::<Vec<_>>()));
}

#[test]
fn a_running_cluster_is_adopted_whole_before_anything_is_made() {
    let step = ownerless(cluster("Started", false)).step();
    assert!(
        step.effects.iter().all(|effect| matches!(effect, Effect::AdoptPod { incarnation: 1, .. })),
        "{:?}",
        step.effects
    );
    assert_eq!(step.effects.len(), 3);
}

/// F-28
#[test]
fn a_running_job_is_not_restarted_because_of_a_digest() {
    let taken = job(&in_state("Started"), false).flink("RUNNING");
    let next = taken.next();
    assert_eq!(next.record.attempt.as_ref().map(|attempt| attempt.incarnation.uid.as_str()), Some("jm-1"));
    let step = next.step();
    assert!(step.effects.is_empty() && step.record.phase == next.record.phase, "{step:?}");
}
