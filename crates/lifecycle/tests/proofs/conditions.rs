//! What the conditions say in each kind of trouble: the cause, in words and by a reason that advice goes by.

use std::fmt::Write as _;

use api::conditions::{READY, SAVEPOINT_FAILED, STALLED, condition, reasons};
use api::record::{ClusterPhase, End};
use api::{FlinkClusterStatus, FlinkJobStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use lifecycle::cluster::{self, PodState, Role};
use lifecycle::job::{self, BootstrapView, ClusterState, Slots};
use lifecycle::{Reading, Refusal, cluster::Effect};

use crate::job_case::{ago, at};
use crate::{cluster_case, job_case};

const QUOTA: &str = "pods \"x\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2";

fn of_cluster(case: &cluster_case::Case, refused: Option<Refusal>) -> Vec<Condition> {
    let facts = cluster::status::Facts { refused, ..cluster::status::Facts::default() };
    cluster::status::status(&FlinkClusterStatus::default(), &case.observed(), &case.step(), &facts)
        .into_owned()
        .conditions
}

fn of_job(case: &job_case::Case, refused: Option<Refusal>) -> Vec<Condition> {
    let facts = job::status::Facts { refused, ..job::status::Facts::default() };
    job::status::status(&FlinkJobStatus::default(), &case.observed(), &case.step(), &facts).into_owned().conditions
}

fn line(text: &mut String, name: &str, conditions: &[Condition]) {
    let ready = condition(conditions, READY).unwrap();
    let stalled = condition(conditions, STALLED).is_some_and(|stalled| stalled.status == "True");
    assert!(reasons::ALL.contains(&ready.reason.as_str()), "{name}: {}", ready.reason);
    let how = if stalled {
        "stalled"
    } else if ready.status == "True" {
        "ready"
    } else {
        "not ready"
    };
    let _ = writeln!(text, "{name}\n    {how}, {}: {}", ready.reason, ready.message);
    if let Some(failed) = condition(conditions, SAVEPOINT_FAILED) {
        let _ = writeln!(text, "    {} {}, {}: {}", failed.type_, failed.status, failed.reason, failed.message);
    }
}

#[test]
fn each_trouble_of_a_cluster_has_its_reason() {
    use cluster_case::{started, starting};
    let pending = |detail: &str| PodState::Pending { detail: Some(detail.into()) };
    let failing = |failures| {
        starting().with(move |case| {
            case.record.failures = failures;
            case.record.failure = Some("exit code 1: IllegalConfigurationException: too little memory".into());
        })
    };
    let task_managers = |detail: &'static str| {
        started().answers(0).pods(move |pod| {
            if pod.role == Role::TaskManager {
                pod.state = pending(detail);
            }
        })
    };
    let rows = [
        ("all is well", started()),
        (
            "the image of the JobManager is missing",
            starting()
                .job_manager(1)
                .pods(|pod| pod.state = pending("container jobmanager: ErrImagePull: no such image")),
        ),
        (
            "no node has room",
            starting().job_manager(1).pods(|pod| pod.state = pending("Unschedulable: 0/3 nodes are available")),
        ),
        (
            "a Secret is missing",
            starting().job_manager(1).pods(|pod| {
                pod.state = pending("container jobmanager: CreateContainerConfigError: secret x not found")
            }),
        ),
        (
            "the image of the TaskManagers is missing",
            task_managers("container taskmanager: ErrImagePull: no such image"),
        ),
        (
            "the jobs want more than there can be",
            started().answers(2).job(20).with(|case| case.desired.task_managers = 4),
        ),
        ("TaskManagers are on their way", started().answers(0)),
        (
            "TaskManagers keep ending",
            started().answers(0).with(|case| {
                case.record.task_manager_failures = 3;
                case.record.rescaled = Some(ago(5));
                case.record.failure = Some("exit code 137 (OOMKilled)".into());
            }),
        ),
        ("one JobManager has ended", failing(1)),
        (
            "JobManagers keep ending, backoff",
            failing(4)
                .with(|case| case.record.phase = ClusterPhase::Starting { since: ago(5), not_before: Some(at(1004)) }),
        ),
        ("JobManagers keep ending, the next one starts", failing(4).job_manager(1)),
        ("the JobManager does not answer", started().silent(100)),
        ("Flink is too old", starting().job_manager(1).answers(0).flink(|flink| flink.supported = false)),
        ("STOP was done", cluster_case::starting().with(|case| case.record.phase = ClusterPhase::Stopped)),
    ];
    let mut text = String::new();
    for (name, case) in &rows {
        line(&mut text, name, &of_cluster(case, None));
    }
    let missing = started().with(|case| case.desired.task_managers = 2).job(1).answers(2);
    assert!(missing.step().effects.iter().any(|effect| matches!(effect, Effect::CreateTaskManager { .. })));
    line(&mut text, "the quota allows no TaskManager", &of_cluster(&missing, Refusal::of(403, QUOTA)));
    line(&mut text, "the quota allows no JobManager", &of_cluster(&starting(), Refusal::of(403, QUOTA)));
    let denied = "pods is forbidden: User \"flink-supervisor\" cannot create resource \"pods\"";
    line(&mut text, "the supervisor may not create pods", &of_cluster(&starting(), Refusal::of(403, denied)));
    line(&mut text, "what was refused is not wanted any more", &of_cluster(&started(), Refusal::of(403, denied)));
    insta::assert_snapshot!(text);
}

#[test]
fn each_trouble_of_a_job_has_its_reason() {
    use job_case::{active, ended, failed, none_free, not_submitted, returning, running, submitting, waiting};
    let image = |attempt| BootstrapView::Active {
        uid: "b1".into(),
        attempt,
        started: false,
        detail: Some("container bootstrap: ErrImagePull: no such image".into()),
    };
    let number = submitting().record.attempt.map_or(0, |attempt| attempt.number);
    let late = |view| {
        submitting()
            .no_jobs()
            .bootstrap(view)
            .with(|case| case.record.phase = api::record::JobPhase::Submitting { since: ago(1000), tries: 1 })
    };
    let refused = |reason: &str| {
        let outcome = not_submitted(reason);
        submitting().no_jobs().bootstrap(BootstrapView::Ended { uid: "b1".into(), attempt: number, outcome }).next()
    };
    let timed_out = |view| {
        let mut case = late(view);
        let step = case.step();
        case.record = step.record;
        // What the stop that follows ends with.
        if let api::record::JobPhase::Stopping { next: api::record::JobNext::Stay { end }, .. } =
            case.record.phase.clone()
        {
            case.record.phase = api::record::JobPhase::Ended { end, at: ago(500) };
        }
        case
    };
    let rows = [
        ("all is well", running()),
        ("the cluster starts", waiting().cluster(ClusterState::Starting)),
        ("there is no cluster", waiting().cluster(ClusterState::Missing)),
        ("too few slots for now", waiting().no_jobs().with(|case| case.cluster.slots = none_free())),
        (
            "too few slots for ever",
            waiting().no_jobs().with(|case| case.cluster.slots = Slots::Missing { wanted: 8, free: 2, most: 4 }),
        ),
        ("the JobManager does not answer", waiting().silent()),
        ("the JobManager of a running job does not answer", running().silent()),
        ("the image of the job is missing", submitting().no_jobs().bootstrap(image(number))),
        ("the image was missing for too long", timed_out(image(number))),
        ("the bootstrap took too long", timed_out(active(number))),
        ("the class is wrong", refused("WrongClass")),
        ("the JAR is missing", refused("MissingJar")),
        ("the savepoint cannot be restored", refused("RestoreFailed")),
        (
            "storage cannot be listed",
            returning().with(|case| case.evidence = Reading::Unknown { why: "access denied".into(), since: ago(5) }),
        ),
        ("it failed", ended(failed())),
        (
            "its savepoint failed, and the stop is tried again",
            running().with(|case| {
                case.desired.digest = "d2".into();
                case.record.hold = Some(at(1010));
                case.record.savepoint_failure = Some("the savepoint failed, the job keeps running: disk".into());
            }),
        ),
        ("its cluster was stopped", ended(End::ClusterStopped)),
        ("it has finished", ended(End::Finished)),
        ("it was stopped", ended(End::Stopped)),
    ];
    let mut text = String::new();
    for (name, case) in &rows {
        line(&mut text, name, &of_job(&case.clone().policy(api::RestartPolicy::Never), None));
    }
    let again = ended(failed()).with(|case| case.now = at(510));
    line(&mut text, "it failed and is started again", &of_job(&again, None));
    line(&mut text, "the quota allows no bootstrap", &of_job(&submitting().no_jobs(), Refusal::of(403, QUOTA)));
    insta::assert_snapshot!(text);
}
