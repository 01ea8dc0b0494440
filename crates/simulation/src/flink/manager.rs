//! One JobManager: from the start of its process to its death, with what it remembers meanwhile.

use std::collections::BTreeMap;

use flink::{JobId, RunRequest};

use super::config::Config;
use super::execution::{Around, Execution, Stage};
use super::ground::{Ground, KeptJob, NEVER, Worker};
use super::operations::Operations;
use super::program::{Kind, Program};
use super::settings::Millis;

#[derive(Debug, Clone)]
pub(super) struct Manager {
    pub index: usize,
    pub uid: String,
    pub cluster: String,
    pub config: Config,
    /// When its port answers, and when it could lead.
    pub answers: Millis,
    pub elected: Millis,
    pub died: Option<Millis>,
    /// When it loses its lease, because it cannot renew it.
    pub deposed: Millis,
    pub leads: bool,
    /// When it takes up the jobs that were kept for it.
    pub recovers: Millis,
    pub jobs: Vec<Execution>,
    pub jars: Vec<String>,
    pub operations: Operations,
}

impl Manager {
    pub fn due(&self, ground: &Ground) -> Millis {
        if self.died.is_some() {
            return NEVER;
        }
        let jobs = self.jobs.iter().map(Execution::due).min().unwrap_or(NEVER);
        let election = if self.leads { self.recovers.min(self.deposed) } else { self.electable(ground) };
        jobs.min(election)
    }

    /// When it will lead.
    fn electable(&self, ground: &Ground) -> Millis {
        if self.deposed != NEVER {
            return NEVER;
        }
        match ground.kept.get(&self.cluster).filter(|_| self.config.highly_available) {
            Some(kept) if kept.leader.is_some() => NEVER,
            Some(kept) => self.elected.max(kept.free),
            None => self.elected,
        }
    }

    /// Does what is due.
    pub fn step(&mut self, now: Millis, kinds: &BTreeMap<String, Kind>, ground: &mut Ground) {
        if !self.leads {
            if self.electable(ground) <= now {
                self.lead(now, ground);
            }
            return;
        }
        if self.deposed <= now {
            return self.resign(now, ground);
        }
        if self.recovers <= now {
            self.recovers = NEVER;
            self.recover(now, kinds, ground);
        }
        let mut around = Around { now, ground, operations: &mut self.operations };
        // Twice: what one job gives back another one may wait for.
        for _ in 0..2 {
            for job in &mut self.jobs {
                job.step(&mut around);
            }
        }
        let keeping = around.ground.settings.keeping_jobs;
        if self.jobs.iter().any(|job| job.end > 0 && job.end + keeping <= now) {
            self.jobs.retain(|job| job.end <= 0 || job.end + keeping > now);
        }
    }

    fn lead(&mut self, now: Millis, ground: &mut Ground) {
        self.leads = true;
        if self.config.highly_available {
            let recovering = ground.settings.recovering;
            ground.kept.entry(self.cluster.clone()).or_default().leader = Some(self.index);
            self.recovers = now + recovering;
            let elsewhere = |worker: &&mut Worker| worker.cluster == self.cluster && worker.died.is_none();
            for worker in ground.workers.iter_mut().filter(elsewhere).filter(|worker| worker.manager.is_some()) {
                worker.next = now + 1;
            }
        }
    }

    /// Its tasks live on until their TaskManagers hear of the next leader.
    fn resign(&mut self, now: Millis, ground: &mut Ground) {
        self.leads = false;
        self.jobs.clear();
        self.operations = Operations::default();
        self.abandon(ground);
        if let Some(kept) = ground.kept.get_mut(&self.cluster) {
            (kept.leader, kept.free) = (None, now);
        }
    }

    /// Its tasks have no JobManager any more.
    pub fn abandon(&self, ground: &mut Ground) {
        for live in ground.live.iter_mut().filter(|live| live.manager == self.index) {
            live.orphaned = true;
        }
    }

    fn recover(&mut self, now: Millis, kinds: &BTreeMap<String, Kind>, ground: &mut Ground) {
        let jobs = ground.kept.get(&self.cluster).map(|kept| kept.jobs.clone()).unwrap_or_default();
        for (id, KeptJob { request, pointer, bounds, submitted }) in jobs {
            let kind = request.entry_class.as_ref().and_then(|class| kinds.get(class));
            let Some(program) = kind.and_then(|kind| Program::new(*kind, &request).ok()) else { continue };
            let mut job = self.execution(id, program, &request, now, ground);
            (job.point, job.start) = (pointer, submitted);
            (job.lower, job.upper) = bounds.unwrap_or((job.lower, job.upper));
            job.newest = job.point.as_ref().filter(|point| !point.named).and_then(|point| point.path.clone());
            self.jobs.push(job);
        }
    }

    pub fn execution(
        &mut self,
        id: JobId,
        program: Program,
        request: &RunRequest,
        now: Millis,
        ground: &mut Ground,
    ) -> Execution {
        let place = (self.index, self.uid.as_str(), self.cluster.as_str());
        let mut around = Around { now, ground, operations: &mut self.operations };
        Execution::new(id, program, request, &self.config, place, &mut around)
    }

    /// A TaskManager is gone, and that is noticed at that time.
    pub fn lose(&mut self, worker: usize, name: &str, now: Millis, noticed: Millis) {
        for job in self.jobs.iter_mut().filter(|job| job.held.iter().any(|(held, _)| *held == worker)) {
            if matches!(job.stage, Stage::Waiting(_)) {
                job.held.retain(|(held, _)| *held != worker);
                continue;
            }
            job.freeze(now);
            for making in &mut job.making {
                making.done = NEVER;
            }
            let at = job.loss.as_ref().map_or(noticed, |(at, _)| (*at).min(noticed));
            let cause = format!("ResourceManagerException: TaskManager with id {name} is no longer reachable.");
            job.loss = Some((at, cause));
        }
    }
}
