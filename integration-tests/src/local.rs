//! One running system: started from the binary, spoken to with `kubectl` and the Kubernetes API, stopped without a trace.
//!
//! Mostly that is `flinkctl local`. On another cluster it is its node alone, or nothing but what was installed there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::api::{Api, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use crate::cluster::{self, Cluster};
use crate::control_plane::{self, ControlPlane, program};
use crate::forward::Forward;
use crate::process::{self, Process};
use crate::wait::until;

/// How an instance is started.
#[derive(Debug, Clone)]
pub struct Options {
    pub binary: PathBuf,
    /// Everything that the instance writes lies below; its own log lies beside it, with `.log` added to the name.
    pub data_dir: PathBuf,
    pub flink_home: PathBuf,
    /// Image names and the roots of their file systems.
    pub images: BTreeMap<String, PathBuf>,
    pub namespace: String,
    /// Flags for `flinkctl local up` beyond these.
    pub flags: Vec<String>,
}

/// A running instance. Dropping it without [`Local::stop`] leaves its processes running: stop it on every path.
pub struct Local {
    options: Options,
    /// `flinkctl local`, where it is not a person's own cluster.
    server: Option<Child>,
    /// The genuine control plane, where there is one.
    plane: Option<ControlPlane>,
    kubeconfig: PathBuf,
    network: String,
    client: kube::Client,
}

impl Local {
    /// Starts an instance of `flinkctl local` and waits until its API answers.
    pub async fn start(options: Options) -> Result<Self> {
        let kubeconfig = options.data_dir.join("kubeconfig");
        let mut command = command(&options, "up");
        command.args(["--namespace", &options.namespace]);
        let mut server = spawn(command, &options)?;
        match connect(&kubeconfig, &mut server).await {
            Ok((network, client)) => {
                Ok(Self { options, server: Some(server), plane: None, kubeconfig, network, client })
            }
            Err(error) => {
                let _ = server.kill();
                let _ = server.wait();
                let words = tail(&log_of(&options.data_dir), 20);
                Err(error.context(format!("`flinkctl local up` does not come up; it says:\n{words}")))
            }
        }
    }

    /// Starts a system on this cluster, and waits until the operator runs.
    pub async fn start_on(cluster: &Cluster, options: Options) -> Result<Self> {
        match cluster {
            Cluster::Local => Self::start(options).await,
            Cluster::Real { program } => {
                let plane = ControlPlane::start(program, &options.data_dir.join("control-plane")).await?;
                let kubeconfig = plane.kubeconfig();
                let client = client(&kubeconfig).await?.0;
                let network = plane.network();
                let mut local = Self { options, server: None, plane: Some(plane), kubeconfig, network, client };
                match local.populate().await {
                    Ok(()) => Ok(local),
                    Err(error) => {
                        let words = local.log(20);
                        let _ = local.stop().await;
                        Err(error.context(format!("the system does not come up; its node says:\n{words}")))
                    }
                }
            }
            Cluster::Kubeconfig { file, load_image, .. } => {
                fs::create_dir_all(&options.data_dir)?;
                if let Some(command) = load_image {
                    cluster::load_images(command)?;
                }
                let client = client(file).await?.0;
                let local = Self {
                    options,
                    server: None,
                    plane: None,
                    kubeconfig: file.clone(),
                    network: String::new(),
                    client,
                };
                cluster::install_basics(&local).await?;
                cluster::install_operator(&local).await?;
                Ok(local)
            }
        }
    }

    /// Gives a genuine control plane a node, and installs flinkctl.
    async fn populate(&mut self) -> Result<()> {
        let plane = self.plane.as_ref().expect("only a genuine control plane is populated");
        let mut command = command(&self.options, "node");
        command.args(plane.node_flags());
        self.server = Some(spawn(command, &self.options)?);
        cluster::install_basics(self).await?;
        cluster::node_ready(&self.client, control_plane::NODE).await?;
        cluster::install_operator(self).await
    }

    /// The genuine control plane that this runs on, if it does.
    pub fn control_plane(&self) -> Option<&ControlPlane> {
        self.plane.as_ref()
    }

    /// Stops the instance as a user would, and returns the processes that outlived it: there should be none.
    pub async fn stop(mut self) -> Result<Vec<Process>> {
        let Some(mut server) = self.server.take() else {
            return match self.plane.take() {
                Some(plane) => plane.stop().await.map(|()| Vec::new()),
                None => cluster::uninstall(&self).await.map(|()| Vec::new()),
            };
        };
        if let Some(plane) = &mut self.plane {
            // Nobody shall replace the pods that the node ends.
            plane.stop_controllers().await;
        }
        let mut down = Command::new(&self.options.binary);
        down.args(["local", "down", "--data-dir"])
            .arg(&self.options.data_dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let asked = run(down).await.and_then(|output| {
            if output.status.success() {
                Ok(())
            } else {
                bail!("`flinkctl local down` failed: {}", output.stderr.trim_end())
            }
        });
        let ended = until("the local server ends", Duration::from_secs(40), async || Ok(server.try_wait()?)).await;
        let stopped = match self.plane.take() {
            Some(plane) => plane.stop().await,
            None => Ok(()),
        };
        let left =
            until("no process is left", Duration::from_secs(5), async || Ok(self.processes().is_empty().then_some(())))
                .await;
        let left = if left.is_err() { self.processes() } else { Vec::new() };
        for process in &left {
            process.kill();
        }
        if ended.is_err() {
            let _ = server.kill();
            let _ = server.wait();
        }
        asked.and(stopped).and(ended.map(|_: ExitStatus| left))
    }

    /// The processes of the instance: server and pods.
    pub fn processes(&self) -> Vec<Process> {
        process::of_instance(&self.options.data_dir, &self.network)
    }

    /// Runs flinkctl as a user of the instance would, whatever its end: exit code, stdout, stderr.
    pub async fn flinkctl(&self, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        let mut command = Command::new(&self.options.binary);
        command.args(arguments).arg("--kube-config").arg(self.kubeconfig()).args(["--namespace", self.namespace()]);
        let output = run(command).await?;
        Ok((output.status.code(), output.stdout, output.stderr))
    }

    /// Runs kubectl in the instance's namespace and returns what it printed; a failure carries kubectl's own words.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl_with(arguments, None).await
    }

    /// `kubectl apply -f -` of these objects.
    pub async fn apply(&self, objects: &[Value]) -> Result<String> {
        let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
        self.apply_text(documents.join("\n")).await
    }

    /// `kubectl apply -f -` of a manifest.
    pub async fn apply_text(&self, manifest: String) -> Result<String> {
        self.kubectl_with(&["apply", "-f", "-"], Some(manifest)).await
    }

    /// `kubectl create -f -` of a manifest.
    pub async fn create_text(&self, manifest: String) -> Result<String> {
        self.kubectl_with(&["create", "-f", "-"], Some(manifest)).await
    }

    /// `kubectl port-forward` to a port of `pod/NAME` or `svc/NAME`.
    pub async fn forward(&self, target: &str, port: u16) -> Result<Forward> {
        Forward::start(self.kubectl_command(&["port-forward", target, &format!(":{port}")])).await
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(kubectl());
        // Addresses are used again by later instances, so the cache of what a server offers must not outlive this one.
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--cache-dir")
            .arg(self.options.data_dir.join("kubectl-cache"));
        command.args(["--namespace", &self.options.namespace]).args(arguments);
        command
    }

    async fn kubectl_with(&self, arguments: &[&str], input: Option<String>) -> Result<String> {
        let mut command = self.kubectl_command(arguments);
        if let Some(input) = input {
            let file = self.options.data_dir.join(format!("input-{:x}.json", jiff::Timestamp::now().as_nanosecond()));
            fs::write(&file, input)?;
            command.stdin(File::open(&file)?);
            fs::remove_file(&file)?;
        } else {
            command.stdin(Stdio::null());
        }
        let output = run(command).await?;
        if !output.status.success() {
            bail!("`kubectl {}` failed: {}", arguments.join(" "), output.stderr.trim_end());
        }
        Ok(output.stdout)
    }

    /// An object, or `None` where there is none. `kind` is one of those that [`resource`] knows.
    pub async fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        let found = self.api(kind)?.get_opt(name).await.with_context(|| format!("cannot read {kind}/{name}"))?;
        found.map(|object| serde_json::to_value(object).context("an object is JSON")).transpose()
    }

    /// All objects of a kind with these labels; an empty selector means all.
    pub async fn list(&self, kind: &str, selector: &str) -> Result<Vec<Value>> {
        let listed = self
            .api(kind)?
            .list(&ListParams::default().labels(selector))
            .await
            .with_context(|| format!("cannot list {kind}"))?;
        listed.items.into_iter().map(|object| serde_json::to_value(object).context("an object is JSON")).collect()
    }

    /// The typeless API of a kind in the instance's namespace.
    pub fn api(&self, kind: &str) -> Result<Api<DynamicObject>> {
        Ok(Api::namespaced_with(self.client.clone(), &self.options.namespace, &resource(kind)?))
    }

    /// The processes of a pod.
    pub async fn processes_of(&self, pod: &str) -> Result<Vec<Process>> {
        let object = self.get("pod", pod).await?.with_context(|| format!("there is no pod {pod}"))?;
        let address = object["status"]["podIP"].as_str().with_context(|| format!("pod {pod} has no address"))?;
        Ok(process::of_pod(pod, address))
    }

    /// `kill -9` of every process of a pod; fails when there is none.
    pub async fn kill(&self, pod: &str) -> Result<()> {
        let processes = self.processes_of(pod).await?;
        if processes.is_empty() {
            bail!("pod {pod} has no processes to kill");
        }
        processes.iter().for_each(Process::kill);
        Ok(())
    }

    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    pub fn namespace(&self) -> &str {
        &self.options.namespace
    }

    pub fn data_dir(&self) -> &Path {
        &self.options.data_dir
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// The last lines of the log of `flinkctl local`.
    pub fn log(&self, lines: usize) -> String {
        tail(&log_of(&self.options.data_dir), lines)
    }
}

/// What the API calls a kind that these tests use.
pub fn resource(kind: &str) -> Result<ApiResource> {
    let (group, version, kind) = match kind {
        "fd" => ("nextbreakpoint.com", "v1", "FlinkDeployment"),
        "fc" => ("nextbreakpoint.com", "v1", "FlinkCluster"),
        "fj" => ("nextbreakpoint.com", "v1", "FlinkJob"),
        "deployment" => ("apps", "v1", "Deployment"),
        "replicaset" => ("apps", "v1", "ReplicaSet"),
        "job" => ("batch", "v1", "Job"),
        "pod" => ("", "v1", "Pod"),
        "service" => ("", "v1", "Service"),
        "event" => ("", "v1", "Event"),
        "lease" => ("coordination.k8s.io", "v1", "Lease"),
        "quota" => ("", "v1", "ResourceQuota"),
        other => bail!("these tests know no kind `{other}`"),
    };
    Ok(ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind)))
}

/// What a program left behind.
struct Output {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

async fn run(command: Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = tokio::time::timeout(
        Duration::from_mins(2),
        tokio::process::Command::from(command).kill_on_drop(true).output(),
    )
    .await
    .with_context(|| format!("{program} did not end within two minutes"))?
    .with_context(|| format!("cannot start {program}"))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) })
}

/// `flinkctl local VERB` with what all its verbs need.
fn command(options: &Options, verb: &str) -> Command {
    let mut command = Command::new(&options.binary);
    command.args(["local", verb]).arg("--data-dir").arg(&options.data_dir);
    command.arg("--flink-home").arg(&options.flink_home);
    for (name, root) in &options.images {
        command.arg("--image").arg(format!("{name}={}", root.display()));
    }
    command.args(&options.flags);
    command
}

fn spawn(mut command: Command, options: &Options) -> Result<Child> {
    fs::create_dir_all(&options.data_dir).with_context(|| format!("cannot create {}", options.data_dir.display()))?;
    let log = File::create(log_of(&options.data_dir)).context("cannot create the log of `flinkctl local`")?;
    // A group of its own: Ctrl-C on the terminal reaches the caller alone, which then stops this in order.
    command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().with_context(|| format!("cannot start {}", options.binary.display()))
}

/// The kubectl that was built with the control plane, else the one that is installed.
fn kubectl() -> &'static Path {
    static KUBECTL: LazyLock<PathBuf> = LazyLock::new(|| {
        let built = program::built().ok().flatten().map(|program| program.with_file_name("kubectl"));
        built.unwrap_or_else(|| PathBuf::from("kubectl"))
    });
    &KUBECTL
}

async fn connect(kubeconfig: &Path, server: &mut Child) -> Result<(String, kube::Client)> {
    until("the API answers", Duration::from_secs(30), async || {
        if let Some(status) = server.try_wait()? {
            return Ok(Some(Err(anyhow::anyhow!("it ended with {status}"))));
        }
        if !kubeconfig.exists() {
            return Ok(None);
        }
        let (client, host) = client(kubeconfig).await?;
        let network = host.match_indices('.').nth(1).map(|(end, _)| host[..=end].to_owned());
        client.apiserver_version().await?;
        Ok(Some(Ok((network.unwrap_or_default(), client))))
    })
    .await?
}

/// A client, and the host that it speaks to.
async fn client(kubeconfig: &Path) -> Result<(kube::Client, String)> {
    let read = Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    let host = config.cluster_url.host().unwrap_or_default().to_owned();
    Ok((kube::Client::try_from(config)?, host))
}

fn log_of(data_dir: &Path) -> PathBuf {
    let mut name = data_dir.as_os_str().to_owned();
    name.push(".log");
    name.into()
}

fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
