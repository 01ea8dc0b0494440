//! What a node finds out about its machine when it starts, and the Node object that says so.

use super::process::{Error, Spawner};
use super::{Isolation, Machine, kubelet};
use crate::shim::{Order, Place, Root};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the machine has.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    pub cpu: String,
    pub memory: String,
}

impl Capacity {
    pub fn of_host() -> Self {
        let cpu = std::thread::available_parallelism().map_or(1, usize::from);
        let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
        Capacity { cpu: cpu.to_string(), memory: format!("{}Ki", total.unwrap_or("0")) }
    }
}

/// Creates the Node object, or says again what it is. After that nothing is written about the node.
pub(super) async fn register(machine: &Machine, serves: bool) -> kube::Result<()> {
    let nodes: Api<Node> = Api::all(machine.client.clone());
    let name = &machine.name;
    let labels =
        json!({"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": architecture()});
    let node: Node = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "spec": {}}))
        .map_err(kube::Error::SerdeError)?;
    match nodes.create(&PostParams::default(), &node).await {
        Err(kube::Error::Api(error)) if error.is_already_exists() => {}
        created => drop(created?),
    }
    let now = Time(Timestamp::now());
    let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "message": "", "lastHeartbeatTime": now, "lastTransitionTime": now});
    let resources = json!({"cpu": machine.capacity.cpu, "memory": machine.capacity.memory, "pods": "1000", "ephemeral-storage": "100Gi"});
    let status = json!({"status": {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": machine.address().to_string()},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": if serves { kubelet::PORT } else { 0 }}},
        // Streams come as WebSockets, and need no translation on the way.
        "declaredFeatures": ["ExtendWebSocketsToKubelet"],
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
            condition("Ready", "True", "KubeletReady"),
        ],
        "nodeInfo": {
            "machineID": "", "systemUUID": "", "bootID": "", "osImage": "host",
            "kernelVersion": fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
            "containerRuntimeVersion": format!("flinkctl://{}", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": format!("v{}", env!("CARGO_PKG_VERSION")),
            "kubeProxyVersion": "", "operatingSystem": "linux", "architecture": architecture(),
        },
    }});
    nodes.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.map(drop)
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Keeps the executable that runs now: it may be built anew while the node runs.
pub(super) fn keep_executable(executable: &Path, data: &Path) -> io::Result<PathBuf> {
    let directory = data.join("bin");
    fs::create_dir_all(&directory)?;
    let kept = directory.join("flinkctl");
    match fs::remove_file(&kept) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    if fs::hard_link(executable, &kept).is_err() {
        fs::copy(executable, &kept)?;
    }
    Ok(kept)
}

pub(super) fn host_and_port(url: &str) -> Option<(String, u16)> {
    let rest = url.strip_prefix("https://")?.trim_end_matches('/');
    match rest.rsplit_once(':') {
        Some((host, port)) => Some((host.to_owned(), port.parse().ok()?)),
        None => Some((rest.to_owned(), 443)),
    }
}

/// Tries in which way a container can have mounts: as root, else in a user namespace. The text says why in none.
pub(super) async fn find_isolation(spawner: &Spawner, data: &Path) -> (Option<Isolation>, String) {
    let mut why = String::new();
    let root = nix::unistd::geteuid().is_root();
    for user_namespace in [false, true].into_iter().filter(|user_namespace| root || *user_namespace) {
        match attempt(spawner, data, user_namespace).await {
            Ok(()) => return (Some(Isolation { user_namespace }), why),
            Err(error) => why = error.to_string(),
        }
    }
    (None, why)
}

async fn attempt(spawner: &Spawner, data: &Path, user_namespace: bool) -> Result<(), Error> {
    let staging = data.join("bin/root");
    fs::create_dir_all(&staging).map_err(Error::Order)?;
    let root = Root {
        staging,
        user_namespace,
        hostname: "attempt".to_owned(),
        layers: Vec::new(),
        directories: Vec::new(),
        mounts: Vec::new(),
        scripts: Vec::new(),
    };
    let order = Order {
        program: vec!["/bin/sh".to_owned(), "-c".to_owned(), ":".to_owned()],
        environment: Vec::new(),
        directory: "/".into(),
        node: nix::unistd::getpid().as_raw(),
        place: Place::Root(root),
        input: None,
    };
    spawner.start(&order, None).await?.wait().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_have_a_host_and_a_port() {
        assert_eq!(host_and_port("https://127.3.0.1:6443"), Some(("127.3.0.1".to_owned(), 6443)));
        assert_eq!(host_and_port("https://example.org/"), Some(("example.org".to_owned(), 443)));
        assert_eq!(host_and_port("http://example.org"), None);
    }

    #[test]
    fn a_replaced_executable_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let executable = directory.path().join("flinkctl");
        fs::write(&executable, "old").unwrap();
        let kept = keep_executable(&executable, directory.path()).unwrap();
        fs::remove_file(&executable).unwrap();
        fs::write(&executable, "new").unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        assert_eq!(fs::read_to_string(keep_executable(&executable, directory.path()).unwrap()).unwrap(), "new");
    }
}
