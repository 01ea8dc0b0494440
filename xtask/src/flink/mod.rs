//! `cargo xtask flink`: a Flink distribution to develop and test with.
//!
//! The Python package `apache-flink-libraries` is a source archive that holds the genuine JARs of Flink; pip fetches it.
//! Nothing of it is executed by us. Invariants: an archive is unpacked only if its hash is the one in the table below, and
//! `.flink/<version>` either is whole or does not exist.

mod archive;

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use integration_tests::control_plane::program;

use crate::ui::Step;
use crate::workspace;

/// The version that the demo and the tests use.
pub const DEFAULT_VERSION: &str = "2.1.3";

/// The newest release of each line that flinkctl is tested with, and the SHA-256 of its archive.
const ARCHIVES: [(&str, &str); 3] = [
    ("1.20.5", "e6aee62ea1a1fe7b32e28894ad079f3f1a50a372a4caac3df52405267f4228c8"),
    ("2.1.3", "b48d3944755b9303f99d205ea1a9bcb798fc563a872c782393fb466f16d4f91c"),
    ("2.3.0", "570bf8831d3c1336311e924e97119e52d8842e5485a4a7709ff9a92db709b006"),
];

/// Options of `cargo xtask flink`.
#[derive(clap::Args)]
pub struct Args {
    /// Which version to lay out: 1.20.5, 2.1.3 or 2.3.0
    #[arg(long, default_value = DEFAULT_VERSION)]
    version: String,
}

/// Lays Flink out and prints where it lies.
pub fn run(args: &Args) -> Result<()> {
    println!("{}", ensure(&args.version)?.display());
    Ok(())
}

/// A `FLINK_HOME`: the one in the environment if there is one, else `.flink/<version>`, which is made if need be.
pub fn ensure(version: &str) -> Result<PathBuf> {
    if let Some(home) = env::var_os("FLINK_HOME").filter(|home| !home.is_empty()) {
        let home = PathBuf::from(home);
        if is_home(&home) {
            return Ok(home);
        }
        bail!(
            "FLINK_HOME is {}, where there is no lib/flink-dist*.jar: let it name a Flink distribution, or unset it",
            home.display()
        );
    }
    ensure_version(version)
}

/// `.flink/<version>`, whatever the environment says: for tests of one version.
pub fn ensure_version(version: &str) -> Result<PathBuf> {
    let Some((_, sha256)) = ARCHIVES.iter().find(|(known, _)| *known == version) else {
        let known: Vec<_> = ARCHIVES.iter().map(|(version, _)| *version).collect();
        bail!("Flink {version} is not among the versions that can be laid out: {}", known.join(", "));
    };
    let home = workspace::root().join(".flink").join(version);
    if is_home(&home) {
        return Ok(home);
    }
    let cache = program::cache()?;
    let _one_at_a_time = lock(&cache)?;
    if !is_home(&home) {
        let archive = archive::fetch(version, sha256, &cache)?;
        let step = Step::start(format!("Lay out Flink {version}"));
        archive::unpack(&archive, &home)?;
        step.done_with(&home.display().to_string());
    }
    Ok(home)
}

/// Whether a directory is a Flink distribution.
fn is_home(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path.join("lib")) else {
        return false;
    };
    entries.flatten().any(|entry| is_distribution(&entry.file_name()))
}

fn is_distribution(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("flink-dist") && Path::new(&*name).extension().is_some_and(|end| end == "jar")
}

/// Two runs at a time would fetch or build the same twice.
pub fn lock(cache: &Path) -> Result<File> {
    let path = cache.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_holds_the_distribution() {
        assert!(is_distribution(OsStr::new("flink-dist-2.1.3.jar")));
        assert!(is_distribution(OsStr::new("flink-dist_2.12-1.14.jar")));
        assert!(!is_distribution(OsStr::new("flink-csv-2.1.3.jar")));
        assert!(!is_home(Path::new("/nowhere")));
    }

    #[test]
    fn an_unknown_version_is_refused_before_anything_is_fetched() {
        let error = ensure_version("2.1.99").expect_err("there is no such version");
        assert!(error.to_string().contains("1.20.5, 2.1.3, 2.3.0"), "{error}");
    }

    #[test]
    fn the_default_version_is_in_the_table() {
        assert!(ARCHIVES.iter().any(|(version, _)| *version == DEFAULT_VERSION));
    }
}
