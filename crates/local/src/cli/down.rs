//! `down`: asks the process of an instance to end, and waits until it has.
//!
//! Invariant: a directory is removed only while this process holds it, and only if it is an instance's.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::Instant;

use super::{DownArgs, Error, system};
use crate::lock::{Lock, holder};

/// Pods are given 30 s by default; more than that, and something hangs.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub async fn down(args: &DownArgs) -> Result<(), Error> {
    let data_dir = args.data.path()?;
    match holder(&data_dir)? {
        None => eprintln!("flinkctl local: nothing runs in {}", data_dir.display()),
        Some(pid) => stop(&data_dir, pid).await?,
    }
    if args.purge && data_dir.exists() {
        purge(&data_dir)?;
    }
    Ok(())
}

async fn stop(data_dir: &Path, pid: i32) -> Result<(), Error> {
    eprintln!("flinkctl local: stopping process {pid}");
    signal(pid, Signal::SIGTERM)?;
    if !ends_within(data_dir, PATIENCE).await? {
        eprintln!("flinkctl local: warning: it does not end by itself after {} s; killing it", PATIENCE.as_secs());
        signal(pid, Signal::SIGKILL)?;
        if !ends_within(data_dir, PATIENCE).await? {
            return Err(Error::Timeout(format!("process {pid} to end")));
        }
    }
    eprintln!("flinkctl local: stopped");
    Ok(())
}

async fn ends_within(data_dir: &Path, patience: Duration) -> Result<bool, Error> {
    let end = Instant::now() + patience;
    while holder(data_dir)?.is_some() {
        if Instant::now() >= end {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(true)
}

fn signal(pid: i32, signal: Signal) -> Result<(), Error> {
    match kill(Pid::from_raw(pid), signal) {
        // It has ended in between.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
        Err(error) => Err(system(format!("send {signal} to process {pid}"))(error.into())),
    }
}

fn purge(data_dir: &Path) -> Result<(), Error> {
    if !data_dir.join("lock").exists() {
        return Err(Error::NotOurs(data_dir.to_owned()));
    }
    let lock = Lock::claim(data_dir)?;
    std::fs::remove_dir_all(data_dir).map_err(system(format!("remove {}", data_dir.display())))?;
    drop(lock);
    eprintln!("flinkctl local: removed {}", data_dir.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_directory_of_an_instance_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("precious");
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(purge(&path), Err(Error::NotOurs(_))));
        assert!(path.exists());
        drop(Lock::claim(&path).unwrap());
        purge(&path).unwrap();
        assert!(!path.exists());
    }
}
