//! What chaos plays with: one cluster with two jobs that count, and what is out of order at present.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::counter;
use crate::objects::{self, cluster_spec, counter_spec};
use crate::process::{self, Process};
use crate::wait::until;
use crate::world::{World, find_condition, job_id, name_of, status};

/// Annotation of a Service that disturbs its connections on the local node.
const CONNECTIONS: &str = "local.flinkctl/connections";

const JOBS: [&str; 2] = ["one", "two"];

pub struct Stage<'a> {
    pub world: &'a World,
    pub name: String,
    /// Records a second; an edit changes it, for which jobs are restarted.
    pub rate: u32,
}

impl<'a> Stage<'a> {
    /// Creates the cluster and waits until its jobs have committed something.
    pub async fn set(world: &'a World, name: &str) -> Result<Self> {
        let stage = Self { world, name: name.to_owned(), rate: 200 };
        stage.apply().await?;
        for job in stage.jobs() {
            let running = world.running(&job).await?;
            world.counted(&job, job_id(&running), 50).await?;
        }
        Ok(stage)
    }

    /// Writes the deployment as it is meant to be now.
    pub async fn apply(&self) -> Result<()> {
        let state = self.world.state();
        // Losses are noticed in seconds, so that more of them fit into a run.
        let cluster = cluster_spec(
            state,
            json!({"flinkConfiguration": {"heartbeat.interval": "1000", "heartbeat.timeout": "8000"}}),
        );
        let jobs: Vec<(&str, Value)> = JOBS
            .iter()
            .map(|short| {
                let job = format!("{}-{short}", self.name);
                let output = objects::url(state, &format!("output/{job}"));
                let arguments = counter::arguments(&output, self.rate);
                (*short, counter_spec(state, &job, json!({"bootstrap": {"arguments": arguments}})))
            })
            .collect();
        self.world.apply(&[objects::deployment(&self.name, &cluster, &jobs)]).await
    }

    /// The names of the jobs.
    pub fn jobs(&self) -> Vec<String> {
        JOBS.iter().map(|short| format!("{}-{short}", self.name)).collect()
    }

    /// The name of the JobManager's Service.
    pub fn service(&self) -> String {
        format!("jobmanager-{}", self.name)
    }

    /// Where savepoints of a job go.
    pub fn savepoints(&self, job: &str) -> PathBuf {
        self.world.state().join("savepoints").join(job)
    }

    /// Every process of flinkctl and Flink that has to do with the cluster: pod and processes.
    pub async fn pods(&self) -> Result<Vec<(String, Vec<Process>)>> {
        let mut found = Vec::new();
        let cluster = format!("clusterName={}", self.name);
        for selector in [cluster.as_str(), "component=flink-operator"] {
            for pod in self.world.local.list("pod", selector).await? {
                let address = pod["status"]["podIP"].as_str().unwrap_or_default();
                let processes = process::of_pod(name_of(&pod), address);
                if !address.is_empty() && !processes.is_empty() {
                    found.push((name_of(&pod).to_owned(), processes));
                }
            }
        }
        Ok(found)
    }

    /// Takes back everything that does not pass by itself.
    pub async fn heal(&self) -> Result<()> {
        for (_, processes) in self.pods().await? {
            processes.iter().for_each(Process::resume);
        }
        self.connections(None).await?;
        for job in self.jobs() {
            self.disk(&job, true)?;
        }
        Ok(())
    }

    /// Disturbs the connections to the JobManager's Service, or leaves them alone.
    pub async fn connections(&self, how: Option<&str>) -> Result<bool> {
        let value = how.map_or_else(|| format!("{CONNECTIONS}-"), |how| format!("{CONNECTIONS}={how}"));
        let done = self.world.local.kubectl(&["annotate", "service", &self.service(), "--overwrite", &value]).await;
        match done {
            Ok(_) => Ok(true),
            // A cluster that restarts has no Service for a moment.
            Err(error) if error.to_string().contains("not found") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets savepoints of a job be written, or not: a file lies where their directory should be.
    pub fn disk(&self, job: &str, works: bool) -> Result<bool> {
        let place = self.savepoints(job);
        let aside = place.with_extension("aside");
        if works != place.is_file() {
            return Ok(false);
        }
        if works {
            fs::remove_file(&place)?;
            if aside.exists() {
                fs::rename(&aside, &place)?;
            }
        } else {
            if place.exists() {
                fs::rename(&place, &aside)?;
            }
            fs::create_dir_all(place.parent().context("it has a parent")?)?;
            fs::write(&place, "")?;
        }
        Ok(true)
    }

    /// Starts what was stopped, and waits until all is as it was wanted.
    pub async fn settle(&self, deadline: Duration) -> Result<()> {
        until("operator and supervisor run", deadline, async || {
            let pods = self.pods().await?;
            for part in ["supervisor", "flink-operator"] {
                ensure!(pods.iter().any(|(name, _)| name.contains(part)), "there is no {part}");
            }
            Ok(Some(()))
        })
        .await?;
        for job in self.jobs() {
            let mut last = Value::Null;
            let done = until(&format!("{job} runs again"), deadline, async || {
                last = self.world.local.get("fj", &job).await?.with_context(|| format!("there is no {job}"))?;
                if runs(&last) {
                    return Ok(Some(()));
                }
                if status(&last, "supervisorStatus") == "Stopped" && action(&last) == "NONE" {
                    self.world.request("fj", &job, "START").await?;
                }
                bail!("it is {}", status(&last, "supervisorStatus"))
            })
            .await;
            done.with_context(|| format!("its status is {}", last["status"]))?;
        }
        Ok(())
    }

    /// Deletes everything; nothing may be left.
    pub async fn clear(&self) -> Result<()> {
        self.world.local.kubectl(&["delete", "fd", &self.name, "--timeout=120s"]).await?;
        self.world.leaves_nothing(&self.name).await
    }
}

fn runs(job: &Value) -> bool {
    let ready = find_condition(job, "Ready").is_some_and(|condition| condition["status"] == "True");
    ready
        && status(job, "jobStatus") == "RUNNING"
        && status(job, "supervisorStatus") == "Started"
        && action(job) == "NONE"
}

fn action(job: &Value) -> &str {
    job["metadata"]["annotations"]["operator.nextbreakpoint.com/requested-action"].as_str().unwrap_or("NONE")
}
