//! What is known about a pod at the moment, and the status that follows from it.
//!
//! Pure but for the lock: containers write what happens to them, the status is computed from all of it.

use super::process::Exit;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    HostIP, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// What happened to the containers of a pod.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub init: Vec<ContainerStatus>,
    pub main: Vec<ContainerStatus>,
    pub started: Option<Time>,
    pub address: Option<Ipv4Addr>,
    pub host: Option<Ipv4Addr>,
    /// The pod is over although its containers did not say so.
    pub failure: Option<(&'static str, String)>,
}

/// The state, shared between the tasks of a pod.
pub(super) struct Board {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Board {
    pub fn new(state: State) -> Self {
        Board { state: Mutex::new(state), changed: watch::channel(()).0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn read(&self) -> State {
        self.lock().clone()
    }

    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }

    pub fn container(&self, name: &str, change: impl FnOnce(&mut ContainerStatus)) {
        self.update(|state| {
            if let Some(status) = state.init.iter_mut().chain(&mut state.main).find(|status| status.name == name) {
                change(status);
            }
        });
    }

    pub fn wait(&self, name: &str, reason: &str, message: Option<String>) {
        self.container(name, |status| {
            let state = status.state.take();
            // What ended remains to be seen while the next start is waited for.
            if state.as_ref().is_some_and(|state| state.terminated.is_some()) {
                status.last_state = state;
            }
            (status.ready, status.started) = (false, Some(false));
            status.state = Some(waiting(reason, message));
        });
    }
}

pub(super) fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

pub(super) fn running(since: Timestamp) -> ContainerState {
    ContainerState {
        running: Some(ContainerStateRunning { started_at: Some(Time(since)) }),
        ..ContainerState::default()
    }
}

/// How a container ended.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub exit: Exit,
    pub reason: &'static str,
    pub message: Option<String>,
    pub started: Option<Timestamp>,
    pub id: Option<String>,
}

pub(super) fn terminated(end: &End) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code: end.exit.code,
        signal: end.exit.signal,
        reason: Some(end.reason.to_owned()),
        message: end.message.clone().filter(|message| !message.is_empty()),
        started_at: end.started.map(Time),
        finished_at: Some(Time(Timestamp::now())),
        container_id: end.id.clone(),
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}

/// The statuses of a pod that has not started.
pub(super) fn fresh(spec: &PodSpec) -> (Vec<ContainerStatus>, Vec<ContainerStatus>) {
    let reason =
        if spec.init_containers.iter().flatten().next().is_some() { "PodInitializing" } else { "ContainerCreating" };
    let status = |container: &Container| ContainerStatus {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        started: Some(false),
        state: Some(waiting(reason, None)),
        ..ContainerStatus::default()
    };
    let init = spec.init_containers.iter().flatten().map(status).collect();
    (init, spec.containers.iter().map(status).collect())
}

/// Whether an init container runs beside the main ones.
pub(super) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn exit_code(status: &ContainerStatus) -> Option<i32> {
    status.state.as_ref()?.terminated.as_ref().map(|terminated| terminated.exit_code)
}

fn phase(spec: &PodSpec, state: &State) -> &'static str {
    if state.failure.is_some() {
        return "Failed";
    }
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let init = spec.init_containers.iter().flatten().zip(&state.init).filter(|(container, _)| !is_sidecar(container));
    if init.map(|(_, status)| exit_code(status)).any(|code| code.is_some_and(|code| code != 0) && policy == "Never") {
        return "Failed";
    }
    let started = |status: &ContainerStatus| {
        let state = status.state.as_ref();
        let ended = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
        status.restart_count > 0
            || ended
            || state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    };
    if !state.main.iter().all(started) {
        return "Pending";
    }
    let codes: Option<Vec<i32>> = state.main.iter().map(exit_code).collect();
    match codes {
        Some(codes) if codes.iter().all(|code| *code == 0) && policy != "Always" => "Succeeded",
        Some(_) if policy == "Never" => "Failed",
        _ => "Running",
    }
}

/// The status of the pod, with what others wrote into the old one.
pub(super) fn status(pod: &Pod, state: &State, now: Timestamp) -> PodStatus {
    let (spec, old) = (pod.spec.clone().unwrap_or_default(), pod.status.clone().unwrap_or_default());
    let phase = phase(&spec, state);
    let over = matches!(phase, "Succeeded" | "Failed");
    let initialized = spec.init_containers.iter().flatten().zip(&state.init).all(|(container, status)| {
        if is_sidecar(container) { status.started == Some(true) || over } else { exit_code(status) == Some(0) }
    });
    let unready: Vec<&str> =
        state.main.iter().filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    let ready = unready.is_empty() && initialized && !over;
    let why = match phase {
        "Succeeded" => Some(("PodCompleted", String::new())),
        "Failed" => Some(("PodFailed", String::new())),
        _ if ready => None,
        _ => Some(("ContainersNotReady", format!("containers with unready status: [{}]", unready.join(" ")))),
    };
    let incomplete =
        (!initialized).then(|| ("ContainersNotInitialized", "containers with incomplete status".to_owned()));
    let mut conditions = old.conditions.clone().unwrap_or_default();
    let mut set = |kind: &str, holds: bool, why: Option<&(&str, String)>| {
        let value = if holds { "True" } else { "False" };
        let known = conditions.iter().position(|condition| condition.type_ == kind);
        let since = known
            .map(|at| &conditions[at])
            .filter(|known| known.status == value)
            .and_then(|known| known.last_transition_time.clone());
        let condition = PodCondition {
            type_: kind.to_owned(),
            status: value.to_owned(),
            last_transition_time: since.or(Some(Time(now))),
            reason: why.map(|(reason, _)| (*reason).to_owned()),
            message: why.map(|(_, message)| message.clone()).filter(|message| !message.is_empty()),
            ..PodCondition::default()
        };
        match known {
            Some(at) => conditions[at] = condition,
            None => conditions.push(condition),
        }
    };
    if !old.conditions.iter().flatten().any(|condition| condition.type_ == "PodScheduled") {
        set("PodScheduled", true, None);
    }
    set("Initialized", initialized, incomplete.as_ref());
    set("ContainersReady", ready, why.as_ref());
    set("Ready", ready, why.as_ref());
    let address = state.address.map(|address| address.to_string());
    let host = state.host.map(|address| address.to_string());
    PodStatus {
        phase: Some(phase.to_owned()),
        conditions: Some(conditions),
        reason: state.failure.as_ref().map(|(reason, _)| (*reason).to_owned()),
        message: state.failure.as_ref().map(|(_, message)| message.clone()),
        start_time: state.started.clone(),
        pod_ips: address.clone().map(|ip| vec![PodIP { ip }]),
        pod_ip: address,
        host_ips: host.clone().map(|ip| vec![HostIP { ip }]),
        host_ip: host,
        qos_class: old.qos_class.or(Some("Burstable".to_owned())),
        init_container_statuses: Some(whole(&state.init)).filter(|statuses| !statuses.is_empty()),
        container_statuses: Some(whole(&state.main)),
        ..old
    }
}

/// Container statuses as an API server gives them back: with a last state, be it empty.
fn whole(statuses: &[ContainerStatus]) -> Vec<ContainerStatus> {
    let mut statuses = statuses.to_vec();
    for status in &mut statuses {
        status.last_state.get_or_insert_default();
    }
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(policy: &str) -> Pod {
        serde_json::from_value(json!({"spec": {
            "restartPolicy": policy,
            "initContainers": [{"name": "i"}],
            "containers": [{"name": "a"}, {"name": "b"}],
        }}))
        .unwrap()
    }

    fn end(code: i32) -> ContainerState {
        terminated(&End { exit: Exit { code, signal: None }, reason: "", message: None, started: None, id: None })
    }

    fn phase_of(policy: &str, init: ContainerState, main: [ContainerState; 2]) -> String {
        let pod = pod(policy);
        let (mut init_statuses, mut statuses) = fresh(pod.spec.as_ref().unwrap());
        init_statuses[0].state = Some(init);
        for (status, state) in statuses.iter_mut().zip(main) {
            status.ready = state.running.is_some();
            status.state = Some(state);
        }
        let state = State { init: init_statuses, main: statuses, ..State::default() };
        let status = status(&pod, &state, Timestamp::UNIX_EPOCH);
        let ready =
            status.conditions.unwrap().iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        format!("{} {ready}", status.phase.unwrap())
    }

    #[test]
    fn phases_follow_from_containers() {
        let (up, wait) = (|| running(Timestamp::UNIX_EPOCH), || waiting("ContainerCreating", None));
        let cases = [
            ("Always", wait(), [wait(), wait()], "Pending false"),
            ("Never", end(1), [wait(), wait()], "Failed false"),
            ("OnFailure", end(1), [wait(), wait()], "Pending false"),
            ("Always", end(0), [up(), wait()], "Pending false"),
            ("Always", end(0), [up(), up()], "Running true"),
            ("Never", end(0), [up(), end(1)], "Running false"),
            ("Never", end(0), [end(0), end(1)], "Failed false"),
            ("Never", end(0), [end(0), end(0)], "Succeeded false"),
            ("OnFailure", end(0), [end(0), end(0)], "Succeeded false"),
            ("OnFailure", end(0), [end(0), end(1)], "Running false"),
            ("Always", end(0), [end(0), end(0)], "Running false"),
        ];
        for (policy, init, main, expected) in cases {
            assert_eq!(phase_of(policy, init, main.clone()), expected, "{policy} {main:?}");
        }
    }

    #[test]
    fn conditions_keep_their_time_and_those_of_others_stay() {
        let mut pod = pod("Always");
        let (_, main) = fresh(pod.spec.as_ref().unwrap());
        pod.status = serde_json::from_value(json!({"conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"},
            {"type": "Ready", "status": "False", "lastTransitionTime": "2020-01-01T00:00:00Z"},
            {"type": "example.org/gate", "status": "True"},
        ]}))
        .unwrap();
        let conditions = status(&pod, &State { main, ..State::default() }, Timestamp::UNIX_EPOCH).conditions.unwrap();
        let time = |kind: &str| {
            conditions
                .iter()
                .find(|condition| condition.type_ == kind)
                .unwrap()
                .last_transition_time
                .clone()
                .map(|time| time.0.to_string())
        };
        assert_eq!(time("PodScheduled").as_deref(), Some("2020-01-01T00:00:00Z"));
        assert_eq!(time("Ready").as_deref(), Some("2020-01-01T00:00:00Z"));
        assert_eq!(time("ContainersReady").as_deref(), Some("1970-01-01T00:00:00Z"));
        assert_eq!(time("example.org/gate"), None);
    }

    #[test]
    fn a_container_that_waits_again_shows_how_it_ended() {
        let pod = pod("Always");
        let (init, main) = fresh(pod.spec.as_ref().unwrap());
        let board = Board::new(State { init, main, ..State::default() });
        board.container("a", |status| status.state = Some(end(3)));
        board.wait("a", "CrashLoopBackOff", None);
        let status = board.read().main[0].clone();
        assert_eq!(status.last_state.unwrap().terminated.unwrap().exit_code, 3);
        assert_eq!(status.state.unwrap().waiting.unwrap().reason.as_deref(), Some("CrashLoopBackOff"));
    }
}
