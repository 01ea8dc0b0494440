//! Host processes: started through the shim, killed with everything that they started.
//!
//! All processes of a container share a session whose id is the process id of the container's first process.
//!
//! Invariant: a process started here dies with the node. The kernel ties it to the *thread* that forked it, therefore one thread, which lives as
//! long as the node, forks all of them.

use crate::shim::{self, Order, Report};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::oneshot;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    pub code: i32,
    pub signal: Option<i32>,
}

impl Exit {
    /// The code of a process that was killed: 128 and the signal's number, as container runtimes have it.
    pub const KILLED: Exit = Exit { code: 137, signal: Some(9) };

    fn new(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Exit { code: 128 + signal, signal: Some(signal) },
            None => Exit { code: status.code().unwrap_or(-1), signal: None },
        }
    }
}

/// Names a process across restarts of the node: an id alone may be given to another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub id: i32,
    /// In clock ticks since the machine started.
    pub started: u64,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("start the shim {executable}")]
    Spawn { executable: PathBuf, source: io::Error },
    #[error("hand the shim its order")]
    Order(#[source] io::Error),
    /// What the shim said; it is a full sentence of its own.
    #[error("{0}")]
    Failed(String),
}

struct Request {
    command: std::process::Command,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Starts processes.
#[derive(Clone)]
pub(super) struct Spawner {
    executable: PathBuf,
    requests: mpsc::Sender<Request>,
}

/// A process and the means to wait for it.
pub(super) struct Process {
    pub identity: Identity,
    child: Child,
    pub warnings: Vec<String>,
}

impl Spawner {
    /// Must be called inside a tokio runtime, which then reaps the processes.
    pub fn new(executable: PathBuf) -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::current();
        let (requests, receiver) = mpsc::channel::<Request>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _runtime = runtime.enter();
            for Request { command, answer } in receiver {
                // Whoever asked may have gone: then nobody would wait for the process.
                if let Err(Ok(mut child)) = answer.send(Command::from(command).spawn()) {
                    let _ = child.start_kill();
                }
            }
        })?;
        Ok(Spawner { executable, requests })
    }

    /// Starts a process and waits until its program runs. What it prints goes to `output`, or nowhere.
    pub async fn start(&self, order: &Order, output: Option<fs::File>) -> Result<Process, Error> {
        let (stdout, stderr) = match output {
            Some(file) => (Stdio::from(file.try_clone().map_err(Error::Order)?), Stdio::from(file)),
            None => (Stdio::null(), Stdio::null()),
        };
        self.begin(order, stdout, stderr).await
    }

    /// The same; what it prints is to be read.
    pub async fn start_piped(&self, order: &Order) -> Result<(Process, ChildStdout, ChildStderr), Error> {
        let mut process = self.begin(order, Stdio::piped(), Stdio::piped()).await?;
        match (process.child.stdout.take(), process.child.stderr.take()) {
            (Some(stdout), Some(stderr)) => Ok((process, stdout, stderr)),
            _ => Err(Error::Order(io::Error::other("there are no pipes"))),
        }
    }

    async fn begin(&self, order: &Order, stdout: Stdio, stderr: Stdio) -> Result<Process, Error> {
        let (ours, theirs) = UnixStream::pair().map_err(Error::Order)?;
        let mut command = std::process::Command::new(&self.executable);
        command.args(shim::ARGUMENTS).stdin(OwnedFd::from(theirs)).stdout(stdout).stderr(stderr);
        let spawn = |source| Error::Spawn { executable: self.executable.clone(), source };
        let (answer, child) = oneshot::channel();
        let gone = |_| spawn(io::Error::other("the spawner has ended"));
        self.requests
            .send(Request { command, answer })
            .map_err(|_| spawn(io::Error::other("the spawner has ended")))?;
        let child = child.await.map_err(gone)?.map_err(spawn)?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).unwrap_or(0);
        let mut process =
            Process { identity: Identity { id, started: start_time(id).unwrap_or(0) }, child, warnings: Vec::new() };
        match process.introduce(order, ours).await {
            Ok(()) => Ok(process),
            Err(error) => {
                process.identity.signal(Signal::SIGKILL);
                process.wait().await;
                Err(error)
            }
        }
    }
}

impl Process {
    async fn introduce(&mut self, order: &Order, mut stream: UnixStream) -> Result<(), Error> {
        let order = serde_json::to_vec(order).map_err(|error| Error::Order(error.into()))?;
        // An order fits the buffer of a socket unless its environment is large; then the shim is reading already.
        let stream = tokio::task::spawn_blocking(move || {
            stream.write_all(&order)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            stream.set_nonblocking(true)?;
            tokio::net::UnixStream::from_std(stream)
        });
        let stream = stream.await.map_err(|error| Error::Order(io::Error::other(error)))?.map_err(Error::Order)?;
        // The shim's end closes when its program takes over.
        let mut lines = BufReader::new(stream).lines();
        while let Some(line) = lines.next_line().await.map_err(Error::Order)? {
            match serde_json::from_str(&line) {
                Ok(Report::Warning(text)) => self.warnings.push(text),
                Ok(Report::Failed(text)) => return Err(Error::Failed(text)),
                Err(error) => return Err(Error::Order(error.into())),
            }
        }
        Ok(())
    }

    /// Waits for the first process of the session; the others are killed then, as those of a container are.
    pub async fn wait(&mut self) -> Exit {
        let exit = self.child.wait().await.map_or(Exit { code: -1, signal: None }, Exit::new);
        signal_session(self.identity.id, Signal::SIGKILL);
        exit
    }
}

impl Identity {
    /// Sends a signal to the process and to all that it started.
    pub fn signal(self, signal: Signal) {
        signal_session(self.id, signal);
    }
}

/// Sends a signal to every process of a session.
fn signal_session(session: i32, signal: Signal) {
    if session <= 1 {
        return;
    }
    // A shim that has no session yet, or the first process, which is the one that must not be missed.
    let first = stat(session).filter(|stat| stat.session == session || stat.parent == own_id());
    if first.is_some() {
        let _ = kill(Pid::from_raw(session), signal);
    }
    for process in members(session) {
        if process != session {
            let _ = kill(Pid::from_raw(process), signal);
        }
    }
}

fn own_id() -> i32 {
    nix::unistd::getpid().as_raw()
}

fn members(session: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    ids.filter(|id| stat(*id).is_some_and(|stat| stat.session == session)).collect()
}

struct Stat {
    parent: i32,
    session: i32,
    started: u64,
}

fn stat(id: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name, in parentheses, may hold anything; after it: state, parent, group, session …
    let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn start_time(id: i32) -> Option<u64> {
    stat(id).map(|stat| stat.started)
}

/// Remembers a process for the next life of the node.
pub(super) fn remember(file: &Path, identity: Identity) -> io::Result<()> {
    fs::write(file, serde_json::to_vec(&identity)?)
}

/// Kills what an earlier life of the node has left, if anything.
pub(super) fn kill_leftover(file: &Path) {
    let Some(identity) = fs::read(file).ok().and_then(|text| serde_json::from_slice::<Identity>(&text).ok()) else {
        return;
    };
    let first = start_time(identity.id);
    // If the id belongs to another process now, no session of ours can have it.
    if first.is_none() || first == Some(identity.started) {
        signal_session(identity.id, Signal::SIGKILL);
    }
    let _ = fs::remove_file(file);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_gives_the_code_that_container_runtimes_give() {
        assert_eq!(Exit::new(ExitStatus::from_raw(9)), Exit::KILLED);
        assert_eq!(Exit::new(ExitStatus::from_raw(3 << 8)), Exit { code: 3, signal: None });
    }

    #[test]
    fn a_process_is_known_by_its_start_time() {
        let own = own_id();
        assert!(start_time(own).is_some_and(|started| started > 0));
        assert!(members(stat(own).unwrap().session).contains(&own));
    }
}
