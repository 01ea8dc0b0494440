//! The end of a container on request: its hook, a polite signal, and time.

use super::process::Identity;
use super::sandbox::Sandbox;
use crate::shim::{Order, Place};
use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Probe};
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One life of a container, from start to end.
#[derive(Clone)]
pub(super) struct Life {
    pub sandbox: Arc<Sandbox>,
    pub container: Container,
    pub process: Identity,
    pub order: Order,
}

/// Runs the hook, asks the processes to end, and returns at the deadline: what is left then has to be killed.
pub(super) async fn gently(life: Life, hook: Option<LifecycleHandler>, deadline: Instant) {
    if let Some(hook) = hook {
        let _ = tokio::time::timeout_at(deadline, run_hook(&life, hook)).await;
    }
    life.process.signal(Signal::SIGTERM);
    tokio::time::sleep_until(deadline).await;
}

async fn run_hook(life: &Life, hook: LifecycleHandler) {
    if let Some(seconds) = hook.sleep.map(|sleep| sleep.seconds) {
        tokio::time::sleep(Duration::from_secs(seconds.unsigned_abs())).await;
    } else if let Some(command) = hook.exec.and_then(|exec| exec.command) {
        let _ = execute(life, command).await;
    } else {
        let question = Probe { http_get: hook.http_get, tcp_socket: hook.tcp_socket, ..Probe::default() };
        let _ = super::probe::ask(&question, &life.container, life.sandbox.address).await;
    }
}

/// The order for a command inside the container.
pub(super) fn inside(life: &Life, command: Vec<String>) -> Order {
    let place = match &life.order.place {
        Place::Root(root) => Place::Container { process: life.process.id, user_namespace: root.user_namespace },
        place => place.clone(),
    };
    Order { program: command, place, ..life.order.clone() }
}

/// Runs a command inside the container.
pub(super) async fn execute(life: &Life, command: Vec<String>) -> Result<(), String> {
    let order = inside(life, command);
    let mut process = life.sandbox.machine.spawner.start(&order, None).await.map_err(|error| error.to_string())?;
    let guard = KillOnDrop(process.identity);
    let exit = process.wait().await;
    drop(guard);
    if exit.code == 0 { Ok(()) } else { Err(format!("command failed with exit code {}", exit.code)) }
}

/// A command that takes too long is given up by dropping its future.
struct KillOnDrop(Identity);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGKILL);
    }
}
