//! Two minutes of chaos, or as much as the environment says; `cargo xtask chaos` brings a system of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use integration_tests::chaos;
use integration_tests::world::World;

const MINUTES: &str = "FLINKCTL_CHAOS_MINUTES";
const SEED: &str = "FLINKCTL_CHAOS_SEED";

pub async fn anything_may_happen_at_any_time(world: Arc<World>) -> Result<()> {
    let duration = Duration::from_secs(60 * number(MINUTES, 2));
    let figures = chaos::run(&world, "chaos", number(SEED, 0x5eed), duration).await?;
    eprintln!("{figures}");
    Ok(())
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
