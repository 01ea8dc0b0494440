//! A genuine Kubernetes control plane on loopback: etcd, API server, controller manager and scheduler, each a process of its own.
//!
//! TLS, RBAC and the node authorizer are on, as a cluster of a provider has them, and an audit log holds every request. The parts that
//! make sense only between machines are off: they are named in [`flags`]. Nodes are not started here.
//!
//! Invariant: no process of a control plane outlives the process that started it, even if that is killed.

pub mod audit;
mod certificates;
mod flags;
mod kubeconfig;
pub mod program;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kube::config::{KubeConfigOptions, Kubeconfig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wait::until;
use certificates::Authority;

/// The port of the API server, as `flinkctl local` has it.
const PORT: u16 = 6443;
/// Networks that an instance may have: 127.N.0.0/16.
const NETWORKS: std::ops::RangeInclusive<u8> = 1..=120;
/// The components that the others need, the first to be started.
const STORAGE_AND_API: usize = 2;
const READY: Duration = Duration::from_secs(90);
/// The API server waits for requests to end; watches of clients that live on would keep it for a minute.
const END: Duration = Duration::from_secs(8);

/// A running control plane. Dropping it kills its processes; [`ControlPlane::stop`] ends them in order.
pub struct ControlPlane {
    /// In the order of their start.
    components: Vec<Component>,
    program: PathBuf,
    directory: PathBuf,
    network: u8,
    version: String,
    took: Duration,
    /// Keeps the network from other instances.
    _claim: UdpSocket,
}

struct Component {
    name: &'static str,
    process: Child,
}

impl Drop for Component {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl ControlPlane {
    /// Starts all components with empty data below `directory`, and waits until the API server is ready.
    pub async fn start(program: &Path, directory: &Path) -> Result<Self> {
        let started = Instant::now();
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
        let directory = directory.canonicalize()?;
        let (network, claim) = claim()?;
        let mut plane = Self {
            components: Vec::new(),
            program: program.to_owned(),
            directory,
            network,
            version: String::new(),
            took: Duration::ZERO,
            _claim: claim,
        };
        plane.prepare()?;
        if let Err(error) = plane.bring_up().await {
            let logs: Vec<String> = plane.components.iter().map(|one| plane.tail(one.name)).collect();
            return Err(error.context(format!("the control plane does not come up; it says:\n{}", logs.join("\n"))));
        }
        plane.took = started.elapsed();
        Ok(plane)
    }

    async fn bring_up(&mut self) -> Result<()> {
        self.spawn("etcd", flags::etcd(&self.directory))?;
        let socket = flags::etcd_socket(&self.directory);
        self.wait("etcd listens", async || Ok(UnixStream::connect(&socket).ok().map(drop))).await?;
        self.spawn("kube-apiserver", flags::api_server(&self.directory, self.network))?;
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = kube::Client::try_from(config)?;
        self.wait("the API server is ready", async || {
            let ready = client.request_text(http::Request::get("/readyz").body(Vec::new())?).await?;
            Ok((ready == "ok").then_some(()))
        })
        .await?;
        self.version = client.apiserver_version().await?.git_version;
        self.spawn("kube-controller-manager", flags::controller_manager(&self.directory))?;
        self.spawn("kube-scheduler", flags::scheduler(&self.directory))?;
        Ok(())
    }

    /// Waits for a condition, but not for a component that has ended.
    async fn wait(&mut self, what: &str, mut look: impl AsyncFnMut() -> Result<Option<()>>) -> Result<()> {
        let components = &mut self.components;
        let ended = until(what, READY, async || {
            for component in &mut *components {
                if let Some(status) = component.process.try_wait()? {
                    return Ok(Some(Some(format!("{} ended with {status}", component.name))));
                }
            }
            Ok(look().await?.map(|()| None))
        })
        .await?;
        ended.map_or(Ok(()), |words| bail!(words))
    }

    fn spawn(&mut self, name: &'static str, flags: Vec<String>) -> Result<()> {
        let log = File::create(self.log_of(name)).with_context(|| format!("cannot create the log of {name}"))?;
        let mut command = Command::new(&self.program);
        // A group of its own: Ctrl-C on the terminal reaches the caller alone, which then stops this in order.
        command.arg(name).args(flags).process_group(0).stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        command.env_clear().env("CONTROL_PLANE_TETHERED", "1").env("GOMEMLIMIT", flags::memory(name));
        let process = command.spawn().with_context(|| format!("cannot start {} {name}", self.program.display()))?;
        self.components.push(Component { name, process });
        Ok(())
    }

    /// Certificates, kubeconfigs and the audit policy.
    fn prepare(&self) -> Result<()> {
        let authority = Authority::new()?;
        authority.write(&self.directory, self.address())?;
        for (name, user, group) in [
            ("kubeconfig", "kubernetes-admin", "system:masters"),
            ("kube-controller-manager.kubeconfig", "system:kube-controller-manager", ""),
            ("kube-scheduler.kubeconfig", "system:kube-scheduler", ""),
            ("node.kubeconfig", &format!("system:node:{NODE}"), "system:nodes"),
        ] {
            let pair = authority.client(user, group)?;
            let text = kubeconfig::content(&self.url(), authority.pem(), user, &pair);
            private(&self.directory.join(name), &text)?;
        }
        private(&self.directory.join(flags::AUDIT_POLICY), audit::POLICY)
    }

    /// Ends the components, the last first; one that does not end by itself is killed, and named.
    pub async fn stop(mut self) -> Result<()> {
        let mut stubborn = Vec::new();
        while let Some(component) = self.components.pop() {
            stubborn.extend(end(component).await.err());
        }
        ensure!(stubborn.is_empty(), "{} did not end within {} s", stubborn.join(", "), END.as_secs());
        Ok(())
    }

    /// Ends what acts on objects by itself, before the rest is stopped.
    pub async fn stop_controllers(&mut self) {
        while self.components.len() > STORAGE_AND_API
            && let Some(component) = self.components.pop()
        {
            let _ = end(component).await;
        }
    }

    /// A component that has ended by itself, which none should.
    pub fn ended(&mut self) -> Result<Option<String>> {
        for component in &mut self.components {
            if let Some(status) = component.process.try_wait()? {
                return Ok(Some(format!("{} ended with {status}", component.name)));
            }
        }
        Ok(None)
    }

    /// The kubeconfig of a user who may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig")
    }

    /// `kubectl apply` of a manifest, as the user who may do everything.
    pub fn apply(&self, namespace: &str, manifest: &str) -> Result<()> {
        let file = self.directory.join("manifest.yaml");
        private(&file, manifest)?;
        let mut command = Command::new(self.program.with_file_name("kubectl"));
        command.arg("--kubeconfig").arg(self.kubeconfig()).arg("--cache-dir").arg(self.directory.join("kubectl-cache"));
        let output = command.args(["apply", "--namespace", namespace, "-f"]).arg(&file).output()?;
        ensure!(output.status.success(), "kubectl apply failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// The flags with which `flinkctl local node` is the node [`NODE`] of this control plane.
    pub fn node_flags(&self) -> Vec<String> {
        [
            ("kubeconfig", "node.kubeconfig"),
            ("tls-cert-file", "node.crt"),
            ("tls-private-key-file", "node.key"),
            ("client-ca-file", "ca.crt"),
        ]
        .map(|(flag, file)| format!("--{flag}={}", self.directory.join(file).display()))
        .to_vec()
    }

    /// What the API server says that it is, such as `v1.36.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// How long the start took, from nothing to a ready API server.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The resident memory of each component in MiB.
    pub fn memory(&self) -> Vec<(&'static str, u64)> {
        let resident = |pid: u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes / 1024)
        };
        self.components.iter().map(|one| (one.name, resident(one.process.id()).unwrap_or(0))).collect()
    }

    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.network, 0, 1)
    }

    /// The begin of every address of this control plane and its pods.
    pub fn network(&self) -> String {
        format!("127.{}.", self.network)
    }

    pub fn url(&self) -> String {
        format!("https://{}:{PORT}", self.address())
    }

    /// The requests so far.
    pub fn audit(&self) -> Result<Vec<audit::Request>> {
        audit::read(&self.directory.join(flags::AUDIT_LOG))
    }

    /// What parts of flinkctl asked for and should not have, each in a line, with the number of times.
    pub fn refused(&self) -> Result<Vec<String>> {
        let mut lines = BTreeMap::<String, usize>::new();
        for request in self.audit()?.iter().filter(|request| request.is_ours() && request.failed()) {
            *lines.entry(request.to_string()).or_default() += 1;
        }
        Ok(lines.into_iter().map(|(line, times)| format!("{times} x {line}")).collect())
    }

    /// The last lines of a component's log.
    fn tail(&self, name: &str) -> String {
        let text = fs::read_to_string(self.log_of(name)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("--- {name}\n{}", lines[lines.len().saturating_sub(8)..].join("\n"))
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }
}

/// Ends a component; the error is the name of one that did not end by itself.
async fn end(mut component: Component) -> Result<(), &'static str> {
    let _ = kill(Pid::from_raw(component.process.id().cast_signed()), Signal::SIGTERM);
    let ended = until("it ends", END, async || Ok(component.process.try_wait()?)).await;
    ended.map(drop).map_err(|_| component.name)
}

/// The only node that has a kubeconfig: what `flinkctl local node` is called unless told otherwise.
pub const NODE: &str = "flinkctl-local";

/// The first free network. The bound UDP socket is the claim that instances of `flinkctl local` respect too.
fn claim() -> Result<(u8, UdpSocket)> {
    let free = |network| {
        let address = (Ipv4Addr::new(127, network, 0, 1), PORT);
        let claim = UdpSocket::bind(address).ok()?;
        TcpListener::bind(address).ok().map(|_| claim)
    };
    // From behind, since `flinkctl local` mostly begins in front.
    NETWORKS.rev().find_map(|network| Some((network, free(network)?))).with_context(|| {
        format!("port {PORT} is taken on each of 127.{}.0.1 to 127.{}.0.1", NETWORKS.start(), NETWORKS.end())
    })
}

fn private(path: &Path, text: &str) -> Result<()> {
    let written = File::options().write(true).create(true).truncate(true).open(path).and_then(|mut file| {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        std::io::Write::write_all(&mut file, text.as_bytes())
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}
