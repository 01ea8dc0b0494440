//! The decisions about a cluster, row by row.

use api::annotations::Action::{Start, Stop, TriggerSavepoint};
use api::record::{ClusterNext, ClusterPhase};
use jiff::SignedDuration;
use lifecycle::cluster::{Effect, Node, PodState, Role};

use crate::cluster_case::*;
use crate::job_case::{ago, at};
use crate::table::{Row, render};

fn new() -> Vec<Row> {
    let bare = || fresh().with(|case| case.desired.supervised = false);
    vec![
        bare().row("new, without our finalizer"),
        bare().deleting().row("new, without our finalizer, deleted"),
        fresh().row("new"),
        fresh().asks(Stop).row("new, STOP: looked at later"),
    ]
}

fn starts() -> Vec<Row> {
    let over = || PodState::Over { detail: Some("exit code 137".into()) };
    let mut rows = vec![
        starting().row("starting, nothing there"),
        starting().with(|case| case.service = None).row("starting, no Service"),
        starting().old_task_manager().row("starting, a TaskManager of the last incarnation lives"),
        starting().with(|case| case.record.incarnation = 2).job_manager(1).row("starting, the last JobManager lives"),
        starting()
            .with(|case| case.record.incarnation = 2)
            .job_manager(1)
            .pods(|pod| pod.deleting = true)
            .row("starting, the last JobManager is going"),
        starting()
            .with(|case| case.record.phase = ClusterPhase::Starting { since: ago(5), not_before: Some(at(1004)) })
            .row("starting, backoff"),
        starting().job_manager(1).row("starting, JobManager does not answer yet"),
        starting()
            .job_manager(1)
            .pods(|pod| pod.state = PodState::Pending { detail: Some("ErrImagePull".into()) })
            .row("starting, JobManager pod is pending"),
        starting()
            .job_manager(1)
            .with(|case| case.record.phase = ClusterPhase::Starting { since: ago(300), not_before: None })
            .row("starting, JobManager does not answer for too long"),
        starting().job_manager(1).answers(0).row("starting, JobManager answers"),
        starting().job_manager(1).answers(0).under_way(Start).row("starting on START, JobManager answers"),
        starting().job_manager(1).answers(0).flink(|flink| flink.supported = false).row("starting, Flink is too old"),
        starting().job_manager(1).job(3).row("starting, TaskManagers are wanted"),
    ];
    let failed = |failures| {
        starting().job_manager(1).pods(move |pod| pod.state = over()).with(|case| case.record.failures = failures)
    };
    rows.extend([
        failed(0).row("starting, JobManager ended"),
        failed(1).row("starting, JobManager ended again"),
        failed(4).row("starting, JobManager ended five times"),
        failed(100).row("starting, JobManager always ends"),
        starting().deleting().row("starting, deleted"),
        starting().with(|case| case.desired.digest = "d2".into()).row("starting, changed"),
        starting().asks(Stop).row("starting, STOP"),
        starting().asks(Start).row("starting, START"),
        starting().under_way(Start).asks(Stop).row("starting on START, STOP"),
        starting().asks(TriggerSavepoint).row("starting, TRIGGER_SAVEPOINT"),
    ]);
    rows
}

fn loses_nodes() -> Vec<Row> {
    let replaced =
        || starting().with(|case| case.record.incarnation = 2).job_manager(1).pods(|pod| pod.deleting = true);
    let patient = |case: &mut Case| case.desired.node_lost_timeout = Some(SignedDuration::from_secs(600));
    let gone = |case: Case| case.pods(|pod| pod.node = Node::Gone);
    vec![
        replaced().node_silent(100).row("starting, the node of the last JobManager is silent"),
        replaced()
            .node_silent(599)
            .with(patient)
            .row("starting, the node of the last JobManager is silent for a while"),
        replaced()
            .node_silent(600)
            .with(patient)
            .row("starting, the node of the last JobManager is silent for too long"),
        gone(replaced()).row("starting, the node of the last JobManager is no more"),
        replaced().highly_available().row("starting, the last JobManager is going, highly available"),
        replaced().highly_available().node_silent(0).row("starting, the last node is silent, highly available"),
        started().silent(5).node_silent(5).row("started, silent with its node"),
        started().silent(5).node_silent(600).with(patient).row("started, silent with its node for too long"),
        started().highly_available().silent(5).node_silent(5).row("started, silent with its node, highly available"),
        started().answers(2).node_silent(600).with(patient).row("started, its node seems silent, and it answers"),
        stopping(ClusterNext::Stay)
            .job_manager(1)
            .pods(|pod| pod.deleting = true)
            .node_silent(5)
            .with(|case| case.service = None)
            .row("stopping, a pod is on a silent node"),
        stopping(ClusterNext::Stay)
            .job_manager(1)
            .pods(|pod| pod.deleting = true)
            .node_silent(600)
            .with(patient)
            .with(|case| case.service = None)
            .row("stopping, a pod was on a silent node for too long"),
    ]
}

fn is_forced() -> Vec<Row> {
    vec![
        started().forced().row("started, deleted by force"),
        stopping(ClusterNext::Delete).job_manager(1).job(2).forced().row("stopping, deleted by force, a job lives"),
        terminated().job_manager(1).job(0).forced().row("terminated by force, a job and a pod are left"),
    ]
}

fn runs() -> Vec<Row> {
    let mut rows = vec![
        started().row("started"),
        started().with(|case| case.service = None).row("started, no Service"),
        started().with(|case| _ = case.pods.remove(0)).row("started, JobManager gone"),
        started().pods(|pod| pod.deleting = pod.role == Role::JobManager).row("started, JobManager going"),
        started()
            .pods(|pod| {
                if pod.role == Role::JobManager {
                    pod.state = PodState::Over { detail: None };
                }
            })
            .row("started, JobManager ended"),
        started().with(|case| case.pods[0].uid = "jm-x".into()).row("started, another JobManager of that name"),
        started().silent(299).row("started, JobManager does not answer"),
        started().silent(300).row("started, JobManager does not answer for too long"),
        started().deleting().row("started, deleted"),
        started().with(|case| case.desired.digest = "d2".into()).row("started, changed"),
        started().asks(Stop).row("started, STOP"),
        started().asks(Start).row("started, START"),
        started().asks_nonsense().row("started, no such action"),
        started().old_task_manager().row("started, a TaskManager of the last incarnation lives"),
        started()
            .pods(|pod| {
                if pod.role == Role::TaskManager {
                    pod.state = PodState::Over { detail: None };
                }
            })
            .row("started, TaskManager ended"),
        started().answers(1).row("started, too few slots are registered"),
    ];
    let surplus = || {
        let grown = started().task_managers(3).answers(6).with(|case| case.pods.remove(1).index = 0);
        grown.with(|case| case.desired.task_managers = 1)
    };
    rows.extend([
        started().job(1).row("started, another job: one slot more, rounded up"),
        started().job(1).with(|case| case.desired.task_managers = 2).row("started, a TaskManager is missing"),
        surplus().row("started, surplus, none idle"),
        surplus().idle(&[0, 1, 2]).row("started, surplus, all idle: the last ones go"),
        surplus().idle(&[0]).row("started, surplus, one idle"),
        surplus()
            .idle(&[0, 1, 2])
            .with(|case| case.record.rescaled = Some(ago(59)))
            .row("started, surplus, rescale delay"),
        started()
            .with(|case| case.desired.cancel_unmanaged = true)
            .flink(|flink| flink.live_jobs = vec!["f1".into(), "f9".into()])
            .row("started, a job that is not ours"),
        started()
            .with(|case| {
                case.desired.cancel_unmanaged = true;
                case.jobs[0].settled = false;
            })
            .flink(|flink| flink.live_jobs = vec!["f9".into()])
            .row("started, a job that is not ours while one of ours is under way"),
    ]);
    rows
}

fn stops() -> Vec<Row> {
    let live = |next| stopping(next).job_manager(1).task_managers(1).job(2);
    let mut rows = vec![
        live(ClusterNext::Stay).answers(2).row("stopping, a job lives"),
        live(ClusterNext::Stay).silent(299).row("stopping, a job lives, JobManager does not answer"),
        live(ClusterNext::Stay).silent(300).row("stopping, a job lives, JobManager does not answer for too long"),
        stopping(ClusterNext::Stay).job_manager(1).task_managers(1).row("stopping, no job lives"),
        stopping(ClusterNext::Stay).job_manager(1).pods(|pod| pod.deleting = true).row("stopping, pods are going"),
        stopping(ClusterNext::Stay).row("stopping, only the Service is left"),
    ];
    let gone = |next| stopping(next).with(|case| case.service = None);
    rows.extend([
        gone(ClusterNext::Stay).row("stopping, nothing is left"),
        gone(ClusterNext::Stay).under_way(Stop).row("stopping on STOP, nothing is left"),
        gone(ClusterNext::Restart).row("restarting, nothing is left"),
        gone(ClusterNext::Delete).deleting().row("deleting, nothing is left"),
        gone(ClusterNext::Restart).deleting().row("restarting, deleted, nothing is left"),
        gone(ClusterNext::Restart).asks(Stop).row("restarting, STOP: looked at later"),
        stopped().row("stopped"),
        stopped().with(|case| case.desired.digest = "d2".into()).row("stopped, changed"),
        stopped().job_manager(1).row("stopped, a pod has come back"),
        stopped().asks(Start).row("stopped, START"),
        stopped().asks(Stop).row("stopped, STOP"),
        stopped().deleting().row("stopped, deleted"),
        terminated().row("terminated"),
        terminated().job(0).row("terminated, a job holds its finalizer"),
        terminated().with(|case| case.desired.supervised = false).row("terminated, let go"),
    ]);
    rows
}

pub fn rows() -> Vec<Row> {
    [new(), starts(), runs(), stops(), loses_nodes(), is_forced()].into_iter().flatten().collect()
}

#[test]
fn each_situation_has_its_decision() {
    insta::assert_snapshot!(render(&rows()));
}

/// SC-581, F-02
#[test]
fn task_managers_follow_the_jobs_rounded_up_and_within_limits() {
    let required = |slots: &[u32], task_slots| {
        let mut case = starting().with(|case| case.desired.task_slots = task_slots);
        for slots in slots {
            case = case.job(*slots);
        }
        let step = case.clone().job_manager(1).step();
        step.effects.iter().filter(|effect| matches!(effect, Effect::CreateTaskManager { .. })).count()
    };
    assert_eq!(required(&[1], 3), 1);
    assert_eq!(required(&[3, 1], 3), 2);
    assert_eq!(required(&[30], 3), 4);
    assert_eq!(required(&[0], 3), 0);
    assert_eq!(required(&[2], 0), 2);
    // Without jobs, or where the user wants it so, it is what is declared.
    assert_eq!(required(&[], 3), 1);
}

///
#[test]
fn an_index_is_free_once_its_pod_is_gone() {
    let case = started().job(2).with(|case| case.desired.task_managers = 2).pods(|pod| {
        pod.deleting = pod.role == Role::TaskManager;
    });
    let indexes: Vec<u32> = case
        .step()
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::CreateTaskManager { index, .. } => Some(*index),
            _ => None,
        })
        .collect();
    assert_eq!(indexes, [1, 2]);
}

#[test]
fn a_jobmanager_that_keeps_dying_after_it_answered_is_held_back() {
    let answered = starting()
        .job_manager(1)
        .answers(0)
        .with(|case| {
            case.record.failures = 3;
            case.record.rescaled = Some(ago(5000));
        })
        .step();
    let young = started().with(|case| case.record = answered.record.clone());
    assert_eq!(young.step().record.failures, 3);
    let old = young.with(|case| case.now = at(1061));
    assert_eq!(old.step().record.failures, 0);
}
