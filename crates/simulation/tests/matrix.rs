//! A part of what `cargo xtask simulate` does, small enough for every day: the workloads without faults, some points of the matrix,
//! some seeds; and that the same seed gives the same run.

use simulation::mutants::bugs;
use simulation::{campaign, plans, scenario};

fn findings(tally: &campaign::Tally) -> String {
    tally.findings.iter().map(|one| format!("{}: {:?}", one.again, one.violation)).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_faults_every_workload_ends_well() {
    let mut bad = Vec::new();
    for workload in scenario::all() {
        let report = plans::reference(&workload, None);
        println!("{}: {} points, {} events", workload.name, report.points.len(), report.events);
        bad.extend(report.violations.iter().map(|violation| format!("{}: {violation:?}", workload.name)));
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// A job without slots cannot be saved, and nobody would bring it slots: it is stopped all the same.
#[test]
fn a_cluster_that_has_lost_its_task_manager_can_be_restarted() {
    let workload = scenario::all().into_iter().find(|one| one.name == "W4 lost slots").expect("it is one of them");
    let report = plans::reference(&workload, None);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..6 {
        let runs = [0, 1].map(|_| plans::random(seed, None, false).0.run());
        let [one, other] = runs.map(|run| (run.events, run.faults, run.took, run.counts, run.end));
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn a_fault_at_any_call_of_a_deployment_changes_nothing_in_the_end() {
    let workloads: Vec<_> = scenario::all().into_iter().filter(|one| one.name == "W1 deploy").collect();
    let tally = campaign::matrix(&workloads, &campaign::no_bug, 10);
    println!("{} runs", tally.runs);
    assert!(tally.findings.is_empty(), "{}", findings(&tally));
}

#[test]
fn bugs_are_found() {
    for bug in bugs::all().into_iter().step_by(7) {
        let (runs, finding) = campaign::hunt(bug, 200);
        println!("{}: {runs} runs", bug.name);
        assert!(finding.is_some(), "{} was not found", bug.name);
    }
}
