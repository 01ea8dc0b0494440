//! The real decisions about cluster and job, together, in a small world that fails.
//!
//! Assumptions, which are laws of this world and not of the code: Flink knows each job id once per JobManager; a
//! submission whose sender is gone arrives within [`clock::TICK`] or never; caches lag behind by less than that, and
//! in one order for all pods; a write with an old resourceVersion fails. Each law that can be broken is a switch, and
//! a test breaks it and wants the model to notice.

mod actions;
mod calm;
mod clock;
mod decisions;
mod effects;
mod looks;
mod possible;
mod tests;
mod walks;
mod world;

use actions::Act;
use api::annotations::Action;
use api::record::{ClusterPhase, JobPhase};
use api::{OnFailure, RecoveryMode, RestartPolicy};
use stateright::{Model, Property};
use world::{Budget, State, World};

/// What holds in this world.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a law that may be broken by itself")]
pub struct Laws {
    /// A bootstrap asks for the pending attempt before it submits.
    pub bootstraps_ask: bool,
    /// A JobManager refuses a job id that it knows.
    pub job_ids_are_known: bool,
    /// Submissions without a sender arrive soon or never.
    pub submissions_are_short: bool,
    /// A record is written only over the one it was decided on.
    pub writes_are_guarded: bool,
    /// An annotation is reset only on the object that was looked at.
    pub resets_are_guarded: bool,
    /// A reset leaves another timestamp, so that the same words again are another command.
    pub resets_are_stamped: bool,
    /// Pods of earlier incarnations are looked for.
    pub old_pods_are_seen: bool,
    /// Restore points are looked for where the attempt left them.
    pub storage_is_looked_at: bool,
    /// What the user wants: no laws, but constant.
    pub savepoints_are_automatic: bool,
    /// Flink brings jobs back after the loss of a JobManager.
    pub highly_available: bool,
    /// It lists them before one gives up waiting.
    pub recovery_is_short: bool,
    /// Changes are of the parallelism alone, which Flink changes while a job runs.
    pub adaptive: bool,
    pub recovery_mode: RecoveryMode,
    pub on_failure: OnFailure,
    pub policy: RestartPolicy,
}

pub const LAWS: Laws = Laws {
    bootstraps_ask: true,
    job_ids_are_known: true,
    submissions_are_short: true,
    writes_are_guarded: true,
    resets_are_guarded: true,
    resets_are_stamped: true,
    old_pods_are_seen: true,
    storage_is_looked_at: true,
    savepoints_are_automatic: true,
    highly_available: false,
    recovery_is_short: true,
    adaptive: false,
    recovery_mode: RecoveryMode::LatestState,
    on_failure: OnFailure::KeepRunning,
    policy: RestartPolicy::OnlyIfFailed,
};

/// Where an exploration begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With a cluster and a job that were just created.
    Created,
    /// With a job that runs.
    Running,
    /// With a job that was stopped, on a cluster that has lost its TaskManager, and no room for another one.
    Crowded,
}

/// The system to be explored.
#[derive(Clone)]
pub struct System {
    pub laws: Laws,
    pub budget: Budget,
    pub begin: Begin,
    /// Look from each state at what comes of it when nothing fails any more.
    pub calm: bool,
}

pub const ONE: &str = "at most one execution lives";
pub const NEWEST: &str = "no execution starts from an older state";
pub const ONCE: &str = "an action is taken at most once";
pub const KEPT: &str = "no action is dropped";
pub const GONE: &str = "nothing lives that was let go";
pub const ALONE: &str = "at most one JobManager lives";
pub const EDGES: &str = "phases change as published";
pub const TRUE: &str = "what is reported as done was done";
pub const REST: &str = "in calm everything comes to rest";
pub const UPGRADED: &str = "an upgrade completes";
pub const RESTARTED: &str = "a stop and a start complete";
pub const RECOVERED: &str = "a lost JobManager is replaced and the job runs again";
pub const DELETED: &str = "a deletion completes";

/// Digest and parallelism of a version of the specification.
pub fn wanted(spec: u8, laws: &Laws) -> (String, u32) {
    if laws.adaptive { ("d".into(), 2 + u32::from(spec % 2)) } else { (format!("d{spec}"), 1) }
}

impl World {
    pub fn runs(&self) -> bool {
        let recorded = self.job.as_ref().is_some_and(|job| job.record.phase == JobPhase::Running);
        recorded && self.executions.iter().any(|execution| execution.state == State::Running)
    }

    /// What runs is what is wanted now.
    fn is_current(&self, laws: &Laws) -> bool {
        let Some(job) = &self.job else { return false };
        let (digest, parallelism) = wanted(job.spec, laws);
        let running =
            |execution: &world::Execution| execution.state != State::Running || execution.parallelism == parallelism;
        let same = |attempt: &api::record::Attempt| attempt.digest == digest && attempt.parallelism == parallelism;
        job.record.attempt.as_ref().is_some_and(same) && self.executions.iter().all(running)
    }

    fn upgraded(&self, laws: &Laws) -> bool {
        self.runs() && self.job.as_ref().is_some_and(|job| job.spec > 0) && self.is_current(laws)
    }
}

impl Model for System {
    type State = World;
    type Action = Act;

    fn init_states(&self) -> Vec<World> {
        let settle = |world| calm::settle(world, &self.laws).unwrap_or_else(|world| *world);
        let mut world = World { highly_available: self.laws.highly_available, ..World::new(Budget::NONE) };
        if self.begin != Begin::Created {
            world = settle(world);
        }
        if self.begin == Begin::Crowded {
            let stop = Act::Asks { of_cluster: false, action: Action::Stop, stamped: false, without_savepoint: false };
            world.act(stop, &self.laws);
            world = settle(world);
            world.act(Act::Full(true), &self.laws);
            world.act(Act::JobManagerDies { at_once: true }, &self.laws);
            world = settle(world);
        }
        vec![World { budget: self.budget, ..world }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Act>) {
        possible::possible(world, actions);
    }

    fn next_state(&self, world: &World, action: Act) -> Option<World> {
        let mut next = world.clone();
        next.act(action, &self.laws);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE, |_, world: &World| world.living() <= 1),
            Property::always(NEWEST, |_, world: &World| world.witness.saw_kept(NEWEST)),
            Property::always(ONCE, |_, world: &World| world.witness.saw_kept(ONCE)),
            Property::always(KEPT, |_, world: &World| world.witness.saw_kept(KEPT)),
            Property::always(GONE, |_, world: &World| world.witness.saw_kept(GONE)),
            Property::always(ALONE, |system: &Self, world: &World| {
                // Late effects and caches that lag behind may make one more; it has no jobs, and is swept away.
                let late = system.budget.late + system.budget.deposed + system.budget.stale > 0;
                // With high availability one of two leads.
                late || world.highly_available
                    || world.pods.iter().filter(|pod| pod.is_job_manager() && !pod.over).count() <= 1
            }),
            Property::always(EDGES, |_, world: &World| world.witness.unpublished.is_none()),
            Property::always(TRUE, |_, world: &World| world.witness.saw_kept(TRUE)),
            Property::always(REST, |system: &Self, world: &World| {
                !system.calm
                    || calm::settle(world.clone(), &system.laws)
                        .is_ok_and(|rest| rest.complaint(&system.laws).is_none())
            }),
            Property::sometimes(UPGRADED, |system: &Self, world: &World| {
                system.budget.changes == 0 || world.upgraded(&system.laws)
            }),
            Property::sometimes(RESTARTED, |system: &Self, world: &World| {
                system.budget.stops == 0
                    || system.budget.starts == 0
                    || world.runs() && world.witness.taken.len() >= 2 && world.budget.stops + world.budget.starts == 0
            }),
            Property::sometimes(RECOVERED, |system: &Self, world: &World| {
                system.budget.job_manager_deaths == 0
                    || world.runs()
                        && world.cluster.as_ref().is_some_and(|cluster| {
                            cluster.record.incarnation > 1
                                && matches!(cluster.record.phase, ClusterPhase::Started { .. })
                        })
            }),
            Property::sometimes(DELETED, |system: &Self, world: &World| {
                (system.budget.deletions == 0 || world.job.is_none())
                    && (system.budget.cluster_deletions == 0 || world.cluster.is_none())
            }),
        ]
    }

    fn within_boundary(&self, world: &World) -> bool {
        let attempts = world.job.as_ref().and_then(|job| job.record.attempt.as_ref()).map_or(0, |last| last.number);
        let Budget { changes, starts, fresh_starts, job_failures, job_manager_deaths, .. } = self.budget;
        let Budget { cluster_starts, cluster_changes, .. } = self.budget;
        let restarts =
            [changes, starts, fresh_starts, cluster_starts, cluster_changes, job_failures, job_manager_deaths];
        attempts <= 2 + restarts.into_iter().map(u64::from).sum::<u64>()
    }
}
