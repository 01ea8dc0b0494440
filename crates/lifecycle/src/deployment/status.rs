//! The status of a deployment: what was applied, and how cluster and jobs are doing.

use api::conditions::{self, Is, PROGRESSING, READY, STALLED, reasons, set_condition};
use api::{FlinkDeployment, FlinkDeploymentStatus, ResourceStatus, digest, names, timestamp};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::Refusal;

use super::child::{self, Meta};
use super::{Draft, Effect, Observed, name};

/// A job that ended as it should is as ready as it can be.
const SETTLED: [&str; 2] = [reasons::FINISHED, reasons::SUSPENDED];

struct Verdict {
    ready: Is,
    reason: String,
    message: String,
}

pub fn of(observed: &Observed<'_>, draft: &Draft, now: Timestamp) -> FlinkDeploymentStatus {
    let deployment = observed.deployment;
    let applied = draft.effects.is_empty() && draft.waiting.is_none() && draft.stalled.is_none();
    let verdict = verdict(observed, draft);
    let children = children_progress(observed);
    let progressing = !applied && draft.stalled.is_none() || children;
    let mut writer = Writer::new(deployment, now);
    writer.condition(READY, verdict.ready, &verdict.reason, verdict.message);
    let (reason, message) = progress(draft, applied, children);
    writer.condition(PROGRESSING, progressing.into(), reason, message);
    writer.stalled(draft.stalled.as_deref());
    writer.status.resource_status = Some(if applied { ResourceStatus::Updated } else { ResourceStatus::Updating });
    if applied {
        writer.status.digest = Some(digest::deployment(&deployment.spec));
    }
    writer.finish(now)
}

/// The status of a deployment whose children are being removed.
pub fn deleting(deployment: &FlinkDeployment, why: &str, now: Timestamp) -> FlinkDeploymentStatus {
    let mut writer = Writer::new(deployment, now);
    writer.condition(READY, Is::False, reasons::DELETING, why.to_owned());
    writer.condition(PROGRESSING, Is::True, reasons::DELETING, why.to_owned());
    writer.status.resource_status = Some(ResourceStatus::Updating);
    writer.finish(now)
}

/// The status of a plan of which something failed: `refused` by Kubernetes, or without an answer.
pub fn failed(
    deployment: &FlinkDeployment,
    planned: FlinkDeploymentStatus,
    why: &str,
    refused: Option<&Refusal>,
    now: Timestamp,
) -> FlinkDeploymentStatus {
    let mut writer = Writer { deployment, status: planned, now };
    let reason = refused.map_or(reasons::UPDATING, |refusal| refusal.reason);
    // What is invalid stays so; a quota or a right may be given.
    let hopeless = reason == reasons::INVALID;
    writer.condition(READY, Is::False, reason, why.to_owned());
    writer.condition(PROGRESSING, (!hopeless).into(), reason, why.to_owned());
    if hopeless {
        writer.condition(STALLED, Is::True, reason, why.to_owned());
    }
    writer.status.timestamp = deployment.status.as_ref().and_then(|status| status.timestamp.clone());
    writer.finish(now)
}

struct Writer<'a> {
    deployment: &'a FlinkDeployment,
    status: FlinkDeploymentStatus,
    now: Timestamp,
}

impl<'a> Writer<'a> {
    fn new(deployment: &'a FlinkDeployment, now: Timestamp) -> Self {
        let mut status = deployment.status.clone().unwrap_or_default();
        status.observed_generation = deployment.metadata.generation;
        Self { deployment, status, now }
    }

    fn condition(&mut self, type_: &str, is: Is, reason: &str, message: String) {
        let generation = self.deployment.metadata.generation;
        set_condition(&mut self.status.conditions, type_, is, reason, message, generation, self.now);
    }

    /// `Stalled` is there only while it holds.
    fn stalled(&mut self, why: Option<&str>) {
        match why {
            Some(why) => self.condition(STALLED, Is::True, reasons::NAME_TAKEN, why.to_owned()),
            None => self.status.conditions.retain(|condition| condition.type_ != STALLED),
        }
    }

    /// The timestamp moves only when something else did, so a settled deployment is never rewritten.
    fn finish(mut self, now: Timestamp) -> FlinkDeploymentStatus {
        if self.deployment.status.as_ref() != Some(&self.status) {
            self.status.timestamp = Some(timestamp(now));
        }
        self.status
    }
}

fn progress(draft: &Draft, applied: bool, children: bool) -> (&'static str, String) {
    if applied && children {
        return (reasons::UPDATING, "cluster and jobs are being brought to what is declared".to_owned());
    }
    if applied {
        return (reasons::UPDATED, "cluster and jobs are as declared".to_owned());
    }
    let message = match (&draft.waiting, draft.effects.iter().find(|effect| **effect != Effect::AddFinalizer)) {
        (_, Some(effect)) => effect.notice().message,
        (Some(why), None) => why.clone(),
        (None, None) => draft.stalled.clone().unwrap_or_else(|| "deployment accepted".to_owned()),
    };
    (reasons::UPDATING, message)
}

fn verdict(observed: &Observed<'_>, draft: &Draft) -> Verdict {
    if let Some(why) = &draft.stalled {
        return not_ready(reasons::NAME_TAKEN, why.clone());
    }
    let Some(cluster) = observed.cluster else {
        return not_ready(reasons::STARTING, "the cluster is being created".to_owned());
    };
    if let Some(verdict) = child_verdict(
        "FlinkCluster",
        &cluster.metadata,
        conditions_of(cluster.status.as_ref().map(|s| &s.conditions)),
        &[],
    ) {
        return verdict;
    }
    let deployment = observed.deployment;
    for short in child::declared(deployment).into_keys() {
        let full = names::job(name(&deployment.metadata), short);
        let Some(job) = observed.job(&full) else {
            return not_ready(reasons::STARTING, format!("FlinkJob {full} is being created"));
        };
        let of_job = conditions_of(job.status.as_ref().map(|status| &status.conditions));
        if let Some(verdict) = child_verdict("FlinkJob", &job.metadata, of_job, &SETTLED) {
            return verdict;
        }
    }
    if draft.effects.iter().any(|effect| *effect != Effect::AddFinalizer) || draft.waiting.is_some() {
        return not_ready(reasons::UPDATING, "the declaration is being applied".to_owned());
    }
    Verdict { ready: Is::True, reason: reasons::RUNNING.to_owned(), message: "cluster and jobs are ready".to_owned() }
}

/// Why a child is not ready, if it is not.
fn child_verdict(kind: &str, meta: &Meta, of_child: &[Condition], settled: &[&str]) -> Option<Verdict> {
    let child = name(meta);
    let Some(ready) = conditions::condition(of_child, READY) else {
        return Some(not_ready(reasons::STARTING, format!("{kind} {child} was not looked at yet")));
    };
    if ready.observed_generation < meta.generation {
        return Some(not_ready(reasons::UPDATING, format!("{kind} {child} has changed and was not looked at yet")));
    }
    if ready.status == Is::True.as_str() || settled.contains(&ready.reason.as_str()) {
        return None;
    }
    Some(not_ready(&ready.reason, format!("{kind} {child}: {}", ready.message)))
}

fn children_progress(observed: &Observed<'_>) -> bool {
    let progresses = |of_child: &[Condition]| {
        conditions::condition(of_child, PROGRESSING).is_none_or(|condition| condition.status == Is::True.as_str())
    };
    let cluster = observed.cluster.and_then(|cluster| cluster.status.as_ref()).map(|status| &status.conditions);
    let deployment = observed.deployment;
    progresses(conditions_of(cluster))
        || child::declared(deployment).into_keys().any(|short| {
            let job = observed.job(&names::job(name(&deployment.metadata), short));
            progresses(conditions_of(job.and_then(|job| job.status.as_ref()).map(|status| &status.conditions)))
        })
}

fn conditions_of(conditions: Option<&Vec<Condition>>) -> &[Condition] {
    conditions.map_or(&[], Vec::as_slice)
}

fn not_ready(reason: &str, message: String) -> Verdict {
    Verdict { ready: Is::False, reason: reason.to_owned(), message }
}
