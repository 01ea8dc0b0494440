//! One container: started, watched, probed, started again as its restart policy says, and stopped.
//!
//! Invariant: when `run` returns, no process of the container is left.

use super::backoff::Backoff;
use super::board::{self, End, is_sidecar};
use super::event::Subject;
use super::image::Image;
use super::killing::{self, Life};
use super::probing::{Prober, Verdict};
use super::process::{self, Exit, Process};
use super::sandbox::{Prepared, Sandbox, Supplies, find_image};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use nix::sys::signal::Signal;
use std::fs::{self, OpenOptions};
use std::future::Future;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The moment at which what still runs is killed.
pub(super) type Stop = Option<Instant>;

/// Termination messages are cut to this, as Kubernetes does.
const MESSAGE: u64 = 4096;
const LOG_TAIL: u64 = 2048;

/// How it went in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ended(Exit),
    Stopped,
}

#[derive(Clone)]
pub(super) struct Runner {
    pub sandbox: Arc<Sandbox>,
    pub supplies: Arc<Supplies>,
    pub container: Container,
    pub init: bool,
    pub stop: watch::Receiver<Stop>,
    /// The pod as it is now: its images may be changed.
    pub pod: watch::Receiver<Arc<Pod>>,
}

impl Runner {
    fn name(&self) -> &str {
        &self.container.name
    }

    fn event(&self) -> Subject<'_> {
        self.sandbox.machine.recorder.pod(&self.sandbox.pod, Some(self.name()))
    }

    fn stopping(&self) -> bool {
        self.stop.borrow().is_some()
    }

    /// Waits; true if the container shall stop.
    async fn pause(&mut self, delay: Duration) -> bool {
        tokio::time::timeout(delay, self.stop.wait_for(Option::is_some)).await.is_ok()
    }

    pub async fn run(mut self) -> Outcome {
        // What ended in an earlier life of the node starts anew now.
        let mut restarts = self.status(|status| {
            status.restart_count + i32::from(status.state.as_ref().is_some_and(|state| state.terminated.is_some()))
        });
        let mut crashes = Backoff::default();
        let mut failures = Backoff::default();
        while !self.stopping() {
            let Some(image) = self.image().await else { return Outcome::Stopped };
            let prepared = match self.sandbox.prepare(&self.container, &image, restarts, &self.supplies) {
                Ok(prepared) => prepared,
                Err(error) => {
                    self.event().warning("Failed", format!("Error: {error}"));
                    self.sandbox.board.wait(self.name(), "CreateContainerConfigError", Some(error.to_string()));
                    if self.pause(failures.next()).await {
                        return Outcome::Stopped;
                    }
                    continue;
                }
            };
            let since = Instant::now();
            let end = self.life(prepared, restarts).await;
            let id = self.id(restarts);
            self.sandbox.board.container(&self.container.name, |status| {
                (status.ready, status.started) = (false, Some(false));
                status.state = Some(board::terminated(&End { id: Some(id), ..end.clone() }));
            });
            if self.stopping() || !self.again(end.exit) {
                return Outcome::Ended(end.exit);
            }
            crashes.ran(since.elapsed());
            let delay = crashes.next_restart();
            if !delay.is_zero() {
                let name = self.sandbox.name();
                let message =
                    format!("back-off {}s restarting failed container={} pod={name}", delay.as_secs(), self.name());
                self.event()
                    .warning("BackOff", format!("Back-off restarting failed container {} in pod {name}", self.name()));
                self.sandbox.board.wait(self.name(), "CrashLoopBackOff", Some(message));
                if self.pause(delay).await {
                    return Outcome::Ended(end.exit);
                }
            }
            restarts += 1;
        }
        Outcome::Stopped
    }

    fn status<T>(&self, read: impl FnOnce(&k8s_openapi::api::core::v1::ContainerStatus) -> T) -> T
    where
        T: Default,
    {
        let state = self.sandbox.board.read();
        state.init.iter().chain(&state.main).find(|status| status.name == self.name()).map(read).unwrap_or_default()
    }

    /// Whether the container starts again after such an end.
    fn again(&self, exit: Exit) -> bool {
        let policy = self.sandbox.pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()).unwrap_or("Always");
        match policy {
            _ if self.init && is_sidecar(&self.container) => true,
            "Never" => false,
            "OnFailure" => exit.code != 0,
            _ => exit.code != 0 || !self.init,
        }
    }

    /// The image, waited for as long as it is not known; `None` if the container is to stop.
    async fn image(&mut self) -> Option<Image> {
        let mut failures = Backoff::default();
        let mut first = true;
        let name_of_container = self.container.name.clone();
        loop {
            let name = image_name(&self.pod.borrow(), &name_of_container)
                .or_else(|| self.container.image.clone())
                .unwrap_or_default();
            match find_image(&self.sandbox.machine, &name) {
                Ok(image) => {
                    self.sandbox.board.container(&self.container.name, |status| {
                        status.image_id = format!("flinkctl://{name}");
                        status.image.clone_from(&name);
                    });
                    self.event().normal("Pulled", format!("Container image {name:?} already present on machine"));
                    return Some(image);
                }
                Err(error) => {
                    let reason = if first { "ErrImagePull" } else { "ImagePullBackOff" };
                    self.event().warning("Failed", format!("Failed to pull image {name:?}: {error}"));
                    self.event().warning("Failed", format!("Error: {reason}"));
                    self.sandbox.board.wait(self.name(), reason, Some(error.to_string()));
                    first = false;
                }
            }
            let delay = failures.next();
            let mut pod = self.pod.clone();
            tokio::select! {
                stop = self.pause(delay) => if stop { return None },
                // The user may have mended the image's name.
                Ok(_) = pod.wait_for(|pod| image_name(pod, &name_of_container).is_some_and(|now| now != name)) => first = true,
            }
        }
    }

    fn id(&self, restart: i32) -> String {
        let uid = self.sandbox.pod.metadata.uid.as_deref().unwrap_or_default();
        format!("flinkctl://{uid}/{}/{restart}", self.name())
    }

    /// From start to end.
    async fn life(&mut self, prepared: Prepared, restarts: i32) -> End {
        let started = Timestamp::now();
        let failed = |message: String| End {
            exit: Exit { code: i32::from(crate::shim::FAILED), signal: None },
            reason: "StartError",
            message: Some(message),
            started: Some(started),
            id: None,
        };
        let log = OpenOptions::new().create(true).append(true).open(&prepared.log);
        let process = match log {
            Ok(log) => {
                self.sandbox.machine.spawner.start(&prepared.order, Some(log)).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(format!("open {}: {error}", prepared.log.display())),
        };
        let mut process = match process {
            Ok(process) => process,
            Err(error) => {
                self.event().warning("Failed", format!("Error: failed to start container {:?}: {error}", self.name()));
                return failed(error);
            }
        };
        let file = self.sandbox.container_directory(self.name()).join("process.json");
        if let Err(error) = process::remember(&file, process.identity) {
            tracing::warn!(error = kit::chain(&error), "a process would outlive a node that is killed");
        }
        for warning in &process.warnings {
            self.event().warning("FailedMount", warning);
        }
        self.event().normal("Created", format!("Created container: {}", self.name()));
        self.event().normal("Started", format!("Started container {}", self.name()));
        let (no_startup, no_readiness) =
            (self.container.startup_probe.is_none(), self.container.readiness_probe.is_none());
        let id = self.id(restarts);
        self.sandbox.board.container(&self.container.name, |status| {
            if let Some(state) = status.state.take().filter(|state| state.terminated.is_some()) {
                status.last_state = Some(state);
            }
            status.state = Some(board::running(started));
            status.restart_count = restarts;
            status.container_id = Some(id);
            (status.started, status.ready) = (Some(no_startup), no_startup && no_readiness);
        });
        let exit = self.watch(&mut process, &prepared).await;
        let _ = fs::remove_file(&file);
        let message = self.message(exit, &prepared);
        let reason = if exit.code == 0 { "Completed" } else { "Error" };
        End { exit, reason, message, started: Some(started), id: None }
    }

    /// Until the process has ended, by itself or by us.
    async fn watch(&mut self, process: &mut Process, prepared: &Prepared) -> Exit {
        let life = Life {
            sandbox: Arc::clone(&self.sandbox),
            container: self.container.clone(),
            process: process.identity,
            order: prepared.order.clone(),
        };
        let _entry = self.sandbox.machine.running.enter(&life);
        let mut prober = Prober::start(&life);
        let mut killing: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
        let identity = process.identity;
        let mut wait = Box::pin(process.wait());
        // A stop may have been asked for before the process was there.
        self.stop.mark_changed();
        loop {
            tokio::select! {
                exit = &mut wait => return exit,
                () = async { killing.as_mut().expect("guarded").await }, if killing.is_some() => {
                    identity.signal(Signal::SIGKILL);
                    killing = None;
                }
                changed = self.stop.changed() => {
                    let stop = *self.stop.borrow_and_update();
                    if let (Ok(()), Some(deadline)) = (changed, stop) {
                        let hook = killing.is_none().then(|| self.container.lifecycle.clone()?.pre_stop).flatten();
                        if killing.is_none() {
                            self.event().normal("Killing", format!("Stopping container {}", self.name()));
                            prober = Prober::silent();
                        }
                        killing = Some(Box::pin(killing::gently(life.clone(), hook, deadline)));
                    }
                }
                verdict = prober.next(), if killing.is_none() => match verdict {
                    Verdict::Ready(ready) => self.sandbox.board.container(&self.container.name, |status| status.ready = ready),
                    Verdict::Started => {
                        let ready = self.container.readiness_probe.is_none();
                        self.sandbox.board.container(&self.container.name, |status| (status.started, status.ready) = (Some(true), ready));
                    }
                    Verdict::Dead(question) => {
                        self.event().normal("Killing", format!("Container {} failed {} probe, will be restarted", self.name(), question.name().to_lowercase()));
                        self.sandbox.board.container(&self.container.name, |status| status.ready = false);
                        prober = Prober::silent();
                        let grace = self.sandbox.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
                        let deadline = Instant::now() + Duration::from_secs(grace.unsigned_abs());
                        killing = Some(Box::pin(killing::gently(life.clone(), None, deadline)));
                    }
                },
            }
        }
    }

    /// What the container wrote about its end.
    fn message(&self, exit: Exit, prepared: &Prepared) -> Option<String> {
        let message = tail(&prepared.termination, MESSAGE).unwrap_or_default();
        let from_log = self.container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        if message.is_empty() && from_log && exit.code != 0 {
            return tail(&prepared.log, LOG_TAIL);
        }
        Some(message).filter(|message| !message.is_empty())
    }
}

/// The image that a pod names for one of its containers.
fn image_name(pod: &Pod, container: &str) -> Option<String> {
    let containers =
        pod.spec.iter().flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    containers.into_iter().find(|known| known.name == container).and_then(|container| container.image.clone())
}

/// The end of a file.
fn tail(path: &Path, size: u64) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(size))).ok()?;
    let mut text = Vec::new();
    file.take(size).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_message_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "abcdef").unwrap();
        assert_eq!(tail(&path, 4).as_deref(), Some("cdef"));
        assert_eq!(tail(&path, 10).as_deref(), Some("abcdef"));
        fs::write(&path, "").unwrap();
        assert_eq!(tail(&path, 4), None);
    }
}
