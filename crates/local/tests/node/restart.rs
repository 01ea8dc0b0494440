//! A node that is killed, and its next life.

use crate::world::{NAMESPACE, World, alive, eventually, parse, shell, until};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;
use std::path::Path;
use std::process::{Child, Command};

struct Host(Child);

impl Host {
    fn start(data: &Path) -> Self {
        let _ = std::fs::remove_file(local::kubeconfig::path(data));
        Host(
            Command::new(std::env::current_exe().expect("it is there"))
                .arg("instance")
                .arg(data)
                .spawn()
                .expect("it is there"),
        )
    }

    fn kill(&mut self) {
        self.0.kill().expect("it is there");
        self.0.wait().expect("it is there");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn connect(data: &Path) -> Client {
    eventually("the instance answers", || local::kubeconfig::path(data).exists()).await;
    let kubeconfig = Kubeconfig::read_from(local::kubeconfig::path(data)).expect("it is there");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.expect("it is there");
    let client = Client::try_from(config).expect("it is there");
    let nodes: Api<Node> = Api::all(client.clone());
    until("the node is there", async || nodes.get_opt(crate::world::NODE).await.ok().flatten()).await;
    client
}

pub async fn nothing_outlives_a_killed_node_and_pods_are_told(mut world: World) {
    let data = world.data.clone();
    let mut host = Host::start(&data);
    world.client = connect(&data).await;
    for (name, policy) in [("never", "Never"), ("always", "Always")] {
        // A grandchild in the same session, which the kernel does not tie to the node.
        let script = format!("sleep 1000 & echo $$$$ $! > {}/{name}; wait", data.display());
        let mut spec = json!({"restartPolicy": policy, "terminationGracePeriodSeconds": 1, "containers": [shell("main", &script)]});
        spec["nodeName"] = json!(crate::world::NODE);
        let pod: Pod = parse(json!({"metadata": {"name": name}, "spec": spec}));
        let pods: Api<Pod> = Api::namespaced(world.client.clone(), NAMESPACE);
        pods.create(&PostParams::default(), &pod).await.expect("it is there");
        world.phase(name, "Running").await;
    }
    let ids = |name: &str| std::fs::read_to_string(data.join(name)).unwrap_or_default();
    eventually("the pods run", || ids("never").ends_with('\n') && ids("always").ends_with('\n')).await;
    let (never, always) = (ids("never"), ids("always"));
    let first = |ids: &str| ids.split_whitespace().next().unwrap_or_default().to_owned();
    host.kill();
    eventually("containers die with the node", || !alive(&first(&never)) && !alive(&first(&always))).await;
    let mut host = Host::start(&data);
    world.client = connect(&data).await;
    let pod = world.phase("never", "Failed").await;
    assert_eq!(pod["status"]["reason"], "NodeRestart");
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(137), &json!("ContainerStatusUnknown")));
    let up_again = |pod: &serde_json::Value| {
        let status = &pod["status"]["containerStatuses"][0];
        status["restartCount"] == 1 && !status["state"]["running"].is_null()
    };
    world.until("always", up_again).await;
    eventually("leftovers are killed", || !never.split_whitespace().chain(always.split_whitespace()).any(alive)).await;
    host.kill();
    let ids = ids("always");
    eventually("the second life has ended", || !alive(&first(&ids))).await;
    for id in ids.split_whitespace().filter_map(|id| id.parse().ok()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL);
    }
    let _ = std::fs::remove_dir_all(&data);
}
