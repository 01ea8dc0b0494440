//! Many runs on all cores, and what they came to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use crate::books::Violation;
use crate::mutants::Mutation;
use crate::plans::{self, Case};
use crate::run::{Report, Telling};
use crate::scenario::{self, Workload};

/// Makes the bug that runs are made with, on the thread that makes them.
pub type Bugs<'a> = &'a (dyn Fn() -> Option<Rc<dyn Mutation>> + Sync);

/// Without any.
pub fn no_bug() -> Option<Rc<dyn Mutation>> {
    None
}

/// A run that ended badly.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How to see it again.
    pub again: String,
    /// Its seed, if it has one.
    pub seed: Option<u64>,
    pub violation: Violation,
}

/// What runs came to.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub runs: u64,
    pub events: u64,
    pub faults: u64,
    pub findings: Vec<Finding>,
    /// Runs, faults and violations by workload and class of faults.
    pub rows: BTreeMap<(String, String), [u64; 3]>,
}

impl Tally {
    fn count(&mut self, workload: &str, classes: &[String], (again, seed): (&str, Option<u64>), report: &Report) {
        self.runs += 1;
        self.events += report.events;
        self.faults += report.faults;
        let bad = u64::from(!report.violations.is_empty());
        for class in classes {
            let row = self.rows.entry((workload.to_owned(), class.clone())).or_default();
            row[0] += 1;
            row[1] += report.faults;
            row[2] += bad;
        }
        if let Some(violation) = report.violations.first() {
            self.findings.push(Finding { again: again.to_owned(), seed, violation: violation.clone() });
        }
    }

    pub fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.faults += other.faults;
        self.findings.extend(other.findings);
        for (key, numbers) in other.rows {
            let row = self.rows.entry(key).or_default();
            row.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        }
    }
}

thread_local! {
    /// What a run of this thread panicked with; something while one is made.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A run. One that panics has ended badly, and others go on.
pub fn safely(run: impl FnOnce() -> Report) -> Report {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let ours = PANIC.with_borrow_mut(|said| said.as_mut().map(|said| *said = info.to_string())).is_some();
            if !ours {
                usual(info);
            }
        }));
    });
    PANIC.set(Some(String::new()));
    let answer = panic::catch_unwind(AssertUnwindSafe(run));
    let said = PANIC.take().unwrap_or_default();
    answer.unwrap_or_else(|_| {
        let violation = Violation { invariant: "panic", what: said, at: Duration::ZERO };
        Report { violations: vec![violation], ..Report::default() }
    })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs work on all cores until it gives nothing more.
fn spread(work: impl Fn(&mut Tally) -> bool + Sync) -> Tally {
    let total = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                let mut tally = Tally::default();
                while work(&mut tally) {}
                total.lock().expect("nobody panics with it").add(tally);
            });
        }
    });
    total.into_inner().expect("nobody panics with it")
}

/// Every case of the matrix of these workloads, up to so many findings. The end must be that of the run without faults.
pub fn matrix(workloads: &[Workload], bugs: Bugs<'_>, findings: usize) -> Tally {
    let mut cases: Vec<(Case, usize)> = Vec::new();
    let references: Vec<Report> =
        workloads.iter().map(|workload| safely(|| plans::reference(workload, bugs(), Telling::Nobody))).collect();
    let mut first = Tally::default();
    for (index, (workload, reference)) in workloads.iter().zip(&references).enumerate() {
        first.count(workload.name, &["none".to_owned()], (&plans::again(workload), None), reference);
        let points = u64::try_from(reference.points.len()).unwrap_or_default();
        cases.extend(plans::matrix(workload, points).into_iter().map(|case| (case, index)));
    }
    if first.findings.len() >= findings {
        return first;
    }
    let (next, found) = (AtomicUsize::new(0), AtomicUsize::new(first.findings.len()));
    let tally = spread(|tally| {
        let Some((case, index)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) else { return false };
        let report = safely(|| case.compared(&references[*index], bugs(), Telling::Nobody));
        let before = tally.findings.len();
        tally.count(case.workload.name, &[case.class.to_owned()], (&case.name(), None), &report);
        let now = found.fetch_add(tally.findings.len() - before, Ordering::Relaxed);
        now < findings
    });
    first.add(tally);
    first
}

/// Seeds from one on, until time or seeds or patience are over.
pub fn random(from: u64, seeds: u64, time: Duration, bugs: Bugs<'_>, findings: usize) -> Tally {
    let (next, found, started) = (AtomicU64::new(from), AtomicUsize::new(0), Instant::now());
    spread(|tally| {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= from.saturating_add(seeds) || started.elapsed() >= time || found.load(Ordering::Relaxed) >= findings
        {
            return false;
        }
        let (plan, classes) = plans::random(seed, bugs(), Telling::Nobody);
        let workload = plan.workload.name;
        let report = safely(|| plan.run());
        let classes: Vec<String> = classes.iter().map(|class| format!("{class:?}")).collect();
        let before = tally.findings.len();
        tally.count(workload, &classes, (&format!("--seed {seed}"), Some(seed)), &report);
        found.fetch_add(tally.findings.len() - before, Ordering::Relaxed);
        true
    })
}

/// All workloads.
pub fn workloads() -> Vec<Workload> {
    scenario::all()
}
