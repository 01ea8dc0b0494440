//! `up --detach`: starts the same command again in a session of its own, and returns when that is ready.
//!
//! Invariant: the background process has no terminal, and what it says is in `local.log` of its data directory.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::{Error, UpArgs, line, preflight, system, up};
use crate::files;
use crate::lock::{self, holder};

const LOG: &str = "local.log";
/// As many lines of the log as tell why it did not start.
const TAIL: usize = 10;

pub async fn up(args: &UpArgs) -> Result<(), Error> {
    // Refusals that are certain are better told here than out of a log.
    preflight::check(args.images.flink_home.as_deref().map(Path::new))?;
    let data_dir = args.data.path()?;
    if let Some(pid) = holder(&data_dir)? {
        return Err(lock::Error::Held { directory: data_dir, pid }.into());
    }
    files::private_directory(&data_dir).map_err(system(format!("make {}", data_dir.display())))?;
    let log = data_dir.join(LOG);
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&log);
    let file = file.map_err(system(format!("write {}", log.display())))?;
    let executable = std::env::current_exe().map_err(system("find the running executable"))?;
    let mut child = Command::new(executable)
        .args(arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(file)
        .spawn()
        .map_err(system("start in the background"))?;
    let stdout = child.stdout.take().expect("piped above");
    let mut lines = BufReader::new(stdout).lines();
    while let Some(text) = lines.next_line().await.map_err(system("listen to the background process"))? {
        if text == up::READY {
            return Ok(());
        }
        line(&text);
    }
    // It ended before it was ready.
    let _ = child.wait().await;
    Err(Error::Detach { tail: tail(&log), log })
}

/// The background process's part: leaves the session of the terminal.
pub fn leave_session() -> Result<(), Error> {
    nix::unistd::setsid().map(|_| ()).map_err(|error| system("leave the session of the terminal")(error.into()))
}

fn arguments() -> Vec<std::ffi::OsString> {
    std::env::args_os()
        .skip(1)
        .map(|argument| if argument == "--detach" { "--detached".into() } else { argument })
        .collect()
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
