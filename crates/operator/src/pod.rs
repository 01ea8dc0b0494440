//! What the status of a supervisor's Deployment and pods says of why it does not work.
//!
//! A supervisor that lacks a right can write nothing; it ends with a message, which Kubernetes keeps in the pod's status.

use serde::Deserialize;

/// What a pod's status says of its containers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodState {
    conditions: Vec<Condition>,
    container_statuses: Vec<Container>,
}

/// What the status of a Deployment says of its pods.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeploymentState {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    ready: bool,
    state: ContainerState,
    last_state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    waiting: Option<Waiting>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
    message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    exit_code: i32,
    reason: String,
    message: String,
}

/// Why no supervisor of a cluster works, as far as its pods and its Deployment say. One that works does so beside others that do not.
pub fn trouble<'a>(
    pods: impl Iterator<Item = (&'a str, &'a PodState)>,
    deployment: Option<(&str, &DeploymentState)>,
) -> Option<String> {
    let pods: Vec<_> = pods.collect();
    if pods.iter().any(|(_, pod)| pod.ready()) {
        return None;
    }
    let refused = || {
        let (name, deployment) = deployment.filter(|_| pods.is_empty())?;
        Some(format!("Deployment {name}: {}", deployment.refused()?))
    };
    pods.iter().find_map(|(name, pod)| Some(format!("pod {name}: {}", pod.trouble()?))).or_else(refused)
}

/// Reasons of a waiting container that are no trouble.
const ORDINARY: [&str; 3] = ["", "ContainerCreating", "PodInitializing"];

impl PodState {
    /// All containers do their work.
    pub fn ready(&self) -> bool {
        !self.container_statuses.is_empty() && self.container_statuses.iter().all(|container| container.ready)
    }

    /// Why a container does not run. One that runs and is not ready yet has no trouble: it may be about to tell itself.
    pub fn trouble(&self) -> Option<String> {
        self.container_statuses.iter().find_map(Container::trouble).or_else(|| self.unplaced())
    }

    fn unplaced(&self) -> Option<String> {
        let condition = self.conditions.iter().find(|condition| {
            condition.type_ == "PodScheduled" && condition.status == "False" && condition.reason == "Unschedulable"
        })?;
        Some(format!("Unschedulable: {}", condition.message))
    }
}

impl DeploymentState {
    /// Why its pods cannot be created.
    pub fn refused(&self) -> Option<String> {
        let failed = |condition: &&Condition| condition.type_ == "ReplicaFailure" && condition.status == "True";
        self.conditions.iter().find(failed).map(|condition| condition.message.clone())
    }
}

impl Container {
    fn trouble(&self) -> Option<String> {
        let last = self.state.terminated.as_ref().or(self.last_state.terminated.as_ref());
        let ended = last.filter(|last| last.exit_code != 0).map(Terminated::words);
        match &self.state {
            ContainerState { waiting: Some(waiting), .. } if !ORDINARY.contains(&waiting.reason.as_str()) => {
                Some(ended.unwrap_or_else(|| format!("{}: {}", waiting.reason, waiting.message)))
            }
            ContainerState { terminated: Some(_), .. } => ended,
            ContainerState { .. } => None,
        }
    }
}

impl Terminated {
    fn words(&self) -> String {
        let said = self.message.trim();
        // What a supervisor says itself is one line; anything else is the end of its log.
        let words = if said.lines().count() > 1 { flink::last_words(said) } else { Some(said.to_owned()) };
        let words = words.filter(|words| !words.is_empty()).map(|words| format!(": {words}")).unwrap_or_default();
        let reason = Some(self.reason.as_str()).filter(|reason| !reason.is_empty()).unwrap_or("Error");
        format!("it ended with exit code {} ({reason}){words}", self.exit_code)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{DeploymentState, PodState};

    fn read(container: &Value) -> PodState {
        serde_json::from_value(json!({"phase": "Pending", "containerStatuses": [container]})).unwrap()
    }

    #[test]
    fn a_container_that_cannot_start_is_trouble() {
        let trouble = |state: Value| read(&json!({"name": "supervisor", "state": state})).trouble();
        assert_eq!(trouble(json!({"waiting": {"reason": "ContainerCreating"}})), None);
        assert_eq!(trouble(json!({"running": {"startedAt": "2026-01-01T00:00:00Z"}})), None);
        let pull = trouble(json!({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}));
        assert_eq!(pull.as_deref(), Some("ErrImagePull: no such image"));
    }

    #[test]
    fn the_last_words_of_a_supervisor_are_kept_while_it_is_restarted() {
        let last = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": "its service account lacks a right: watch pods"}});
        let said = Some("it ended with exit code 1 (Error): its service account lacks a right: watch pods");
        let looping = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        assert_eq!(read(&json!({"state": last})).trouble().as_deref(), said);
        assert_eq!(read(&json!({"state": looping, "lastState": last})).trouble().as_deref(), said);
        let again = json!({"state": {"running": {}}, "lastState": last});
        assert_eq!(read(&again).trouble(), None, "it may be mended by now");
    }

    #[test]
    fn a_pod_that_is_not_placed_or_not_made_says_why() {
        let pod: PodState = serde_json::from_value(json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"},
        ]}))
        .unwrap();
        assert_eq!((pod.ready(), pod.trouble().as_deref()), (false, Some("Unschedulable: no node")));
        let deployment: DeploymentState = serde_json::from_value(json!({"conditions": [
            {"type": "Available", "status": "False"},
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
        ]}))
        .unwrap();
        assert_eq!(deployment.refused().as_deref(), Some("exceeded quota"));
    }
}
