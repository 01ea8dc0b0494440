//! What can be looked at, and which looks a change calls for.

use std::sync::Arc;

use api::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::queue::Queue;
use kube::Resource;

/// One thing to look at, by the name of its object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Deployment(String),
    Cluster(String),
    Job(String),
    /// All jobs that the cluster could be the home of.
    JobsOf(String),
}

impl Key {
    /// Label of the metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Deployment(_) => "FlinkDeployment",
            Self::Cluster(_) => "FlinkCluster",
            Self::Job(_) | Self::JobsOf(_) => "FlinkJob",
        }
    }
}

/// A FlinkDeployment has changed.
pub fn deployment<K: Resource>(queue: &Queue<Key>, object: &Arc<K>) {
    queue.add(Key::Deployment(name(object.meta())));
}

/// A FlinkCluster has changed, appeared or gone.
pub fn cluster<K: Resource>(queue: &Queue<Key>, object: &Arc<K>) {
    let name = name(object.meta());
    queue.add(Key::Cluster(name.clone()));
    queue.add(Key::Deployment(name.clone()));
    queue.add(Key::JobsOf(name));
}

/// A FlinkJob has changed, appeared or gone.
pub fn job<K: Resource>(queue: &Queue<Key>, object: &Arc<K>) {
    let meta = object.meta();
    queue.add(Key::Job(name(meta)));
    let controller = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
    // A job without controller may have been made for a deployment before there were owner references.
    if let Some(deployment) = controller.map(|owner| owner.name.clone()).or_else(|| cluster_label(meta)) {
        queue.add(Key::Deployment(deployment));
    }
}

/// A supervisor Deployment or one of its pods has changed, appeared or gone.
pub fn supervisor<K: Resource>(queue: &Queue<Key>, object: &Arc<K>) {
    if let Some(cluster) = cluster_label(object.meta()) {
        queue.add(Key::Cluster(cluster.clone()));
        queue.add(Key::JobsOf(cluster));
    }
}

/// The cluster that an object's label names.
pub fn cluster_label(meta: &ObjectMeta) -> Option<String> {
    meta.labels.as_ref()?.get(labels::CLUSTER_NAME).cloned()
}

fn name(meta: &ObjectMeta) -> String {
    meta.name.clone().unwrap_or_default()
}
