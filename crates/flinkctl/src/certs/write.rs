//! A directory of secrets: made beside its place, and put there when it is whole.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Error;

pub(super) struct Directory {
    place: PathBuf,
    work: PathBuf,
}

impl Directory {
    /// Begins a directory, which must not exist.
    pub fn make(place: &Path) -> Result<Self, Error> {
        if place.exists() {
            return Err(Error::Exists(place.to_owned()));
        }
        let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let work = place.with_file_name(format!(".{name}.{}", std::process::id()));
        let directory = Self { place: place.to_owned(), work };
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt as _;
            builder.mode(0o700);
        }
        builder.create(&directory.work).map_err(|source| directory.failed("", source))?;
        Ok(directory)
    }

    /// Writes a file that only its owner may read.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let written = options.open(self.work.join(name)).and_then(|mut file| file.write_all(content));
        written.map_err(|source| self.failed(name, source))
    }

    /// Puts it where it belongs.
    pub fn finish(self) -> Result<(), Error> {
        fs::rename(&self.work, &self.place).map_err(|source| self.failed("", source))
    }

    fn failed(&self, name: &str, source: io::Error) -> Error {
        Error::Write { path: self.place.join(name), source }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Gone already where it was finished.
        let _ = fs::remove_dir_all(&self.work);
    }
}
