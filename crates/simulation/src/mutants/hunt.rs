//! The hunt for known bugs: runs with the bug until an invariant breaks that holds in the same run without it.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Mutation;
use super::bugs::Bug;
use crate::books::Violation;
use crate::campaign::{Bugs, Finding, no_bug, safely};
use crate::dice::Dice;
use crate::plans::{self, Case};
use crate::run::{Report, Telling};
use crate::{scenario, shrink};

/// What became of one hunt.
#[derive(Clone)]
pub struct Hunt {
    pub bug: Bug,
    /// How many runs it took, or were made in vain.
    pub runs: u64,
    pub finding: Option<Finding>,
}

/// Looks for what a bug does: in the workloads as they are, then in seeds and cases of the matrix by turns.
pub fn hunt(bug: Bug, most: u64) -> Hunt {
    let bugs = move || Some(Rc::new(bug) as Rc<dyn Mutation>);
    let mut hunt = Hunt { bug, runs: 0, finding: None };
    let workloads = scenario::all();
    let mut references = Vec::new();
    for workload in &workloads {
        let run = |bugs: Bugs<'_>| safely(|| plans::reference(workload, bugs(), Telling::Nobody));
        let report = run(&bugs);
        if hunt.judge(&report, || plans::again(workload), || run(&no_bug)) {
            return hunt;
        }
        references.push(report);
    }
    let mut cases = cases(&references);
    for seed in 0.. {
        let run = |bugs: Bugs<'_>| shrink::run(seed, bugs, None, Telling::Nobody);
        if hunt.judge(&run(&bugs), || format!("--seed {seed}"), || run(&no_bug)) {
            return hunt;
        }
        if let Some((index, case)) = cases.pop_front() {
            let report = safely(|| case.compared(&references[index], bugs(), Telling::Nobody));
            let sound = || {
                let reference = safely(|| plans::reference(&case.workload, None, Telling::Nobody));
                safely(|| case.compared(&reference, None, Telling::Nobody))
            };
            if hunt.judge(&report, || case.name(), sound) {
                return hunt;
            }
        }
        if hunt.runs >= most {
            break;
        }
    }
    hunt
}

impl Hunt {
    /// Counts a run; whether the bug was found by it.
    fn judge(&mut self, report: &Report, again: impl Fn() -> String, sound: impl Fn() -> Report) -> bool {
        self.runs += 1;
        let Some(violation) = report.violations.first() else { return false };
        if !sound().violations.is_empty() {
            return false;
        }
        let violation: Violation = violation.clone();
        let again = again();
        let seed = again.strip_prefix("--seed ").and_then(|seed| seed.parse().ok());
        self.finding = Some(Finding { again, seed, violation });
        true
    }
}

/// The matrix of all workloads in an order without order, so that a few cases tell as much as they can.
fn cases(references: &[Report]) -> VecDeque<(usize, Case)> {
    let mut cases = Vec::new();
    for (index, (workload, reference)) in scenario::all().iter().zip(references).enumerate() {
        let points = u64::try_from(reference.points.len()).unwrap_or_default();
        cases.extend(plans::matrix(workload, points).into_iter().map(|case| (index, case)));
    }
    let mut dice = Dice::new(7);
    for last in (1..cases.len()).rev() {
        let other = dice.below(u64::try_from(last).unwrap_or_default() + 1);
        cases.swap(last, usize::try_from(other).unwrap_or_default());
    }
    cases.into()
}

/// Hunts these bugs on all cores, and tells of each as soon as it is over.
pub fn hunt_all(bugs: &[Bug], most: u64, tell: impl Fn(&Hunt) + Sync) -> Vec<Hunt> {
    let (next, hunts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(bug) = bugs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let hunt = hunt(*bug, most);
                    tell(&hunt);
                    hunts.lock().expect("nobody panics with it").push(hunt);
                }
            });
        }
    });
    hunts.into_inner().expect("nobody panics with it")
}
