//! A job that begins, starts and runs.

use api::ResourceStatus::{Updated, Updating};
use api::RestartPolicy;
use api::SupervisorStatus::{Started, Starting, Stopped, Stopping, Terminated};
use api::record::{JobNext, JobPhase, Restore, Stop};
use lifecycle::job::{BootstrapView, ClusterState, Effect, Outcome, Waiting};

use super::{job_states, job_status};
use crate::job_case::*;

fn is_new_bootstrap(effects: &[Effect]) -> bool {
    matches!(effects, [Effect::CreateBootstrap { .. }])
}

fn stops(case: &Case) -> Option<(Stop, JobNext)> {
    match case.step().record.phase {
        JobPhase::Stopping { stop, next, .. } => Some((stop, next)),
        _ => None,
    }
}

/// A job of the policy `Never`, so that nothing but what is looked at restarts it.
fn never(case: Case) -> Case {
    case.policy(RestartPolicy::Never)
}

/// SC-095, SC-096, SC-098, SC-291, SC-292
#[test]
fn a_job_gets_the_finalizer_before_anything_else() {
    let bare = || fresh().with(|case| case.desired.supervised = false);
    assert_eq!(bare().step().effects, [Effect::AddFinalizer]);
    assert_eq!(job_states(&bare().deleting()).0, Terminated);
    assert_eq!(job_states(&bare().deleting().next()), (Terminated, Updated));
    assert_eq!(bare().cluster(ClusterState::Terminated).step().effects, []);
}

/// SC-097, SC-289, SC-294, SC-344
#[test]
fn a_new_job_takes_its_start_from_its_spec() {
    let given = fresh().with(|case| case.desired.savepoint_path = Some("s0".into()));
    let status = job_status(&given);
    assert_eq!(job_states(&given), (Starting, Updating));
    assert_eq!(status.savepoint_path.as_deref(), Some("s0"));
    assert_eq!((status.job_parallelism, status.cluster_name.as_deref()), (Some(2), Some("c")));
    assert_eq!(status.savepoint_mode, Some(api::SavepointMode::Automatic));
    assert_eq!(status.restart_policy, Some(RestartPolicy::OnlyIfFailed));
    let known = given.with(|case| case.desired.recorded_savepoint = Some("s9".into()));
    assert_eq!(job_status(&known).savepoint_path.as_deref(), Some("s9"), "what is recorded is newer");
    let edited = running().policy(RestartPolicy::Always).with(|case| case.desired.savepoint_automatic = false);
    assert_eq!(job_status(&edited).restart_policy, Some(RestartPolicy::Always));
    assert_eq!(job_status(&edited).savepoint_mode, Some(api::SavepointMode::Manual));
    assert_eq!(edited.step().effects, [], "both sections are hot");
}

/// SC-099, SC-114, SC-136, SC-345
#[test]
fn deletion_comes_before_everything_else() {
    assert_eq!(job_states(&waiting().deleting()).0, Terminated);
    let changed = |case: Case| case.deleting().with(|case| case.desired.digest = "d2".into());
    assert_eq!(stops(&changed(submitting())), Some((Stop::Abort { quiet: None }, JobNext::Delete)));
    assert_eq!(stops(&changed(running())), Some((Stop::Cancel, JobNext::Delete)), "a deletion saves nothing");
    assert_eq!(job_states(&changed(running())), (Stopping, Updating));
    assert_eq!(job_states(&changed(ended(api::record::End::Stopped))).0, Terminated);
}

/// SC-100, SC-101, SC-113, SC-341, SC-342
#[test]
fn a_job_does_not_start_on_a_cluster_that_goes() {
    for state in [ClusterState::Stopping, ClusterState::Stopped, ClusterState::Terminated] {
        assert_eq!(job_states(&never(waiting()).cluster(state)).0, Stopped);
        let begun = submitting().cluster(state);
        assert!(matches!(stops(&begun), Some((Stop::Abort { .. }, JobNext::Stay { .. }))));
        assert_eq!(job_states(&begun), (Stopping, Updating));
    }
}

/// SC-102, SC-106, SC-349, SC-350, SC-351
#[test]
fn a_job_waits_for_its_cluster_and_for_its_slots() {
    let starts = waiting().cluster(ClusterState::Starting);
    let full = waiting().with(|case| case.cluster.slots = none_free());
    let silent = waiting().silent();
    for case in [&starts, &full, &silent] {
        assert_eq!(case.step().effects, []);
        assert_eq!(job_states(case), (Starting, Updating));
    }
    assert!(is_new_bootstrap(&waiting().step().effects));
}

/// SC-107, SC-039, SC-041, SC-382, SC-383
#[test]
fn a_start_is_given_up_after_the_restart_timeout() {
    let since = |seconds| {
        let phase = JobPhase::Submitting { since: ago(seconds), tries: 1 };
        submitting().bootstrap(active(1)).with(|case| case.record.phase = phase)
    };
    assert_eq!(stops(&since(180)), None);
    let late = since(181);
    assert!(matches!(stops(&late), Some((Stop::Abort { .. }, JobNext::Stay { .. }))));
    let gone = late.next().bootstrap(BootstrapView::Absent).next().with(|case| case.now = at(1021));
    assert_eq!(job_states(&gone).0, Stopped);
    assert!(gone.step().notices.iter().any(|notice| notice.reason == "NotStarted"));
}

/// SC-108, SC-110, SC-111, SC-326, SC-334, SC-359, SC-360, SC-361, SC-362
#[test]
fn a_bootstrap_is_made_once_and_the_job_is_started_when_flink_runs_it() {
    let step = waiting().step();
    let [Effect::CreateBootstrap { attempt }] = &step.effects[..] else { panic!("{:?}", step.effects) };
    assert_eq!((attempt.parallelism, &attempt.restore), (2, &Restore::Empty));
    assert!(is_new_bootstrap(&submitting().step().effects), "it is made again if it is missing");
    let at_work = submitting().bootstrap(active(1));
    assert_eq!(at_work.step().effects, []);
    assert_eq!(job_states(&at_work).0, Starting);
    let runs = submitting().flink("RUNNING");
    assert_eq!(job_states(&runs).0, Started);
    assert_eq!(job_states(&runs.next().flink("RUNNING")), (Started, Updated));
    assert_eq!(job_status(&runs).job_id.as_deref(), Some(JOB));
}

/// F-12, F-31
#[test]
fn a_repeated_submission_is_the_same_flink_job() {
    let first = waiting().step();
    let [Effect::CreateBootstrap { attempt }] = &first.effects[..] else { panic!("{:?}", first.effects) };
    let lost = waiting().next().bootstrap(over(Outcome::Unknown)).next().bootstrap(BootstrapView::Absent).step();
    let [Effect::CreateBootstrap { attempt: again }] = &lost.effects[..] else { panic!("{:?}", lost.effects) };
    assert_eq!(again.job_id, attempt.job_id);
    // A bootstrap that has vanished after it was done is not repeated: Flink has the job.
    let vanished = waiting().next().flink("RUNNING").step();
    assert!(!vanished.effects.iter().any(|effect| matches!(effect, Effect::CreateBootstrap { .. })));
}

/// SC-112, SC-054
#[test]
fn parallelism_zero_suspends() {
    let zero = |case: Case| case.with(|case| case.desired.parallelism = 0);
    assert_eq!(zero(waiting()).step().effects, []);
    assert_eq!(job_states(&zero(waiting())).0, Stopped);
    assert!(matches!(stops(&zero(running())), Some((Stop::Savepoint { .. }, JobNext::Stay { .. }))));
}

/// SC-103
#[test]
fn a_stop_takes_a_start_back() {
    assert_eq!(job_states(&waiting().asks(api::Action::Stop)).0, Stopped);
    assert_eq!(job_states(&submitting().asks(api::Action::Stop)), (Stopping, Updating));
    assert_eq!(job_states(&submitting().asks(api::Action::Start)).0, Starting);
}

/// SC-104, SC-105, SC-118, SC-343, SC-352, SC-353, SC-354, SC-355, SC-356, SC-357, SC-358, F-23
#[test]
fn a_jobmanager_that_does_not_answer_has_not_lost_its_jobs() {
    let hours = |case: Case| case.silent().with(|case| case.now = at(20_000));
    for case in [submitting().silent(), hours(running())] {
        let step = case.step();
        assert_eq!(step.record.phase, case.record.phase, "the cluster decides when it is lost");
        assert_eq!(job_status(&case).cluster_health.as_deref(), Some("UNHEALTHY"));
    }
    assert_eq!(job_status(&running()).cluster_health.as_deref(), Some("HEALTHY"));
    for state in [ClusterState::Stopping, ClusterState::Stopped] {
        assert_eq!(job_status(&running().silent().cluster(state)).cluster_health.as_deref(), Some(""));
    }
    let replaced = running().replaced();
    assert_eq!(job_states(&replaced).0, Starting);
    assert_eq!(replaced.step().record.restore, Restore::Newest);
}

/// SC-115, SC-116, SC-127
#[test]
fn a_job_stops_with_its_cluster() {
    for state in [ClusterState::Stopping, ClusterState::Stopped, ClusterState::Terminated] {
        let Some((stop, next)) = stops(&running().cluster(state)) else { panic!("{state:?}") };
        assert!(matches!(stop, Stop::Savepoint { .. }), "it is saved: {stop:?}");
        assert!(matches!(next, JobNext::Stay { .. }), "and stays stopped: {next:?}");
    }
}

/// SC-117, F-03
#[test]
fn a_job_goes_on_when_its_cluster_starts_anew() {
    let gone = running().cluster(ClusterState::Starting).with(|case| case.cluster.job_manager = None);
    assert_eq!(job_states(&gone).0, Starting);
    assert_eq!(gone.step().record.restore, Restore::Newest);
}

/// SC-119, SC-120, SC-298, SC-346, SC-374, SC-375, SC-384, SC-385
#[test]
fn a_changed_bootstrap_or_parallelism_restarts_the_job() {
    assert_eq!(stops(&running()), None);
    let changed = running().with(|case| case.desired.digest = "d2".into());
    let scaled = running().with(|case| case.desired.parallelism = 3);
    for case in [changed, scaled] {
        assert!(matches!(stops(&case), Some((Stop::Savepoint { .. }, JobNext::Restart))), "{:?}", stops(&case));
        assert_eq!(job_states(&case), (Stopping, Updating));
    }
}

/// SC-121, SC-122, SC-123, SC-279, SC-280, SC-281, SC-335, SC-336, SC-337, SC-379, SC-380, SC-381
#[test]
fn an_execution_that_ends_leaves_its_id_and_its_state() {
    for state in ["FINISHED", "CANCELED", "FAILED"] {
        let case = running().flink(state).policy(RestartPolicy::Never);
        let status = job_status(&case);
        assert_eq!(status.job_status.as_deref(), Some(state));
        assert_eq!((status.job_id.as_deref(), status.job_parallelism), (Some(JOB), Some(0)));
        assert_eq!(job_states(&case).0, Stopped);
        assert_eq!(job_states(&case.next()), (Stopped, Updated));
    }
}

/// SC-126
#[test]
fn a_job_without_cluster_object_runs_on_with_unknown_health() {
    let missing = running().cluster(ClusterState::Missing);
    assert_eq!(job_states(&missing), (Started, Updated));
    assert_eq!(job_status(&missing).cluster_health.as_deref(), Some(""));
}

/// F-04
#[test]
fn a_job_that_its_jobmanager_has_forgotten_is_started_again() {
    let forgotten = running().no_jobs();
    assert_eq!(job_states(&forgotten).0, Starting);
    assert_eq!(forgotten.step().record.restore, Restore::Newest);
    assert_eq!(job_states(&never(running().no_jobs())).0, Stopped, "as its policy says");
}

/// SC-376, SC-377, SC-378, SC-544, SC-545, F-34
#[test]
fn the_status_shows_what_flink_says_and_keeps_it_while_flink_is_silent() {
    assert_eq!(job_status(&waiting()).job_status.as_deref(), Some(""));
    for state in ["RUNNING", "RESTARTING", "SOMETHING_NEW"] {
        assert_eq!(job_status(&running().flink(state)).job_status.as_deref(), Some(state));
    }
    assert_eq!(job_status(&submitting().flink("INITIALIZING")).job_status.as_deref(), Some("INITIALIZING"));
    let silent = running().silent();
    let before = job_status(&running());
    let facts = lifecycle::job::status::Facts::default();
    let after = lifecycle::job::status::status(&before, &silent.observed(), &silent.step(), &facts).into_owned();
    assert_eq!(after.job_status.as_deref(), Some("RUNNING"));
}

/// SC-032, SC-137, SC-276, SC-397, SC-398
#[test]
fn an_old_bootstrap_goes_before_the_next_one_comes() {
    for old in [active(9), over(Outcome::Submitted)] {
        let step = waiting().bootstrap(old).step();
        assert_eq!(step.effects, [Effect::DeleteBootstrap { uid: "b1".into() }]);
    }
    let leaving = waiting().bootstrap(BootstrapView::Leaving { started: true }).step();
    assert_eq!((leaving.effects, leaving.waiting), (vec![], Waiting::OldBootstrap));
    assert!(is_new_bootstrap(&waiting().step().effects));
}
