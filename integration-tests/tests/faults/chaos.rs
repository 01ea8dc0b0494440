//! Kills at arbitrary moments, the same ones in each run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use integration_tests::world::{World, job_id, name_of};

use crate::{counting, finish};

const KILLS: usize = 10;
const LONGEST_PAUSE: u64 = 6000;

pub async fn any_process_may_be_killed_at_any_time(world: Arc<World>) -> Result<()> {
    counting(&world, "chaos").await?;
    let mut dice = Dice(0x5eed);
    let started = Instant::now();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(dice.below(LONGEST_PAUSE))).await;
        let pods = world.local.list("pod", "clusterName=chaos").await?;
        if pods.is_empty() {
            continue;
        }
        let victim = name_of(&pods[usize::try_from(dice.below(pods.len() as u64))?]).to_owned();
        // A pod that has not started yet, or has just ended, cannot be killed; that is chance, too.
        let hit = world.local.kill(&victim).await.is_ok();
        eprintln!("{:>6.1} s  {} {victim}", started.elapsed().as_secs_f64(), if hit { "killed" } else { "missed" });
    }
    let job = world.running("chaos-job").await?;
    let report = world.counted("chaos-job", job_id(&job), 100).await?;
    eprintln!("{} executions, {} numbers, each once", report.executions(), report.committed());
    finish(&world, "chaos").await
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
