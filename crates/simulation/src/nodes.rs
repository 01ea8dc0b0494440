//! Nodes and built-in controllers: pods start and end, Jobs and Deployments get their pods, orphans are collected.

use std::collections::BTreeMap;
use std::time::Duration;

use api::labels;
use serde_json::{Value, json};

use crate::objects::{Kind, Object, Pod, Stage, controller, label, role};
use crate::server::Follow;
use crate::world::{Event, World};

/// What the nodes know.
#[derive(Debug, Default)]
pub struct Nodes {
    /// How much longer pods take to start and to end.
    pub slow: Duration,
    addresses: u32,
}

impl Nodes {
    pub fn delay(&self, follow: &Follow, pause: Duration) -> Duration {
        let pod = matches!(follow, Follow::Ending { .. } | Follow::Started { kind: Kind::Pod, .. });
        if pod { pause + self.slow } else { pause }
    }
}

impl World {
    pub(crate) fn follow(&mut self, follow: &Follow) {
        match follow {
            Follow::Started { kind: Kind::Pod, name, uid } => self.pod_starts(name, uid),
            Follow::Started { kind: Kind::Bootstrap | Kind::Supervisor, name, uid } => self.owner_starts(name, uid),
            Follow::Started { .. } => {}
            Follow::Silent { name, uid } => {
                let mut state = self.state.borrow_mut();
                let silent = state.server.silent.contains_key(uid);
                state.server.silence(name, uid, silent);
            }
            // Nobody is there who would end it.
            Follow::Ending { uid, .. } if self.state.borrow().server.silent.get(uid) == Some(&false) => {}
            Follow::Ending { name, uid } => {
                self.end_process(uid);
                let mut state = self.state.borrow_mut();
                let pod = state.server.by_uid(uid).cloned();
                state.server.remove(Kind::Pod, name, uid);
                // A Deployment makes another one.
                let owner = pod.and_then(|pod| state.server.by_uid(controller(pod.meta())?).cloned());
                if let Some(owner) = owner.filter(|owner| owner.kind() == Kind::Supervisor) {
                    let (name, uid) = (owner.meta().name.clone(), owner.meta().uid.clone());
                    let (name, uid) = (name.unwrap_or_default(), uid.unwrap_or_default());
                    state.server.follows.push(Follow::Started { kind: Kind::Supervisor, name, uid });
                }
            }
            Follow::Orphans { uid } => self.collect(uid),
        }
        self.state.borrow_mut().check_pods();
    }

    fn pod(&self, name: &str, uid: &str) -> Option<Pod> {
        let state = self.state.borrow();
        let pod = state.server.get(Kind::Pod, name)?.pod()?;
        (pod.metadata.uid.as_deref() == Some(uid)).then(|| pod.clone())
    }

    fn pod_starts(&mut self, name: &str, uid: &str) {
        let Some(pod) = self.pod(name, uid) else { return };
        if pod.metadata.deletion_timestamp.is_some() || pod.stage != Stage::Pending {
            return;
        }
        let address = self.free_address();
        let mut state = self.state.borrow_mut();
        state.server.pod(name, uid, Stage::Running, Some(address.clone()));
        let (now, cluster) = (state.server.time(), label(&pod.metadata, labels::CLUSTER_NAME).unwrap_or_default());
        let spec = state.server.get(Kind::Cluster, cluster).and_then(Object::cluster).map(|found| found.spec.clone());
        state.tell(|| format!("pod {name} runs at {address}"));
        match (role(&pod.metadata), spec) {
            ("jobmanager", Some(spec)) => {
                let mut config: BTreeMap<String, String> =
                    manifests::DEFAULTS.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
                config.extend(spec.flink_configuration());
                state.flink.start_job_manager(uid, cluster, config, now);
            }
            ("taskmanager", Some(spec)) => {
                state.flink.start_task_manager(uid, cluster, &address, spec.task_manager.slots(), now);
            }
            ("bootstrap", _) => {
                drop(state);
                self.start_bootstrap(name, uid, &pod.args);
            }
            ("supervisor", _) => {
                drop(state);
                self.start_supervisor(cluster, Some(uid.to_owned()));
            }
            _ => {}
        }
    }

    /// The lowest address that no pod has: addresses come back soon.
    fn free_address(&mut self) -> String {
        let state = self.state.borrow();
        let taken: Vec<&str> =
            state.server.all(Kind::Pod).filter_map(|object| object.pod()?.address.as_deref()).collect();
        let free = (2..u32::MAX).map(|number| format!("10.0.0.{number}")).find(|one| !taken.contains(&one.as_str()));
        self.nodes.addresses += 1;
        free.expect("there are enough")
    }

    /// The pod of a Job or Deployment.
    fn owner_starts(&mut self, name: &str, uid: &str) {
        let mut state = self.state.borrow_mut();
        let Some(Object::Plain(owner)) = state.server.by_uid(uid).cloned() else { return };
        if owner.metadata.deletion_timestamp.is_some() {
            return;
        }
        let template = &owner.manifest["spec"]["template"];
        let suffix: String = state.server.log.len().to_string();
        let kind = if owner.kind == Kind::Bootstrap { "Job" } else { "ReplicaSet" };
        let manifest: Value = json!({
            "metadata": {
                "name": format!("{name}-{suffix}"), "labels": template["metadata"]["labels"],
                "ownerReferences": [{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid, "controller": true}],
            },
            "spec": template["spec"],
        });
        let _ = state.server.create(Kind::Pod, &manifest);
    }

    /// The process of a pod ends, without a word.
    pub(crate) fn end_process(&mut self, uid: &str) {
        self.bootstraps.retain(|bootstrap| bootstrap.pod.1 != uid);
        self.supervisors.retain(|supervisor| supervisor.pod.as_deref() != Some(uid));
        let mut state = self.state.borrow_mut();
        let now = state.server.time();
        state.flink.end_job_manager(uid, now);
        state.flink.end_task_manager(uid, now);
    }

    /// The process of a pod ends with this code.
    pub(crate) fn ended(&mut self, name: &str, uid: &str, code: i32, message: Option<String>) {
        self.end_process(uid);
        let mut state = self.state.borrow_mut();
        state.tell(|| format!("pod {name} ends with code {code} {}", message.as_deref().unwrap_or_default()));
        state.server.pod(name, uid, Stage::Over { code, message }, None);
    }

    /// The node of a pod with that role does not answer any more: the processes on it have died, or live on.
    pub(crate) fn lose_node(&mut self, wanted: &str, dies: bool) {
        let state = self.state.borrow();
        let runs = |pod: &&Pod| role(&pod.metadata) == wanted && pod.stage == Stage::Running && !pod.silent;
        let found = state.server.all(Kind::Pod).filter_map(Object::pod).find(runs).map(|pod| pod.metadata.clone());
        drop(state);
        let Some(meta) = found else { return };
        let (name, uid) = (meta.name.unwrap_or_default(), meta.uid.unwrap_or_default());
        if dies {
            self.end_process(&uid);
        }
        let mut state = self.state.borrow_mut();
        state.tell(|| format!("the node of {name} does not answer any more"));
        let now = state.server.time();
        // A JobManager that reaches nobody cannot renew its lease.
        state.flink.isolate_job_manager(&uid, now);
        state.server.silent.insert(uid.clone(), false);
        drop(state);
        self.after(Duration::from_secs(40), Event::Follow(Follow::Silent { name, uid }));
    }

    /// Nodes that do not answer are off for good.
    pub(crate) fn nodes_out(&mut self) {
        let uids: Vec<String> = self.state.borrow().server.silent.keys().cloned().collect();
        for uid in uids {
            self.end_process(&uid);
            let mut state = self.state.borrow_mut();
            state.tell(|| format!("the node of {uid} is out of service"));
            state.server.silent.insert(uid.clone(), true);
            let pod = state.server.by_uid(&uid).and_then(|pod| pod.meta().name.clone());
            drop(state);
            // Kubernetes gives such pods up after a while.
            if let Some(name) = pod {
                self.after(Duration::from_secs(30), Event::Follow(Follow::Ending { name, uid }));
            }
        }
    }

    /// All nodes answer again: what was deleted meanwhile ends, what has died is seen to have.
    pub(crate) fn nodes_back(&mut self) {
        let lost = std::mem::take(&mut self.state.borrow_mut().server.silent);
        for uid in lost.into_keys() {
            let state = self.state.borrow();
            let Some(pod) = state.server.by_uid(&uid).and_then(Object::pod).cloned() else { continue };
            let lives = state.flink.is_process_alive(&uid);
            drop(state);
            let name = pod.metadata.name.unwrap_or_default();
            self.state.borrow_mut().server.returned.insert(uid.clone());
            self.state.borrow_mut().server.silence(&name, &uid, false);
            if pod.metadata.deletion_timestamp.is_some() {
                self.after(Duration::from_millis(300), Event::Follow(Follow::Ending { name, uid }));
            } else if !lives {
                self.ended(&name, &uid, 137, None);
            }
        }
    }

    /// Deletes what belonged to an owner that is gone.
    fn collect(&mut self, owner: &str) {
        let mut state = self.state.borrow_mut();
        if state.server.by_uid(owner).is_some() {
            return;
        }
        let owned = |object: &&Object| object.meta().owner_references.iter().flatten().any(|one| one.uid == owner);
        let orphans: Vec<(Kind, String)> = state
            .server
            .objects
            .values()
            .filter(owned)
            .map(|object| (object.kind(), object.meta().name.clone().unwrap_or_default()))
            .collect();
        for (kind, name) in orphans {
            let _ = state.server.delete(kind, &name, None);
        }
    }
}
