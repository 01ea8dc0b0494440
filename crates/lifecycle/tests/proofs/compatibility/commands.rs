//! What users ask of a job, in each of its states.

use api::Action::{self, ForgetSavepoint, Start, Stop, TriggerSavepoint};
use api::record::{End, JobNext, JobPhase};
use lifecycle::command::{Outcome, Requested};
use lifecycle::job::Effect;

use super::answered;
use crate::job_case::*;

fn accepts(case: &Case, action: Action) -> Option<bool> {
    match answered(case.clone().asks(action).step().report) {
        Some(Outcome::Accepted | Outcome::Done) => Some(true),
        Some(Outcome::Refused | Outcome::Failed) => Some(false),
        None => None,
    }
}

/// SC-124, SC-386
#[test]
fn a_running_job_takes_all_four() {
    for action in [Start, Stop, ForgetSavepoint, TriggerSavepoint] {
        assert_eq!(accepts(&running(), action), Some(true), "{action:?}");
    }
    assert_eq!(running().step().report, None);
}

/// SC-399, SC-400
#[test]
fn what_does_not_fit_is_refused_taken_back_and_changes_nothing() {
    assert_eq!(running().step().effects, []);
    for (case, action) in [
        (waiting(), Start),
        (submitting(), TriggerSavepoint),
        (submitting(), ForgetSavepoint),
        (ended(End::Stopped), Stop),
        (ended(End::Stopped), TriggerSavepoint),
    ] {
        assert_eq!(accepts(&case, action), Some(false), "{action:?}");
        let asked = case.clone().asks(action);
        assert_eq!(
            asked.step().record.phase.clone(),
            asked.clone().with(|case| case.desired.request = None).step().record.phase
        );
        assert!(asked.next().step().effects.iter().any(|effect| matches!(effect, Effect::ResetAction { .. })));
    }
}

/// SC-295, R-02
#[test]
fn a_command_given_before_the_first_look_is_carried_out() {
    let asked = fresh().asks(Stop);
    assert_eq!(asked.step().report, None, "it is not wiped");
    assert_eq!(accepts(&asked.next(), Stop), Some(true));
}

/// SC-403
#[test]
fn a_stop_is_for_good() {
    let JobPhase::Stopping { next, .. } = running().asks(Stop).step().record.phase else { panic!("it does not stop") };
    assert_eq!(next, JobNext::Stay { end: End::Stopped });
}

/// F-29, F-30
#[test]
fn a_word_that_is_no_action_is_answered_and_taken_back() {
    let asked = running().asks(Stop).with(|case| {
        case.desired.request.as_mut().expect("asks").action = Requested::Invalid("JUMP".into());
    });
    let step = asked.step();
    assert_eq!(answered(step.report), Some(Outcome::Refused));
    assert_eq!(step.effects, [Effect::ResetAction { action: "JUMP".into() }]);
}
