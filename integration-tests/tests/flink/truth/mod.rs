//! Is the fake true? The same program of random calls goes to the fake Flink of the simulator and to a real one, and each answer and what
//! becomes of it are compared. A difference is a bug of the fake.

mod call;
mod fake;
mod plan;
mod real;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cluster::Cluster;
use call::{Call, View};
use fake::Fake;
use plan::Plan;
use real::Real;

/// How many calls a program has, wherever it runs.
const CALLS: usize = 40;
/// For how long calls are made at most; the process that starts and the last call come on top.
const LONG: Duration = Duration::from_secs(35);
/// How long a real Flink may need until it is where the fake is.
const PATIENCE: Duration = Duration::from_secs(20);
const PATIENCE_AFTER_LOSS: Duration = Duration::from_secs(40);
/// Another seed tries another program.
const SEED: &str = "FLINKCTL_TRUTH_SEED";

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_flink_answers_as_a_real_one_does() -> Result<()> {
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let cluster = Cluster::start().await?;
    let mut fake = Fake::new(&cluster, seed).await?;
    let mut real = Real::new(cluster).await?;
    let (mut plan, mut differences, started) = (Plan::new(seed), Vec::new(), Instant::now());
    // A difference is told once, however long it lasts.
    let mut known = BTreeSet::new();
    let mut calls = 0;
    while calls < CALLS && started.elapsed() < LONG {
        let call = plan.next();
        calls += 1;
        let wanted = fake.call(&call);
        let answer = real.call(&call).await?;
        if wanted != answer {
            differences.push(format!("{call:?}: the fake answers `{wanted}`, the real one `{answer}`"));
        }
        let view = fake.settle(&call);
        let lines = differs(&mut real, &view, &call, &known).await?;
        if !lines.is_empty() {
            differences.push(format!("after {call:?}, fake and real:\n    {}", lines.join("\n    ")));
            known.extend(lines);
        }
    }
    eprintln!("seed {seed}: {calls} calls, {} differences", differences.len());
    ensure!(differences.is_empty(), "seed {seed}, {calls} calls:\n  {}", differences.join("\n  "));
    real.passed();
    Ok(())
}

/// In what the real one differs, if it does not come to show what the fake does.
async fn differs(real: &mut Real, wanted: &View, call: &Call, known: &BTreeSet<String>) -> Result<Vec<String>> {
    let patience = if matches!(call, Call::Lose(_)) { PATIENCE_AFTER_LOSS } else { PATIENCE };
    let end = Instant::now() + patience;
    loop {
        let seen = real.view(call).await;
        let lines = seen.map(|seen| {
            let lines = wanted.difference(&seen);
            lines.into_iter().filter(|line| !known.contains(line)).collect::<Vec<_>>()
        });
        match lines {
            Ok(lines) if lines.is_empty() || Instant::now() >= end => return Ok(lines),
            Err(error) if Instant::now() >= end => return Err(error),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
