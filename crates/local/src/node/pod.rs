//! One pod, from the moment the control plane gives it to this node until it is deleted.
//!
//! Invariant: the pod object is deleted for good only when no process of it is left.

use super::Machine;
use super::board::{self, Board, End, State, is_sidecar};
use super::container::{Outcome, Runner, Stop};
use super::process::{self, Exit};
use super::sandbox::{self, Sandbox, Supplies};
use super::{ports, reporting, supply};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest time that pods get when the node ends.
const SHUTDOWN: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// A pod as the node holds it.
pub(super) struct Handle {
    pub updates: watch::Sender<Arc<Pod>>,
    /// Cancelled when the object is gone from the control plane.
    pub gone: CancellationToken,
    pub task: tokio::task::JoinHandle<()>,
}

pub(super) fn start(machine: &Arc<Machine>, pod: Pod) -> Handle {
    let (updates, receiver) = watch::channel(Arc::new(pod));
    let gone = CancellationToken::new();
    let task = tokio::spawn(run(Arc::clone(machine), receiver, gone.clone()));
    Handle { updates, gone, task }
}

async fn run(machine: Arc<Machine>, mut updates: watch::Receiver<Arc<Pod>>, gone: CancellationToken) {
    let pod = updates.borrow_and_update().as_ref().clone();
    let directory = sandbox::directory(&machine.data, &pod);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    if !matches!(phase, "Succeeded" | "Failed") {
        let Some(address) = machine.addresses.take() else {
            machine.recorder.pod(&pod, None).warning("FailedCreatePodSandBox", "all addresses of the node are in use");
            return;
        };
        let state = initial(&machine, &pod, address);
        let sandbox = Arc::new(Sandbox {
            machine: Arc::clone(&machine),
            directory: directory.clone(),
            address,
            board: Board::new(state),
            pod,
        });
        live(&sandbox, &updates, &gone).await;
        machine.addresses.give_back(address);
    }
    // What the pod leaves behind, its logs above all, stays as long as its object.
    let deleted = tokio::select! {
        _ = updates.wait_for(|pod| pod.metadata.deletion_timestamp.is_some()) => true,
        () = gone.cancelled() => true,
        () = machine.shutdown.cancelled() => false,
    };
    if deleted {
        let pod = updates.borrow().as_ref().clone();
        if !gone.is_cancelled() {
            reporting::delete(&machine, &pod, &gone).await;
        }
        if let Err(error) = tokio::fs::remove_dir_all(&directory).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %directory.display(), error = kit::chain(&error), "a pod's files remain");
        }
    }
}

/// The state from which the pod goes on. Containers that an earlier life of the node had started are gone by now.
fn initial(machine: &Machine, pod: &Pod, address: std::net::Ipv4Addr) -> State {
    let spec = pod.spec.clone().unwrap_or_default();
    let (init, mut main) = board::fresh(&spec);
    let old = pod.status.as_ref();
    let earlier = old.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    let mut failure = None;
    for known in earlier {
        let Some(status) = main.iter_mut().find(|status| status.name == known.name) else { continue };
        let was_up = known.state.as_ref().is_some_and(|state| state.running.is_some());
        if was_up || known.restart_count > 0 || known.last_state.is_some() {
            lost(status, known, was_up);
        }
        if was_up && spec.restart_policy.as_deref() == Some("Never") {
            failure = Some(("NodeRestart", "the node was restarted while the pod ran".to_owned()));
        }
        if let Some(state) = known.state.as_ref().filter(|state| state.terminated.is_some()) {
            status.state = Some(state.clone());
            status.restart_count = known.restart_count;
        }
    }
    let started = old.and_then(|status| status.start_time.clone()).unwrap_or(Time(Timestamp::now()));
    State { init, main, started: Some(started), address: Some(address), host: Some(machine.address()), failure }
}

fn lost(status: &mut ContainerStatus, known: &ContainerStatus, was_up: bool) {
    status.restart_count = known.restart_count;
    status.last_state.clone_from(&known.last_state);
    if was_up {
        let end = End {
            exit: Exit::KILLED,
            reason: "ContainerStatusUnknown",
            message: Some("the node was restarted, the container did not survive it".to_owned()),
            started: known.state.as_ref().and_then(|state| Some(state.running.as_ref()?.started_at.as_ref()?.0)),
            id: known.container_id.clone(),
        };
        status.state = Some(board::terminated(&end));
    }
}

/// Runs the containers and keeps the status up to date, until the pod is over or shall end.
async fn live(sandbox: &Arc<Sandbox>, updates: &watch::Receiver<Arc<Pod>>, gone: &CancellationToken) {
    let (stop, stopped) = watch::channel::<Stop>(None);
    let finished = CancellationToken::new();
    // Before the address may be given to another pod, nobody is connected with it any more.
    let _reachable = sandbox.machine.running.enter_pod(sandbox.pod.uid().unwrap_or_default(), sandbox.address);
    let reporter = tokio::spawn(reporting::run(Arc::clone(sandbox), updates.clone(), finished.clone()));
    if sandbox.board.read().failure.is_none() {
        let work = contain(sandbox, updates, stopped);
        tokio::pin!(work);
        let orders = give_orders(sandbox, updates.clone(), gone, &stop);
        tokio::select! {
            () = &mut work => {}
            () = orders => work.await,
        }
    }
    finished.cancel();
    if let Err(error) = reporter.await {
        tracing::error!(error = kit::chain(&error), pod = sandbox.name(), "the reporter of a pod failed");
    }
    sandbox.machine.services.endpoint(&sandbox.pod.uid().unwrap_or_default(), None);
}

/// Passes on until when the containers may run.
async fn give_orders(
    sandbox: &Sandbox,
    mut updates: watch::Receiver<Arc<Pod>>,
    gone: &CancellationToken,
    stop: &watch::Sender<Stop>,
) {
    let spec_grace = sandbox.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let grace = |pod: &Pod| {
        Duration::from_secs(pod.metadata.deletion_grace_period_seconds.or(spec_grace).unwrap_or(30).unsigned_abs())
    };
    let since = async {
        let _ = updates.wait_for(|pod| pod.metadata.deletion_timestamp.is_some()).await;
        Instant::now()
    };
    let since = tokio::select! {
        since = since => since,
        // Nobody waits politely for a pod that does not exist any more: another may have its name already.
        () = gone.cancelled() => {
            stop.send_replace(Some(Instant::now()));
            return;
        }
        () = sandbox.machine.shutdown.cancelled() => Instant::now(),
    };
    loop {
        // A second request, or the end of the node, may shorten the time.
        let shutdown = sandbox.machine.shutdown.is_cancelled();
        let deadline = since + grace(&updates.borrow_and_update());
        stop.send_replace(Some(if shutdown { deadline.min(Instant::now() + SHUTDOWN) } else { deadline }));
        tokio::select! {
            changed = updates.changed() => if changed.is_err() { return },
            () = sandbox.machine.shutdown.cancelled(), if !shutdown => {}
            () = gone.cancelled() => {
                stop.send_replace(Some(Instant::now()));
                return;
            }
        }
    }
}

/// Prepares the pod and runs its containers until all have ended for good.
async fn contain(sandbox: &Arc<Sandbox>, updates: &watch::Receiver<Arc<Pod>>, stop: watch::Receiver<Stop>) {
    let mut ended = stop.clone();
    let supplies = tokio::select! {
        supplies = prepare(sandbox) => Arc::new(supplies),
        _ = ended.wait_for(Option::is_some) => return,
    };
    let spec = sandbox.pod.spec.clone().unwrap_or_default();
    let runner = |container: &Container, init| Runner {
        sandbox: Arc::clone(sandbox),
        supplies: Arc::clone(&supplies),
        container: container.clone(),
        init,
        stop: stop.clone(),
        pod: updates.clone(),
    };
    let mut sidecars = JoinSet::new();
    let sidecar_stop = watch::channel::<Stop>(None).0;
    for container in spec.init_containers.iter().flatten() {
        let runner = runner(container, true);
        if is_sidecar(container) {
            sidecars.spawn(Runner { stop: sidecar_stop.subscribe(), ..runner }.run());
            started(sandbox, &container.name, stop.clone()).await;
        } else if !matches!(runner.run().await, Outcome::Ended(exit) if exit.code == 0) {
            end_sidecars(&sidecar_stop, sidecars, &stop).await;
            return;
        }
        if stop.borrow().is_some() {
            end_sidecars(&sidecar_stop, sidecars, &stop).await;
            return;
        }
    }
    let mut main = JoinSet::new();
    for container in containers_to_run(&spec, &sandbox.board.read()) {
        main.spawn(runner(container, false).run());
    }
    while main.join_next().await.is_some() {}
    end_sidecars(&sidecar_stop, sidecars, &stop).await;
}

/// All that did not end for good in an earlier life of the node.
fn containers_to_run<'a>(spec: &'a PodSpec, state: &State) -> Vec<&'a Container> {
    let policy = spec.restart_policy.as_deref().unwrap_or("Always");
    let done = |container: &&Container| {
        let status = state.main.iter().find(|status| status.name == container.name);
        let code = status.and_then(|status| Some(status.state.as_ref()?.terminated.as_ref()?.exit_code));
        matches!((policy, code), ("Never", Some(_)) | ("OnFailure", Some(0)))
    };
    spec.containers.iter().filter(|container| !done(container)).collect()
}

async fn started(sandbox: &Sandbox, name: &str, mut stop: watch::Receiver<Stop>) {
    let mut changes = sandbox.board.changes();
    loop {
        let up = sandbox.board.read().init.iter().any(|status| status.name == name && status.started == Some(true));
        if up || stop.borrow().is_some() {
            return;
        }
        tokio::select! {
            news = changes.changed() => if news.is_err() { return },
            news = stop.changed() => if news.is_err() { return },
        }
    }
}

/// Side containers end after the others.
async fn end_sidecars(order: &watch::Sender<Stop>, mut sidecars: JoinSet<Outcome>, stop: &watch::Receiver<Stop>) {
    order.send_replace(Some(stop.borrow().unwrap_or_else(|| Instant::now() + SHUTDOWN)));
    while sidecars.join_next().await.is_some() {}
}

/// Tries until everything is there that the containers need.
async fn prepare(sandbox: &Arc<Sandbox>) -> Supplies {
    let recorder = &sandbox.machine.recorder;
    if let Some(user) = foreign_user(&sandbox.pod) {
        let message = format!("runAsUser {user} is ignored, containers run as the user of the node");
        recorder.pod(&sandbox.pod, None).normal("UserIgnored", message);
    }
    loop {
        let declared = sandbox
            .pod
            .spec
            .iter()
            .flat_map(|spec| &spec.containers)
            .flat_map(|container| container.ports.iter().flatten());
        let numbers = declared.filter_map(|port| u16::try_from(port.container_port).ok());
        if let Some(blocker) = ports::blocked(numbers) {
            let message = format!(
                "{blocker}, so the pod cannot have it at {}; end that process or let it listen on 127.0.0.1 alone",
                sandbox.address
            );
            recorder.pod(&sandbox.pod, None).warning("PortInUse", message);
        } else {
            match supply::fetch(sandbox).await {
                Ok(supplies) => return supplies,
                Err(error) => recorder.pod(&sandbox.pod, None).warning("FailedMount", error.to_string()),
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// A user that the pod asks for and does not get.
fn foreign_user(pod: &Pod) -> Option<i64> {
    let spec = pod.spec.as_ref()?;
    let of_pod = spec.security_context.as_ref().and_then(|context| context.run_as_user);
    let of_containers = spec.containers.iter().filter_map(|container| container.security_context.as_ref()?.run_as_user);
    let own = i64::from(nix::unistd::geteuid().as_raw());
    of_containers.chain(of_pod).find(|user| *user != own)
}

/// Kills what an earlier life of the node left running, and removes the files of pods that are not `known` any more.
pub(super) fn clean(data: &std::path::Path, known: impl Fn(&str) -> bool) {
    for pod in fs::read_dir(data.join("pods")).into_iter().flatten().flatten() {
        for container in fs::read_dir(pod.path()).into_iter().flatten().flatten() {
            process::kill_leftover(&container.path().join("process.json"));
        }
        let name = pod.file_name();
        let uid = name.to_str().and_then(|name| name.rsplit('_').next()).unwrap_or_default();
        if !known(uid) {
            let _ = fs::remove_dir_all(pod.path());
        }
    }
}
