//! The children of a deployment: whose they are, how they are made, and what they are changed to.

use std::collections::BTreeMap;

use api::{FlinkCluster, FlinkDeployment, FlinkJob, FlinkJobSpec, labels, names};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::name;

pub type Meta = ObjectMeta;

const KIND: &str = "FlinkDeployment";

/// Who controls an object that has the name of a child of ours.
#[derive(Debug, PartialEq, Eq)]
pub enum Holder {
    Ours,
    /// No controller: made by hand or by a version that set no owner references. It is taken over.
    Nobody,
    /// A deployment of the same name that is gone; garbage collection is about to remove the object.
    Predecessor,
    Other(String),
}

pub fn holder(meta: &Meta, deployment: &FlinkDeployment) -> Holder {
    let Some(controller) = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true)) else {
        return Holder::Nobody;
    };
    if Some(&controller.uid) == deployment.metadata.uid.as_ref() {
        Holder::Ours
    } else if controller.kind == KIND && controller.name == name(&deployment.metadata) {
        Holder::Predecessor
    } else {
        Holder::Other(format!("{} {}", controller.kind, controller.name))
    }
}

/// The jobs of the list by their short names. Where an old object has a name twice, the last entry counts, as it always did.
pub fn declared(deployment: &FlinkDeployment) -> BTreeMap<&str, &FlinkJobSpec> {
    deployment.spec.jobs().iter().map(|entry| (entry.name.as_str(), &entry.spec)).collect()
}

/// Whether a job is a child: controlled by the deployment, or made for it before there were owner references, as its status remembers.
pub fn is_job_of(job: &FlinkJob, deployment: &FlinkDeployment) -> bool {
    match holder(&job.metadata, deployment) {
        Holder::Ours => true,
        Holder::Nobody => {
            let remembered = deployment.status.as_ref().and_then(|status| status.digest.as_ref()?.jobs.as_ref());
            remembered
                .into_iter()
                .flatten()
                .any(|entry| names::job(name(&deployment.metadata), &entry.name) == name(&job.metadata))
        }
        Holder::Predecessor | Holder::Other(_) => false,
    }
}

/// Whether the cluster is a child, by the same rule.
pub fn is_cluster_of(cluster: &FlinkCluster, deployment: &FlinkDeployment) -> bool {
    match holder(&cluster.metadata, deployment) {
        Holder::Ours => true,
        Holder::Nobody => deployment.status.as_ref().is_some_and(|status| status.digest.is_some()),
        Holder::Predecessor | Holder::Other(_) => false,
    }
}

pub fn new_cluster(deployment: &FlinkDeployment) -> FlinkCluster {
    let own = name(&deployment.metadata);
    let mut cluster = FlinkCluster::new(own, deployment.spec.cluster.clone());
    cluster.metadata = new_meta(deployment, own.to_owned(), labels::cluster(own));
    cluster
}

pub fn new_job(deployment: &FlinkDeployment, short: &str, spec: &FlinkJobSpec) -> FlinkJob {
    let own = name(&deployment.metadata);
    let full = names::job(own, short);
    let mut job = FlinkJob::new(&full, spec.clone());
    job.metadata = new_meta(deployment, full, labels::job(own, short));
    job
}

/// The cluster with the declared sections, and the names of those that change; `None` if all are as declared.
pub fn updated_cluster(
    deployment: &FlinkDeployment,
    present: &FlinkCluster,
) -> Option<(FlinkCluster, Vec<&'static str>)> {
    let mut cluster = present.clone();
    let mut changed = adopt(&mut cluster.metadata, deployment);
    let (from, to) = (&deployment.spec.cluster, &mut cluster.spec);
    set(&mut to.runtime, &from.runtime, "runtime", &mut changed);
    set(&mut to.job_manager, &from.job_manager, "jobManager", &mut changed);
    set(&mut to.task_manager, &from.task_manager, "taskManager", &mut changed);
    set(&mut to.supervisor, &from.supervisor, "supervisor", &mut changed);
    set(&mut to.min_task_managers, &from.min_task_managers, "minTaskManagers", &mut changed);
    set(&mut to.max_task_managers, &from.max_task_managers, "maxTaskManagers", &mut changed);
    set(&mut to.flink_configuration, &from.flink_configuration, "flinkConfiguration", &mut changed);
    (!changed.is_empty()).then_some((cluster, changed))
}

/// The job with the declared sections, and the names of those that change; `None` if all are as declared.
pub fn updated_job(
    deployment: &FlinkDeployment,
    from: &FlinkJobSpec,
    present: &FlinkJob,
) -> Option<(FlinkJob, Vec<&'static str>)> {
    let mut job = present.clone();
    let mut changed = adopt(&mut job.metadata, deployment);
    let to = &mut job.spec;
    set(&mut to.bootstrap, &from.bootstrap, "bootstrap", &mut changed);
    set(&mut to.savepoint, &from.savepoint, "savepoint", &mut changed);
    set(&mut to.restart, &from.restart, "restart", &mut changed);
    set(&mut to.min_job_parallelism, &from.min_job_parallelism, "minJobParallelism", &mut changed);
    set(&mut to.max_job_parallelism, &from.max_job_parallelism, "maxJobParallelism", &mut changed);
    (!changed.is_empty()).then_some((job, changed))
}

fn set<T: PartialEq + Clone>(to: &mut T, from: &T, section: &'static str, changed: &mut Vec<&'static str>) {
    if to != from {
        to.clone_from(from);
        changed.push(section);
    }
}

fn adopt(meta: &mut Meta, deployment: &FlinkDeployment) -> Vec<&'static str> {
    if holder(meta, deployment) == Holder::Ours {
        return Vec::new();
    }
    meta.owner_references.get_or_insert_default().push(controller(deployment));
    vec!["ownerReferences"]
}

fn new_meta(deployment: &FlinkDeployment, name: String, labels: labels::Labels) -> Meta {
    Meta {
        name: Some(name),
        namespace: deployment.metadata.namespace.clone(),
        labels: Some(labels),
        owner_references: Some(vec![controller(deployment)]),
        ..Meta::default()
    }
}

fn controller(deployment: &FlinkDeployment) -> OwnerReference {
    OwnerReference {
        api_version: format!("{}/{}", api::GROUP, api::VERSION),
        kind: KIND.to_owned(),
        name: name(&deployment.metadata).to_owned(),
        uid: deployment.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}
