//! The faults, each with what it hits.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;

use crate::process::Process;
use crate::world::World;

use super::stage::Stage;

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9` of all processes of a pod.
    Kill,
    /// A process stands still for a while.
    Pause,
    /// Nobody gets through to the JobManager's Service for a while.
    Cut,
    /// Everything through that Service is late for a while.
    Delay,
    /// A savepoint takes seconds: the TaskManagers stand still while it is made.
    SlowSavepoint,
    /// Savepoints cannot be written for a while.
    FullDisk,
    /// The definition is edited, for which jobs are restarted.
    Edit,
    /// A job is stopped by its user.
    Stop,
    /// A user wants a savepoint.
    Savepoint,
    /// The whole cluster is stopped and started by its user.
    Restart,
}

/// How often each is chosen.
const WEIGHTS: [(Fault, u64); 10] = [
    (Fault::Kill, 10),
    (Fault::Pause, 6),
    (Fault::Cut, 3),
    (Fault::Delay, 2),
    (Fault::SlowSavepoint, 2),
    (Fault::FullDisk, 2),
    (Fault::Edit, 2),
    (Fault::Stop, 3),
    (Fault::Savepoint, 2),
    (Fault::Restart, 1),
];

impl Fault {
    pub fn choose(dice: &mut Rng) -> Self {
        let mut point = dice.u64(..WEIGHTS.iter().map(|(_, weight)| weight).sum::<u64>());
        for (fault, weight) in WEIGHTS {
            if point < weight {
                return fault;
            }
            point -= weight;
        }
        Self::Kill
    }

    /// The heading under which it is counted.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Kill => "kills",
            Self::Pause => "pauses",
            Self::Cut => "cuts",
            Self::Delay => "delays",
            Self::SlowSavepoint => "slow savepoints",
            Self::FullDisk => "broken disks",
            Self::Edit => "edits",
            Self::Stop => "stops",
            Self::Savepoint => "savepoints",
            Self::Restart => "restarts",
        }
    }

    /// Lets it happen. What it hits, and whether it did: a pod may have no process yet, a request may be refused at this moment.
    pub async fn inject(self, stage: &mut Stage<'_>, dice: &mut Rng) -> Result<(bool, String)> {
        let jobs = stage.jobs();
        let job = dice.choice(&jobs).cloned().unwrap_or_default();
        match self {
            Self::Kill | Self::Pause => self.strike(stage, dice).await,
            Self::Cut => {
                let hit = stage.connections(Some("refuse")).await?;
                let took = hold(dice, 8000).await;
                stage.connections(None).await?;
                Ok((hit, format!("cut {} for {took} ms", stage.service())))
            }
            Self::Delay => {
                let late = 50 + dice.u64(..500);
                let hit = stage.connections(Some(&late.to_string())).await?;
                let took = hold(dice, 8000).await;
                stage.connections(None).await?;
                Ok((hit, format!("made {} late by {late} ms for {took} ms", stage.service())))
            }
            Self::SlowSavepoint => {
                let stop = dice.u64(..2) == 0;
                let (hit, asked) = request(stage.world, &job, if stop { "STOP" } else { "TRIGGER_SAVEPOINT" }).await;
                let workers: Vec<Process> = processes(stage, "taskmanager").await?;
                workers.iter().for_each(Process::suspend);
                let took = hold(dice, 6000).await;
                workers.iter().for_each(Process::resume);
                Ok((hit, format!("{asked}, and paused its TaskManagers for {took} ms")))
            }
            Self::FullDisk => {
                let hit = stage.disk(&job, false)?;
                let (_, asked) =
                    request(stage.world, &job, if dice.u64(..2) == 0 { "STOP" } else { "TRIGGER_SAVEPOINT" }).await;
                let took = hold(dice, 6000).await;
                stage.disk(&job, true)?;
                Ok((hit, format!("took the disk away for {took} ms and {asked}")))
            }
            Self::Edit => {
                stage.rate = 150 + u32::try_from(dice.u64(..100))?;
                stage.apply().await?;
                Ok((true, format!("edited the deployment: {} numbers a second", stage.rate)))
            }
            Self::Stop => Ok(request(stage.world, &job, "STOP").await),
            Self::Savepoint => Ok(request(stage.world, &job, "TRIGGER_SAVEPOINT").await),
            Self::Restart => {
                let done = stage.world.request("fc", &stage.name, "STOP").await.is_ok();
                hold(dice, 10_000).await;
                stage.world.request("fc", &stage.name, "START").await?;
                Ok((done, "asked the cluster to stop and to start".to_owned()))
            }
        }
    }

    async fn strike(self, stage: &Stage<'_>, dice: &mut Rng) -> Result<(bool, String)> {
        let pods = stage.pods().await?;
        let Some((pod, processes)) = dice.choice(&pods) else { return Ok((false, "no pod".to_owned())) };
        if self == Self::Kill {
            processes.iter().for_each(Process::kill);
            return Ok((true, format!("killed {pod}")));
        }
        processes.iter().for_each(Process::suspend);
        let took = hold(dice, 12_000).await;
        processes.iter().for_each(Process::resume);
        Ok((true, format!("paused {pod} for {took} ms")))
    }
}

async fn processes(stage: &Stage<'_>, part: &str) -> Result<Vec<Process>> {
    let pods = stage.pods().await?;
    Ok(pods.into_iter().filter(|(name, _)| name.contains(part)).flat_map(|(_, processes)| processes).collect())
}

async fn hold(dice: &mut Rng, longest: u64) -> u64 {
    let took = 200 + dice.u64(..longest);
    tokio::time::sleep(Duration::from_millis(took)).await;
    took
}

async fn request(world: &World, job: &str, action: &str) -> (bool, String) {
    let done = world.request("fj", job, action).await.is_ok();
    (done, format!("asked {job} for {action}"))
}
