//! A machine that lets nobody make a mount namespace, as inside of most containers.

use crate::world::World;
use serde_json::json;
use std::process::{Command, Stdio};

/// Runs the other test of this module in a user namespace whose limit of mount namespaces is zero.
pub async fn a_machine_without_mounts_runs_pods_all_the_same(_world: World) {
    let test = std::env::current_exe().expect("it is there");
    let script =
        format!("echo 0 > /proc/sys/user/max_mnt_namespaces && exec {} what_lies_elsewhere_is_found", test.display());
    let allowed = Command::new("unshare").args(["-Ur", "true"]).stderr(Stdio::null()).status();
    let mut command = if allowed.is_ok_and(|status| status.success()) {
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", &script]);
        command
    } else {
        // No namespaces at all: then this machine is the restricted one.
        let mut command = Command::new(test);
        command.arg("what_lies_elsewhere_is_found");
        command
    };
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// As in a bootstrap pod: an init container leaves a program in a volume, the main container runs it.
pub async fn what_lies_elsewhere_is_found(world: World) {
    let mount = json!([{"name": "bin", "mountPath": "/bin-of-ours"}]);
    let init = json!({"name": "install", "image": "shell", "command": ["cp"], "args": ["/bin/echo", "/bin-of-ours/program"], "volumeMounts": mount});
    let main = json!({"name": "main", "image": "flinkctl", "command": ["/bin-of-ours/program"], "args": ["$(A)"], "env": [{"name": "A", "value": "b"}], "volumeMounts": mount});
    let spec = json!({"restartPolicy": "Never", "initContainers": [init], "containers": [main], "volumes": [{"name": "bin", "emptyDir": {}}]});
    world.pod("elsewhere", spec).await;
    let pod = world
        .until("elsewhere", |pod| pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed")
        .await;
    assert_eq!(world.log(&pod, "main", 0), "b\n", "{pod}");
}
