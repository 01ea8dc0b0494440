//! How many TaskManagers there are to be, and which of them to create or remove.

use std::collections::BTreeSet;

use api::RescalePolicy;
use jiff::{SignedDuration, Timestamp};

use super::{Desired, Effect, FlinkView, JobView, Observed, PodState, PodView, Rescale, Role, Step};
use crate::Notice;

/// Pods that are created within that time are one change.
const SAME_CHANGE: SignedDuration = SignedDuration::from_secs(5);

/// Slots that the jobs hold or wait for.
pub fn required(jobs: &[JobView]) -> u32 {
    jobs.iter().map(|job| job.slots).sum()
}

/// The number that the jobs need (rounded up), and the number that is declared; both within the limits.
pub fn wanted(observed: &Observed<'_>) -> Rescale {
    wanted_for(observed.desired, &observed.jobs)
}

/// The same, for these jobs.
pub fn wanted_for(desired: &Desired, jobs: &[JobView]) -> Rescale {
    let declared = clamped(desired, desired.task_managers);
    let follows_jobs = desired.rescale_policy == RescalePolicy::JobParallelism && !jobs.is_empty();
    let required =
        if follows_jobs { clamped(desired, required(jobs).div_ceil(desired.task_slots.max(1))) } else { declared };
    Rescale { required, declared }
}

fn clamped(desired: &Desired, number: u32) -> u32 {
    number.max(desired.min_task_managers).min(desired.max_task_managers)
}

/// As many slots as there can be, whatever the jobs want.
pub fn most_slots(desired: &Desired) -> u32 {
    let managers = match desired.rescale_policy {
        RescalePolicy::JobParallelism => desired.max_task_managers,
        RescalePolicy::None => clamped(desired, desired.task_managers),
    };
    managers.saturating_mul(desired.task_slots.max(1))
}

/// Why a TaskManager does not start.
pub(super) fn trouble(observed: &Observed<'_>, step: &Step) -> Option<String> {
    let mut pods = current(observed, step.record.incarnation).filter(|pod| !pod.deleting);
    pods.find_map(|pod| match &pod.state {
        PodState::Pending { detail: Some(detail) } => Some(format!("{}: {detail}", pod.name)),
        _ => None,
    })
}

fn current<'a>(observed: &'a Observed<'_>, incarnation: u32) -> impl Iterator<Item = &'a PodView> {
    observed.pods.iter().filter(move |pod| pod.role == Role::TaskManager && pod.incarnation == incarnation)
}

/// Creates what is missing; an index is free once its pod is gone.
pub(super) fn create_missing(observed: &Observed<'_>, step: &mut Step, job_manager: &str) -> u32 {
    let incarnation = step.record.incarnation;
    let taken: BTreeSet<u32> = current(observed, incarnation).map(|pod| pod.index).collect();
    let working = current(observed, incarnation).filter(|pod| !pod.deleting && !pod.state.is_over()).count();
    let missing = wanted(observed).required.saturating_sub(u32::try_from(working).unwrap_or(u32::MAX));
    let due = step.record.task_managers_after.filter(|after| missing > 0 && observed.now < *after);
    if let Some(after) = due {
        step.wake = Some(step.wake.map_or(after, |wake| wake.min(after)));
        return missing;
    }
    // Pods that were created and are not seen yet are no other change each time.
    let recent = |at: Timestamp| observed.now < at + SAME_CHANGE;
    if missing > 0 && !step.record.rescaled.is_some_and(recent) {
        step.record.rescaled = Some(observed.now);
    }
    let free = (0..).filter(|index| !taken.contains(index)).take(missing as usize);
    for index in free {
        let job_manager = job_manager.to_owned();
        step.effects.push(Effect::CreateTaskManager { incarnation, job_manager, index });
    }
    missing
}

/// Counts TaskManagers that ended by themselves: the first is replaced at once, the next ones ever more slowly.
pub(super) fn count_lost(observed: &Observed<'_>, step: &mut Step) {
    let over: Vec<&PodView> =
        current(observed, step.record.incarnation).filter(|pod| pod.state.is_over() && !pod.deleting).collect();
    let fresh: Vec<&&PodView> = over.iter().filter(|pod| !step.record.lost.contains(&pod.uid)).collect();
    if !fresh.is_empty() {
        let failures = step.record.task_manager_failures.saturating_add(1);
        step.record.task_manager_failures = failures;
        step.record.task_managers_after = Some(observed.now + super::backoff(failures));
        step.record.rescaled = Some(observed.now);
    }
    for pod in &fresh {
        let why = match &pod.state {
            PodState::Over { detail: Some(detail) } => detail.as_str(),
            _ => "no reason is known",
        };
        step.record.failure = Some(why.to_owned());
        step.notices.push(Notice::warning("TaskManagerLost", format!("{} has ended: {why}", pod.name)));
    }
    step.record.lost = over.iter().map(|pod| pod.uid.clone()).collect();
}

/// Removes idle TaskManagers beyond what is wanted, after the rescale delay; returns how many are too many.
pub(super) fn remove_surplus(observed: &Observed<'_>, step: &mut Step, flink: &FlinkView) -> u32 {
    let working: Vec<&PodView> =
        current(observed, step.record.incarnation).filter(|pod| !pod.deleting && !pod.state.is_over()).collect();
    let surplus = working.len().saturating_sub(wanted(observed).required as usize);
    if surplus == 0 {
        return 0;
    }
    let due = step.record.rescaled.map(|changed| changed + observed.desired.rescale_delay);
    if let Some(due) = due
        && observed.now < due
    {
        step.wake = Some(due);
        return u32::try_from(surplus).unwrap_or(u32::MAX);
    }
    let idle = |pod: &&&PodView| {
        flink.task_managers.iter().any(|manager| manager.idle && Some(&manager.address) == pod.address.as_ref())
    };
    let mut leaving: Vec<&&PodView> = working.iter().filter(idle).collect();
    leaving.sort_by_key(|pod| std::cmp::Reverse(pod.index));
    for pod in leaving.into_iter().take(surplus) {
        step.effects.push(Effect::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() });
        step.record.rescaled = Some(observed.now);
    }
    u32::try_from(surplus).unwrap_or(u32::MAX)
}
