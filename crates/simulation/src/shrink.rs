//! From a run that ends badly to the least of it: as few mishaps as still show what is wrong.

use crate::books::Violation;
use crate::campaign::{Bugs, safely};
use crate::faults::Only;
use crate::plans;
use crate::run::{Report, Telling};

/// More mishaps than this are not tried one by one.
const MOST: u64 = 1000;

/// The least of a run.
pub struct Shrunk {
    pub only: Only,
    pub report: Report,
}

/// The shortest prefix of the mishaps of a seed that breaks the same invariant, without those of them that do not matter.
pub fn shrink(seed: u64, bugs: Bugs<'_>, violation: &Violation) -> Option<Shrunk> {
    let breaks = |only: &Only| {
        let report = run(seed, bugs, Some(only.clone()), Telling::Nobody);
        report.violations.first().is_some_and(|found| found.invariant == violation.invariant)
    };
    let all = run(seed, bugs, None, Telling::Nobody).mishaps;
    let mut only = (0..=all.min(MOST)).map(Only::first).find(&breaks)?;
    for mishap in (1..only.first).rev() {
        let mut fewer = only.clone();
        fewer.without.insert(mishap);
        if breaks(&fewer) {
            only = fewer;
        }
    }
    let report = run(seed, bugs, Some(only.clone()), Telling::Report);
    Some(Shrunk { only, report })
}

/// A seed with some of its mishaps.
pub fn run(seed: u64, bugs: Bugs<'_>, only: Option<Only>, telling: Telling) -> Report {
    safely(|| plans::random(seed, bugs(), telling).0.only(only).run())
}

impl Shrunk {
    /// How to see it again.
    pub fn again(&self, seed: u64) -> String {
        let without: Vec<String> = self.only.without.iter().map(u64::to_string).collect();
        let without = if without.is_empty() { String::new() } else { format!(" --without {}", without.join(",")) };
        format!("--seed {seed} --mishaps {}{without}", self.only.first)
    }
}
