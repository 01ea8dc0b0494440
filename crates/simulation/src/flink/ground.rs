//! What all JobManagers of the world share: storage, ledger, TaskManagers, and what high availability keeps.

use std::collections::{BTreeMap, BTreeSet};

use flink::{JobId, RunRequest};

use crate::dice::Dice;

use super::ledger::{Ledger, Logical, Run};
use super::settings::{Millis, Settings};
use super::storage::Storage;

/// Never.
pub(super) const NEVER: Millis = Millis::MAX;

/// A TaskManager's process.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub uid: String,
    pub cluster: String,
    pub host: String,
    pub slots: u32,
    pub used: u32,
    pub died: Option<Millis>,
    /// Where it is registered, as far as the JobManager knows.
    pub manager: Option<usize>,
    /// When it tries to register, or notices that its JobManager is lost, or that it died is noticed.
    pub next: Millis,
}

/// Tasks that are alive, with or without their JobManager.
#[derive(Debug, Clone)]
pub struct Live {
    pub logical: Logical,
    pub run: Run,
    pub execution: JobId,
    /// Their JobManager is gone; they go on until their TaskManagers notice or are gone themselves.
    pub orphaned: bool,
    pub(super) manager: usize,
    pub(super) workers: Vec<usize>,
}

/// Data whose checkpoint is complete: the tasks commit it when they hear of that.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub at: Millis,
    pub logical: Logical,
    pub run: Run,
    pub from: u64,
    pub to: u64,
}

/// What high availability keeps of a cluster.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    pub leader: Option<usize>,
    /// When the lease of the last leader ends.
    pub free: Millis,
    pub jobs: BTreeMap<JobId, KeptJob>,
    /// Jobs that have ended.
    pub results: BTreeSet<JobId>,
}

#[derive(Debug, Clone)]
pub(super) struct KeptJob {
    pub request: RunRequest,
    /// The newest checkpoint.
    pub pointer: Option<super::execution::Point>,
    /// The parallelism that was required since.
    pub bounds: Option<(u32, u32)>,
    pub submitted: Millis,
}

#[derive(Debug, Clone)]
pub(super) struct Ground {
    pub settings: Settings,
    pub storage: Storage,
    pub ledger: Ledger,
    pub workers: Vec<Worker>,
    pub live: Vec<Live>,
    pub commits: Vec<Commit>,
    pub kept: BTreeMap<String, Kept>,
    pub dice: Dice,
}

impl Ground {
    /// Slots of a cluster's registered TaskManagers that nobody holds.
    pub fn free_slots(&self, manager: usize) -> u32 {
        let registered = self.workers.iter().filter(|worker| worker.manager == Some(manager) && worker.died.is_none());
        registered.map(|worker| worker.slots - worker.used).sum()
    }

    /// Takes so many slots, of which there must be enough.
    pub fn take_slots(&mut self, manager: usize, mut wanted: u32) -> Vec<(usize, u32)> {
        let mut held = Vec::new();
        for (index, worker) in self.workers.iter_mut().enumerate() {
            let free =
                if worker.manager == Some(manager) && worker.died.is_none() { worker.slots - worker.used } else { 0 };
            let taken = free.min(wanted);
            if taken > 0 {
                worker.used += taken;
                wanted -= taken;
                held.push((index, taken));
            }
        }
        held
    }

    pub fn give_back(&mut self, held: &mut Vec<(usize, u32)>) {
        for (index, slots) in held.drain(..) {
            let worker = &mut self.workers[index];
            worker.used = worker.used.saturating_sub(slots);
        }
    }

    /// Tasks begin to live; nobody else's of the same logical job should.
    pub fn enliven(&mut self, live: Live, at: Millis) {
        let same = self.live.iter().filter(|other| other.logical == live.logical && self.breathes(other));
        let others: Vec<JobId> = same.map(|other| other.execution.clone()).collect();
        for other in others {
            self.ledger.together(live.logical, other, live.execution.clone(), at);
        }
        self.live.push(live);
    }

    /// Whether a process of them is left.
    pub fn breathes(&self, live: &Live) -> bool {
        live.workers.iter().any(|worker| self.workers[*worker].died.is_none())
    }

    pub fn end(&mut self, run: Run) {
        self.live.retain(|live| live.run != run);
    }

    /// What was running there without a JobManager is no more.
    pub fn end_orphans_at(&mut self, worker: usize) {
        for live in self.live.iter_mut().filter(|live| live.orphaned) {
            live.workers.retain(|one| *one != worker);
        }
        self.live.retain(|live| !live.orphaned || !live.workers.is_empty());
    }

    /// Commits what is due. Tasks that are gone commit nothing; who restores their snapshot does.
    pub fn commit(&mut self, now: Millis) {
        let mut index = 0;
        while index < self.commits.len() {
            if self.commits[index].at > now {
                index += 1;
                continue;
            }
            let Commit { at, logical, run, from, to } = self.commits.remove(index);
            let alive = |live: &Live| {
                live.run == run
                    && live.workers.iter().any(|worker| self.workers[*worker].died.is_none_or(|died| died > at))
            };
            if self.live.iter().any(alive) {
                self.ledger.commit(logical, run, from, to, at);
            }
        }
    }

    pub fn next_commit(&self) -> Millis {
        self.commits.iter().map(|commit| commit.at).min().unwrap_or(NEVER)
    }
}
