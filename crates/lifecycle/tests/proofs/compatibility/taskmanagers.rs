//! How many TaskManagers there are, and what the status says of them.

use api::RescalePolicy;
use api::ResourceStatus::{Updated, Updating};
use jiff::SignedDuration;
use lifecycle::cluster::Effect;

use super::{cluster_states, cluster_status};
use crate::cluster_case::*;
use crate::job_case::{ago, at};

/// A cluster with so many TaskManagers that run, of two slots each, and jobs of these parallelisms.
fn with(task_managers: u32, jobs: &[u32]) -> Case {
    let bare = started().with(|case| {
        case.pods.truncate(1);
        case.jobs.clear();
        case.desired.task_managers = task_managers;
        case.desired.max_task_managers = 32;
    });
    jobs.iter().fold(bare.task_managers(task_managers).answers(2 * task_managers), |case, slots| case.job(*slots))
}

fn scaled(case: &Case) -> Option<u32> {
    case.step().effects.iter().find_map(|effect| match effect {
        Effect::Scale { task_managers } => Some(*task_managers),
        _ => None,
    })
}

fn created(case: &Case) -> usize {
    case.step().effects.iter().filter(|effect| matches!(effect, Effect::CreateTaskManager { .. })).count()
}

fn removed(case: &Case) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::DeletePod { name, .. } => Some(name.clone()),
        _ => None,
    };
    case.step().effects.iter().filter_map(name).collect()
}

/// SC-006, SC-015, SC-022, SC-226, SC-231, SC-234, SC-266, SC-267
#[test]
fn the_status_counts_taskmanagers_and_slots() {
    let status = cluster_status(&with(2, &[1, 2]));
    assert_eq!((status.task_managers, status.task_manager_replicas), (Some(2), Some(2)));
    assert_eq!((status.task_slots, status.total_task_slots), (Some(2), Some(4)));
    assert_eq!(cluster_states(&with(2, &[1, 2])).1, Updated);
    // A stopped cluster has none, and still says how many slots one has.
    let none = cluster_status(&stopped());
    assert_eq!((none.task_manager_replicas, none.total_task_slots, none.task_slots), (Some(0), Some(0), Some(2)));
}

/// SC-025, SC-027, SC-050, SC-051, SC-052, SC-202, SC-264, SC-265, SC-269, SC-329, SC-581, F-02
#[test]
fn taskmanagers_follow_the_sum_of_parallelisms_rounded_up() {
    assert_eq!(scaled(&with(2, &[0, 2])), Some(1), "one of two jobs is stopped");
    assert_eq!(scaled(&with(2, &[1, 2])), None);
    assert_eq!(scaled(&with(2, &[4, 2])), Some(3));
    assert_eq!(scaled(&with(3, &[4, 4])), Some(4));
    assert_eq!(scaled(&with(4, &[1, 1])), Some(1));
    assert_eq!(scaled(&with(3, &[2])), Some(1));
    assert_eq!(cluster_states(&with(2, &[4, 2])).1, Updating);
    let four_slots = |jobs: &[u32]| with(1, jobs).with(|case| case.desired.task_slots = 4);
    assert_eq!(scaled(&four_slots(&[1])), None, "one slot needs a whole TaskManager");
    assert_eq!(scaled(&four_slots(&[5])), Some(2));
    assert_eq!(with(2, &[4, 2]).step().record.rescaled, Some(at(1000)), "the delay counts from here");
}

/// SC-078, SC-201, F-41
#[test]
fn a_rescale_is_told_and_then_carried_out() {
    let more = with(1, &[2, 1]);
    assert_eq!(more.step().effects, [Effect::Scale { task_managers: 2 }]);
    assert_eq!(cluster_states(&more).1, Updating);
    assert!(cluster_status(&more).rescale_timestamp.is_some(), "the time is stored with the decision");
    assert_eq!(cluster_status(&more).task_managers, Some(1), "until the number is declared, the old one stands there");
    let carried = more.with(|case| case.desired.task_managers = 2);
    assert_eq!(created(&carried), 1);
    assert_eq!(cluster_status(&carried).task_managers, Some(2));
}

/// SC-037, SC-055
#[test]
fn without_work_taskmanagers_go_down_to_zero() {
    let finished = with(1, &[0]);
    assert_eq!(scaled(&finished), Some(0));
    let declared = finished.with(|case| case.desired.task_managers = 0).idle(&[0]);
    assert_eq!(removed(&declared), ["taskmanager-c-1-0"]);
}

/// SC-043, SC-046, SC-048, SC-079, SC-203, SC-205, SC-255, SC-256
#[test]
fn a_bare_cluster_has_as_many_as_are_declared() {
    let bare = with(1, &[]);
    assert_eq!((scaled(&bare), created(&bare)), (None, 0));
    let more = bare.clone().with(|case| case.desired.task_managers = 3);
    assert_eq!(created(&more), 2);
    assert_eq!(more.step().record.phase, bare.record.phase, "nothing restarts");
    assert_eq!(cluster_states(&more).1, Updating);
}

/// SC-047, SC-049
#[test]
fn a_cluster_that_shrinks_is_updating_while_taskmanagers_go() {
    for declared in [1, 0] {
        let fewer = with(2, &[]).with(|case| case.desired.task_managers = declared).idle(&[0, 1]);
        assert_eq!(removed(&fewer).len(), 2 - declared as usize);
        assert_eq!(cluster_states(&fewer).1, Updating);
        assert_eq!(cluster_status(&fewer).task_slots, Some(2));
        let going = fewer.with(|case| {
            case.record.rescaled = Some(case.now);
            for pod in &mut case.pods {
                pod.deleting = pod.index >= declared && pod.name.starts_with("taskmanager");
            }
        });
        assert_eq!(cluster_states(&going).1, Updating);
        assert_eq!(cluster_states(&with(declared, &[])).1, Updated);
    }
}

/// SC-080, SC-186, SC-187, SC-188, SC-224, SC-516 to SC-519
#[test]
fn a_cluster_is_updated_when_flink_has_the_slots() {
    assert_eq!(cluster_states(&with(1, &[2])).1, Updated);
    assert_eq!(cluster_states(&with(1, &[2]).answers(1)).1, Updating);
    assert_eq!(cluster_states(&with(1, &[2]).silent(5)).1, Updating);
}

/// SC-057, SC-262, SC-581
#[test]
fn the_limits_hold_for_declared_and_for_required_numbers() {
    let limited =
        |case: Case| case.with(|case| (case.desired.min_task_managers, case.desired.max_task_managers) = (2, 3));
    assert_eq!(scaled(&limited(with(3, &[40]))), None);
    assert_eq!(scaled(&limited(with(3, &[1]))), Some(2));
    assert_eq!(created(&limited(with(1, &[]))), 1, "declared 1, at least 2");
    assert_eq!(cluster_status(&limited(with(9, &[]))).task_managers, Some(3));
}

/// SC-204, SC-206, SC-207, SC-268
#[test]
fn idle_taskmanagers_go_after_the_rescale_delay() {
    let surplus = |seconds| {
        with(3, &[]).with(|case| case.desired.task_managers = 2).with(|case| case.record.rescaled = Some(ago(seconds)))
    };
    assert_eq!(removed(&surplus(50).idle(&[0, 1, 2])), Vec::<String>::new());
    assert_eq!(removed(&surplus(70).idle(&[1])), ["taskmanager-c-1-1"]);
    assert_eq!(surplus(70).idle(&[1]).step().record.rescaled, Some(at(1000)));
    assert_eq!(removed(&surplus(70)), Vec::<String>::new(), "none is idle");
    let patient = surplus(70).idle(&[1]).with(|case| case.desired.rescale_delay = SignedDuration::from_secs(90));
    assert_eq!(removed(&patient), Vec::<String>::new());
}

/// SC-270, SC-271, SC-568 to SC-570, F-14, F-15
#[test]
fn only_the_surplus_goes_and_only_what_is_idle_for_certain() {
    let four = || with(4, &[]).with(|case| case.desired.task_managers = 2);
    assert_eq!(removed(&four().silent(5)), Vec::<String>::new(), "nobody knows which are idle");
    assert_eq!(removed(&four().idle(&[2, 3])).len(), 2);
    let all_idle = removed(&four().idle(&[0, 1, 2, 3]));
    assert_eq!(all_idle, ["taskmanager-c-1-3", "taskmanager-c-1-2"], "never more than there are too many");
    let stranger = four().idle(&[7]);
    assert_eq!(removed(&stranger), Vec::<String>::new());
    assert_eq!(stranger.step().record.rescaled, stranger.record.rescaled, "a stranger counts for nothing");
}

/// SC-583, D-11
#[test]
fn the_policy_none_leaves_the_number_to_users() {
    let none = with(1, &[6]).with(|case| case.desired.rescale_policy = RescalePolicy::None);
    assert_eq!((scaled(&none), created(&none)), (None, 0));
    let more = none.with(|case| case.desired.task_managers = 3);
    assert_eq!(created(&more), 2);
    let follows = with(1, &[2]).with(|case| case.desired.task_managers = 5);
    assert_eq!(scaled(&follows), Some(1), "under the policy JobParallelism the jobs decide");
}
