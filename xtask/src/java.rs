//! Our Java programs, built with `javac` and `jar` alone: the lister that flinkctl carries, and the example jobs.
//!
//! They are compiled for Java 11 against one Flink and run on all supported ones, so they use only what those have in common.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::flink;
use crate::workspace;

/// Options of `cargo xtask examples`.
#[derive(clap::Args)]
pub struct Args {
    /// Where to write the JAR
    #[arg(long, value_name = "FILE")]
    jar: Option<PathBuf>,
}

/// Builds the example jobs and prints where their JAR lies.
pub fn run(args: &Args) -> Result<()> {
    let jar = args.jar.clone().unwrap_or_else(|| workspace::target().join("examples/flink-jobs.jar"));
    build_examples(&flink::ensure(flink::DEFAULT_VERSION)?, &jar)?;
    println!("{}", jar.display());
    Ok(())
}

/// The time that every entry of a JAR carries, so that the same source gives the same JAR.
const DATE: &str = "--date=2020-01-01T00:00:00Z";

/// A program of ours.
struct Program<'a> {
    sources: PathBuf,
    main_class: Option<&'a str>,
    jar: &'a Path,
}

/// Where the lister lies that is compiled into `flink-client`.
pub fn lister_jar() -> PathBuf {
    lister().join("lister.jar")
}

fn lister() -> PathBuf {
    workspace::root().join("crates/flink-client/lister")
}

/// Builds the lister. It is committed, so that nobody needs Java to build flinkctl.
pub fn build_lister(flink_home: &Path) -> Result<()> {
    build(flink_home, &Program { sources: lister().join("src"), main_class: Some("Lister"), jar: &lister_jar() })
}

/// Whether the committed lister was built from the source beside it. The digest in its manifest tells without Java.
pub fn lister_is_current() -> Result<bool> {
    let line = format!("Source-Digest: {}\r\n", digest(&java_files(&lister().join("src"))?)?);
    let jar = fs::read(lister_jar()).context("cannot read the lister's JAR")?;
    Ok(jar.windows(line.len()).any(|window| window == line.as_bytes()))
}

/// Builds the example jobs to this JAR.
pub fn build_examples(flink_home: &Path, jar: &Path) -> Result<()> {
    build(flink_home, &Program { sources: workspace::root().join("examples/jobs/src"), main_class: None, jar })
}

fn build(flink_home: &Path, program: &Program<'_>) -> Result<()> {
    let sources = java_files(&program.sources)?;
    let classes = tempfile::tempdir().context("cannot create a directory for classes")?;
    let mut javac = Command::new("javac");
    javac.args(["--release", "11", "-encoding", "UTF-8", "-Xlint:all", "-proc:none"]);
    javac.arg("-classpath").arg(class_path(flink_home)?).arg("-d").arg(classes.path()).args(&sources);
    workspace::capture(&mut javac)?;

    let mut manifest = format!("Created-By: flinkctl\nSource-Digest: {}\n", digest(&sources)?);
    if let Some(class) = program.main_class {
        manifest = format!("Main-Class: {class}\n{manifest}");
    }
    let manifest_file = classes.path().with_extension("manifest");
    fs::write(&manifest_file, manifest)?;
    let packed = pack(program.jar, &manifest_file, classes.path());
    fs::remove_file(&manifest_file)?;
    packed
}

/// Not compressed, so that the manifest can be read from the bytes, and the same on every JDK. Written beside its place and
/// renamed: a running Flink may read the old one.
fn pack(jar: &Path, manifest: &Path, classes: &Path) -> Result<()> {
    let directory = jar.parent().context("a JAR lies in a directory")?;
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let staging = jar.with_extension("jar.new");
    let mut command = Command::new("jar");
    command.args(["--create", "--no-compress", DATE, "--file"]).arg(&staging);
    command.arg("--manifest").arg(manifest).arg("-C").arg(classes).arg(".");
    workspace::capture(&mut command)?;
    fs::rename(&staging, jar).with_context(|| format!("cannot write {}", jar.display()))
}

fn class_path(flink_home: &Path) -> Result<String> {
    let lib = flink_home.join("lib");
    let jars = fs::read_dir(&lib).with_context(|| format!("cannot read {}", lib.display()))?;
    let mut needed: Vec<String> = jars
        .flatten()
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .filter(|path| path.contains("flink-dist") || path.contains("flink-connector-files"))
        .collect();
    if needed.is_empty() {
        bail!("{} holds no flink-dist*.jar", lib.display());
    }
    needed.sort();
    Ok(needed.join(":"))
}

fn java_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let entries = fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "java") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The first half of the SHA-256 of all sources: a line of a manifest has room for that.
fn digest(sources: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    for source in sources {
        hash.update(fs::read(source).with_context(|| format!("cannot read {}", source.display()))?);
    }
    let half = hash.finalize()[..16].try_into().context("a digest has 32 bytes")?;
    Ok(format!("{:032x}", u128::from_be_bytes(half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_lister_is_current() {
        assert!(lister_is_current().expect("it is committed"), "run `cargo xtask generate`");
    }
}
