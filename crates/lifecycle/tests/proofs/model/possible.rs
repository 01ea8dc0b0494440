//! What can happen next, as far as budgets last.

use api::annotations::Action;

use super::actions::{Act, Fate};
use super::world::{Course, Progress, Silence, State, World};

pub fn possible(world: &World, acts: &mut Vec<Act>) {
    supervisors(world, acts);
    bootstraps(world, acts);
    for index in 0..world.in_flight.len() {
        acts.push(Act::Arrives(index));
    }
    for pod in world.pods.iter().filter(|pod| pod.deleting) {
        acts.push(Act::PodGone(pod.uid.clone()));
    }
    if !world.stored.is_empty() && world.leader().is_some() {
        acts.push(Act::Recovers);
    }
    let budget = &world.budget;
    if budget.job_manager_deaths > 0 && world.pods.iter().any(|pod| pod.is_job_manager() && !pod.over) {
        acts.extend([Act::JobManagerDies { at_once: false }, Act::JobManagerDies { at_once: true }]);
    }
    match world.pods.iter().filter(|pod| pod.is_job_manager() && !pod.over).map(|pod| pod.silence).max() {
        Some(Silence::None) if budget.silences > 0 => acts.push(Act::JobManagerIsSilent(true)),
        Some(Silence::Short | Silence::Long) => acts.push(Act::JobManagerIsSilent(false)),
        _ => {}
    }
    if world.full {
        acts.push(Act::Full(false));
    } else if budget.full_nodes > 0 {
        acts.push(Act::Full(true));
    }
    flink(world, acts);
    user(world, acts);
    acts.push(Act::Tick);
}

fn supervisors(world: &World, acts: &mut Vec<Act>) {
    let budget = &world.budget;
    for (exists, act) in
        [(world.cluster.is_some(), Act::Cluster as fn(Fate) -> Act), (world.job.is_some(), Act::Job as fn(Fate) -> Act)]
    {
        if !exists {
            continue;
        }
        acts.push(act(Fate::Done));
        if budget.crashes > 0 {
            acts.push(act(Fate::Crash));
        }
        if budget.late > 0 {
            acts.push(act(Fate::Late));
        }
    }
    for index in 0..world.late.len() {
        acts.extend([Act::RunLate(index), Act::LoseLate(index)]);
    }
    if world.stale.is_some() {
        acts.push(Act::Fresh);
    } else if budget.stale > 0 {
        acts.push(Act::Stale);
    }
    if world.deposed.is_some() {
        acts.extend([Act::DeposedCluster, Act::DeposedJob]);
    } else if budget.deposed > 0 {
        acts.push(Act::Depose);
    }
}

fn bootstraps(world: &World, acts: &mut Vec<Act>) {
    let Some(bootstrap) = &world.bootstrap else { return };
    let sends = bootstrap.progress == Progress::Checked;
    match bootstrap.progress {
        Progress::Created => acts.push(Act::BootstrapAsks),
        Progress::Checked => {
            acts.push(Act::BootstrapSubmits);
            if world.budget.refusals > 0 {
                acts.push(Act::BootstrapIsRefused);
            }
        }
        Progress::Ended(_) => {}
    }
    if world.budget.bootstrap_deaths > 0 && !matches!(bootstrap.progress, Progress::Ended(_)) {
        acts.push(Act::BootstrapDies { in_flight: false });
        if sends {
            acts.push(Act::BootstrapDies { in_flight: true });
        }
    }
    if bootstrap.deleting {
        acts.push(Act::BootstrapGone { in_flight: false });
        if sends {
            acts.push(Act::BootstrapGone { in_flight: true });
        }
    }
}

fn flink(world: &World, acts: &mut Vec<Act>) {
    let budget = &world.budget;
    let runs = world.executions.iter().any(|execution| execution.state == State::Running);
    if world.executions.iter().any(|one| one.state == State::Running && one.asked != one.parallelism) {
        acts.push(Act::Rescales);
    }
    if runs && budget.checkpoints > 0 {
        acts.push(Act::Checkpoint);
    }
    if runs && budget.job_failures > 0 {
        acts.push(Act::JobFails);
    }
    for (operation, _) in
        world.operations.iter().enumerate().filter(|(_, operation)| operation.course == Course::InProgress)
    {
        acts.push(Act::Completes { operation, success: true });
        if budget.savepoint_failures > 0 {
            acts.push(Act::Completes { operation, success: false });
        }
    }
}

fn user(world: &World, acts: &mut Vec<Act>) {
    let budget = &world.budget;
    // The same words again, without a timestamp, are no change of the object.
    let asks = |of_cluster: bool, action, without_savepoint| {
        let ask = if of_cluster {
            world.cluster.as_ref().and_then(|cluster| cluster.ask.as_ref())
        } else {
            world.job.as_ref().and_then(|job| job.ask.as_ref())
        };
        let same = ask.is_some_and(|ask| ask.action == action);
        let both = [true, false].map(|stamped| Act::Asks { of_cluster, action, stamped, without_savepoint });
        both.into_iter().take(if same { 1 } else { 2 })
    };
    if world.job.as_ref().is_some_and(|job| !job.deleting) {
        let wishes = [
            (budget.stops, Action::Stop, false),
            (budget.starts, Action::Start, false),
            (budget.fresh_starts, Action::Start, true),
            (budget.triggers, Action::TriggerSavepoint, false),
            (budget.forgets, Action::ForgetSavepoint, false),
        ];
        for (_, action, without) in wishes.into_iter().filter(|(left, ..)| *left > 0) {
            acts.extend(asks(false, action, without));
        }
        if budget.changes > 0 {
            acts.push(Act::Changes { cluster: false });
        }
        if budget.deletions > 0 {
            acts.push(Act::Deletes { cluster: false });
        }
    }
    if world.cluster.as_ref().is_some_and(|cluster| !cluster.deleting) {
        for (_, action) in [(budget.cluster_stops, Action::Stop), (budget.cluster_starts, Action::Start)]
            .into_iter()
            .filter(|(left, _)| *left > 0)
        {
            acts.extend(asks(true, action, false));
        }
        if budget.cluster_changes > 0 {
            acts.push(Act::Changes { cluster: true });
        }
        if budget.cluster_deletions > 0 {
            acts.push(Act::Deletes { cluster: true });
        }
    }
}
