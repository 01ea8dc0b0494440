//! The explorations and the walks.

use api::RestartPolicy::{Always, Never, OnlyIfFailed};
use stateright::{Checker, Expectation, HasDiscoveries, Model};

use super::*;

const NONE: Budget = Budget::NONE;
const ONE_LOST: Budget = Budget { job_manager_deaths: 1, ..NONE };

/// All that can happen within these bounds, from a job that runs; what is left of each state in calm is looked at too.
const SCOPES: &[(&str, Budget)] = &[
    ("JobManager lost", Budget { job_manager_deaths: 1, checkpoints: 1, ..NONE }),
    ("JobManager silent", Budget { silences: 1, checkpoints: 1, ..NONE }),
    ("changed, bootstrap lost", Budget { changes: 1, bootstrap_deaths: 1, checkpoints: 1, ..NONE }),
    ("changed, refused, bootstrap lost", Budget { changes: 2, bootstrap_deaths: 1, refusals: 1, ..NONE }),
    ("changed while another supervisor acts", Budget { changes: 1, deposed: 1, checkpoints: 1, ..NONE }),
    ("changed while effects are late", Budget { changes: 1, late: 2, ..NONE }),
    ("changed while caches lag", Budget { changes: 1, stale: 1, checkpoints: 1, ..NONE }),
    ("changed while the JobManager is silent", Budget { changes: 1, silences: 1, ..NONE }),
    ("changed, failed", Budget { changes: 1, job_failures: 1, checkpoints: 1, ..NONE }),
    ("changed while a savepoint is taken", Budget { changes: 1, triggers: 1, ..NONE }),
    ("stopped and started through crashes", Budget { stops: 1, starts: 1, crashes: 2, checkpoints: 1, ..NONE }),
    ("stopped, the savepoint fails", Budget { stops: 1, savepoint_failures: 1, job_failures: 1, ..NONE }),
    ("stopped while the JobManager is silent", Budget { stops: 1, silences: 1, checkpoints: 1, ..NONE }),
    ("started anew, failed", Budget { fresh_starts: 1, job_failures: 1, checkpoints: 1, ..NONE }),
    ("deleted, JobManager lost", Budget { deletions: 1, job_manager_deaths: 1, ..NONE }),
    ("deleted while the JobManager is silent", Budget { deletions: 1, silences: 1, ..NONE }),
    ("deleted, changed, bootstrap lost", Budget { deletions: 1, changes: 1, bootstrap_deaths: 1, ..NONE }),
    ("cluster stopped and started", Budget { cluster_stops: 1, cluster_starts: 1, checkpoints: 1, ..NONE }),
    ("cluster and job stopped", Budget { cluster_stops: 1, stops: 1, crashes: 1, ..NONE }),
    ("cluster stopped while the JobManager is silent", Budget { cluster_stops: 1, silences: 1, ..NONE }),
    ("cluster stopped while a savepoint is taken", Budget { cluster_stops: 1, triggers: 1, ..NONE }),
    ("cluster changed, silent", Budget { cluster_changes: 1, silences: 1, ..NONE }),
    ("cluster changed, JobManager lost", Budget { cluster_changes: 1, job_manager_deaths: 1, ..NONE }),
    ("cluster and job deleted through crashes", Budget { cluster_deletions: 1, deletions: 1, crashes: 2, ..NONE }),
    ("cluster deleted while the JobManager is silent", Budget { cluster_deletions: 1, silences: 1, ..NONE }),
    ("cluster deleted, JobManager lost", Budget { cluster_deletions: 1, job_manager_deaths: 1, ..NONE }),
];

fn explore(name: &str, system: System) {
    let checker = system.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let states = checker.unique_state_count();
    println!("{name}: {states} states, depth {}", checker.max_depth());
    for property in checker.model().properties() {
        match (property.expectation, checker.discovery(property.name)) {
            (Expectation::Always, Some(path)) => {
                panic!("{name}: not so: {}: {:#?}", property.name, path.into_actions())
            }
            (Expectation::Sometimes, None) => panic!("{name}: never: {}", property.name),
            _ => {}
        }
    }
}

/// SC-580, R-01, R-07
#[test]
fn promises_are_kept_whatever_happens() {
    for (name, budget) in SCOPES {
        explore(name, System { laws: LAWS, budget: *budget, begin: Begin::Running, calm: true });
    }
}

#[test]
fn promises_are_kept_in_special_worlds() {
    let system = |begin, policy, budget| System { laws: Laws { policy, ..LAWS }, budget, begin, calm: true };
    let refused = Budget { bootstrap_deaths: 1, refusals: 1, ..NONE };
    explore("refused, bootstrap lost, never restarted", system(Begin::Created, Never, refused));
    let silent = Budget { silences: 1, ..refused };
    // Too many states to look at what is left of each.
    let busy = System { calm: false, ..system(Begin::Created, OnlyIfFailed, silent) };
    explore("refused, bootstrap lost, silent", busy);
    let unsaved = Budget { stops: 1, starts: 1, savepoint_failures: 1, checkpoints: 1, ..NONE };
    let laws = Laws { on_failure: OnFailure::StopAnyway, ..LAWS };
    explore("stopped anyway", System { laws, budget: unsaved, begin: Begin::Running, calm: true });
    let lost = Budget { job_manager_deaths: 1, checkpoints: 1, triggers: 1, ..NONE };
    let laws = Laws { recovery_mode: RecoveryMode::SavepointOnly, ..LAWS };
    explore("only savepoints count", System { laws, budget: lost, begin: Begin::Running, calm: true });
    let laws = Laws { highly_available: true, ..LAWS };
    for (name, budget) in [
        ("highly available, JobManager lost", Budget { job_manager_deaths: 2, checkpoints: 1, ..NONE }),
        ("highly available, JobManager silent", Budget { silences: 1, checkpoints: 1, ..NONE }),
        ("highly available, changed, lost", Budget { changes: 1, job_manager_deaths: 1, ..NONE }),
        ("highly available, stopped, lost", Budget { stops: 1, job_manager_deaths: 1, ..NONE }),
        ("highly available, deleted, lost", Budget { deletions: 1, job_manager_deaths: 1, ..NONE }),
        ("highly available, cluster stopped, deleted, lost", Budget { deletions: 1, cluster_stops: 1, ..ONE_LOST }),
        ("highly available, cluster and job deleted, lost", Budget { deletions: 1, cluster_deletions: 1, ..ONE_LOST }),
        ("highly available, cluster changed, lost", Budget { cluster_changes: 1, job_manager_deaths: 1, ..NONE }),
    ] {
        explore(name, System { laws, budget, begin: Begin::Running, calm: true });
    }
    let laws = Laws { adaptive: true, ..LAWS };
    for (name, budget) in [
        ("rescaled and taken back", Budget { changes: 2, checkpoints: 1, ..NONE }),
        ("rescaled, JobManager lost", Budget { changes: 1, job_manager_deaths: 1, ..NONE }),
        ("rescaled while the JobManager is silent", Budget { changes: 1, silences: 1, ..NONE }),
        ("rescaled through a crash while effects are late", Budget { changes: 1, crashes: 1, late: 1, ..NONE }),
        ("rescaled, not saved", Budget { changes: 2, savepoint_failures: 1, ..NONE }),
        ("rescaled and stopped", Budget { changes: 1, stops: 1, ..NONE }),
        ("rescaled while a savepoint is taken", Budget { changes: 1, triggers: 1, ..NONE }),
    ] {
        explore(name, System { laws, budget, begin: Begin::Running, calm: true });
    }
    let laws = Laws { highly_available: true, ..laws };
    let lost = Budget { changes: 1, job_manager_deaths: 1, ..NONE };
    explore("highly available, rescaled, lost", System { laws, budget: lost, begin: Begin::Running, calm: true });
    let crowded = Budget { starts: 1, stops: 1, crashes: 1, ..NONE };
    explore("started and stopped where there is no room", system(Begin::Crowded, OnlyIfFailed, crowded));
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
        let system =
            System { laws, budget: Budget { checkpoints: 3, ..Budget::all(2) }, begin: Begin::Created, calm: false };
        if let Some(failure) = walks::walk(&system, 1, 2500, 150) {
            panic!("{policy:?}: {}: {:#?}", failure.complaint, failure.acts);
        }
    }
}

/// Breaks a law of the world, and wants the model to notice.
fn broken(law: &str, laws: Laws, budget: Budget, wants: &'static str) {
    let system = System { laws, budget, begin: Begin::Running, calm: false };
    let finish = HasDiscoveries::AnyOf([wants].into());
    let checker = system.checker().threads(2).finish_when(finish).spawn_bfs().join();
    println!("{law}: {} states", checker.unique_state_count());
    assert!(checker.discovery(wants).is_some(), "{law}: nobody noticed");
}

///
#[test]
fn each_law_is_needed() {
    let lost = Budget { job_manager_deaths: 1, checkpoints: 1, ..NONE };
    let lost_and_deleted = Budget { job_manager_deaths: 1, deletions: 1, ..NONE };
    broken("old pods are seen", Laws { old_pods_are_seen: false, ..LAWS }, lost, ONE);
    broken("old pods are seen", Laws { old_pods_are_seen: false, ..LAWS }, lost_and_deleted, GONE);
    broken("storage is looked at", Laws { storage_is_looked_at: false, ..LAWS }, lost, NEWEST);
    let recovered = Laws { recovery_is_short: false, highly_available: true, ..LAWS };
    broken("recovery is short", recovered, lost, ONE);
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
