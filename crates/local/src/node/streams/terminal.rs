//! Where a command gets its input from: a pipe, or a terminal, both by a path that the shim opens.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::net::unix::pipe::{OpenOptions, Sender};
use uuid::Uuid;

use super::exec::Resize;
use crate::shim::Input;

/// A named pipe, open for writing, so that opening it for reading does not wait. Its name goes when the command has it.
pub(super) struct Pipe {
    path: PathBuf,
    writer: Sender,
}

impl Pipe {
    pub fn make(directory: &Path) -> io::Result<Self> {
        let path = directory.join(format!("input-{}", Uuid::new_v4()));
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let writer = OpenOptions::new().read_write(true).open_sender(&path)?;
        Ok(Self { path, writer })
    }

    pub fn input(&self) -> Input {
        Input::Pipe(self.path.clone())
    }

    /// The writing end.
    pub fn writer(self) -> Sender {
        // Whoever reads has opened it.
        let _ = std::fs::remove_file(&self.path);
        self.writer
    }
}

/// A terminal: what the command prints is read from it, and what the user types is written to it.
pub(super) struct Terminal {
    ours: OwnedFd,
    name: PathBuf,
    /// Held so that reading does not end before the command has opened it.
    theirs: File,
}

impl Terminal {
    pub fn open() -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let name = PathBuf::from(name.to_str().map_err(io::Error::other)?);
        let theirs = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::fcntl::OFlag::O_NOCTTY.bits())
            .open(&name)?;
        Ok(Self { ours, name, theirs })
    }

    pub fn input(&self) -> Input {
        Input::Terminal(self.name.clone())
    }

    /// Reader and writer, and the means to tell its size, once the command has the other side.
    pub fn split(self) -> io::Result<(tokio::fs::File, tokio::fs::File, Size)> {
        drop(self.theirs);
        let file = || Ok::<_, io::Error>(tokio::fs::File::from_std(File::from(self.ours.try_clone()?)));
        Ok((file()?, file()?, Size(self.ours)))
    }
}

/// The size of a terminal.
pub(super) struct Size(OwnedFd);

impl Resize for Size {
    fn resize(&self, width: u16, height: u16) {
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        let _ = tcsetwinsize(&self.0, size);
    }
}
