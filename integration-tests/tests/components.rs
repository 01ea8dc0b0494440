//! The components of the genuine control plane as processes of the machine.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::control_plane::{ControlPlane, program};
use integration_tests::wait::until;

fn built() -> Result<std::path::PathBuf> {
    program::built()?.context("the control plane is not built; run `cargo xtask kube --build-only`")
}

/// A killed test cannot stop what it started.
#[tokio::test]
async fn a_component_ends_when_the_process_that_started_it_has() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut command = Command::new(built()?);
    command.arg("etcd").arg("--data-dir").arg(directory.path()).env("CONTROL_PLANE_TETHERED", "1");
    let mut etcd = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let socket = directory.path().join("client.sock");
    until("etcd listens", Duration::from_secs(20), async || Ok(socket.exists().then_some(()))).await?;
    // The kernel closes this end when a process ends, in whatever way.
    drop(etcd.stdin.take());
    let ended = until("etcd ends", Duration::from_secs(20), async || Ok(etcd.try_wait()?)).await;
    let _ = etcd.kill();
    ended.map(drop)
}

#[tokio::test]
async fn two_control_planes_run_side_by_side_and_leave_nothing() -> Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (program, directory) = (built()?, tempfile::tempdir()?);
    let (one, other) = (directory.path().join("one"), directory.path().join("other"));
    let (first, second) = tokio::try_join!(ControlPlane::start(&program, &one), ControlPlane::start(&program, &other))?;
    ensure!(first.url() != second.url(), "each has an address of its own");
    ensure!(first.version() == format!("v{}", program::version()?), "it is {}", first.version());
    first.stop().await?;
    second.stop().await?;
    let marker = directory.path().to_string_lossy().into_owned();
    let left: Vec<_> = integration_tests::process::with_argument(&marker);
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}
