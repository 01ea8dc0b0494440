//! What users ask of a job: taken once, carried out, reported, reset, forgotten.

use api::annotations::Action::{self, ForgetSavepoint, Start, Stop, TriggerSavepoint};
use api::record::{Checkpoints, End, JobNext, JobPhase, Restore, Stop as StopBy};
use lifecycle::command::{Outcome, Requested};
use lifecycle::job::{ClusterState, Effect, OperationView, Waiting};

use crate::job_case::*;
use crate::table::{Row, render};

fn accepted() -> Vec<Row> {
    vec![
        fresh().asks(Stop).row("new, STOP: looked at later"),
        waiting().asks(Stop).row("waiting, STOP"),
        waiting().asks(Start).row("waiting, START"),
        waiting().asks(ForgetSavepoint).row("waiting, FORGET_SAVEPOINT"),
        waiting().asks(TriggerSavepoint).row("waiting, TRIGGER_SAVEPOINT"),
        returning().replaced().asks(Start).row("returning, START: must not pick an older state"),
        returning().replaced().left_behind(&[(3, 900)], &[]).asks(Start).row("returning, state found, START"),
        submitting().asks(Stop).row("submitting, STOP"),
        submitting().asks(Start).row("submitting, START"),
        submitting().asks(ForgetSavepoint).row("submitting, FORGET_SAVEPOINT"),
        running().asks(Stop).row("running, STOP"),
        running().asks(Stop).unsaved().row("running, STOP without savepoint"),
        running().asks(Start).row("running, START"),
        running().asks(Start).unsaved().row("running, START without savepoint"),
        running().asks(TriggerSavepoint).row("running, TRIGGER_SAVEPOINT"),
        running().saving(5).asks(TriggerSavepoint).row("saving, TRIGGER_SAVEPOINT"),
        running().asks(ForgetSavepoint).row("running, FORGET_SAVEPOINT"),
        running().asks(Stop).deleting().row("running, STOP, deleted"),
        running().asks(Stop).with(|case| case.record.hold = Some(at(1010))).row("running, STOP, held"),
        stopping(stop_with_savepoint(), JobNext::Restart).asks(Stop).row("stopping, STOP: looked at later"),
        ended(End::Stopped).asks(Start).row("stopped, START"),
        ended(End::Stopped).asks(Start).cluster(ClusterState::Stopped).row("stopped, START: cluster stopped"),
        ended(End::Stopped).asks(Start).unsaved().row("stopped, START without savepoint"),
        ended(End::Stopped).asks(Stop).row("stopped, STOP"),
        ended(End::Stopped).asks(TriggerSavepoint).row("stopped, TRIGGER_SAVEPOINT"),
        ended(End::Stopped).asks(ForgetSavepoint).row("stopped, FORGET_SAVEPOINT"),
        case(JobPhase::Ended { end: not_started(), at: ago(19) })
            .asks(Start)
            .row("not started, START: a late submission may still arrive"),
        ended(not_started()).asks(ForgetSavepoint).row("not started, FORGET_SAVEPOINT"),
        running()
            .with(|case| {
                let mut request = request(Stop);
                request.action = Requested::Invalid("JUMP".into());
                case.desired.request = Some(request);
            })
            .row("running, no such action"),
    ]
}

fn stalled() -> Case {
    returning().replaced().left_behind(&[], &[]).with(|case| case.attempt().checkpoints = Checkpoints::InMemory)
}

fn under_way() -> Vec<Row> {
    let saved = |case: &mut Case| case.record.savepoint = Some("s1".into());
    vec![
        stalled().asks(Start).row("stalled, START, no savepoint is recorded"),
        stalled().with(saved).asks(Start).row("stalled, START goes on from the recorded savepoint"),
        stalled().asks(Start).unsaved().row("stalled, START without savepoint"),
        stalled().asks(ForgetSavepoint).row("stalled, FORGET_SAVEPOINT"),
        stalled().under_way(Start).row("stalled, START under way"),
        waiting().with(|case| case.cluster.slots = none_free()).under_way(Start).asks(Stop).row("starting, STOP"),
        submitting().under_way(Start).asks(Stop).row("submitting on START, STOP"),
        waiting().with(|case| case.cluster.slots = none_free()).under_way(Start).row("starting, START under way"),
        submitting().flink("RUNNING").under_way(Start).row("submitting on START, runs"),
        submitting().bootstrap(over(not_submitted("WrongClass"))).under_way(Start).row("submitting on START, refused"),
        running()
            .saving(5)
            .under_way(TriggerSavepoint)
            .operation(OperationView::Completed { path: "s1".into() })
            .row("saving on TRIGGER_SAVEPOINT, completed"),
        running()
            .saving(5)
            .under_way(TriggerSavepoint)
            .operation(OperationView::Failed { why: "disk".into() })
            .row("saving on TRIGGER_SAVEPOINT, failed"),
        running().saving(5).under_way(TriggerSavepoint).replaced().row("saving on TRIGGER_SAVEPOINT, JobManager lost"),
        running()
            .saving(5)
            .under_way(TriggerSavepoint)
            .with(|case| case.desired.digest = "d2".into())
            .row("saving on TRIGGER_SAVEPOINT, changed"),
        stopping(stop_with_savepoint(), stay())
            .under_way(Stop)
            .operation(OperationView::Completed { path: "sp/stop-t1/s1".into() })
            .flink("FINISHED")
            .row("stopping on STOP, done"),
        stopping(stop_with_savepoint(), stay())
            .under_way(Stop)
            .operation(OperationView::Failed { why: "disk".into() })
            .row("stopping on STOP, the savepoint failed"),
        stopping(StopBy::Cancel, stay())
            .under_way(Stop)
            .with(|case| {
                saved(case);
                case.desired.savepoint_automatic = false;
            })
            .flink("CANCELED")
            .row("stopping on STOP, savepoints are manual, done"),
        stopping(StopBy::Cancel, stay()).under_way(Stop).flink("CANCELED").row("stopping on STOP, cancelled"),
        stopping(StopBy::Cancel, JobNext::Restart)
            .under_way(Start)
            .with(|case| case.record.command.as_mut().expect("under way").without_savepoint = true)
            .flink("CANCELED")
            .row("restarting on START without savepoint, cancelled"),
        stopping(StopBy::Cancel, JobNext::Restart)
            .under_way(Start)
            .with(|case| case.record.command.as_mut().expect("under way").without_savepoint = true)
            .replaced()
            .row("restarting on START without savepoint, JobManager lost"),
    ]
}

impl Case {
    fn unsaved(self) -> Self {
        self.with(|case| case.desired.request.as_mut().expect("asks").without_savepoint = true)
    }

    /// The user's annotation says nothing any more.
    fn reset(self) -> Self {
        self.with(|case| case.desired.request = None)
    }

    fn remembers(&self) -> Option<(Action, bool)> {
        self.record.command.as_ref().map(|command| (command.action, command.done))
    }
}

pub fn rows() -> Vec<Row> {
    [accepted(), under_way()].into_iter().flatten().collect()
}

#[test]
fn each_command_is_granted_refused_or_kept() {
    insta::assert_snapshot!(render(&rows()));
}

///
#[test]
fn a_command_goes_its_whole_way_and_survives_a_crash_at_each_step() {
    let asked = running().asks(Stop);
    let accepted = asked.next();
    assert_eq!(accepted.remembers(), Some((Stop, false)));
    // Before the record was written: the same decision again, under the same trigger id.
    assert_eq!(asked.step(), asked.step());
    // After it was written, and before the effect: the effect comes from the record.
    let told = accepted.clone().operation(OperationView::NotFound).step();
    let again = accepted.clone().operation(OperationView::NotFound).step();
    assert!(matches!(told.effects[..], [Effect::StopWithSavepoint { .. }]));
    assert_eq!(told, again);
    let done = accepted.operation(OperationView::Completed { path: "s1".into() }).flink("FINISHED").next();
    assert_eq!(done.remembers(), Some((Stop, true)));
    // Until the annotation is reset, nothing else happens and it is not taken again.
    let reset = done.step();
    assert_eq!(reset.effects, [Effect::ResetAction { action: "STOP".into() }]);
    assert_eq!(reset.record, done.record);
    let forgotten = done.reset().next();
    assert_eq!(forgotten.remembers(), None);
    assert_eq!(forgotten.step().waiting, Waiting::User);
}

#[test]
fn the_same_words_with_another_timestamp_are_another_command() {
    let stamped = |case: &mut Case, id: &str| {
        let request = case.desired.request.as_mut().expect("asks");
        (request.id, request.stamped) = (id.into(), true);
    };
    let done = running().asks(TriggerSavepoint).with(|case| stamped(case, "1")).with(|case| {
        case.record = case.step().record;
        case.record.command.as_mut().expect("accepted").done = true;
        case.record.operation = None;
    });
    assert!(matches!(done.step().effects[..], [Effect::ResetAction { .. }]));
    let again = done.with(|case| stamped(case, "2")).step();
    assert_eq!(again.report.map(|report| report.outcome), Some(Outcome::Accepted));
    assert!(again.record.operation.is_some());
}

/// F-29, C-06
#[test]
fn an_action_that_is_refused_is_answered_once_and_changes_nothing_else() {
    let asked = ended(End::Stopped).asks(TriggerSavepoint);
    let refused = asked.step();
    assert_eq!(refused.report.map(|report| report.outcome), Some(Outcome::Refused));
    assert_eq!(refused.record.phase, asked.record.phase);
    let next = asked.next();
    assert!(next.step().notices.is_empty());
    assert_eq!(next.step().effects, [Effect::ResetAction { action: "TRIGGER_SAVEPOINT".into() }]);
}

#[test]
fn another_action_after_one_that_is_done_is_taken_at_once() {
    let done = ended(End::Stopped).asks(Stop).with(|case| case.record = case.step().record);
    let other = done.asks(Start).step();
    assert!(matches!(other.record.phase, JobPhase::Waiting { .. }));
    assert_eq!(other.record.command.map(|command| command.action), Some(Start));
}

/// F-05
#[test]
fn a_start_without_savepoint_is_used_once() {
    let fresh = ended(End::Stopped).asks(Start).unsaved().next();
    assert_eq!(fresh.record.restore, Restore::Empty);
    let submitted = fresh.next();
    let attempt = submitted.record.attempt.as_ref().expect("an attempt");
    assert_eq!((attempt.number, &attempt.restore), (2, &Restore::Empty));
    let lost = submitted.flink("RUNNING").next().reset().next().replaced().next();
    assert_eq!(lost.record.restore, Restore::Newest);
}

#[test]
fn a_start_without_savepoint_counts_for_one_attempt_even_if_another_must_follow() {
    let manual = |case: &mut Case| case.desired.savepoint_automatic = false;
    let submitted = ended(End::Stopped).asks(Start).unsaved().with(manual).next().next();
    let aborted = submitted.with(|case| case.desired.digest = "d2".into()).next();
    let cancelled = aborted.flink("RUNNING").next().flink("CANCELED").next();
    assert!(matches!(cancelled.record.phase, JobPhase::Waiting { .. }));
    assert_eq!(cancelled.record.restore, Restore::Newest);
    assert_eq!(cancelled.remembers(), Some((Start, false)));
}

#[test]
fn forgetting_drops_checkpoints_too() {
    let forgotten = running().asks(ForgetSavepoint).next().reset().next().replaced().next();
    let older = forgotten.clone().left_behind(&[(4, 999)], &[("s1", 998)]).next();
    assert_eq!(older.record.restore, Restore::Empty);
    let newer = forgotten.left_behind(&[(4, 999), (5, 1001)], &[]).next();
    assert_eq!(newer.record.restore, Restore::Checkpoint { path: format!("ck/{JOB}/chk-5") });
}
