//! When nothing fails any more, everything comes to rest where it should.

use api::RestartPolicy;
use api::annotations::Action;
use api::record::{ClusterPhase, End, JobPhase};

use super::Laws;
use super::actions::{Act, Fate};
use super::world::{Budget, Course, Progress, World};

/// Rounds after which a world that still moves has lost its way.
const ROUNDS: usize = 400;

impl World {
    /// One fair round: all that can happen without a fault happens, time at last.
    fn round(&mut self, laws: &Laws) {
        for act in [Act::Fresh, Act::Cluster(Fate::Done), Act::Job(Fate::Done)] {
            self.act(act, laws);
        }
        if let Some(bootstrap) = self.bootstrap.clone() {
            self.act(
                match bootstrap.progress {
                    _ if bootstrap.deleting => Act::BootstrapGone { in_flight: false },
                    Progress::Created => Act::BootstrapAsks,
                    Progress::Checked => Act::BootstrapSubmits,
                    Progress::Ended(_) => Act::Fresh,
                },
                laws,
            );
        }
        let going: Vec<String> = self.pods.iter().filter(|pod| pod.deleting).map(|pod| pod.uid.clone()).collect();
        for uid in going {
            self.act(Act::PodGone(uid), laws);
        }
        for operation in 0..self.operations.len() {
            if self.operations[operation].course == Course::InProgress {
                self.act(Act::Completes { operation, success: true }, laws);
            }
        }
        self.act(Act::Recovers, laws);
        self.act(Act::Rescales, laws);
        self.act(Act::Tick, laws);
    }

    /// What is not as it should be at rest.
    pub fn complaint(&self, laws: &Laws) -> Option<String> {
        let deleted = |deleting: bool, what: &str| deleting.then(|| format!("the {what} is not gone"));
        if let Some(cluster) = &self.cluster {
            let phase = &cluster.record.phase;
            if let Some(complaint) = deleted(cluster.deleting, "cluster") {
                return Some(complaint);
            }
            if !matches!(phase, ClusterPhase::Started { .. } | ClusterPhase::Stopped) {
                return Some(format!("the cluster is {phase:?}"));
            }
            if cluster.ask.is_some() || cluster.record.command.is_some() {
                return Some("a command of the cluster is left".into());
            }
        }
        let Some(job) = &self.job else { return (self.living() > 0).then(|| "a ghost lives".into()) };
        // Its execution would come back with the cluster.
        let stopped = self.cluster.as_ref().is_some_and(|cluster| cluster.record.phase == ClusterPhase::Stopped);
        if let Some(complaint) = deleted(job.deleting && !(stopped && job.record.adrift), "job") {
            return Some(complaint);
        }
        let started = self.cluster.as_ref().is_some_and(|cluster| cluster.record.phase != ClusterPhase::Stopped);
        let resting = match (&job.record.phase, laws.policy) {
            (JobPhase::Ended { .. }, RestartPolicy::Never) => true,
            (JobPhase::Ended { end, .. }, RestartPolicy::OnlyIfFailed) => {
                matches!(end, End::Stopped | End::ClusterStopped | End::Canceled | End::Finished)
            }
            (JobPhase::Waiting { .. }, _) => self.full,
            _ => false,
        };
        let stopped = job.ask.as_ref().is_some_and(|ask| ask.action == Action::Stop);
        // Without a cluster that runs, a failed job rests too; START is kept for when it runs again.
        if started && !resting && !self.runs() {
            return Some(format!("the job is {:?}", job.record.phase));
        }
        if started && (stopped || !self.full) && (job.ask.is_some() || job.record.command.is_some()) {
            return Some("a command of the job is left".into());
        }
        if self.living() != usize::from(self.runs()) {
            return Some(format!("{} executions live", self.living()));
        }
        (self.runs() && !self.is_current(laws)).then(|| "an old version runs".into())
    }
}

/// Nothing fails any more, until nothing moves.
pub fn settle(mut world: World, laws: &Laws) -> Result<World, Box<World>> {
    world.budget = Budget::NONE;
    world.late.clear();
    world.deposed = None;
    for _ in 0..ROUNDS {
        let before = world.clone();
        world.round(laws);
        if world == before {
            return Ok(world);
        }
    }
    Err(Box::new(world))
}
