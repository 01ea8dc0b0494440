//! `flinkctl logs`.

use api::labels::{self, Role};
use clap::ValueEnum;
use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kit::client::{DEADLINE, call};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt as _};

use super::action::time;
use crate::connection::{ConnectionArgs, Kubernetes};
use crate::failure::Failure;
use crate::{ExitStatus, Result, print};

/// Which pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Of {
    #[value(name = "jobmanager")]
    JobManager,
    #[value(name = "taskmanager", alias = "taskmanagers")]
    TaskManager,
    Supervisor,
    Bootstrap,
}

impl Of {
    fn role(self) -> Role {
        match self {
            Self::JobManager => Role::JobManager,
            Self::TaskManager => Role::TaskManager,
            Self::Supervisor => Role::Supervisor,
            Self::Bootstrap => Role::Bootstrap,
        }
    }
}

/// Arguments of `logs`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl logs demo --of=taskmanager --follow")]
pub struct Args {
    /// Name of the cluster
    cluster: String,
    /// Name of a job, for the log of its submission
    job: Option<String>,
    /// Whose logs; the JobManager's, or with a job its bootstrap's, unless given
    #[arg(long, value_enum, value_name = "PART")]
    of: Option<Of>,
    /// Go on until the pods end, or Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Of the container that ran before
    #[arg(long)]
    previous: bool,
    /// Only what is not older: 60s, 5m
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<std::time::Duration>,
    /// Only so many of the last lines
    #[arg(long, value_name = "NUMBER")]
    tail: Option<i64>,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Args {
    pub async fn run(self) -> Result {
        let part = self.of.unwrap_or(if self.job.is_some() { Of::Bootstrap } else { Of::JobManager });
        let place = self.connection.place()?;
        let kubernetes = Kubernetes::open(&place.kubernetes).await?;
        let namespace = kubernetes.clusters().await?;
        let selector = match &self.job {
            Some(job) if part == Of::Bootstrap => {
                let labels = labels::bootstrap(&self.cluster, job);
                labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
            }
            _ => labels::role_selector(&self.cluster, part.role()),
        };
        let pods: Api<Pod> = Api::namespaced(kubernetes.client, &namespace);
        let mut found = call(DEADLINE, pods.list(&ListParams::default().labels(&selector))).await?.items;
        if found.is_empty() {
            let name = format!("{:?}", part.role());
            return Err(Failure::new(format!("cluster {} has no {name} pod in namespace {namespace}", self.cluster))
                .hint(format!("what there is: flinkctl cluster status {}", self.cluster)));
        }
        // The oldest first, as they were written.
        found.sort_by(|a, b| a.creation_timestamp().cmp(&b.creation_timestamp()).then(a.name_any().cmp(&b.name_any())));
        self.print(&pods, &found).await
    }

    /// Prints the logs: one after the other, or, where they go on, as they come, each line with its pod.
    async fn print(&self, pods: &Api<Pod>, found: &[Pod]) -> Result {
        let params = |pod: &Pod| LogParams {
            container: pod.spec.as_ref().and_then(|spec| spec.containers.first()).map(|one| one.name.clone()),
            follow: self.follow,
            previous: self.previous,
            since_seconds: self.since.and_then(|since| i64::try_from(since.as_secs()).ok()),
            tail_lines: self.tail,
            ..LogParams::default()
        };
        let many = found.len() > 1;
        let mut streams = Vec::new();
        for pod in found {
            let name = pod.name_any();
            let opened = call(DEADLINE, pods.log_stream(&name, &params(pod))).await?;
            streams
                .push(opened.lines().map_ok(move |line| if many { format!("{name} | {line}") } else { line }).boxed());
        }
        let mut lines = if self.follow {
            futures::stream::select_all(streams).boxed()
        } else {
            futures::stream::iter(streams).flatten().boxed()
        };
        loop {
            let line = tokio::select! {
                line = lines.next() => line,
                _ = tokio::signal::ctrl_c() => return Ok(ExitStatus::Done),
            };
            match line {
                Some(Ok(line)) => print::data(&line),
                Some(Err(error)) => {
                    return Err(Failure::new(format!("the log ended: {error}")).with(ExitStatus::Unreachable));
                }
                None => return Ok(ExitStatus::Done),
            }
        }
    }
}
