//! The fake Flink, with the configuration of the real one and a clock of its own.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use simulation::flink::{Flink, Settings};

use super::call::{self, Call, From, Loss, Places, Program, View, job_id, trigger_id, word};
use super::real::Seen;
use crate::cluster::Cluster;

pub struct Fake {
    flink: Flink,
    now: Timestamp,
    config: BTreeMap<String, String>,
    places: Places,
    manager: String,
    worker: String,
    jar: String,
    started: u32,
    seen: Seen,
}

impl Fake {
    pub async fn new(cluster: &Cluster, seed: u64) -> Result<Self> {
        let config = cluster.client().jobmanager_config().await?;
        let mut fake = Self {
            flink: Flink::new(Settings::default(), seed),
            now: Timestamp::from_second(1_700_000_000)?,
            config,
            places: Places { root: cluster.url("").trim_end_matches('/').to_owned() },
            manager: String::new(),
            worker: String::new(),
            jar: String::new(),
            started: 0,
            seen: Seen::default(),
        };
        fake.start_job_manager();
        fake.start_task_manager();
        fake.pass(20_000);
        fake.jar = fake.flink.upload_jar(&fake.manager, "flink-jobs.jar", fake.now)?;
        Ok(fake)
    }

    fn pass(&mut self, millis: i64) {
        self.now += SignedDuration::from_millis(millis);
        self.flink.advance(self.now);
    }

    fn start_job_manager(&mut self) {
        self.started += 1;
        self.manager = format!("jobmanager-{}", self.started);
        self.flink.start_job_manager(&self.manager, "c", self.config.clone(), self.now);
    }

    fn start_task_manager(&mut self) {
        self.started += 1;
        self.worker = format!("taskmanager-{}", self.started);
        self.flink.start_task_manager(&self.worker, "c", "127.0.0.1", 2, self.now);
    }

    pub fn call(&mut self, call: &Call) -> String {
        self.seen.note(call);
        let (now, manager) = (self.now, self.manager.clone());
        match call {
            Call::Run { program, from, .. } => {
                let newest = match from {
                    From::Savepoint => self.newest(&self.places.savepoints()),
                    From::Checkpoint(job) => self.newest(&self.places.checkpoints(*job)),
                    From::Nothing | From::Nowhere => None,
                };
                let jar = if *program == Program::MissingJar { "no.jar".to_owned() } else { self.jar.clone() };
                word(self.flink.run_jar(&manager, &jar, &self.places.request(call, newest), now))
            }
            Call::Stop { job, trigger, target } => {
                let target = self.places.target(*target);
                let (job, trigger) = (job_id(*job), trigger_id(*trigger));
                word(self.flink.stop_with_savepoint(&manager, &job, &trigger, target.as_deref(), now))
            }
            Call::Savepoint { job, trigger, target } => {
                let target = self.places.target(*target);
                let (job, trigger) = (job_id(*job), trigger_id(*trigger));
                word(self.flink.trigger_savepoint(&manager, &job, &trigger, target.as_deref(), now))
            }
            Call::Cancel { job } => word(self.flink.cancel_job(&manager, &job_id(*job), now)),
            Call::DeleteJar => word(self.flink.delete_jar(&manager, "no.jar", now)),
            Call::Lose(loss) => {
                self.lose(*loss);
                "done".to_owned()
            }
        }
    }

    fn lose(&mut self, loss: Loss) {
        if loss != Loss::JobManager {
            self.flink.end_task_manager(&self.worker, self.now);
        }
        if loss != Loss::TaskManager {
            self.flink.end_job_manager(&self.manager, self.now);
            self.start_job_manager();
        }
        if loss != Loss::JobManager {
            self.start_task_manager();
        }
    }

    fn newest(&mut self, path: &str) -> Option<String> {
        let listings = self.flink.list_checkpoints(&self.manager, &[path.to_owned()], self.now).ok()?;
        listings[0].newest().map(|found| found.path.clone())
    }

    /// Lets pass what the real one needs in order to come to rest, and looks.
    pub fn settle(&mut self, call: &Call) -> View {
        self.pass(if matches!(call, Call::Lose(_)) { 20_000 } else { 3000 });
        let (now, manager) = (self.now, self.manager.clone());
        let mut view = View::default();
        let overview = self.flink.overview(&manager, now).expect("it answers");
        view.put("slots", format!("{} of {}", overview.slots_available, overview.slots_total));
        let workers = self.flink.taskmanagers(&manager, now).expect("it answers").taskmanagers;
        view.put("TaskManagers", workers.len().to_string());
        let listed = self.flink.jobs_overview(&manager, now).expect("it answers").jobs;
        for job in self.seen.jobs.clone() {
            let found = listed.iter().find(|one| one.id == job_id(job));
            view.put(format!("job {job}"), found.map(call::job).unwrap_or_default());
            let status = self.flink.job_status(&manager, &job_id(job), now);
            view.put(
                format!("status {job}"),
                status.map_or_else(|error| call::said(&error), |status| format!("{status:?}")),
            );
        }
        for (job, trigger) in self.seen.triggers.clone() {
            let found = self.flink.savepoint_operation(&manager, &job_id(job), &trigger_id(trigger), now);
            view.put(format!("operation {job} {trigger}"), call::operation(&found.expect("it answers")));
        }
        if let Call::Run { job, .. } | Call::Stop { job, .. } | Call::Savepoint { job, .. } | Call::Cancel { job } =
            call
        {
            self.look_closer(*job, &mut view);
        }
        view
    }

    fn look_closer(&mut self, job: u8, view: &mut View) {
        let (now, manager, id) = (self.now, self.manager.clone(), job_id(job));
        let told = |answer: Result<String, flink_client::Error>| answer.unwrap_or_else(|error| call::said(&error));
        let checkpoints = self.flink.checkpoints(&manager, &id, now);
        view.put(format!("checkpoints {job}"), told(checkpoints.map(|answer| call::checkpoints(&answer))));
        let config = self.flink.checkpoint_config(&manager, &id, now);
        let config = config.map(|config| format!("{:?}", config.map(|config| (config.interval, config.retains()))));
        view.put(format!("configuration {job}"), told(config));
        let failure = self.flink.job_exceptions(&manager, &id, now);
        view.put(
            format!("failure {job}"),
            told(failure.map(|why| why.map_or_else(String::new, |why| call::kind(&why)))),
        );
        let paths = [self.places.savepoints(), self.places.checkpoints(job)];
        let listings = self.flink.list_checkpoints(&manager, &paths, now).expect("it answers");
        view.put("savepoints", call::listing(&listings[0], true));
        view.put(format!("stored {job}"), call::listing(&listings[1], false));
    }
}
