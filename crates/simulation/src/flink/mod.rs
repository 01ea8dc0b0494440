//! A Flink that exists in memory only, as far as flinkctl can tell it from a real one: JobManagers and what they
//! remember, jobs, savepoints and checkpoints in a storage that outlives them, and a ledger of what jobs have committed.
//!
//! Plain structs without I/O: time comes in, typed answers come out. What happens by itself happens in [`Flink::advance`], which
//! every call does first. Pods have uids, as in Kubernetes; a call names the JobManager's pod that it is sent to.
//! Invariant: the same calls at the same times with the same seed give the same answers; and each behaviour is one that was
//! measured on a real Flink (`integration-tests/tests/flink` holds it to that).

mod calls;
mod config;
mod execution;
mod ground;
mod ledger;
mod making;
mod manager;
mod operations;
mod program;
mod refusal;
mod settings;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use ground::Live;
pub use ledger::{Entry, Fact, Ledger, Logical, Run, Start};
pub use program::Kind;
pub use settings::{Millis, Mishaps, Settings};
pub use storage::{Snapshot, Storage};

use crate::dice::Dice;

use config::Config;
use execution::Around;
use ground::{Ground, NEVER, Worker};
use manager::Manager;
use operations::Operations;

/// All Flink clusters of a world.
#[derive(Debug, Clone)]
pub struct Flink {
    ground: Ground,
    kinds: BTreeMap<String, Kind>,
    managers: Vec<Manager>,
    due: Millis,
}

impl Flink {
    /// A world without processes.
    pub fn new(settings: Settings, seed: u64) -> Self {
        let ground = Ground {
            settings,
            storage: Storage::default(),
            ledger: Ledger::default(),
            workers: Vec::new(),
            live: Vec::new(),
            commits: Vec::new(),
            kept: BTreeMap::new(),
            dice: Dice::new(seed),
        };
        Self { ground, kinds: program::examples(), managers: Vec::new(), due: NEVER }
    }

    /// Gives the JAR another main class.
    pub fn define(&mut self, class: &str, kind: Kind) {
        self.kinds.insert(class.to_owned(), kind);
    }

    /// Durations and mishaps, to be changed at any time.
    pub fn settings(&mut self) -> &mut Settings {
        &mut self.ground.settings
    }

    /// What jobs have committed.
    pub fn ledger(&self) -> &Ledger {
        &self.ground.ledger
    }

    /// Where snapshots lie.
    pub fn storage(&self) -> &Storage {
        &self.ground.storage
    }

    /// Where snapshots lie, for a third party that removes some.
    pub fn storage_mut(&mut self) -> &mut Storage {
        &mut self.ground.storage
    }

    /// The tasks that are alive, with or without a JobManager.
    pub fn live(&self) -> impl Iterator<Item = &Live> {
        self.ground.live.iter().filter(|live| self.ground.breathes(live))
    }

    /// The parallelism with which the tasks of an execution run, whatever is shown of it.
    pub fn runs_with(&self, job: &flink::JobId) -> Option<u32> {
        let managers = self.managers.iter().filter(|manager| manager.died.is_none());
        managers.flat_map(|manager| &manager.jobs).find(|one| one.id == *job).map(|one| one.parallelism)
    }

    /// When something happens next by itself; checkpoints do so all the time.
    pub fn next(&self) -> Option<Timestamp> {
        (self.due != NEVER).then(|| Timestamp::from_millisecond(self.due).unwrap_or(Timestamp::MAX))
    }

    /// The process of a JobManager's pod starts.
    pub fn start_job_manager(&mut self, uid: &str, cluster: &str, config: BTreeMap<String, String>, now: Timestamp) {
        let now = self.reach(now);
        let (settings, config) = (&self.ground.settings, Config::new(config));
        let answers = now + settings.starting;
        let elected = answers + settings.electing;
        let before =
            self.managers.iter().rev().find(|manager| manager.cluster == cluster && manager.config.keeps_uploads);
        let jars = before.map(|manager| manager.jars.clone()).unwrap_or_default();
        if config.highly_available {
            self.ground.kept.entry(cluster.to_owned()).or_default();
        }
        self.managers.push(Manager {
            index: self.managers.len(),
            uid: uid.to_owned(),
            cluster: cluster.to_owned(),
            config,
            answers,
            elected,
            died: None,
            deposed: NEVER,
            leads: false,
            recovers: NEVER,
            jobs: Vec::new(),
            jars,
            operations: Operations::default(),
        });
        self.plan();
    }

    /// The process of a JobManager's pod is gone. Its tasks live on until their TaskManagers notice.
    pub fn end_job_manager(&mut self, uid: &str, now: Timestamp) {
        let now = self.reach(now);
        let Some(index) = self.manager(uid).filter(|index| self.managers[*index].died.is_none()) else { return };
        let manager = &mut self.managers[index];
        (manager.died, manager.leads) = (Some(now), false);
        manager.jobs.clear();
        manager.operations = Operations::default();
        manager.abandon(&mut self.ground);
        let (timeout, delay) = (manager.config.heartbeat_timeout, self.ground.settings.lease);
        if let Some(kept) = self.ground.kept.get_mut(&manager.cluster).filter(|kept| kept.leader == Some(index)) {
            (kept.leader, kept.free) = (None, now + delay);
        }
        for worker in self.ground.workers.iter_mut().filter(|worker| worker.manager == Some(index)) {
            worker.next = now + timeout;
        }
        self.plan();
    }

    /// A JobManager with high availability cannot renew its lease any more; it goes on until the lease has ended.
    pub fn isolate_job_manager(&mut self, uid: &str, now: Timestamp) {
        let now = self.reach(now);
        if let Some(index) = self.manager(uid).filter(|index| self.managers[*index].config.highly_available) {
            self.managers[index].deposed = now + self.ground.settings.lease;
        }
        self.plan();
    }

    /// Whether the process of a JobManager's or TaskManager's pod lives.
    pub fn is_process_alive(&self, uid: &str) -> bool {
        self.managers.iter().any(|manager| manager.uid == uid && manager.died.is_none())
            || self.ground.workers.iter().any(|worker| worker.uid == uid && worker.died.is_none())
    }

    /// What high availability keeps of a cluster is lost: the jobs themselves, or only their newest checkpoints.
    pub fn forget_kept(&mut self, cluster: &str, jobs: bool) {
        let Some(kept) = self.ground.kept.get_mut(cluster) else { return };
        if jobs {
            kept.jobs.clear();
        } else {
            kept.jobs.values_mut().for_each(|job| job.pointer = None);
        }
    }

    /// The process of a TaskManager's pod starts.
    pub fn start_task_manager(&mut self, uid: &str, cluster: &str, host: &str, slots: u32, now: Timestamp) {
        let now = self.reach(now);
        self.ground.workers.push(Worker {
            uid: uid.to_owned(),
            cluster: cluster.to_owned(),
            host: host.to_owned(),
            slots,
            used: 0,
            died: None,
            manager: None,
            next: now + self.ground.settings.worker_starting,
        });
        self.plan();
    }

    /// The process of a TaskManager's pod is gone, and its tasks with it. Its JobManager notices later.
    pub fn end_task_manager(&mut self, uid: &str, now: Timestamp) {
        let now = self.reach(now);
        let alive = |worker: &Worker| worker.uid == uid && worker.died.is_none();
        let Some(index) = self.ground.workers.iter().position(alive) else { return };
        let worker = &mut self.ground.workers[index];
        (worker.died, worker.next) = (Some(now), NEVER);
        let name = worker.uid.clone();
        if let Some(manager) =
            worker.manager.map(|manager| &mut self.managers[manager]).filter(|manager| manager.died.is_none())
        {
            worker.next = now + manager.config.detection();
            manager.lose(index, &name, now, worker.next);
        }
        self.ground.end_orphans_at(index);
        self.plan();
    }

    /// A task of that job fails, wherever it runs.
    pub fn fail_job(&mut self, job: &flink::JobId, cause: &str, now: Timestamp) {
        let now = self.reach(now);
        for manager in &mut self.managers {
            let mut around = Around { now, ground: &mut self.ground, operations: &mut manager.operations };
            for one in manager.jobs.iter_mut().filter(|one| one.id == *job && one.stage == execution::Stage::Working) {
                one.fail(cause, &mut around);
            }
        }
        self.plan();
    }

    /// Everything happens that happens by itself until then.
    pub fn advance(&mut self, now: Timestamp) {
        self.reach(now);
    }

    fn reach(&mut self, now: Timestamp) -> Millis {
        let now = now.as_millisecond();
        while self.due <= now {
            let at = self.due;
            self.step(at);
            self.plan();
        }
        now
    }

    fn step(&mut self, now: Millis) {
        self.ground.commit(now);
        self.move_workers(now);
        for manager in self.managers.iter_mut().filter(|manager| manager.died.is_none()) {
            manager.step(now, &self.kinds, &mut self.ground);
        }
    }

    fn plan(&mut self) {
        let managers = self.managers.iter().map(|manager| manager.due(&self.ground)).min().unwrap_or(NEVER);
        let workers = self.ground.workers.iter().map(|worker| worker.next).min().unwrap_or(NEVER);
        self.due = managers.min(workers).min(self.ground.next_commit());
    }

    fn move_workers(&mut self, now: Millis) {
        for index in 0..self.ground.workers.len() {
            if self.ground.workers[index].next <= now {
                self.move_worker(index, now);
            }
        }
    }

    /// A TaskManager registers, notices that its JobManager is lost, or is noticed to be lost.
    fn move_worker(&mut self, index: usize, now: Millis) {
        let worker = &self.ground.workers[index];
        if worker.manager.is_some() {
            let died = worker.died.is_some();
            self.ground.end_orphans_at(index);
            let worker = &mut self.ground.workers[index];
            (worker.manager, worker.used) = (None, 0);
            worker.next = if died { NEVER } else { now };
            if died {
                return;
            }
        }
        let cluster = &self.ground.workers[index].cluster;
        let leads = |manager: &&Manager| manager.cluster == *cluster && manager.died.is_none() && manager.leads;
        let leader = self.managers.iter().rev().find(leads).map(|manager| (manager.index, &manager.config));
        let delay = self.managers.iter().rev().find(|manager| manager.cluster == *cluster);
        let delay = delay.map_or(10_000, |manager| manager.config.registration_delay.max(1));
        let found = leader.map(|(manager, _)| manager);
        let worker = &mut self.ground.workers[index];
        (worker.manager, worker.next) = (found, if found.is_some() { NEVER } else { now + delay });
    }

    fn manager(&self, uid: &str) -> Option<usize> {
        self.managers.iter().rposition(|manager| manager.uid == uid)
    }
}
