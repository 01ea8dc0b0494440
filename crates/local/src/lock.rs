//! The claim on a data directory: one process at a time, and the others learn which.
//!
//! Invariant: the lock is the kernel's and ends with the process, however that ends; the pid in the file is news only
//! while the lock is held.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Why a data directory could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error(
        "claim {directory}: `flinkctl local` already runs there (pid {pid}); use `flinkctl local status` or \
         `flinkctl local down`, or another --data-dir"
    )]
    Held {
        /// The data directory.
        directory: PathBuf,
        /// Who has it.
        pid: i32,
    },
    /// The lock file cannot be used.
    #[error("claim {directory}: {source}")]
    File {
        /// The data directory.
        directory: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A claimed data directory.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Claims a data directory for this process.
    pub fn claim(directory: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { directory: directory.to_owned(), source };
        let mut file = open(directory, true).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = read_pid(&mut file).map_err(failed)?;
                return Err(Error::Held { directory: directory.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// The process that holds a data directory, if one does.
pub fn holder(directory: &Path) -> Result<Option<i32>, Error> {
    let failed = |source| Error::File { directory: directory.to_owned(), source };
    let mut file = match open(directory, false) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => read_pid(&mut file).map(Some).map_err(failed),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn open(directory: &Path, create: bool) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(directory.join("lock"))
}

fn read_pid(file: &mut File) -> std::io::Result<i32> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    text.trim().parse().map_err(|_| std::io::Error::other("the lock file names no process yet; try again"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_claim_says_who_has_the_first() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(holder(directory.path()).unwrap(), None);
        let lock = Lock::claim(directory.path()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(matches!(Lock::claim(directory.path()), Err(Error::Held { pid, .. }) if pid == own));
        assert_eq!(holder(directory.path()).unwrap(), Some(own));
        drop(lock);
        assert_eq!(holder(directory.path()).unwrap(), None);
        Lock::claim(directory.path()).unwrap();
    }
}
