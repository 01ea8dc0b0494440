//! What an explanation is made of: the resource, what belongs to it, its events, and how its supervisor is.

use std::sync::Arc;

use api::{FlinkCluster, FlinkDeployment, FlinkJob, names as rules};
use control_api::Problem;
use control_api::explain::{Event, Subject, What, explain};
use control_api::route::Target;
use jiff::Timestamp;
use kit::projection::Parsed;
use kube::{Resource, ResourceExt};

use super::dialect::Reply;
use super::names::Names;
use super::read::readable;
use super::{Control, text};
use crate::key::cluster_label;

type Jobs = Vec<Arc<Parsed<FlinkJob>>>;

impl Control {
    pub(super) async fn explain(&self, target: Target, names: &Names) -> Result<Reply, Problem> {
        match target {
            Target::Deployment => self.explain_deployment(names).await,
            Target::Cluster => self.explain_cluster(names).await,
            Target::Job => self.explain_job(names).await,
        }
    }

    async fn explain_deployment(&self, names: &Names) -> Result<Reply, Problem> {
        let found = self.find::<FlinkDeployment>(names)?;
        let deployment = readable(&found)?;
        let name = deployment.name_any();
        let (cluster, jobs) = (self.0.caches.clusters.get(&name), self.jobs_of(&name));
        let mut events = self.tolerant_events(Target::Deployment, &name).await;
        if cluster.is_some() {
            events.extend(self.tolerant_events(Target::Cluster, &name).await);
        }
        let what =
            What::Deployment { deployment, cluster: cluster.as_deref().and_then(Parsed::valid), jobs: valid(&jobs) };
        self.explained(what, events, &name)
    }

    async fn explain_cluster(&self, names: &Names) -> Result<Reply, Problem> {
        let found = self.find::<FlinkCluster>(names)?;
        let cluster = readable(&found)?;
        let name = cluster.name_any();
        let jobs = self.jobs_of(&name);
        let events = self.tolerant_events(Target::Cluster, &name).await;
        self.explained(What::Cluster { cluster, jobs: valid(&jobs) }, events, &name)
    }

    async fn explain_job(&self, names: &Names) -> Result<Reply, Problem> {
        let found = self.find::<FlinkJob>(names)?;
        let job = readable(&found)?;
        let name = names.cluster.as_deref().unwrap_or_default();
        let cluster = self.0.caches.clusters.get(name);
        let events = self.tolerant_events(Target::Job, &job.name_any()).await;
        self.explained(What::Job { job, cluster: cluster.as_deref().and_then(Parsed::valid) }, events, name)
    }

    fn explained(&self, what: What<'_>, events: Vec<Event>, cluster: &str) -> Result<Reply, Problem> {
        let supervisor = self.supervisor_trouble(cluster);
        let subject = Subject { what, events, supervisor: supervisor.as_deref(), now: Timestamp::now() };
        Ok(Reply::Answer(text(&explain(&subject))?.into()))
    }

    /// Events, or none where they cannot be read: there is much to explain without them.
    async fn tolerant_events(&self, target: Target, name: &str) -> Vec<Event> {
        self.events_about(target, name).await.unwrap_or_else(|problem| {
            tracing::warn!(name, %problem, "explaining without events");
            Vec::new()
        })
    }

    fn jobs_of(&self, cluster: &str) -> Jobs {
        let clusters = self.0.caches.clusters.names();
        self.0.caches.jobs.matching(|job| {
            if let Some(label) = cluster_label(job.meta()) {
                return label == cluster;
            }
            let owners = clusters.iter().map(String::as_str).chain([cluster]);
            let name = job.meta().name.as_deref().unwrap_or_default();
            rules::cluster_of_job(name, owners).is_some_and(|(owner, _)| owner == cluster)
        })
    }

    /// What keeps the supervisor's pods from running.
    fn supervisor_trouble(&self, cluster: &str) -> Option<String> {
        let pods = self.0.caches.pods.matching(|pod| cluster_label(&pod.metadata).as_deref() == Some(cluster));
        pods.iter().find_map(|pod| Some(format!("pod {}: {}", pod.name_any(), pod.status.trouble()?)))
    }
}

fn valid(jobs: &Jobs) -> Vec<&FlinkJob> {
    jobs.iter().filter_map(|job| job.valid()).collect()
}
