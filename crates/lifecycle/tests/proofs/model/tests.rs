//! The explorations and the walks.

use std::time::Instant;

use api::RestartPolicy::{Always, Never, OnlyIfFailed};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::*;

const NONE: Budget = Budget::NONE;

/// All that can happen within these bounds, from a job that runs.
const SCOPES: [(&str, Budget); 9] = [
    ("JobManager lost", Budget { job_manager_deaths: 1, checkpoints: 1, ..NONE }),
    ("changed, bootstrap lost", Budget { changes: 1, bootstrap_deaths: 1, checkpoints: 1, ..NONE }),
    ("changed, refused, bootstrap lost", Budget { changes: 2, bootstrap_deaths: 1, refusals: 1, ..NONE }),
    ("changed while another supervisor acts", Budget { changes: 1, deposed: 1, checkpoints: 1, ..NONE }),
    ("changed while effects are late", Budget { changes: 1, late: 2, ..NONE }),
    ("changed while caches lag", Budget { changes: 1, stale: 1, checkpoints: 1, ..NONE }),
    ("stopped and started through crashes", Budget { stops: 1, starts: 1, crashes: 2, checkpoints: 1, ..NONE }),
    ("stopped, the savepoint fails", Budget { stops: 1, savepoint_failures: 1, job_failures: 1, ..NONE }),
    ("started anew, failed", Budget { fresh_starts: 1, job_failures: 1, checkpoints: 2, ..NONE }),
];

fn explore(name: &str, budget: Budget) -> usize {
    let system = System { laws: LAWS, budget, running: true };
    let begun = Instant::now();
    let checker = system.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{name}: {states} states, depth {}, {:?}", checker.max_depth(), begun.elapsed());
    for property in checker.model().properties() {
        match (property.expectation, checker.discovery(property.name)) {
            (Expectation::Always, Some(path)) => {
                panic!("{name}: not so: {}: {:#?}", property.name, path.into_actions())
            }
            (Expectation::Sometimes, None) => panic!("{name}: never: {}", property.name),
            _ => {}
        }
    }
    states
}

#[test]
fn promises_are_kept_whatever_happens() {
    let states: usize = SCOPES.iter().map(|(name, budget)| explore(name, *budget)).sum();
    println!("{states} states");
}

#[test]
fn what_begins_comes_to_run() {
    let world = calm::settle(World::new(NONE), &LAWS).expect("it comes to rest");
    assert_eq!(world.complaint(&LAWS), None, "{world:#?}");
    assert!(world.runs());
}

#[test]
fn long_walks_end_well() {
    for (policy, automatic) in [(OnlyIfFailed, true), (Always, true), (Never, true), (OnlyIfFailed, false)] {
        let laws = Laws { policy, savepoints_are_automatic: automatic, ..LAWS };
        let system = System { laws, budget: Budget { checkpoints: 3, ..Budget::all(2) }, running: false };
        if let Some(failure) = walks::walk(&system, 1, 2500, 150) {
            panic!("{policy:?}: {}: {:#?}", failure.complaint, failure.acts);
        }
    }
}

/// Breaks a law of the world, and wants the model to notice.
fn broken(law: &str, laws: Laws, budget: Budget, wants: &'static str) {
    let system = System { laws, budget, running: true };
    let finish = HasDiscoveries::AnyOf([wants].into());
    let checker = system.checker().threads(2).finish_when(finish).spawn_bfs().join();
    println!("{law}: {} states", checker.unique_state_count());
    assert!(checker.discovery(wants).is_some(), "{law}: nobody noticed");
}

#[test]
fn each_law_is_needed() {
    let lost = Budget { job_manager_deaths: 1, checkpoints: 1, ..NONE };
    let lost_and_deleted = Budget { job_manager_deaths: 1, deletions: 1, ..NONE };
    broken("old pods are seen", Laws { old_pods_are_seen: false, ..LAWS }, lost, ONE);
    broken("old pods are seen", Laws { old_pods_are_seen: false, ..LAWS }, lost_and_deleted, GONE);
    broken("storage is looked at", Laws { storage_is_looked_at: false, ..LAWS }, lost, NEWEST);
    let repeated = Budget { bootstrap_deaths: 1, changes: 1, ..NONE };
    broken("job ids are known", Laws { job_ids_are_known: false, ..LAWS }, repeated, ONE);
    let aborted = Budget { bootstrap_deaths: 1, changes: 2, ..NONE };
    broken("submissions are short", Laws { submissions_are_short: false, ..LAWS }, aborted, ONE);
    let rivals = Budget { deposed: 1, triggers: 1, ..NONE };
    broken("writes are guarded", Laws { writes_are_guarded: false, ..LAWS }, rivals, ONCE);
    let asked = Budget { late: 1, triggers: 2, ..NONE };
    broken("resets are guarded", Laws { resets_are_guarded: false, ..LAWS }, asked, KEPT);
    let asked = Budget { triggers: 2, ..NONE };
    broken("resets are stamped", Laws { resets_are_stamped: false, ..LAWS }, asked, KEPT);
    let late = Budget { late: 1, crashes: 1, changes: 2, ..NONE };
    broken("bootstraps ask", Laws { bootstraps_ask: false, ..LAWS }, late, ONE);
}
