//! Which runs are made: each fault at each point of each workload, and seeds by the thousand.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::books::Violation;
use crate::chaos::Chaos;
use crate::faults::Verdict;
use crate::mutants::Mutation;
use crate::run::{Plan, Report, Telling};
use crate::scenario::{self, Act, Workload};

/// What is put at each point.
pub const VERDICTS: [(&str, Verdict); 9] = [
    ("T1 dies before", Verdict::CrashBefore),
    ("T1 dies after", Verdict::CrashAfter),
    ("T2 answer lost", Verdict::Lost),
    ("T2 not sent", Verdict::Unsent),
    ("T2 late", Verdict::Late(Duration::from_secs(4))),
    ("T21 sent twice", Verdict::Twice),
    ("T8 conflict", Verdict::Refused(409)),
    ("T9 refused", Verdict::Refused(503)),
    ("T9 slow", Verdict::SlowBack(Duration::from_secs(8))),
];

/// One run of the matrix.
pub struct Case {
    pub workload: Workload,
    pub class: &'static str,
    pub at: Vec<(u64, Verdict)>,
}

/// The run without faults, whose points are those of the matrix.
pub fn reference(workload: &Workload, mutation: Option<Rc<dyn Mutation>>, telling: Telling) -> Report {
    let mut plan = Plan::new(workload.clone(), 1);
    plan.faults.record = Some(Vec::new());
    plan.mutation = mutation;
    plan.telling = telling;
    plan.run()
}

/// The runs for a workload, given how many points it has: one fault at each, and a second one just after it.
pub fn matrix(workload: &Workload, points: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for point in 1..=points {
        for (class, verdict) in VERDICTS {
            cases.push(Case { workload: workload.clone(), class, at: vec![(point, verdict)] });
        }
        for next in 1..=3 {
            let at = vec![(point, Verdict::CrashAfter), (point + next, Verdict::CrashAfter)];
            cases.push(Case { workload: workload.clone(), class: "T1 dies twice", at });
        }
    }
    cases
}

impl Case {
    pub fn run(&self, mutation: Option<Rc<dyn Mutation>>, telling: Telling) -> Report {
        let mut plan = Plan::new(self.workload.clone(), 1);
        plan.faults.at = self.at.iter().copied().collect();
        plan.mutation = mutation;
        plan.telling = telling;
        plan.run()
    }
}

/// The workload of a seed.
pub fn workload(seed: u64) -> Workload {
    let mut workloads = scenario::all();
    let count = u64::try_from(workloads.len()).unwrap_or(1);
    workloads.swap_remove(usize::try_from(seed % count).unwrap_or_default())
}

/// The plan of a seed, and its mishaps.
pub fn random(seed: u64, mutation: Option<Rc<dyn Mutation>>, telling: Telling) -> (Plan, Vec<crate::chaos::Class>) {
    let mut plan = Plan::new(workload(seed), seed);
    let chaos = Chaos::new(seed);
    let classes = chaos.classes.clone();
    plan.chaos = Some(chaos);
    plan.mutation = mutation;
    plan.telling = telling;
    (plan, classes)
}

/// How many objects of what kind were made.
fn made(report: &Report) -> BTreeMap<&str, u32> {
    let all = report.counts.iter().filter_map(|(what, count)| Some((what.strip_prefix("create ")?, *count)));
    all.collect()
}

/// E, C: with a fault at one of our own calls the end is that of the run without, and so are the numbers of objects made. A deletion
/// may be repeated, or come after that of an owner; and what is made anew after a kill depends on what was there at that moment.
fn compare(case: &Case, reference: &Report, report: &mut Report) {
    if !case.workload.exact || !report.violations.is_empty() || !reference.violations.is_empty() {
        return;
    }
    // A bootstrap that was hit is made again, or its attempt is: that the goals are reached is all then.
    if report.hit_bootstrap {
        return;
    }
    let at = report.took;
    if report.end != reference.end {
        let what = format!("ends with {:?} instead of {:?}", report.end, reference.end);
        report.violations.push(Violation { invariant: "E", what, at });
        return;
    }
    let kills = case.workload.steps.iter().any(|step| matches!(step.act, Act::Kill(_) | Act::KillAndRestart(_)));
    let (made, wanted) = (made(report), made(reference));
    if !kills && made != wanted {
        let what = format!("made {made:?} instead of {wanted:?}");
        report.violations.push(Violation { invariant: "C", what, at });
    }
}

/// How to see a workload without faults again.
pub fn again(workload: &Workload) -> String {
    format!("--workload {:?}", workload.name)
}

impl Case {
    /// A run that is compared with the one without faults.
    pub fn compared(&self, reference: &Report, mutation: Option<Rc<dyn Mutation>>, telling: Telling) -> Report {
        let mut report = self.run(mutation, telling);
        compare(self, reference, &mut report);
        report
    }

    /// How to see it again.
    pub fn name(&self) -> String {
        let at: Vec<String> = self.at.iter().map(|(point, _)| point.to_string()).collect();
        format!("--workload {:?} --class {:?} --point {}", self.workload.name, self.class, at.join(","))
    }

    /// The case of that name.
    pub fn find(workload: &str, class: &str, points: &[u64]) -> Option<Self> {
        let workload = scenario::all().into_iter().find(|one| one.name == workload)?;
        let twice = ("T1 dies twice", Verdict::CrashAfter);
        let (class, verdict) = VERDICTS.into_iter().chain([twice]).find(|(name, _)| *name == class)?;
        Some(Self { workload, class, at: points.iter().map(|point| (*point, verdict)).collect() })
    }
}
