//! A JobManager and TaskManagers as plain processes on a loopback address of their own, without Kubernetes.
//!
//! Dropping the cluster kills its processes. Logs lie in its directory and are shown unless the test says that it passed.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use flink::option::TASK_MANAGER_RESOURCE_ID;
use flink_client::Client;
use integration_tests::{setup, wait};
use tempfile::TempDir;

/// How long a JVM may take on a busy machine.
const START: Duration = Duration::from_mins(1);

const OPEN: [&str; 9] = [
    "java.lang",
    "java.util",
    "java.net",
    "java.nio",
    "sun.nio.ch",
    "java.util.concurrent",
    "java.io",
    "java.time",
    "java.text",
];

/// The memory of a small TaskManager: without Flink's scripts nobody computes it.
const TASK_MANAGER: &str = "\
taskmanager.numberOfTaskSlots: 2
taskmanager.cpu.cores: 1
taskmanager.memory.task.heap.size: 64m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.network.min: 32m
taskmanager.memory.network.max: 32m
taskmanager.memory.managed.size: 16m
taskmanager.memory.framework.heap.size: 64m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.jvm-metaspace.size: 128m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
";

pub struct Cluster {
    pub directory: TempDir,
    address: Ipv4Addr,
    home: PathBuf,
    job_manager: Option<Child>,
    task_manager: Option<Child>,
    started: u32,
    passed: bool,
}

impl Cluster {
    /// Starts both processes and waits for the slots.
    pub async fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut cluster = Self {
            address: free_address()?,
            home: setup::flink_home()?,
            job_manager: None,
            task_manager: None,
            started: 0,
            passed: false,
            directory,
        };
        cluster.configure()?;
        cluster.start_job_manager().await?;
        cluster.start_task_manager().await?;
        Ok(cluster)
    }

    /// A client of the JobManager.
    pub fn client(&self) -> Client {
        Client::new(&format!("{}:8081", self.address))
    }

    /// The URL of a directory below the cluster's own.
    pub fn url(&self, below: &str) -> String {
        format!("file://{}", self.path(below).display())
    }

    /// The path of a directory below the cluster's own.
    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// Says that the test has passed, so that logs are not shown.
    pub fn passed(mut self) {
        self.passed = true;
    }

    pub async fn start_job_manager(&mut self) -> Result<()> {
        let class = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint";
        self.job_manager = Some(self.java("jobmanager", class)?.spawn().context("cannot start java")?);
        let client = self.client();
        wait::until("the JobManager answers", START, async || Ok(Some(client.overview().await?))).await?;
        Ok(())
    }

    /// Starts a TaskManager and waits until it offers slots; a restarting job may take them at once.
    pub async fn start_task_manager(&mut self) -> Result<()> {
        let class = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner";
        self.started += 1;
        let id = format!("taskmanager-{}", self.started);
        let mut java = self.java("taskmanager", class)?;
        java.arg("-D").arg(format!("{TASK_MANAGER_RESOURCE_ID}={id}"));
        self.task_manager = Some(java.spawn().context("cannot start java")?);
        let client = self.client();
        wait::until("the TaskManager offers slots", START, async || {
            let offered = client.taskmanagers().await?.taskmanagers;
            Ok(offered.iter().any(|one| one.id == id && one.slots > 0).then_some(()))
        })
        .await
    }

    pub fn kill_job_manager(&mut self) {
        kill(self.job_manager.take());
    }

    pub fn kill_task_manager(&mut self) {
        kill(self.task_manager.take());
    }

    fn configure(&self) -> Result<()> {
        let address = self.address;
        let host = nix::unistd::gethostname()?.to_string_lossy().into_owned();
        fs::create_dir(self.path("conf"))?;
        fs::write(self.path("hosts"), format!("{address} localhost\n{address} {host}\n"))?;
        let mut config = File::create(self.path("conf/config.yaml"))?;
        for key in [
            "jobmanager.rpc.address",
            "jobmanager.bind-host",
            "rest.address",
            "rest.bind-address",
            "taskmanager.host",
            "taskmanager.bind-host",
        ] {
            writeln!(config, "{key}: {address}")?;
        }
        write!(
            config,
            "blob.server.port: 6124\njobmanager.memory.process.size: 700m\nheartbeat.interval: 1000\nheartbeat.timeout: 6000\n\
             web.refresh-interval: 200\nweb.upload.dir: {}\nio.tmp.dirs: {}\nexecution.checkpointing.dir: {}\n\
             execution.checkpointing.interval: 500\nrestart-strategy.type: fixed-delay\n\
             restart-strategy.fixed-delay.attempts: 100\nrestart-strategy.fixed-delay.delay: 200 ms\n{TASK_MANAGER}",
            self.path("upload").display(),
            self.path("tmp").display(),
            self.url("checkpoints"),
        )?;
        fs::create_dir(self.path("tmp"))?;
        let log = "rootLogger.level = INFO\nrootLogger.appenderRef.c.ref = c\nappender.c.type = CONSOLE\nappender.c.name = c\n\
                   appender.c.layout.type = PatternLayout\nappender.c.layout.pattern = %d %p %c{1} %m%n\n";
        fs::write(self.path("log4j.properties"), log)?;
        Ok(())
    }

    fn java(&self, name: &str, class: &str) -> Result<Command> {
        let log = File::options().create(true).append(true).open(self.path(&format!("{name}.log")))?;
        let mut java = Command::new("java");
        java.args([
            "-Xmx160m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:MaxDirectMemorySize=128m",
        ]);
        java.args(OPEN.map(|package| format!("--add-opens=java.base/{package}=ALL-UNNAMED")));
        java.arg(format!("-Djdk.net.hosts.file={}", self.path("hosts").display()));
        java.arg(format!("-Dlog4j.configurationFile={}", self.url("log4j.properties")));
        java.arg("-classpath").arg(class_path(&self.home)?).arg(class).arg("--configDir").arg(self.path("conf"));
        java.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(java)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill_task_manager();
        self.kill_job_manager();
        if !self.passed {
            for name in ["jobmanager", "taskmanager"] {
                let log = fs::read_to_string(self.path(&format!("{name}.log"))).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                eprintln!("--- the end of {name}.log\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
            }
        }
    }
}

fn kill(process: Option<Child>) {
    if let Some(mut process) = process {
        // A process that has ended already cannot be killed, which is just as well.
        let _ = process.kill();
        let _ = process.wait();
    }
}

/// The JARs of a distribution's `lib`, as Flink's scripts would put them.
fn class_path(home: &Path) -> Result<String> {
    let mut jars: Vec<_> = fs::read_dir(home.join("lib"))?
        .flatten()
        .map(|entry| entry.path().to_string_lossy().into_owned())
        .filter(|path| !path.contains("flink-table"))
        .collect();
    jars.sort();
    Ok(jars.join(":"))
}

/// An address on which nobody uses Flink's ports, another one for each call. Those of `flinkctl local` are below 127.121.
fn free_address() -> Result<Ipv4Addr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id().to_be_bytes();
    let free = |address: &Ipv4Addr| [6123, 6124, 8081].iter().all(|port| TcpListener::bind((*address, *port)).is_ok());
    std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
        .take(100)
        .map(|last| Ipv4Addr::new(127, 200 + process[2] % 50, process[3], last))
        .find(free)
        .context("Flink's ports are taken on every address; does something listen on 0.0.0.0:8081?")
}
