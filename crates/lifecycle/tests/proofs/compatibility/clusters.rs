//! The life of a cluster, from the finalizer to its removal.

use std::mem::discriminant;

use api::ResourceStatus::{Updated, Updating};
use api::SupervisorStatus::{Started, Starting, Stopped, Stopping, Terminated, Unknown};
use api::annotations::Action::{ForgetSavepoint, Start, Stop, TriggerSavepoint};
use api::record::{ClusterNext, ClusterPhase};
use lifecycle::cluster::{Effect, PodState, Role, Waiting};
use lifecycle::command::Outcome;

use super::{answered, cluster_states, cluster_status};
use crate::cluster_case::*;
use crate::job_case::ago;

fn next(case: &Case) -> Case {
    case.clone().with(|next| next.record = case.step().record)
}

fn is_deleted(effects: &[Effect], uid: &str) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::DeletePod { uid: deleted, .. } if deleted == uid))
}

fn stops_for(case: &Case) -> Option<ClusterNext> {
    match case.step().record.phase {
        ClusterPhase::Stopping { next, .. } => Some(next),
        _ => None,
    }
}

/// SC-060, SC-061, SC-228, SC-229
#[test]
fn a_cluster_gets_the_finalizer_before_anything_else() {
    let bare = fresh().with(|case| case.desired.supervised = false);
    assert_eq!(bare.step().effects, [Effect::AddFinalizer]);
    assert_eq!(cluster_states(&bare).0, Unknown);
    let deleted = bare.deleting();
    assert_eq!(cluster_states(&deleted), (Terminated, Updated));
    assert_eq!(deleted.step().effects, []);
}

/// SC-062, SC-157
#[test]
fn a_cluster_with_its_finalizer_starts() {
    assert_eq!(cluster_states(&fresh()), (Starting, Updating));
    assert_eq!(fresh().step().record.incarnation, 1);
}

/// SC-063, SC-071, SC-088, SC-160
#[test]
fn deletion_comes_before_everything_else() {
    for case in [starting(), started(), stopped()] {
        let deleted = case.deleting().with(|case| case.desired.digest = "d2".into());
        assert_eq!(stops_for(&deleted), Some(ClusterNext::Delete));
        assert_eq!(cluster_states(&deleted), (Stopping, Updating));
        assert_eq!(deleted.step().effects, []);
        let asked = deleted.asks(Start).step();
        assert_eq!(answered(asked.report), Some(Outcome::Refused), "the command is answered, and goes");
    }
}

/// SC-064, SC-074, SC-089, SC-211, SC-212
#[test]
fn each_state_of_a_cluster_takes_its_commands() {
    assert_eq!(stops_for(&starting().asks(Stop)), Some(ClusterNext::Stay));
    assert_eq!(stops_for(&started().asks(Stop)), Some(ClusterNext::Stay));
    assert_eq!(cluster_states(&started().asks(Stop)), (Stopping, Updating));
    assert_eq!(stops_for(&started().asks(Start)), Some(ClusterNext::Restart), "START of what runs is a restart");
    assert_eq!(cluster_states(&started().asks(Start)), (Stopping, Updating));
    assert_eq!(cluster_states(&stopped().asks(Start)).0, Starting);
}

/// SC-209, SC-210
#[test]
fn a_command_that_does_not_fit_the_state_is_refused_and_taken_back() {
    for case in [
        starting().asks(Start),
        starting().asks(TriggerSavepoint),
        started().asks(ForgetSavepoint),
        started().asks(TriggerSavepoint),
        stopped().asks(Stop),
    ] {
        let refused = case.step();
        assert_eq!(answered(refused.report), Some(Outcome::Refused));
        assert_eq!(discriminant(&refused.record.phase), discriminant(&case.record.phase));
        assert!(matches!(next(&case).step().effects[..], [Effect::ResetAction { .. }]));
    }
}

/// SC-174, SC-208
#[test]
fn without_a_command_none_is_answered_or_taken_back() {
    for case in [starting(), started(), stopped()] {
        let step = case.step();
        assert_eq!(step.report, None);
        assert!(!step.effects.iter().any(|effect| matches!(effect, Effect::ResetAction { .. })));
    }
}

/// SC-065, SC-073, SC-159, SC-171, SC-172
#[test]
fn a_changed_section_restarts_what_starts_or_runs() {
    let changed = |case: Case| case.with(|case| case.desired.digest = "d2".into());
    for case in [starting(), started()] {
        assert_eq!(stops_for(&case), None);
        assert_eq!(stops_for(&changed(case.clone())), Some(ClusterNext::Restart));
        assert_eq!(cluster_states(&changed(case)), (Stopping, Updating));
    }
    assert_eq!(changed(stopped()).step().waiting, Waiting::User, "what is stopped takes it up with START");
    assert_eq!(changed(stopped()).asks(Start).step().record.digest, "d2");
}

/// SC-066, SC-068, SC-195
#[test]
fn a_cluster_is_starting_until_its_jobmanager_answers() {
    let pending = starting().job_manager(1).pods(|pod| pod.state = PodState::Pending { detail: None });
    for case in [pending, starting().job_manager(1)] {
        assert_eq!(cluster_states(&case), (Starting, Updating));
        assert_eq!(cluster_status(&case).cluster_health.as_deref(), Some(""));
    }
}

/// SC-067, SC-197, SC-198, SC-199, SC-200, SC-253, SC-254, SC-259, SC-260
#[test]
fn a_jobmanager_and_its_service_are_made_once() {
    let nothing = starting().with(|case| case.service = None);
    assert_eq!(nothing.step().effects, [Effect::CreateService, Effect::CreateJobManager { incarnation: 1 }]);
    assert_eq!(starting().step().effects, [Effect::CreateJobManager { incarnation: 1 }]);
    let there = nothing.job_manager(1).with(|case| case.desired.task_managers = 0).step();
    assert_eq!(there.effects, [Effect::CreateService]);
    let both = starting().job_manager(1).with(|case| case.desired.task_managers = 0);
    assert_eq!(both.step().effects, []);
}

/// SC-070, SC-154, SC-194
#[test]
fn a_cluster_is_started_once_its_jobmanager_answers() {
    let answers = starting().job_manager(1).answers(0);
    assert_eq!(cluster_states(&answers), (Started, Updating));
    assert_eq!(cluster_status(&started()).cluster_health.as_deref(), Some("HEALTHY"));
}

/// SC-072, SC-158, SC-167, SC-169, F-03
#[test]
fn a_lost_jobmanager_is_replaced_without_waiting_for_jobs() {
    let lost = started().with(|case| _ = case.pods.remove(0));
    let step = lost.step();
    assert_eq!(cluster_states(&lost).0, Starting);
    assert_eq!(step.record.incarnation, 2);
    let again = next(&lost).step();
    assert!(again.effects.contains(&Effect::CreateJobManager { incarnation: 2 }), "{:?}", again.effects);
    assert!(is_deleted(&again.effects, "tm-1-0"), "its TaskManagers go with it: {:?}", again.effects);
}

/// SC-168, SC-170, F-03
#[test]
fn a_lost_service_is_made_again_while_the_cluster_runs_on() {
    let lost = started().with(|case| case.service = None);
    assert_eq!(lost.step().effects, [Effect::CreateService]);
    assert_eq!(cluster_states(&lost).0, Started);
    assert_eq!(started().step().effects, []);
}

/// SC-075, SC-155, SC-189, SC-190, SC-191, SC-192, SC-193, SC-196, F-23, F-24
#[test]
fn a_jobmanager_is_unhealthy_when_it_was_silent_for_the_task_timeout() {
    assert_eq!(started().step().effects, []);
    // Nothing else has changed for an hour: only the silence counts.
    let calm = |seconds| started().silent(seconds).with(|case| case.record.rescaled = Some(ago(3600)));
    assert_eq!(calm(1).step().effects, []);
    assert_eq!(calm(299).step().effects, []);
    assert_eq!(cluster_status(&calm(299)).cluster_health.as_deref(), Some("UNHEALTHY"));
    let step = calm(301).step();
    assert!(is_deleted(&step.effects, "jm-1"), "{:?}", step.effects);
    // Something else that changed in between does not make it wait longer.
    let busy = started().silent(301).with(|case| case.record.rescaled = Some(ago(1)));
    assert!(is_deleted(&busy.step().effects, "jm-1"));
}

/// F-21
#[test]
fn a_jobmanager_that_never_answers_is_replaced_after_the_task_timeout() {
    let since = |seconds| {
        starting()
            .job_manager(1)
            .with(move |case| case.record.phase = ClusterPhase::Starting { since: ago(seconds), not_before: None })
    };
    assert!(!is_deleted(&since(299).step().effects, "jm-1"));
    assert!(is_deleted(&since(301).step().effects, "jm-1"));
    let rival = starting().job_manager(1).job_manager(0);
    assert!(is_deleted(&rival.step().effects, "jm-0"), "a second JobManager goes, instead of being waited for");
}

/// SC-076, SC-081, SC-184, SC-185, SC-223, F-40
#[test]
fn jobs_that_nobody_declared_are_canceled_only_on_request() {
    let foreign = started().flink(|flink| flink.live_jobs = vec!["f1".into(), "f9".into()]);
    assert_eq!(foreign.step().effects, [], "they are users' own");
    assert_eq!(cluster_status(&foreign).unmanaged_jobs, ["f9"], "and they are listed");
    let cancel = foreign.with(|case| case.desired.cancel_unmanaged = true);
    assert_eq!(cancel.step().effects, [Effect::CancelJob { job_manager: "jm-1".into(), job_id: "f9".into() }]);
    let busy = cancel.with(|case| case.jobs[0].settled = false);
    assert_eq!(busy.step().effects, [], "not while one of ours is under way");
    assert_eq!(cluster_states(&busy), (Started, Updated));
}

/// SC-077
#[test]
fn a_cancellation_that_failed_is_repeated() {
    let cancel =
        started().with(|case| case.desired.cancel_unmanaged = true).flink(|flink| flink.live_jobs = vec!["f9".into()]);
    assert_eq!(next(&cancel).step().effects, cancel.step().effects);
}

/// SC-082, SC-177, SC-178, SC-215, SC-216
#[test]
fn a_stopping_cluster_waits_for_its_jobs() {
    let live = stopping(ClusterNext::Stay).job_manager(1).task_managers(1).answers(2).job(2);
    assert_eq!(live.step().effects, []);
    assert_eq!(live.step().waiting, Waiting::Jobs { names: vec!["c-job-0".into()] });
    let ended = live.with(|case| case.jobs[0].live = false).step();
    assert!(is_deleted(&ended.effects, "jm-1") && is_deleted(&ended.effects, "tm-1-0"));
}

/// SC-083, SC-163, SC-164, SC-165, SC-166, SC-261
#[test]
fn a_stopping_cluster_removes_whatever_is_there() {
    let bare = || stopping(ClusterNext::Stay).with(|case| case.service = None);
    assert!(is_deleted(&bare().job_manager(1).step().effects, "jm-1"));
    assert!(is_deleted(&bare().task_managers(1).step().effects, "tm-1-0"));
    let service = stopping(ClusterNext::Stay);
    assert_eq!(service.step().effects, [Effect::DeleteService { uid: "svc".into() }]);
    for case in [bare().job_manager(1), service] {
        assert_eq!(cluster_states(&case), (Stopping, Updating));
        assert_eq!(cluster_status(&case).cluster_health.as_deref(), Some(""));
    }
    assert_eq!(cluster_states(&bare()).0, Stopped);
}

/// SC-084, SC-085, SC-087, SC-152, SC-153, SC-156
#[test]
fn what_follows_a_stop_is_what_it_was_for() {
    let gone = |next| stopping(next).with(|case| case.service = None);
    assert_eq!(cluster_states(&gone(ClusterNext::Delete).deleting()).0, Terminated);
    assert_eq!(cluster_states(&next(&gone(ClusterNext::Delete).deleting())), (Terminated, Updated));
    assert_eq!(cluster_states(&gone(ClusterNext::Restart)), (Starting, Updating));
    assert_eq!(cluster_states(&gone(ClusterNext::Stay)), (Stopped, Updating));
    assert_eq!(cluster_states(&next(&gone(ClusterNext::Stay))), (Stopped, Updated));
}

/// SC-086
#[test]
fn a_start_during_a_stop_is_taken_once_the_cluster_is_stopped() {
    let asked = stopping(ClusterNext::Stay).asks(Start);
    assert_eq!(asked.step().report, None, "it stays where it is");
    let stopped = next(&asked.with(|case| case.service = None));
    assert_eq!(stopped.record.phase, ClusterPhase::Stopped);
    assert_eq!(cluster_states(&stopped).0, Starting);
}

/// SC-090, SC-091
#[test]
fn a_stopped_cluster_removes_what_comes_back() {
    let leftover = stopped().job_manager(1);
    assert!(is_deleted(&leftover.step().effects, "jm-1"));
    assert_eq!(cluster_states(&leftover), (Stopped, Updating));
    assert_eq!(cluster_states(&stopped()), (Stopped, Updated));
    assert_eq!(cluster_status(&stopped()).cluster_health.as_deref(), Some(""));
}

/// SC-092, SC-093, SC-094, SC-230
#[test]
fn a_cluster_lets_go_once_no_job_holds_a_finalizer() {
    assert_eq!(terminated().step().effects, [Effect::RemoveFinalizer]);
    assert_eq!(terminated().with(|case| case.desired.supervised = false).step().effects, []);
    assert_eq!(terminated().job(0).step().effects, []);
    let released = terminated().job(0).with(|case| case.jobs[0].supervised = false);
    assert_eq!(released.step().effects, [Effect::RemoveFinalizer]);
}

/// SC-033, F-03
#[test]
fn a_deleted_cluster_waits_for_its_jobs_but_not_for_a_dead_jobmanager() {
    let live = || stopping(ClusterNext::Delete).deleting().job_manager(1).job(2);
    assert_eq!(live().answers(2).step().waiting, Waiting::Jobs { names: vec!["c-job-0".into()] });
    let silent = live().silent(301).step();
    assert!(is_deleted(&silent.effects, "jm-1"), "its jobs then end without it: {:?}", silent.effects);
    let gone = stopping(ClusterNext::Restart).deleting().with(|case| case.service = None);
    assert_eq!(cluster_states(&gone).0, Terminated, "a deletion is seen while the cluster stops for another reason");
}

/// F-16
#[test]
fn a_taskmanager_that_ended_is_replaced() {
    let ended = started().pods(|pod| {
        if pod.role == Role::TaskManager {
            pod.state = PodState::Over { detail: Some("Evicted".into()) };
        }
    });
    let effects = ended.step().effects;
    assert!(is_deleted(&effects, "tm-1-0"), "{effects:?}");
    assert!(effects.iter().any(|effect| matches!(effect, Effect::CreateTaskManager { .. })), "{effects:?}");
    assert_eq!(cluster_status(&ended).task_manager_replicas, Some(0), "it does not count");
}

/// SC-027
#[test]
fn a_start_without_savepoint_counts_for_the_jobs_of_the_cluster_and_for_one_start() {
    let unsaved = |case: Case| {
        case.asks(Start).with(|case| case.desired.request.as_mut().expect("asks").without_savepoint = true)
    };
    assert_eq!(unsaved(stopped()).step().record.anew, Some(2));
    let restarts = next(&unsaved(started()));
    assert_eq!(restarts.record.anew, None, "the jobs of this incarnation are not meant");
    let gone = restarts.with(|case| {
        case.pods.clear();
        case.jobs.clear();
        case.service = None;
    });
    assert_eq!(next(&gone).record.anew, Some(2));
    let word = |case: Case| case.with(|case| case.record.anew = Some(1));
    let busy = word(started()).with(|case| case.jobs[0].settled = false);
    assert_eq!(busy.step().record.anew, Some(1));
    assert_eq!(word(started()).step().record.anew, None, "all jobs have settled");
    assert_eq!(word(stopped()).asks(Start).step().record.anew, None);
}

/// F-42
#[test]
fn a_stopped_cluster_tells_that_a_change_waits_for_its_start() {
    let message = |case: &Case| cluster_status(case).conditions[0].message.clone();
    assert_eq!(message(&stopped()), "waiting for START");
    let changed = stopped().with(|case| case.desired.digest = "d2".into());
    assert_eq!(message(&changed), "waiting for START, which takes up what was changed meanwhile");
}

/// SC-232, R-02
#[test]
fn a_command_given_before_the_first_look_is_carried_out() {
    let asked = fresh().asks(Stop);
    assert_eq!(asked.step().report, None, "it is not wiped");
    assert_eq!(stops_for(&next(&asked)), Some(ClusterNext::Stay));
}
