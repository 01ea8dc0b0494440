//! The smallest part of what `cargo xtask simulate` does: the workloads without faults, and that the same seed gives the same run.
//! `cargo xtask test` runs the matrix, seeds and known bugs with the simulator itself, which is built for speed.

use simulation::run::Telling;
use simulation::{campaign, plans, scenario, shrink};

#[test]
fn without_faults_every_workload_ends_well() {
    let mut bad = Vec::new();
    for workload in scenario::all() {
        let report = plans::reference(&workload, None, Telling::Nobody);
        println!("{}: {} points, {} events", workload.name, report.points.len(), report.events);
        bad.extend(report.violations.iter().map(|violation| format!("{}: {violation:?}", workload.name)));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..6 {
        let runs = [0, 1].map(|_| shrink::run(seed, &campaign::no_bug, None, Telling::Nobody));
        let [one, other] = runs.map(|run| (run.events, run.faults, run.took, run.counts, run.end));
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn a_run_that_panics_is_a_finding() {
    let report = campaign::safely(|| panic!("of the simulator"));
    assert_eq!(report.violations[0].invariant, "panic");
    assert!(report.violations[0].what.contains("of the simulator"));
}
