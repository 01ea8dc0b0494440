//! The supervisor Deployment of a cluster: it exists while the cluster does, and until the supervisor has cleaned up after it.
//!
//! Invariant: the operator's finalizer leaves the cluster only when the supervisor's has left it and no supervisor runs any more.

pub mod drift;

use std::time::Duration;

use api::conditions::{Is, PROGRESSING, READY, STALLED, reasons, set_condition};
use api::{FlinkCluster, FlinkClusterStatus, annotations, names, timestamp};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value, json};

use crate::Notice;
use crate::deletion::{self, Force};
use crate::deployment::{has_finalizer, name};

/// Time between two corrections of what somebody else changes.
const CORRECTION_PAUSE: Duration = Duration::from_mins(1);

/// The Deployment as it was seen: its metadata and its spec, undecoded.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub meta: &'a ObjectMeta,
    pub spec: &'a Value,
}

/// The last time that the Deployment was brought back to what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The Deployment's generation after it.
    pub generation: Option<i64>,
    /// Digest of what was wanted.
    pub wanted: String,
    pub at: Timestamp,
}

/// What is known when a cluster's supervisor is looked at.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    pub cluster: &'a FlinkCluster,
    pub deployment: Option<Seen<'a>>,
    /// Supervisor pods of this cluster.
    pub pods: usize,
    /// Why one of them does not run, if Kubernetes says so.
    pub trouble: Option<&'a str>,
    /// The manifest of the Deployment as it should be, or why there is none.
    pub wanted: Result<&'a Value, &'a str>,
    pub last: Option<&'a Correction>,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The operator's, on the cluster.
    AddFinalizer,
    Create(Value),
    /// The whole Deployment, with the resourceVersion that was observed, and what it is about.
    Replace {
        deployment: Value,
        why: String,
    },
    Delete {
        name: String,
        uid: String,
    },
    /// The operator's, on the cluster.
    RemoveFinalizer,
    /// Takes the supervisor's finalizer off the cluster, as a supervisor would that works.
    Release,
    /// The status of the cluster, while nobody else can write it.
    Status(Box<FlinkClusterStatus>),
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub effects: Vec<Effect>,
    pub waiting: Option<String>,
    /// When to look again, if nothing changes before.
    pub wake: Option<Duration>,
    pub notices: Vec<Notice>,
}

impl Effect {
    /// What to tell once the effect has happened.
    pub fn notice(&self) -> Option<Notice> {
        match self {
            Self::AddFinalizer | Self::RemoveFinalizer | Self::Release | Self::Status(_) => None,
            Self::Create(_) => Some(Notice::normal("SupervisorCreated", "created the supervisor's Deployment")),
            Self::Replace { why, .. } => {
                Some(Notice::normal("SupervisorUpdated", format!("updated the supervisor's Deployment: {why}")))
            }
            Self::Delete { name, .. } => {
                Some(Notice::normal("SupervisorDeleted", format!("deleting Deployment {name}")))
            }
        }
    }
}

/// Digest of a manifest, for [`Correction::wanted`].
pub fn digest(wanted: &Value) -> String {
    api::digest::of(wanted)
}

/// Decides what to do for a cluster's supervisor.
pub fn plan(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let cluster = &observed.cluster.metadata;
    let deleting = cluster.deletion_timestamp.is_some();
    if deleting && !has_finalizer(cluster, names::SUPERVISOR_FINALIZER) {
        return removal(observed);
    }
    let broken = observed.trouble.is_some() || observed.wanted.is_err();
    let force = deletion::force(cluster, broken, now);
    if force == Force::Now {
        let text = "it is let go on request in the place of its supervisor, with whatever is left of it";
        let notices = vec![Notice::warning("ForceDeleted", text)];
        return Plan { effects: vec![Effect::Release], notices, ..Plan::default() };
    }
    let mut plan = deployment(observed, now);
    if let Force::After(left) = force {
        plan.wake = Some(plan.wake.map_or(left, |wake| wake.min(left)));
    }
    if !deleting && !has_finalizer(cluster, names::OPERATOR_FINALIZER) {
        plan.effects.insert(0, Effect::AddFinalizer);
    }
    if let Some(why) = observed.trouble {
        let text = failing(why);
        plan.effects.extend(told(observed.cluster, reasons::SUPERVISOR_FAILING, &text, now).map(Effect::Status));
        plan.notices.push(Notice::warning(reasons::SUPERVISOR_FAILING, text));
    } else if let Err(why) = observed.wanted
        && observed.pods == 0
    {
        plan.effects.extend(told(observed.cluster, reasons::INVALID, why, now).map(Effect::Status));
    }
    if deleting && plan.waiting.is_none() && plan.effects.is_empty() {
        plan.waiting = Some("the supervisor is cleaning up".to_owned());
    }
    plan
}

/// What is told of a supervisor that does not work.
pub fn failing(why: &str) -> String {
    format!("the supervisor does not run: {why}; see spec.supervisor")
}

/// The status of a cluster without a supervisor that could write it; `None` if it says so already. Only conditions are touched: what the
/// supervisor has recorded is what it goes on from.
pub fn told(cluster: &FlinkCluster, reason: &str, why: &str, now: Timestamp) -> Option<Box<FlinkClusterStatus>> {
    let mut status = cluster.status.clone().unwrap_or_default();
    let generation = cluster.metadata.generation;
    // Whether Flink runs is not known: nobody looks.
    for (type_, is) in [(READY, Is::Unknown), (PROGRESSING, Is::False), (STALLED, Is::True)] {
        set_condition(&mut status.conditions, type_, is, reason, why, generation, now);
    }
    if cluster.status.as_ref() == Some(&status) {
        return None;
    }
    status.timestamp = Some(timestamp(now));
    Some(Box::new(status))
}

fn removal(observed: &Observed<'_>) -> Plan {
    let mut plan = Plan::default();
    if let Some(seen) = observed.deployment.filter(|seen| !is_foreign(seen, observed.cluster)) {
        plan.waiting = Some("the supervisor is being stopped".to_owned());
        plan.effects.extend(delete(&seen));
    } else if observed.pods > 0 {
        plan.waiting = Some(format!("{} supervisor pods are ending", observed.pods));
    } else if has_finalizer(&observed.cluster.metadata, names::OPERATOR_FINALIZER) {
        plan.effects.push(Effect::RemoveFinalizer);
    }
    plan
}

fn deployment(observed: &Observed<'_>, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let wanted = match observed.wanted {
        Ok(wanted) => wanted,
        Err(why) => {
            plan.notices.push(Notice::warning("Invalid", why));
            plan.waiting = Some(why.to_owned());
            return plan;
        }
    };
    let Some(seen) = observed.deployment else {
        // An earlier supervisor, such as the original's, must not act beside ours.
        match observed.pods {
            0 => plan.effects.push(Effect::Create(wanted.clone())),
            pods => plan.waiting = Some(format!("{pods} pods of an earlier supervisor are ending")),
        }
        return plan;
    };
    if seen.meta.deletion_timestamp.is_some() {
        plan.waiting = Some("an earlier Deployment of the supervisor is going".to_owned());
    } else if is_foreign(&seen, observed.cluster) || is_ownerless(&seen) || selects_otherwise(&seen, wanted) {
        // Neither the selector nor the past of a Deployment can be changed, and the original's has another past.
        plan.waiting = Some("an earlier Deployment of the supervisor is in the way".to_owned());
        plan.effects.extend(delete(&seen));
    } else if let Some(why) = difference(&seen, wanted, observed.cluster) {
        correct(observed, (&seen, wanted), why, now, &mut plan);
    }
    plan
}

fn correct(observed: &Observed<'_>, (seen, wanted): (&Seen<'_>, &Value), why: String, now: Timestamp, plan: &mut Plan) {
    match observed.last.filter(|last| last.wanted == digest(wanted)) {
        // The API server, or a webhook, wants it otherwise: that is how it is then.
        Some(last) if last.generation == seen.meta.generation => {}
        Some(last) if since(last.at, now) < CORRECTION_PAUSE => {
            plan.wake = Some(CORRECTION_PAUSE.saturating_sub(since(last.at, now)));
            plan.waiting = Some(format!("somebody else keeps changing the supervisor's Deployment: {why}"));
        }
        _ => plan.effects.push(Effect::Replace { deployment: replaced(seen, wanted), why }),
    }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

fn delete(seen: &Seen<'_>) -> Option<Effect> {
    let uid = seen.meta.uid.clone().filter(|_| seen.meta.deletion_timestamp.is_none())?;
    Some(Effect::Delete { name: name(seen.meta).to_owned(), uid })
}

/// Controlled by another object, for example by a cluster of the same name that is gone.
fn is_foreign(seen: &Seen<'_>, cluster: &FlinkCluster) -> bool {
    let controller = seen.meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    controller.is_some_and(|owner| Some(&owner.uid) != cluster.metadata.uid.as_ref())
}

/// The original sets no owner.
fn is_ownerless(seen: &Seen<'_>) -> bool {
    seen.meta.owner_references.iter().flatten().next().is_none()
}

fn selects_otherwise(seen: &Seen<'_>, wanted: &Value) -> bool {
    seen.spec.get("selector") != wanted.pointer("/spec/selector")
}

/// What in the Deployment is not as wanted. The number of replicas is the user's to change until the supervisor section does.
fn difference(seen: &Seen<'_>, wanted: &Value, cluster: &FlinkCluster) -> Option<String> {
    let observed = json!({
        "metadata": {"labels": seen.meta.labels, "annotations": seen.meta.annotations},
        "spec": seen.spec,
    });
    let owned =
        seen.meta.owner_references.iter().flatten().any(|owner| Some(&owner.uid) == cluster.metadata.uid.as_ref());
    if !owned {
        return Some("metadata.ownerReferences".to_owned());
    }
    let mut compared = json!({
        "metadata": {
            "labels": wanted.pointer("/metadata/labels"),
            "annotations": wanted.pointer("/metadata/annotations"),
        },
        "spec": wanted.get("spec"),
    });
    if !section_changed(seen, wanted)
        && let Some(spec) = compared["spec"].as_object_mut()
    {
        spec.remove("replicas");
    }
    drift::first_difference(&observed, &compared)
}

fn section_changed(seen: &Seen<'_>, wanted: &Value) -> bool {
    let digest = wanted["metadata"]["annotations"][annotations::DEPLOYMENT_DIGEST].as_str();
    let known = seen.meta.annotations.as_ref().and_then(|all| all.get(annotations::DEPLOYMENT_DIGEST));
    known.map(String::as_str) != digest
}

/// The Deployment as wanted, with what others have added to it.
fn replaced(seen: &Seen<'_>, wanted: &Value) -> Value {
    let mut spec = overlaid(seen.spec, &wanted["spec"]);
    if !section_changed(seen, wanted) {
        spec.insert("replicas".to_owned(), seen.spec["replicas"].clone());
    }
    let mut template = wanted["spec"]["template"].clone();
    // `kubectl rollout restart` lives in an annotation of the template.
    template["metadata"]["annotations"] =
        overlaid(&seen.spec["template"]["metadata"]["annotations"], &template["metadata"]["annotations"]).into();
    spec.insert("template".to_owned(), template);
    let mut metadata = wanted["metadata"].as_object().cloned().unwrap_or_default();
    for member in ["labels", "annotations"] {
        let known = match member {
            "labels" => json!(seen.meta.labels),
            _ => json!(seen.meta.annotations),
        };
        metadata.insert(member.to_owned(), overlaid(&known, &wanted["metadata"][member]).into());
    }
    metadata.insert("finalizers".to_owned(), json!(seen.meta.finalizers));
    metadata.insert("uid".to_owned(), json!(seen.meta.uid));
    metadata.insert("resourceVersion".to_owned(), json!(seen.meta.resource_version));
    json!({
        "apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata, "spec": spec,
    })
}

fn overlaid(below: &Value, above: &Value) -> Map<String, Value> {
    let mut members = below.as_object().cloned().unwrap_or_default();
    members.extend(above.as_object().cloned().unwrap_or_default());
    members
}

#[cfg(test)]
mod tests;
