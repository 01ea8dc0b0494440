//! A job that does not run: whether and when it starts again.

use api::ResourceStatus::Updated;
use api::RestartPolicy::{Always, Never, OnlyIfFailed};
use api::SupervisorStatus::{Starting, Stopped, Stopping};
use api::record::{End, JobPhase, Restore};
use lifecycle::job::{ClusterState, Effect, Waiting};

use super::{answered, job_states, job_status};
use crate::job_case::*;

fn recently(end: End, seconds: i64) -> Case {
    case(JobPhase::Ended { end, at: ago(seconds) })
}

fn starts(case: &Case) -> bool {
    job_states(case).0 == Starting
}

/// SC-138, SC-139
#[test]
fn a_stopped_job_stays_where_it_is_without_a_cluster_that_runs() {
    let stopped = ended(End::Stopped).policy(Always).cluster(ClusterState::Stopped);
    assert_eq!(job_states(&stopped).0, Stopped);
    assert_eq!(job_status(&stopped).cluster_health.as_deref(), Some(""));
    let silent = ended(End::Stopped).policy(Never).silent();
    assert_eq!((job_states(&silent).0, silent.step().effects), (Stopped, vec![]));
    assert_eq!(job_status(&silent).cluster_health.as_deref(), Some("UNHEALTHY"));
}

/// SC-025, SC-027, SC-140, SC-389, SC-390, F-17
#[test]
fn the_policy_decides_whether_a_job_starts_again() {
    for end in [End::Stopped, End::Finished, End::Canceled, End::ClusterStopped, failed()] {
        let case = ended(end);
        assert_eq!(job_states(&case.clone().policy(Never)), (Stopped, Updated));
        assert!(starts(&case.policy(Always)), "also after a STOP, as users know it");
    }
}

/// SC-058, SC-582, F-18
#[test]
fn only_if_failed_restarts_what_failed_in_whatever_way() {
    for end in [failed(), not_started(), End::Lost] {
        assert!(starts(&ended(end.clone()).policy(OnlyIfFailed)), "{end:?}");
    }
    for end in [End::Stopped, End::Finished, End::Canceled, End::ClusterStopped] {
        assert!(!starts(&ended(end.clone()).policy(OnlyIfFailed)), "{end:?}");
    }
}

/// SC-040, SC-042, SC-141
#[test]
fn a_mended_spec_is_tried_at_once() {
    let mended = |case: Case| case.with(|case| case.desired.digest = "d2".into());
    assert!(!starts(&recently(failed(), 30)));
    assert!(starts(&mended(recently(failed(), 30))));
    assert!(starts(&mended(ended(not_started()).policy(Never))), "a job that never started has nothing to lose");
}

/// SC-142, SC-146
#[test]
fn a_job_without_finalizer_gets_it_before_it_starts() {
    let bare = ended(End::Stopped).policy(Always).with(|case| case.desired.supervised = false);
    assert_eq!(bare.step().effects, [Effect::AddFinalizer]);
    assert_eq!(job_states(&bare).0, Stopped);
}

/// SC-143, SC-402
#[test]
fn a_start_is_all_that_a_stopped_job_takes() {
    use api::Action::{Start, Stop, TriggerSavepoint};
    let stopped = || ended(End::Stopped).policy(Never);
    assert!(starts(&stopped().asks(Start)));
    for action in [Stop, TriggerSavepoint] {
        let step = stopped().asks(action).step();
        assert_eq!(answered(step.report), Some(lifecycle::command::Outcome::Refused));
    }
    let restart = running().asks(Start);
    assert_eq!(job_states(&restart).0, Stopping, "START of what runs is a restart");
}

/// SC-144, SC-145
#[test]
fn a_restart_waits_for_the_restart_delay() {
    let early = recently(failed(), 59);
    assert!(!starts(&early));
    assert_eq!(early.step().wake, Some(at(1001)));
    assert!(starts(&recently(failed(), 60)));
}

/// SC-147, F-20
#[test]
fn a_stopped_job_that_flink_runs_after_all_is_stopped() {
    let lives = ended(End::Stopped).flink("RUNNING");
    assert_eq!(job_states(&lives).0, Stopping);
}

/// SC-148, SC-149, SC-293, F-27
#[test]
fn a_stopped_job_lets_its_cluster_go() {
    let on = |state| ended(End::Stopped).policy(Always).cluster(state);
    assert_eq!(on(ClusterState::Terminated).step().effects, [Effect::RemoveFinalizer]);
    let bare = on(ClusterState::Terminated).with(|case| case.desired.supervised = false);
    assert_eq!(bare.step().effects, []);
    let fresh = fresh().cluster(ClusterState::Terminated).with(|case| case.desired.supervised = false);
    assert_eq!(fresh.step().effects, [], "it does not take a finalizer that would hold the cluster");
}

/// SC-150, SC-151
#[test]
fn a_job_that_is_over_loses_its_finalizer() {
    let over = case(JobPhase::Terminated).deleting();
    assert_eq!(over.step().effects, [Effect::RemoveFinalizer]);
    assert_eq!(over.with(|case| case.desired.supervised = false).step().effects, []);
}

/// SC-008, SC-010
#[test]
fn a_start_takes_up_the_savepoint_or_begins_anew() {
    let stopped = ended(End::Stopped).policy(Never).with(|case| {
        case.record.savepoint = Some("s1".into());
        case.record.restore = Restore::Savepoint { path: "s1".into() };
    });
    let kept = stopped.clone().asks(api::Action::Start);
    assert_eq!(job_status(&kept).savepoint_path.as_deref(), Some("s1"));
    let attempt = kept.next().step().record.attempt.expect("an attempt");
    assert_eq!(attempt.restore, Restore::Savepoint { path: "s1".into() });
    let anew = kept.with(|case| case.desired.request.as_mut().expect("asks").without_savepoint = true);
    assert_eq!(job_status(&anew).savepoint_path.as_deref(), Some(""));
    assert_eq!(anew.next().step().record.attempt.expect("an attempt").restore, Restore::Empty);
}

/// SC-027
#[test]
fn a_cluster_started_without_savepoint_starts_its_jobs_without_state() {
    let begins = |case: Case| case.replaced().with(|case| case.record.savepoint = Some("s1".into()));
    let anew = |case: Case| case.with(|case| case.cluster.anew = Some(2));
    let stopped = anew(begins(ended(End::ClusterStopped).policy(Always)));
    let begun = stopped.next();
    assert_eq!(job_status(&begun).savepoint_path.as_deref(), Some(""));
    let attempt = begun.step().record.attempt.expect("an attempt");
    assert_eq!((attempt.number, attempt.restore), (2, Restore::Empty));
    let waits = begun.clone().with(|case| case.cluster.slots = none_free());
    assert_eq!(
        waits.next().with(|case| case.now = at(1010)).step().record,
        waits.next().record,
        "it is forgotten once"
    );
    // What it does from then on is kept, also while the word still stands.
    let lost = begun.next().with(|case| case.cluster.job_manager = None).next();
    assert_eq!(lost.record.restore, Restore::Newest);
    let other = begins(ended(End::ClusterStopped).policy(Always)).next().step();
    assert_eq!(other.record.restore, Restore::Newest, "without the word state is looked for");
}

/// SC-038, SC-109
#[test]
fn a_running_job_is_restarted_without_its_state() {
    let running = running().with(|case| case.record.savepoint = Some("s1".into()));
    let asked = running
        .asks(api::Action::Start)
        .with(|case| case.desired.request.as_mut().expect("asks").without_savepoint = true);
    let canceled = asked.next().flink("CANCELED");
    assert!(starts(&canceled));
    assert_eq!(canceled.step().record.restore, Restore::Empty);
    assert_eq!(job_status(&canceled).savepoint_path.as_deref(), Some(""));
}

/// F-19
#[test]
fn a_suspended_job_rests_until_it_grows() {
    let zero = ended(End::Suspended).policy(Always).with(|case| case.desired.parallelism = 0);
    assert_eq!((zero.step().waiting, zero.step().wake), (Waiting::User, None));
    assert!(starts(&ended(End::Suspended).policy(Always)));
}
