//! All that must be there before the curtain rises: tools, binary, Flink, the example jobs, and nobody else on stage.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use integration_tests::local::Options;
use integration_tests::objects;
use nix::fcntl::{Flock, FlockArg};

use crate::ui::Step;
use crate::{flink, java, prerequisites, ui, workspace};

/// Where `examples/deployment.yaml` keeps savepoints, checkpoints and output.
pub const STATE: &str = "/tmp/flinkctl-demo";

/// The namespace of the demo.
pub const NAMESPACE: &str = "flink-jobs";

/// A stage that is set. It is this demo's own while this lives.
pub struct Stage {
    pub options: Options,
    _lock: Flock<File>,
}

/// Checks, builds and fetches; shows a line for each.
pub fn set() -> Result<Stage> {
    prerequisites::check(prerequisites::ALL)?;
    let lock = lock()?;
    let binary = release_binary()?;
    let flink_home = flink::ensure(flink::DEFAULT_VERSION)?;
    let step = Step::start("Build the example jobs");
    let image = workspace::target().join("examples");
    java::build_examples(&flink_home, &image.join("flink-jobs.jar"))?;
    step.done();
    let data_dir = workspace::root().join(".demo/local");
    clear(&binary, &data_dir)?;
    Ok(Stage {
        options: Options {
            binary,
            data_dir,
            flink_home,
            images: BTreeMap::from([(objects::EXAMPLES_NAME.to_owned(), image)]),
            namespace: NAMESPACE.to_owned(),
            flags: Vec::new(),
        },
        _lock: lock,
    })
}

/// One demo at a time on a machine: they would share the directory for state.
fn lock() -> Result<Flock<File>> {
    let path = PathBuf::from(format!("{STATE}.lock"));
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o666)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            bail!(
                "a demo is already running on this machine\nhint: stop it with Ctrl-C where it runs, or use it: its kubeconfig is below .demo/local"
            )
        }
        Err((_, error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn release_binary() -> Result<PathBuf> {
    ui::say("Building the release binary; the first time this takes some minutes.");
    let step = Step::start_plain("Build the release binary");
    workspace::run(&mut workspace::cargo(&["build", "--release", "--locked", "--package", "flinkctl"]))?;
    step.done();
    Ok(workspace::target().join("release/flinkctl"))
}

/// Ends and removes what an earlier demo left, so that its numbers are not counted again.
fn clear(binary: &Path, data_dir: &Path) -> Result<()> {
    if data_dir.join("kubeconfig").exists() {
        // It fails where nothing runs any more; then there is nothing to do.
        let mut down = Command::new(binary);
        down.args(["local", "down", "--data-dir"]).arg(data_dir).stdout(Stdio::null()).stderr(Stdio::null());
        down.status().with_context(|| format!("cannot start {}", binary.display()))?;
    }
    for directory in [data_dir, Path::new(STATE)] {
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("cannot remove {}, which an earlier demo left", directory.display()));
            }
            _ => {}
        }
    }
    Ok(())
}
