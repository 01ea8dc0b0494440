//! How an execution is stopped, with its state saved or not.

use api::ResourceStatus::{Updated, Updating};
use api::RestartPolicy;
use api::SupervisorStatus::{Starting, Stopped, Stopping, Terminated};
use api::record::{JobNext, JobPhase, Restore, Stop};
use lifecycle::job::{BootstrapView, ClusterState, Effect, OperationView};

use super::{job_states, job_status};
use crate::job_case::*;

fn save() -> Case {
    stopping(stop_with_savepoint(), stay())
}

fn cancel(next: JobNext) -> Case {
    stopping(Stop::Cancel, next)
}

fn is_saving(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::StopWithSavepoint { .. }])
}

fn completed() -> OperationView {
    OperationView::Completed { path: "sp/stop-t1/s1".into() }
}

/// SC-128, SC-363
#[test]
fn a_submission_is_taken_back_before_anything_else() {
    let abort = |bootstrap| stopping(Stop::Abort { quiet: None }, stay()).no_jobs().bootstrap(bootstrap);
    assert_eq!(abort(active(1)).step().effects, [Effect::DeleteBootstrap { uid: "b1".into() }]);
    let gone = abort(BootstrapView::Absent).next().with(|case| case.now = at(1020));
    assert_eq!(job_states(&gone).0, Stopped, "without a Flink job there is nothing else to stop");
}

/// SC-129, SC-130, SC-530, SC-546, F-03, F-27
#[test]
fn a_stop_ends_when_the_jobmanager_is_gone_and_not_when_it_is_silent() {
    let silent = |case: Case| case.silent().with(|case| case.now = at(20_000));
    assert_eq!(job_states(&silent(save())), (Stopping, Updating), "state is not given up because of silence");
    assert_eq!(job_states(&save().replaced()).0, Stopped);
    assert_eq!(save().replaced().step().record.restore, Restore::Newest);
    assert_eq!(job_states(&cancel(JobNext::Delete).deleting().replaced()).0, Terminated);
}

/// SC-131, SC-366
#[test]
fn a_stop_waits_for_its_savepoint() {
    let pending = save().operation(OperationView::InProgress);
    assert_eq!(pending.step().effects, []);
    assert_eq!(job_states(&pending), (Stopping, Updating));
}

/// SC-132, SC-338
#[test]
fn a_stopped_job_has_neither_id_nor_state_nor_slots() {
    let case = save().operation(completed()).flink("FINISHED").policy(RestartPolicy::Never);
    assert_eq!(job_states(&case).0, Stopped);
    let status = job_status(&case.next());
    assert_eq!(job_states(&case.next()), (Stopped, Updated));
    assert_eq!((status.job_id.as_deref(), status.job_status.as_deref()), (Some(""), Some("")));
    assert_eq!(status.job_parallelism, Some(0));
}

/// SC-133, SC-339
#[test]
fn a_deleted_job_ends_when_its_execution_has() {
    let case = cancel(JobNext::Delete).deleting().flink("CANCELED");
    assert_eq!(job_states(&case).0, Terminated);
    let status = job_status(&case.next());
    assert_eq!((status.job_id.as_deref(), status.job_status.as_deref()), (Some(""), Some("")));
    assert_eq!(job_states(&case.next()), (Terminated, Updated));
}

/// SC-134, SC-297, SC-328, SC-340
#[test]
fn a_restart_begins_with_what_the_spec_says_now() {
    let case = stopping(stop_with_savepoint(), JobNext::Restart)
        .operation(completed())
        .flink("FINISHED")
        .with(|case| case.desired.parallelism = 4);
    assert_eq!(job_states(&case), (Starting, Updating));
    let status = job_status(&case);
    assert_eq!((status.job_id.as_deref(), status.job_status.as_deref()), (Some(""), Some("")));
    assert_eq!(status.job_parallelism, Some(4));
}

/// SC-135
#[test]
fn a_job_of_a_restarting_cluster_waits_for_it() {
    let case = stopping(stop_with_savepoint(), JobNext::Restart)
        .operation(completed())
        .flink("FINISHED")
        .cluster(ClusterState::Restarting);
    assert_eq!(job_states(&case), (Starting, Updating));
    assert_eq!(job_status(&case).cluster_health.as_deref(), Some(""));
    assert_eq!(case.next().step().effects, []);
}

/// SC-364, SC-365, SC-547, SC-548, F-33
#[test]
fn a_cancellation_is_believed_when_flink_shows_it() {
    let runs = cancel(stay());
    assert!(matches!(runs.step().effects[..], [Effect::CancelJob { .. }]));
    assert!(matches!(runs.next().step().effects[..], [Effect::CancelJob { .. }]), "until then it is repeated");
    assert_eq!(job_status(&runs).job_id.as_deref(), Some(JOB));
    assert_eq!(job_states(&runs.flink("CANCELED")).0, Stopped);
    assert_eq!(job_states(&cancel(stay()).no_jobs()).0, Stopped, "an unknown job is over");
}

/// SC-367, SC-368, SC-533, F-25
#[test]
fn a_savepoint_that_fails_does_not_end_the_job() {
    let failed = save().operation(OperationView::Failed { why: "disk".into() }).step();
    assert!(!failed.effects.iter().any(|effect| matches!(effect, Effect::CancelJob { .. })), "{:?}", failed.effects);
    assert_eq!(failed.record.attempt.map(|attempt| attempt.job_id), Some(JOB.into()));
    assert!(failed.notices.iter().any(|notice| notice.reason == "SavepointFailed"));
}

/// SC-369
#[test]
fn the_savepoint_of_a_stop_is_recorded_and_restored() {
    let case = save().operation(completed()).flink("FINISHED");
    let step = case.step();
    assert_eq!(step.record.restore, Restore::Savepoint { path: "sp/stop-t1/s1".into() });
    assert_eq!(job_status(&case).savepoint_path.as_deref(), Some("sp/stop-t1/s1"));
    assert_eq!(job_status(&case).savepoint_trigger_id.as_deref(), Some(""));
}

/// SC-370, SC-371, SC-373, SC-531, SC-532, SC-534, F-26
#[test]
fn a_stop_with_savepoint_is_one_operation_however_often_it_is_asked_for() {
    let stop = running().asks(api::Action::Stop);
    let JobPhase::Stopping { stop: Stop::Savepoint { trigger_id, .. }, .. } = stop.step().record.phase else {
        panic!("no stop with savepoint")
    };
    assert_eq!(stop.step().effects, [], "its id is stored first");
    for case in [stop.next(), stop.next().next()] {
        let step = case.operation(OperationView::NotFound).step();
        let [Effect::StopWithSavepoint { trigger_id: asked, .. }] = &step.effects[..] else {
            panic!("{:?}", step.effects)
        };
        assert_eq!(*asked, trigger_id);
    }
}

/// SC-009, SC-024, SC-026
#[test]
fn the_user_decides_whether_a_stop_is_saved() {
    let recorded = |case: Case| case.with(|case| case.record.savepoint = Some("s1".into()));
    let plain = recorded(running()).asks(api::Action::Stop);
    assert!(is_saving(&plain.next().operation(OperationView::NotFound).step().effects));
    let unsaved = plain.with(|case| case.desired.request.as_mut().expect("asks").without_savepoint = true);
    let with_cluster = recorded(running()).cluster(ClusterState::Stopping);
    assert!(is_saving(&with_cluster.next().operation(OperationView::NotFound).step().effects));
    let unsaved_cluster = with_cluster.with(|case| case.cluster.without_savepoint = true);
    for case in [unsaved, unsaved_cluster] {
        let canceled = case.next();
        assert!(matches!(canceled.step().effects[..], [Effect::CancelJob { .. }]));
        let stopped = canceled.flink("CANCELED");
        assert_eq!(job_states(&stopped).0, Stopped);
        assert_eq!(job_status(&stopped).savepoint_path.as_deref(), Some("s1"), "the old one stays");
    }
}

/// SC-056
#[test]
fn a_job_can_be_stopped_while_a_savepoint_is_in_progress() {
    let saving = running().saving(5).operation(OperationView::InProgress).asks(api::Action::Stop);
    let stopping = saving.next();
    assert_eq!(job_states(&saving), (Stopping, Updating));
    assert!(is_saving(&stopping.operation(OperationView::NotFound).step().effects));
}
