//! What a suite needs before it can start: the binary, Flink, the file system of the example jobs' image, and a cluster.
//!
//! `cargo xtask test` passes all of it in the environment; a person who runs one suite by hand gets the usual places.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cluster::Cluster;

/// Names the `flinkctl` binary.
pub const BINARY: &str = "FLINKCTL_BINARY";
/// Names the root of the file system of the example jobs' image.
pub const EXAMPLES: &str = "FLINKCTL_EXAMPLES";
/// Names a Flink distribution.
pub const FLINK_HOME: &str = "FLINK_HOME";

/// Where things lie, and where the suite runs.
#[derive(Debug, Clone)]
pub struct Setup {
    pub binary: PathBuf,
    pub examples: PathBuf,
    pub flink_home: PathBuf,
    pub cluster: Cluster,
}

impl Setup {
    /// Looks in the environment first, then where `cargo xtask` puts things.
    pub fn find() -> Result<Self> {
        Ok(Self {
            binary: find(BINARY, || Some(executables()?.join("flinkctl")), "run `cargo build -p flinkctl`")?,
            examples: examples()?,
            flink_home: flink_home()?,
            cluster: Cluster::from_environment()?,
        })
    }
}

/// The root of the file system of the example jobs' image.
pub fn examples() -> Result<PathBuf> {
    find(EXAMPLES, || Some(executables()?.parent()?.join("examples")), "run `cargo xtask examples`")
}

/// A Flink distribution.
pub fn flink_home() -> Result<PathBuf> {
    find(FLINK_HOME, newest_flink, "run `cargo xtask flink`")
}

fn find(variable: &str, usual: impl FnOnce() -> Option<PathBuf>, hint: &str) -> Result<PathBuf> {
    let path = env::var_os(variable)
        .map(PathBuf::from)
        .or_else(usual)
        .with_context(|| format!("{variable} is not set; {hint}"))?;
    if !path.exists() {
        bail!("{variable} would be {}, which does not exist; {hint}", path.display());
    }
    Ok(path)
}

/// The directory of cargo's binaries: a test lies in its `deps`.
fn executables() -> Option<PathBuf> {
    let mut directory = env::current_exe().ok()?;
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    Some(directory)
}

fn newest_flink() -> Option<PathBuf> {
    let versions = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.join(".flink");
    let mut found: Vec<PathBuf> = versions
        .read_dir()
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("lib").is_dir())
        .collect();
    found.sort();
    found.pop()
}
