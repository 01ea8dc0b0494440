//! Chaos on a running system: faults at random moments, one burst after the other, until the time is over; then everything must be well.
//!
//! A burst is one to three faults that overlap. After it both jobs must run again and commit, within a deadline. At the end no number is
//! missing, none was committed twice, and nothing is left over. A seed gives the same faults in the same order; the moments at which they
//! hit depend on the machine.

mod faults;
mod figures;
mod stage;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;

use crate::counter;
use crate::report;
use crate::wait::until;
use crate::world::World;

pub use figures::Figures;

use faults::Fault;
use stage::Stage;

/// How long a burst may be felt. A TaskManager that was cut off is given up after `heartbeat.timeout`, and a bootstrap has patience for two
/// minutes.
const RECOVERY: Duration = Duration::from_mins(5);
const LONGEST_PAUSE: u64 = 4000;

/// Disturbs a cluster of this name for so long, tells it line by line, and clears it away.
pub async fn run(world: &World, name: &str, seed: u64, duration: Duration) -> Result<Figures> {
    let mut stage = Stage::set(world, name).await?;
    let mut dice = Rng::with_seed(seed);
    let mut figures = Figures::default();
    let started = Instant::now();
    while started.elapsed() < duration {
        let burst = burst(&mut stage, &mut dice, &mut figures, started).await;
        let recovered = match burst {
            Ok(()) => recover(&stage, &mut figures, started).await,
            Err(error) => Err(error),
        };
        if let Err(error) = recovered {
            let state = report::describe(&world.local, name).await;
            return Err(error.context(format!("seed {seed}, after {figures}\n{state}")));
        }
    }
    for job in stage.jobs() {
        let report = counter::read(&world.output(&job))?;
        report.exact().with_context(|| format!("seed {seed}, the output of {job}, after {figures}"))?;
        figures.count(report.committed(), report.executions());
    }
    stage.clear().await.with_context(|| format!("seed {seed}, after {figures}"))?;
    Ok(figures)
}

async fn burst(stage: &mut Stage<'_>, dice: &mut Rng, figures: &mut Figures, started: Instant) -> Result<()> {
    for _ in 0..=dice.u64(..3) {
        tokio::time::sleep(Duration::from_millis(dice.u64(..LONGEST_PAUSE))).await;
        let fault = Fault::choose(dice);
        let (hit, what) = fault.inject(stage, dice).await?;
        eprintln!("{:>7.1} s  {}{what}", started.elapsed().as_secs_f64(), if hit { "" } else { "(missed) " });
        if hit {
            figures.fault(fault.kind());
        }
    }
    Ok(())
}

/// Waits until everything works again, which is when each job has committed something that it began after the faults.
async fn recover(stage: &Stage<'_>, figures: &mut Figures, started: Instant) -> Result<()> {
    let since = Instant::now();
    stage.heal().await?;
    stage.settle(RECOVERY).await?;
    let before: Vec<usize> =
        stage.jobs().iter().map(|job| counter::commits(&stage.world.output(job))).collect::<Result<_>>()?;
    until("each job commits again", RECOVERY, async || {
        for (job, before) in stage.jobs().iter().zip(&before) {
            let now = counter::commits(&stage.world.output(job))?;
            ensure!(now >= before + 2, "{job} has committed {} file(s) since", now - before);
        }
        Ok(Some(()))
    })
    .await?;
    figures.recovery(since.elapsed());
    eprintln!("{:>7.1} s  well again after {:.1} s", started.elapsed().as_secs_f64(), since.elapsed().as_secs_f64());
    Ok(())
}
