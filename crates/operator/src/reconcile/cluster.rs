//! A look at a FlinkCluster: its supervisor.

use api::conditions::reasons;
use api::{FlinkCluster, FlinkClusterStatus, names};
use k8s_openapi::api::apps::v1::Deployment;
use kit::client::CallError;
use kit::projection::Parsed;
use kit::queue::Next;
use kit::{Kubernetes, Outcome};
use kube::{Resource, ResourceExt};
use lifecycle::supervision::{self, Correction, Effect, Observed, Plan, Seen};
use lifecycle::{Notice, Refusal};
use serde_json::Value;

use super::{Context, failed, ordinary};
use crate::key::cluster_label;

impl<A: Kubernetes> Context<A> {
    pub(super) async fn cluster(&self, name: &str) -> Next {
        let Some(cached) = self.0.caches.clusters.get(name) else {
            return Next::Changed;
        };
        let Some(found) = self.readable(&cached) else {
            return Next::Changed;
        };
        let wanted = manifests::supervisor_deployment(found, &self.0.settings);
        let wanted = wanted.map_err(|why| kit::chain(&why));
        let plan = self.plan_cluster(found, wanted.as_ref());
        self.act_cluster(found, plan).await
    }

    fn plan_cluster(&self, found: &FlinkCluster, wanted: Result<&Value, &String>) -> Plan {
        let name = found.name_any();
        let seen = self.0.caches.supervisors.get(&names::supervisor(&name));
        let pods = self.0.caches.pods.matching(|pod| cluster_label(&pod.metadata).as_ref() == Some(&name));
        let trouble = self.0.caches.supervisor_trouble(&name);
        let last = self.correction(&found.uid().unwrap_or_default());
        let observed = Observed {
            cluster: found,
            deployment: seen.as_ref().map(|seen| Seen { meta: &seen.metadata, spec: &seen.spec }),
            pods: pods.len(),
            trouble: trouble.as_deref(),
            wanted: wanted.map_err(String::as_str),
            last: last.as_ref(),
        };
        supervision::plan(&observed, self.0.clock.now())
    }

    async fn act_cluster(&self, found: &FlinkCluster, plan: Plan) -> Next {
        let (about, name) = (found.object_ref(&()), found.name_any());
        for notice in &plan.notices {
            self.tell(&about, notice);
        }
        for effect in &plan.effects {
            match self.write_supervisor(found, effect).await {
                Ok(true) => {
                    if let Some(notice) = effect.notice() {
                        self.tell(&about, &notice);
                    }
                    if matches!(effect, Effect::Create(_) | Effect::Replace { .. }) {
                        self.tell_replaced_image(found);
                    }
                }
                // The watch brings what was written meanwhile.
                Ok(false) => return Next::Changed,
                Err(error) if error.is_terminating() => return self.give_up(found).await,
                Err(error) => {
                    let why = format!("write the supervisor's Deployment: {}", kit::chain(&error));
                    self.0.events.warning(&about, "WriteFailed", why.clone());
                    self.tell_refusal(found, &error, &why).await;
                    return failed("FlinkCluster", &name, &error);
                }
            }
        }
        if let Some(why) = &plan.waiting {
            tracing::debug!(cluster = name, why, "waiting");
        }
        plan.wake.map_or(Next::Changed, Next::After)
    }

    /// The namespace takes no supervisor any more: when the last one has gone, nobody else can release what is to be deleted.
    async fn give_up(&self, found: &FlinkCluster) -> Next {
        let name = found.name_any();
        let supervised = self.0.caches.pods.matching(|pod| cluster_label(&pod.metadata).as_ref() == Some(&name)).len();
        if supervised > 0 || found.meta().deletion_timestamp.is_none() {
            tracing::debug!(cluster = name, supervised, "the namespace is being terminated");
            return Next::Changed;
        }
        match self.kubernetes().finalizer(found, names::SUPERVISOR_FINALIZER, false).await {
            Ok(_) => {
                tracing::info!(cluster = name, "released: its namespace is being terminated and takes no supervisor");
                Next::Changed
            }
            Err(error) => failed("FlinkCluster", &name, &error),
        }
    }

    /// Whether the write happened; `false` if somebody else was first.
    async fn write_supervisor(&self, found: &FlinkCluster, effect: &Effect) -> Result<bool, CallError> {
        let uid = found.uid().unwrap_or_default();
        match effect {
            Effect::AddFinalizer | Effect::RemoveFinalizer => {
                let add = *effect == Effect::AddFinalizer;
                if !add {
                    self.remember(&uid, None);
                }
                let outcome = self.kubernetes().finalizer(found, names::OPERATOR_FINALIZER, add).await?;
                Ok(outcome.written().is_some())
            }
            Effect::Release => {
                let outcome = self.kubernetes().finalizer(found, names::SUPERVISOR_FINALIZER, false).await?;
                Ok(outcome.written().is_some())
            }
            Effect::Create(manifest) => ordinary(self.kubernetes().create::<Deployment>(manifest).await),
            Effect::Replace { deployment, .. } => {
                let written = self.kubernetes().replace::<Deployment>(deployment).await;
                let generation = written.as_ref().ok().and_then(|written| written.generation);
                let happened = ordinary(written.map(drop))?;
                if happened {
                    let wanted = manifests::supervisor_deployment(found, &self.0.settings).ok();
                    let wanted = wanted.as_ref().map(supervision::digest).unwrap_or_default();
                    self.remember(&uid, Some(Correction { generation, wanted, at: self.0.clock.now() }));
                }
                Ok(happened)
            }
            Effect::Delete { name, uid } => self.delete::<Deployment, _>(&self.0.caches.supervisors, name, uid).await,
            Effect::Status(status) => self.write_status(found, status).await,
        }
    }

    /// Guarded by the version that was seen: a supervisor that works has the last word.
    async fn write_status(&self, found: &FlinkCluster, status: &FlinkClusterStatus) -> Result<bool, CallError> {
        let mut cluster = found.clone();
        cluster.status = Some(status.clone());
        match self.kubernetes().replace_status(&cluster).await? {
            Outcome::Written(written) => {
                self.0.caches.clusters.learn(Parsed::Valid(Box::new(written)));
                Ok(true)
            }
            Outcome::Conflict | Outcome::Gone => Ok(false),
        }
    }

    /// Says in the status what keeps the cluster from having a supervisor, if it has none that would say otherwise.
    async fn tell_refusal(&self, found: &FlinkCluster, error: &CallError, why: &str) {
        let refusal = error.status().and_then(|status| Refusal::of(status.code, &status.message));
        let name = found.name_any();
        let alone = self.0.caches.pods.matching(|pod| cluster_label(&pod.metadata).as_ref() == Some(&name)).is_empty();
        let Some(refusal) = refusal.filter(|_| alone) else { return };
        if let Some(status) = supervision::told(found, refusal.reason, why, self.0.clock.now())
            && let Err(error) = self.write_status(found, &status).await
        {
            tracing::debug!(cluster = name, error = kit::chain(&error), "the status cannot be written either");
        }
    }

    fn tell_replaced_image(&self, found: &FlinkCluster) {
        let declared = &found.spec.supervisor.image;
        let image = manifests::supervisor_image(declared, &self.0.settings.image);
        if image.replaced {
            let text = format!("the supervisor runs {} instead of {declared}, which is another program", image.name);
            self.tell(&found.object_ref(&()), &Notice::normal(reasons::IMAGE_REPLACED, text));
        }
    }
}
