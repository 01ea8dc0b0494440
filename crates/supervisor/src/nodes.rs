//! Pods on nodes that do not answer: which they are, and for how long that has been so.
//!
//! What counts is what stands on the pod itself; the node is read only where that is allowed. Time is counted by the monotonic clock, from
//! what this process has seen: a clock that jumps gives no pod up, and another supervisor begins to count anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use kit::Kubernetes;
use lifecycle::cluster::{Node, PodView};

use crate::caches::PodObject;
use crate::edge::Edge;

/// A pod that is deleted is gone after its grace period, unless nobody carries the deletion out.
const OVERDUE: Duration = Duration::from_secs(60);
/// Between two looks at a node.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is known of the nodes of pods. All times are monotonic.
#[derive(Default)]
pub struct Nodes {
    /// Since when a pod is being deleted, by its uid.
    deleted: HashMap<String, Duration>,
    /// Since when the node of a pod is silent, by the pod's uid.
    silent: HashMap<String, Duration>,
    /// When a node was last looked at, and whether it was out then.
    looked: HashMap<String, (Duration, bool)>,
    refused: bool,
    now: Duration,
}

impl Nodes {
    /// Takes in what the pods say, and looks at nodes that seem to be lost.
    pub async fn look<E: Edge>(&mut self, edge: &E, pods: &[Arc<PodObject>]) {
        self.now = edge.clock().monotonic();
        let now = self.now;
        let is_there = |uid: &String| pods.iter().any(|pod| pod.metadata.uid.as_ref() == Some(uid));
        self.deleted.retain(|uid, _| is_there(uid));
        self.silent.retain(|uid, _| is_there(uid));
        let mut suspected = Vec::new();
        for pod in pods {
            let Some(uid) = &pod.metadata.uid else { continue };
            let mut overdue = false;
            if pod.metadata.deletion_timestamp.is_some() {
                let since = *self.deleted.entry(uid.clone()).or_insert(now);
                overdue = now.saturating_sub(since) >= OVERDUE;
            }
            if overdue || says_lost(pod) {
                self.silent.entry(uid.clone()).or_insert(now);
                suspected.extend(pod.spec.node_name.clone());
            } else {
                self.silent.remove(uid);
            }
        }
        suspected.sort_unstable();
        suspected.dedup();
        self.looked.retain(|node, _| suspected.contains(node));
        for node in suspected {
            self.look_at(edge, node).await;
        }
    }

    async fn look_at<E: Edge>(&mut self, edge: &E, node: String) {
        let recent = self.looked.get(&node).is_some_and(|(at, _)| self.now.saturating_sub(*at) < LOOK_EVERY);
        if self.refused || recent {
            return;
        }
        match edge.kubernetes().is_node_out(&node).await {
            Ok(Some(out)) => _ = self.looked.insert(node, (self.now, out)),
            Ok(None) => {
                self.refused = true;
                tracing::info!(node, "nodes may not be read: whether one is out of service is not known");
            }
            Err(error) => {
                self.looked.insert(node.clone(), (self.now, false));
                tracing::debug!(node, error = kit::chain(&error), "the node could not be read");
            }
        }
    }

    /// What is known of the node of a pod.
    pub fn of(&self, pod: &PodObject) -> Node {
        let Some(since) = pod.metadata.uid.as_ref().and_then(|uid| self.silent.get(uid)) else { return Node::Fine };
        let out = pod.spec.node_name.as_ref().and_then(|node| self.looked.get(node)).is_some_and(|(_, out)| *out);
        if out {
            return Node::Gone;
        }
        let lasts = SignedDuration::try_from(self.now.saturating_sub(*since)).unwrap_or(SignedDuration::MAX);
        Node::Silent { lasts }
    }

    /// Adds to the views of pods what is known of their nodes.
    pub fn place(&self, views: &mut [PodView], pods: &[Arc<PodObject>]) {
        for view in views {
            if let Some(pod) = pods.iter().find(|pod| pod.metadata.uid.as_ref() == Some(&view.uid)) {
                view.node = self.of(pod);
            }
        }
    }
}

/// Whether Kubernetes has written on the pod that its node does not answer.
fn says_lost(pod: &PodObject) -> bool {
    const REASONS: [&str; 4] = ["NodeLost", "NodeNotReady", "NodeUnreachable", "NodeStatusUnknown"];
    let is = |reason: &Option<String>| reason.as_deref().is_some_and(|reason| REASONS.contains(&reason));
    is(&pod.status.reason)
        || pod.status.conditions.iter().any(|condition| match condition.type_.as_str() {
            "Ready" => condition.status != "True" && is(&condition.reason),
            "DisruptionTarget" => {
                condition.status == "True"
                    && condition.reason.as_deref() == Some("DeletionByTaintManager")
                    && pod.metadata.deletion_timestamp.is_some()
            }
            _ => false,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::says_lost;
    use crate::caches::PodObject;

    fn pod(deleting: bool, status: &Value) -> PodObject {
        let deletion = deleting.then_some("2026-01-01T00:00:00Z");
        let metadata = json!({"name": "p", "uid": "p", "deletionTimestamp": deletion});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"nodeName": "n"}, "status": status})).unwrap()
    }

    #[test]
    fn a_pod_tells_that_its_node_is_lost() {
        let condition = |type_: &str, status: &str, reason: &str| json!({"conditions": [{"type": type_, "status": status, "reason": reason}]});
        assert!(!says_lost(&pod(true, &json!({"phase": "Running"}))), "it is only being deleted");
        assert!(says_lost(&pod(false, &json!({"phase": "Running", "reason": "NodeLost"}))));
        assert!(says_lost(&pod(false, &condition("Ready", "False", "NodeNotReady"))));
        assert!(!says_lost(&pod(false, &condition("Ready", "False", "ContainersNotReady"))));
        assert!(says_lost(&pod(true, &condition("DisruptionTarget", "True", "DeletionByTaintManager"))));
        assert!(
            !says_lost(&pod(true, &condition("DisruptionTarget", "True", "PreemptionByScheduler"))),
            "its kubelet answers"
        );
    }
}
