//! Programs out of a seed: what nobody thought of. A program whose answers differ is made as short as it can be before it is shown.

mod plan;

use anyhow::{Result, bail};

use crate::case::Step;
use crate::servers::Servers;
use crate::suite::first_difference;

/// Shortening stops after as many runs.
const ATTEMPTS: usize = 80;

/// The name of a seed's test.
pub fn name(seed: u64) -> String {
    format!("random: seed {seed}")
}

/// Runs a seed's program on both servers.
pub async fn check(servers: &Servers, seed: u64, steps: usize) -> Result<()> {
    let program = plan::program(seed, steps);
    let Some(difference) = first_difference(servers, &format!("seed-{seed}"), &program).await? else { return Ok(()) };
    let (program, difference) = shorten(servers, seed, program, difference).await?;
    bail!("{difference}\nThe shortest program that shows it, as a case:\n{}", serde_yaml::to_string(&program)?)
}

/// Leaves out what is not needed for a difference.
async fn shorten(
    servers: &Servers,
    seed: u64,
    mut program: Vec<Step>,
    mut difference: String,
) -> Result<(Vec<Step>, String)> {
    cut(&mut program, &difference);
    let mut attempt = 0;
    let mut at = program.len().saturating_sub(1);
    while at > 0 && attempt < ATTEMPTS {
        at -= 1;
        attempt += 1;
        let mut shorter = program.clone();
        shorter.remove(at);
        if let Some(found) = first_difference(servers, &format!("seed-{seed}-{attempt}"), &shorter).await? {
            cut(&mut shorter, &found);
            at = at.min(shorter.len().saturating_sub(1));
            (program, difference) = (shorter, found);
        }
    }
    Ok((program, difference))
}

/// What comes after the step that differs says nothing.
fn cut(program: &mut Vec<Step>, difference: &str) {
    let number =
        difference.strip_prefix("step ").and_then(|rest| rest.split(',').next()).and_then(|number| number.parse().ok());
    program.truncate(number.unwrap_or(program.len()));
}
