//! What a container sees of files.

use crate::world::{World, shell};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::json;

pub async fn volumes_and_credentials_are_where_pods_expect_them(world: World) {
    world.create::<ConfigMap>(json!({"metadata": {"name": "config"}, "data": {"a.txt": "A", "b.txt": "B"}})).await;
    world.create::<Secret>(json!({"metadata": {"name": "keys"}, "data": {"key": "czNjcjN0"}})).await;
    let script = "set -e; cat /etc/config/a.txt /opt/deep/b.txt /keys/key; echo; cat /info/labels; echo; cat /etc/hostname; \
        test -s /var/run/secrets/kubernetes.io/serviceaccount/token; \
        grep -q BEGIN /var/run/secrets/kubernetes.io/serviceaccount/ca.crt; \
        cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; echo; \
        touch /keys/key 2>/dev/null || echo read-only; echo $KEY; test -n \"$KUBERNETES_SERVICE_HOST\"; ls /usr/bin/env";
    let mut container = shell("main", script);
    container["env"] = json!([{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "key"}}}]);
    container["volumeMounts"] = json!([
        {"name": "config", "mountPath": "/etc/config"},
        {"name": "config", "mountPath": "/opt/deep/b.txt", "subPath": "b.txt"},
        {"name": "keys", "mountPath": "/keys"},
        {"name": "info", "mountPath": "/info"},
    ]);
    let volumes = json!([
        {"name": "config", "configMap": {"name": "config"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "info", "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]);
    world.pod("volumes", json!({"restartPolicy": "Never", "containers": [container], "volumes": volumes})).await;
    let pod =
        world.until("volumes", |pod| pod["status"]["phase"] == "Succeeded" || pod["status"]["phase"] == "Failed").await;
    let expected = "ABs3cr3t\napp=\"volumes\"\nvolumes\ndefault\nread-only\ns3cr3t\n/usr/bin/env\n";
    assert_eq!(world.log(&pod, "main", 0), expected);
    assert!(!std::path::Path::new("/opt/deep").exists() && !std::path::Path::new("/etc/config").exists());
}

pub async fn what_a_pod_writes_stays_in_the_pod(world: World) {
    // A name of this run alone: an earlier one may have left its file where pods cannot have a file tree of their own.
    let own = format!("own-of-a-pod-{}", std::process::id());
    let script = format!(
        "echo x > /tmp/{own}; echo y > /{own}; cat /tmp/{own}; /flinkctl no-such-case >/dev/null && echo runs; ls /dev | wc -l"
    );
    let mut container = json!({"name": "main", "image": "flinkctl", "command": ["/bin/sh", "-c", script]});
    container["resources"] = json!({"limits": {"memory": "1Mi", "cpu": "0.01"}});
    world.pod("own", json!({"restartPolicy": "Never", "containers": [container]})).await;
    let pod = world.phase("own", "Succeeded").await;
    assert!(world.log(&pod, "main", 0).starts_with("x\nruns\n"), "{}", world.log(&pod, "main", 0));
    assert!(!std::path::Path::new("/tmp").join(&own).exists() && !std::path::Path::new("/").join(&own).exists());
}

pub async fn what_cannot_be_mounted_is_told(world: World) {
    let volumes = json!([{"name": "disk", "nfs": {"server": "s", "path": "/"}}]);
    world.pod("nfs", json!({"containers": [shell("main", "true")], "volumes": volumes})).await;
    world.event("nfs", "FailedMount", "volume \"disk\" is of a kind").await;
    let volumes = json!([{"name": "late", "configMap": {"name": "late"}}]);
    world
        .pod("late", json!({"restartPolicy": "Never", "containers": [shell("main", "true")], "volumes": volumes}))
        .await;
    world.event("late", "FailedMount", "configmap \"late\" not found").await;
    let pod = world.phase("late", "Pending").await;
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "ContainerCreating");
    world.create::<ConfigMap>(json!({"metadata": {"name": "late"}, "data": {}})).await;
    world.phase("late", "Succeeded").await;
}
