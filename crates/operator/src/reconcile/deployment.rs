//! A look at a FlinkDeployment.

use api::{FlinkCluster, FlinkDeployment, FlinkJob, names};
use futures::StreamExt;
use futures::stream;
use kit::client::CallError;
use kit::projection::Parsed;
use kit::queue::Next;
use kit::{Kubernetes, Outcome};
use kube::{Resource, ResourceExt};
use lifecycle::Refusal;
use lifecycle::deployment::{self, Effect, Observed, Plan};

use super::{Context, failed, manifest, ordinary};

/// Children that are written at once.
const WIDTH: usize = 8;

impl<A: Kubernetes> Context<A> {
    pub(super) async fn deployment(&self, name: &str) -> Next {
        let Some(cached) = self.0.caches.deployments.get(name) else {
            return Next::Changed;
        };
        let Some(found) = self.readable(&cached) else {
            return Next::Changed;
        };
        let Some(plan) = self.plan_deployment(found) else {
            // A child that cannot be read tells so itself; comparing with it is impossible.
            return Next::Changed;
        };
        self.act_deployment(found, plan).await
    }

    fn plan_deployment(&self, found: &FlinkDeployment) -> Option<Plan> {
        let caches = &self.0.caches;
        let cluster = caches.clusters.get(&found.name_any());
        if cluster.as_ref().is_some_and(|cluster| cluster.valid().is_none()) {
            return None;
        }
        let jobs = caches.jobs.matching(|job| job.meta().name.as_deref().is_some_and(|job| is_candidate(found, job)));
        let jobs: Option<Vec<&FlinkJob>> = jobs.iter().map(|job| job.valid()).collect();
        let observed = Observed { deployment: found, cluster: cluster.as_deref().and_then(Parsed::valid), jobs: jobs? };
        Some(deployment::plan(&observed, self.0.clock.now()))
    }

    async fn act_deployment(&self, found: &FlinkDeployment, plan: Plan) -> Next {
        let about = found.object_ref(&());
        for notice in &plan.notices {
            self.tell(&about, notice);
        }
        let mut current = found.clone();
        current.metadata.managed_fields = None;
        let mut effects = plan.effects;
        if effects.first() == Some(&Effect::AddFinalizer) {
            effects.remove(0);
            match self.patch_finalizer(found, true).await {
                Ok(Outcome::Written(written)) => current.metadata = written.metadata,
                Ok(Outcome::Conflict | Outcome::Gone) => return Next::Changed,
                Err(error) => return failed("FlinkDeployment", &found.name_any(), &error),
            }
        }
        let writes = effects.into_iter().map(|effect| async {
            let answer = self.write_child(found, &effect).await;
            (effect, answer)
        });
        let answers: Vec<_> = stream::iter(writes).buffer_unordered(WIDTH).collect().await;
        let mut failure = None;
        for (effect, answer) in answers {
            match answer {
                Ok(true) => self.tell(&about, &effect.notice()),
                Ok(false) => {}
                Err(error) => failure = Some((effect, error)),
            }
        }
        let status = match &failure {
            None => plan.status,
            Some((effect, error)) => {
                let why = format!("{}: {}", attempted(effect), kit::chain(error));
                self.0.events.warning(&about, "WriteFailed", why.clone());
                let refused = error.status().and_then(|status| Refusal::of(status.code, &status.message));
                deployment::failed(found, plan.status, &why, refused.as_ref(), self.0.clock.now())
            }
        };
        if found.status.as_ref() != Some(&status)
            && !(status == api::FlinkDeploymentStatus::default() && found.status.is_none())
        {
            current.status = Some(status);
            match self.kubernetes().replace_status(&current).await {
                Ok(Outcome::Written(written)) => self.0.caches.deployments.learn(Parsed::Valid(Box::new(written))),
                Ok(Outcome::Conflict | Outcome::Gone) => {}
                Err(error) => return failed("FlinkDeployment", &found.name_any(), &error),
            }
        }
        if failure.is_some() { Next::Failed } else { Next::Changed }
    }

    /// Whether the write happened; `false` if somebody else was first.
    async fn write_child(&self, found: &FlinkDeployment, effect: &Effect) -> Result<bool, CallError> {
        let kubernetes = self.kubernetes();
        let answer = match effect {
            Effect::CreateCluster(cluster) => kubernetes.create::<FlinkCluster>(&manifest(cluster.as_ref())?).await,
            Effect::ReplaceCluster { cluster, .. } => {
                kubernetes.replace::<FlinkCluster>(&manifest(cluster.as_ref())?).await.map(drop)
            }
            Effect::DeleteCluster { name, uid } => {
                return self.delete::<FlinkCluster, _>(&self.0.caches.clusters, name, uid).await;
            }
            Effect::CreateJob(job) => kubernetes.create::<FlinkJob>(&manifest(job.as_ref())?).await,
            Effect::ReplaceJob { job, .. } => kubernetes.replace::<FlinkJob>(&manifest(job.as_ref())?).await.map(drop),
            Effect::DeleteJob { name, uid } => {
                return self.delete::<FlinkJob, _>(&self.0.caches.jobs, name, uid).await;
            }
            Effect::AddFinalizer | Effect::RemoveFinalizer => {
                let add = *effect == Effect::AddFinalizer;
                return Ok(self.patch_finalizer(found, add).await?.written().is_some());
            }
        };
        ordinary(answer)
    }

    async fn patch_finalizer(&self, found: &FlinkDeployment, add: bool) -> Result<Outcome<FlinkDeployment>, CallError> {
        self.kubernetes().finalizer(found, names::OPERATOR_FINALIZER, add).await
    }
}

/// Whether the job's name says that it could be a child.
fn is_candidate(deployment: &FlinkDeployment, job: &str) -> bool {
    names::short_job_name(&deployment.name_any(), job).is_some()
}

fn attempted(effect: &Effect) -> String {
    match effect {
        Effect::AddFinalizer => "add the finalizer".to_owned(),
        Effect::CreateCluster(cluster) => format!("create FlinkCluster {}", cluster.name_any()),
        Effect::ReplaceCluster { cluster, .. } => format!("update FlinkCluster {}", cluster.name_any()),
        Effect::DeleteCluster { name, .. } => format!("delete FlinkCluster {name}"),
        Effect::CreateJob(job) => format!("create FlinkJob {}", job.name_any()),
        Effect::ReplaceJob { job, .. } => format!("update FlinkJob {}", job.name_any()),
        Effect::DeleteJob { name, .. } => format!("delete FlinkJob {name}"),
        Effect::RemoveFinalizer => "remove the finalizer".to_owned(),
    }
}
