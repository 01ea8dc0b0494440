//! Savepoints while a job runs: on request and periodic.

use api::ResourceStatus::{Updated, Updating};
use api::record::Restore;
use jiff::SignedDuration;
use lifecycle::job::{Effect, OperationView};

use super::{answered, job_states, job_status};
use crate::job_case::*;

fn periodic(interval: i64, last: i64) -> Case {
    running().with(|case| {
        case.desired.savepoint_interval = Some(SignedDuration::from_secs(interval)).filter(|time| !time.is_zero());
        case.record.savepoint_requested = Some(ago(last));
    })
}

fn is_saving(case: &Case) -> bool {
    case.step().record.operation.is_some()
}

fn is_asked(case: Case) -> bool {
    let step = case.operation(OperationView::NotFound).step();
    step.effects.iter().any(|effect| matches!(effect, Effect::TriggerSavepoint { .. }))
}

/// SC-125, SC-413
#[test]
fn a_job_is_updating_while_a_savepoint_is_in_progress() {
    let saving = running().saving(5).operation(OperationView::InProgress);
    assert_eq!(job_states(&saving).1, Updating);
    assert!(is_saving(&saving));
    assert_eq!(job_states(&running()).1, Updated);
    assert_eq!(job_status(&saving).job_status.as_deref(), Some("RUNNING"), "its state is shown all the while");
}

/// SC-408, SC-409, SC-410, SC-412, SC-272, SC-273
#[test]
fn a_periodic_savepoint_is_due_an_interval_after_the_last() {
    let nothing = waiting().with(|case| case.desired.savepoint_interval = Some(SignedDuration::from_secs(1)));
    assert!(!is_saving(&nothing), "nothing runs");
    assert!(!is_saving(&periodic(0, 5000)));
    assert!(!is_saving(&periodic(60, 30)));
    assert!(is_saving(&periodic(60, 90)));
    assert!(is_asked(periodic(60, 90).next()), "it is asked for once that is stored");
}

/// SC-411, SC-414
#[test]
fn a_periodic_savepoint_that_fails_is_tried_again_an_interval_later() {
    let failed = periodic(60, 90).next().operation(OperationView::Failed { why: "disk".into() }).next();
    assert!(!is_saving(&failed));
    assert_eq!(job_status(&failed).savepoint_path.as_deref(), Some(""));
    assert!(is_saving(&failed.with(|case| case.now = at(1061)).flink("RUNNING")));
}

/// SC-013, SC-415, SC-315, SC-456
#[test]
fn a_savepoint_that_is_completed_is_shown_with_its_time() {
    let saved = running().saving(5).operation(OperationView::Completed { path: "s2".into() });
    let status = job_status(&saved);
    assert_eq!(status.savepoint_path.as_deref(), Some("s2"));
    assert_eq!(status.savepoint_timestamp.as_deref(), Some("1970-01-01T00:16:40.000Z"));
    assert_eq!(status.savepoint_request_timestamp.as_deref(), Some("1970-01-01T00:16:40.000Z"));
    assert!(!is_saving(&saved));
    assert_eq!(saved.step().record.phase, saved.record.phase, "the job runs on");
}

/// SC-312, SC-314, SC-405, SC-458, SC-459, SC-558
#[test]
fn a_savepoint_on_request_is_stored_before_it_is_asked_for() {
    let asked = running().asks(api::Action::TriggerSavepoint);
    assert!(is_saving(&asked));
    assert_eq!(asked.step().effects, []);
    let status = job_status(&asked);
    assert_eq!(status.savepoint_job_id.as_deref(), Some(JOB));
    assert!(status.savepoint_trigger_id.is_some_and(|id| id.len() == 32));
    assert!(is_asked(asked.next()));
    let done = asked.next().operation(OperationView::Completed { path: "s1".into() });
    assert_eq!(job_status(&done).savepoint_trigger_id.as_deref(), Some(""));
}

/// SC-549, SC-556, SC-557
#[test]
fn a_silent_jobmanager_is_asked_for_nothing_and_nothing_is_given_up() {
    let silent = running().saving(5).silent();
    assert_eq!(silent.step().effects, []);
    assert!(is_saving(&silent));
    assert!(!is_saving(&periodic(60, 90).silent()), "none is begun");
}

/// SC-401, SC-406
#[test]
fn a_savepoint_is_refused_where_none_can_be_taken() {
    let refused = Some(lifecycle::command::Outcome::Refused);
    let trigger = api::Action::TriggerSavepoint;
    assert_eq!(answered(waiting().asks(trigger).step().report), refused);
    let saving = running().saving(5).operation(OperationView::InProgress).asks(trigger);
    assert_eq!(answered(saving.step().report), refused);
    let same = saving.step().record.operation.expect("it goes on").trigger_id;
    assert_eq!(same, "t1");
}

/// SC-407
#[test]
fn a_savepoint_on_request_that_fails_is_answered_and_not_repeated() {
    let failed = running()
        .saving(5)
        .under_way(api::Action::TriggerSavepoint)
        .operation(OperationView::Failed { why: "disk".into() });
    assert_eq!(answered(failed.step().report), Some(lifecycle::command::Outcome::Failed));
    assert!(!is_saving(&failed));
    assert!(matches!(failed.next().step().effects[..], [Effect::ResetAction { .. }]));
}

/// SC-012, SC-404, SC-457
#[test]
fn a_forgotten_savepoint_is_forgotten_at_once() {
    let asked = running().with(|case| case.record.savepoint = Some("s1".into())).asks(api::Action::ForgetSavepoint);
    assert_eq!(job_status(&asked).savepoint_path.as_deref(), Some(""));
    assert_eq!(asked.step().record.restore, Restore::Empty);
    assert_eq!(asked.step().record.phase, asked.record.phase, "the job runs on");
    let none = running().asks(api::Action::ForgetSavepoint);
    assert_eq!(job_status(&none).savepoint_timestamp, None, "there was nothing to forget");
}
