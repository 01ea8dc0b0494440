//! Two minutes of chaos; `cargo xtask chaos` has more.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use integration_tests::chaos;
use integration_tests::world::World;

const SEED: u64 = 0x5eed;

pub async fn anything_may_happen_at_any_time(world: Arc<World>) -> Result<()> {
    let figures = chaos::run(&world, "chaos", SEED, Duration::from_mins(2)).await?;
    eprintln!("{figures}");
    Ok(())
}
