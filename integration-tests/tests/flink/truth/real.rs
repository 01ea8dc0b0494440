//! The real Flink.

use std::collections::BTreeSet;

use anyhow::Result;
use flink_client::Client;

use super::call::{self, Call, From, Loss, Places, Program, View, job_id, trigger_id, word};
use crate::cluster::Cluster;

pub struct Real {
    cluster: Cluster,
    client: Client,
    places: Places,
    jar: String,
    seen: Seen,
}

/// Jobs and triggers that were used so far.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub jobs: BTreeSet<u8>,
    pub triggers: BTreeSet<(u8, u8)>,
}

impl Seen {
    pub fn note(&mut self, call: &Call) {
        match call {
            Call::Run { job, .. } | Call::Cancel { job } => drop(self.jobs.insert(*job)),
            Call::Stop { job, trigger, .. } | Call::Savepoint { job, trigger, .. } => {
                self.jobs.insert(*job);
                self.triggers.insert((*job, *trigger));
            }
            Call::DeleteJar | Call::Lose(_) => {}
        }
    }
}

impl Real {
    pub async fn new(cluster: Cluster) -> Result<Self> {
        let client = cluster.client();
        let jar = crate::upload(&client).await?;
        let places = Places { root: cluster.url("").trim_end_matches('/').to_owned() };
        Ok(Self { cluster, client, places, jar, seen: Seen::default() })
    }

    pub fn passed(self) {
        self.cluster.passed();
    }

    pub async fn call(&mut self, call: &Call) -> Result<String> {
        self.seen.note(call);
        Ok(match call {
            Call::Run { program, from, .. } => {
                let newest = match from {
                    From::Savepoint => self.newest(&self.places.savepoints()).await?,
                    From::Checkpoint(job) => self.newest(&self.places.checkpoints(*job)).await?,
                    From::Nothing | From::Nowhere => None,
                };
                let jar = if *program == Program::MissingJar { "no.jar" } else { &self.jar };
                word(self.client.run_jar(jar, &self.places.request(call, newest)).await)
            }
            Call::Stop { job, trigger, target } => {
                let target = self.places.target(*target);
                word(self.client.stop_with_savepoint(&job_id(*job), &trigger_id(*trigger), target.as_deref()).await)
            }
            Call::Savepoint { job, trigger, target } => {
                let target = self.places.target(*target);
                word(self.client.trigger_savepoint(&job_id(*job), &trigger_id(*trigger), target.as_deref()).await)
            }
            Call::Cancel { job } => word(self.client.cancel_job(&job_id(*job)).await),
            Call::DeleteJar => word(self.client.delete_jar("no.jar").await),
            Call::Lose(loss) => {
                self.lose(*loss).await?;
                "done".to_owned()
            }
        })
    }

    async fn lose(&mut self, loss: Loss) -> Result<()> {
        if loss != Loss::JobManager {
            self.cluster.kill_task_manager();
        }
        if loss != Loss::TaskManager {
            self.cluster.kill_job_manager();
            self.cluster.start_job_manager().await?;
        }
        if loss != Loss::JobManager {
            self.cluster.start_task_manager().await?;
        }
        Ok(())
    }

    async fn newest(&self, path: &str) -> Result<Option<String>> {
        let listings = self.client.list_checkpoints(&[path.to_owned()]).await?;
        Ok(listings[0].newest().map(|found| found.path.clone()))
    }

    /// Everything that the call may have changed.
    pub async fn view(&self, call: &Call) -> Result<View> {
        let mut view = View::default();
        let overview = self.client.overview().await?;
        view.put("slots", format!("{} of {}", overview.slots_available, overview.slots_total));
        view.put("TaskManagers", self.client.taskmanagers().await?.taskmanagers.len().to_string());
        let listed = self.client.jobs_overview().await?.jobs;
        for job in &self.seen.jobs {
            let found = listed.iter().find(|one| one.id == job_id(*job));
            view.put(format!("job {job}"), found.map(call::job).unwrap_or_default());
            let status = self.client.job_status(&job_id(*job)).await;
            view.put(
                format!("status {job}"),
                status.map_or_else(|error| call::said(&error), |status| format!("{status:?}")),
            );
        }
        for (job, trigger) in &self.seen.triggers {
            let found = self.client.savepoint_operation(&job_id(*job), &trigger_id(*trigger)).await?;
            view.put(format!("operation {job} {trigger}"), call::operation(&found));
        }
        if let Call::Run { job, .. } | Call::Stop { job, .. } | Call::Savepoint { job, .. } | Call::Cancel { job } =
            call
        {
            self.look_closer(*job, &mut view).await;
        }
        Ok(view)
    }

    async fn look_closer(&self, job: u8, view: &mut View) {
        let id = job_id(job);
        let told = |answer: Result<String, flink_client::Error>| answer.unwrap_or_else(|error| call::said(&error));
        let checkpoints = self.client.checkpoints(&id).await;
        view.put(format!("checkpoints {job}"), told(checkpoints.map(|answer| call::checkpoints(&answer))));
        let config = self.client.checkpoint_config(&id).await;
        let config = config.map(|config| format!("{:?}", config.map(|config| (config.interval, config.retains()))));
        view.put(format!("configuration {job}"), told(config));
        let failure = self.client.job_exceptions(&id).await;
        view.put(
            format!("failure {job}"),
            told(failure.map(|why| why.map_or_else(String::new, |why| call::kind(&why)))),
        );
        let paths = [self.places.savepoints(), self.places.checkpoints(job)];
        match self.client.list_checkpoints(&paths).await {
            Ok(listings) => {
                view.put("savepoints", call::listing(&listings[0], true));
                view.put(format!("stored {job}"), call::listing(&listings[1], false));
            }
            Err(error) => view.put("savepoints", call::said(&error)),
        }
    }
}
