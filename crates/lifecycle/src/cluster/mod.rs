//! One Flink cluster: its JobManager, its Service, its TaskManagers.
//!
//! Invariants: at most one JobManager lives; TaskManagers belong to one JobManager and go with it; nothing is
//! deleted but by uid. The caller persists [`Step::record`] with the observed resourceVersion before it runs
//! [`Step::effects`].

mod adopting;
mod commands;
mod started;
mod starting;
pub mod status;
mod stopping;
mod taskmanagers;
mod view;

pub use taskmanagers::{most_slots, required, wanted, wanted_for};
pub use view::{
    Desired, Effect, FlinkView, JobView, Node, Observed, PodState, PodView, Rescale, Role, ServiceView, Step,
    TaskManagerView, Waiting,
};

use api::record::{ClusterNext, ClusterPhase};
use jiff::{SignedDuration, Timestamp};

use crate::{Notice, ahead};

/// A JobManager that keeps dying is started again ever more slowly, up to this.
const MAX_BACKOFF: SignedDuration = SignedDuration::from_mins(5);

/// Decides what to do next. Total, deterministic, free of I/O.
#[must_use]
pub fn step(observed: &Observed<'_>) -> Step {
    let mut step = Step::from(observed.record.clone());
    if ahead::correct_cluster(&mut step.record, observed.now, MAX_BACKOFF) {
        return step.wait(Waiting::Next);
    }
    if !observed.desired.supervised && step.record.phase != ClusterPhase::Terminated {
        return unsupervised(observed, step);
    }
    commands::receive(observed, &mut step);
    // One transition at a time: what a command began is looked at afresh.
    if !step.effects.is_empty() || step.record.phase != observed.record.phase {
        return step;
    }
    match step.record.phase.clone() {
        ClusterPhase::New => {
            begin(observed, &mut step, None);
            step
        }
        ClusterPhase::Adopting => adopting::step(observed, step),
        ClusterPhase::Starting { since, not_before } => starting::step(observed, step, since, not_before),
        ClusterPhase::Started { uid } => started::step(observed, step, &uid),
        ClusterPhase::Stopping { next, without_savepoint, since } => {
            stopping::step(observed, step, next, without_savepoint, since)
        }
        ClusterPhase::Stopped => stopping::stopped(observed, step),
        ClusterPhase::Terminated => terminated(observed, step),
    }
}

fn unsupervised(observed: &Observed<'_>, mut step: Step) -> Step {
    if observed.desired.deleting {
        step.record.phase = ClusterPhase::Terminated;
        return step.wait(Waiting::Deletion);
    }
    step.effects.push(Effect::AddFinalizer);
    step.wait(Waiting::Finalizer)
}

/// The object goes once no job needs it any more; by force, with everything that is left.
fn terminated(observed: &Observed<'_>, mut step: Step) -> Step {
    if !observed.desired.supervised {
        return step.wait(Waiting::Deletion);
    }
    if observed.desired.force_delete {
        let kill = |pod: &PodView| Effect::KillPod { name: pod.name.clone(), uid: pod.uid.clone() };
        step.effects.extend(observed.pods.iter().map(kill));
        step.effects.push(Effect::RemoveFinalizer);
        return step.wait(Waiting::Deletion);
    }
    let held: Vec<String> = observed.jobs.iter().filter(|job| job.supervised).map(|job| job.name.clone()).collect();
    if held.is_empty() {
        step.effects.push(Effect::RemoveFinalizer);
        return step.wait(Waiting::Deletion);
    }
    step.wait(Waiting::Jobs { names: held })
}

/// A new incarnation, of what the specification says now.
fn begin(observed: &Observed<'_>, step: &mut Step, not_before: Option<Timestamp>) {
    step.record.incarnation += 1;
    step.record.lost.clear();
    step.record.digest.clone_from(&observed.desired.digest);
    step.record.phase = ClusterPhase::Starting { since: observed.now, not_before };
    step.waiting = Waiting::Next;
}

fn begin_stop(step: &mut Step, next: ClusterNext, without_savepoint: bool, now: Timestamp) {
    step.record.phase = ClusterPhase::Stopping { next, without_savepoint, since: now };
    step.waiting = Waiting::Next;
}

/// Whether pods of this digest are not what is wanted.
pub(crate) fn outdated(digest: &str, desired: &Desired) -> bool {
    digest != desired.digest
}

/// What makes a running or starting cluster stop, apart from commands.
fn leave(observed: &Observed<'_>, step: &mut Step) -> bool {
    if observed.desired.deleting {
        step.notices.push(Notice::normal("Stopping", "the cluster is being deleted"));
        begin_stop(step, ClusterNext::Delete, false, observed.now);
        return true;
    }
    if outdated(&step.record.digest, observed.desired) {
        step.notices
            .push(Notice::normal("Restarting", "runtime, jobManager, taskManager or flinkConfiguration changed"));
        begin_stop(step, ClusterNext::Restart, false, observed.now);
        return true;
    }
    false
}

/// Another incarnation in place of one whose JobManager is gone.
fn replace(observed: &Observed<'_>, step: &mut Step, why: &str, detail: Option<&str>) {
    step.notices.push(Notice::warning("JobManagerLost", why));
    step.record.failures = step.record.failures.saturating_add(1);
    step.record.failure = Some(detail.unwrap_or("no reason is known").to_owned());
    let pause = backoff(step.record.failures);
    let not_before = (pause > SignedDuration::ZERO).then(|| observed.now + pause);
    begin(observed, step, not_before);
}

/// None for the first failure, then 1, 2, 4 … seconds.
fn backoff(failures: u32) -> SignedDuration {
    match failures {
        0 | 1 => SignedDuration::ZERO,
        more => SignedDuration::from_secs(1i64 << (more - 2).min(9)).min(MAX_BACKOFF),
    }
}

/// Deletes what belongs to earlier incarnations, and what has ended by itself.
fn sweep(observed: &Observed<'_>, step: &mut Step) {
    let incarnation = step.record.incarnation;
    taskmanagers::count_lost(observed, step);
    for pod in &observed.pods {
        if !pod.deleting && (pod.incarnation != incarnation || pod.state.is_over()) {
            step.effects.push(Effect::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() });
        }
    }
}
