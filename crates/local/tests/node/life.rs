//! How pods start, fail, and end.

use crate::world::{World, alive, eventually, shell};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

pub async fn a_job_ends_and_its_log_and_status_tell_how(world: World) {
    let script = "echo out $NAME on $(hostname); echo err >&2; echo -n all well > /dev/termination-log";
    let mut container = shell("main", script);
    container["env"] = json!([{"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    world.pod("done", json!({"restartPolicy": "Never", "containers": [container]})).await;
    let pod = world.phase("done", "Succeeded").await;
    assert_eq!(world.log(&pod, "main", 0), "out done on done\nerr\n");
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(
        (&ended["exitCode"], &ended["reason"], &ended["message"]),
        (&json!(0), &json!("Completed"), &json!("all well"))
    );
    assert!(pod["status"]["podIP"].as_str().is_some_and(|address| address.starts_with("127.")));
    let condition = |kind: &str| {
        pod["status"]["conditions"]
            .as_array()
            .expect("it is there")
            .iter()
            .find(|c| c["type"] == kind)
            .expect("it is there")["status"]
            .clone()
    };
    assert_eq!((condition("Initialized"), condition("Ready")), (json!("True"), json!("False")));
    world.event("done", "Started", "Started container main").await;
}

pub async fn a_failed_container_says_why_and_starts_again(world: World) {
    let mut container = shell("main", "echo the reason; kill -9 $$$$");
    container["terminationMessagePolicy"] = json!("FallbackToLogsOnError");
    world.pod("again", json!({"containers": [container]})).await;
    let status = |pod: &serde_json::Value| pod["status"]["containerStatuses"][0].clone();
    let pod = world.until("again", |pod| status(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff").await;
    let status = status(&pod);
    assert_eq!((&status["restartCount"], &pod["status"]["phase"]), (&json!(1), &json!("Running")));
    let last = &status["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["signal"], &last["reason"]), (&json!(137), &json!(9), &json!("Error")));
    assert_eq!(last["message"], "the reason\n");
    world.event("again", "BackOff", "Back-off restarting").await;
    world.pod("once", json!({"restartPolicy": "Never", "containers": [shell("main", "exit 3")]})).await;
    let once = world.phase("once", "Failed").await;
    assert_eq!(once["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 3);
    let missing = json!({"name": "main", "image": "shell", "command": ["/no/such/program"]});
    world.pod("missing", json!({"restartPolicy": "Never", "containers": [missing]})).await;
    let missing = world.phase("missing", "Failed").await;
    let ended = &missing["status"]["containerStatuses"][0]["state"]["terminated"];
    assert!(ended["message"].as_str().expect("it is there").contains("/no/such/program"), "{ended}");
}

pub async fn init_containers_come_first_and_in_order(world: World) {
    let mount = json!([{"name": "shared", "mountPath": "/shared"}]);
    let with = |name: &str, script: &str| {
        let mut container = shell(name, script);
        container["volumeMounts"] = mount.clone();
        container
    };
    let spec = json!({
        "restartPolicy": "Never",
        "volumes": [{"name": "shared", "emptyDir": {}}],
        "initContainers": [with("first", "echo 1 > /shared/order"), with("second", "echo 2 >> /shared/order")],
        "containers": [with("main", "cat /shared/order")],
    });
    world.pod("ordered", spec).await;
    let pod = world.phase("ordered", "Succeeded").await;
    assert_eq!(world.log(&pod, "main", 0), "1\n2\n");
    let spec = json!({"restartPolicy": "Never", "initContainers": [shell("first", "exit 1")], "containers": [shell("main", "true")]});
    world.pod("broken", spec).await;
    let pod = world.phase("broken", "Failed").await;
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "PodInitializing");
}

pub async fn a_deleted_pod_ends_politely_with_all_its_processes(world: World) {
    let script = "trap 'echo bye > /shared/bye; exit 0' TERM; sleep 1000 & echo $$$$ $! > /shared/ids; wait; wait";
    let mut container = shell("main", script);
    let shared = world.data.join("shared");
    container["volumeMounts"] = json!([{"name": "shared", "mountPath": "/shared"}]);
    let volumes = json!([{"name": "shared", "hostPath": {"path": shared, "type": "DirectoryOrCreate"}}]);
    world.pod("polite", json!({"containers": [container], "volumes": volumes})).await;
    world.phase("polite", "Running").await;
    let read = |name: &str| std::fs::read_to_string(shared.join(name)).unwrap_or_default();
    eventually("the script runs", || read("ids").ends_with('\n')).await;
    assert!(read("ids").split_whitespace().all(alive));
    world.api::<Pod>().delete("polite", &DeleteParams::default()).await.expect("it is there");
    world.gone("polite").await;
    assert_eq!(read("bye"), "bye\n");
    assert!(!read("ids").split_whitespace().any(alive));
    eventually("its files are gone", || std::fs::read_dir(world.data.join("pods")).expect("it is there").count() == 0)
        .await;
    let deaf = shell("main", "trap '' TERM; while :; do sleep 1; done");
    world.pod("deaf", json!({"terminationGracePeriodSeconds": 1, "containers": [deaf]})).await;
    world.phase("deaf", "Running").await;
    world.api::<Pod>().delete("deaf", &DeleteParams::default()).await.expect("it is there");
    world.gone("deaf").await;
}

pub async fn a_container_that_does_not_live_is_started_again(world: World) {
    // A name of this run alone: where pods cannot have a file tree of their own, an earlier run may have left its file.
    let alive = format!("/alive-{}", std::process::id());
    let mut container = shell("main", &format!("touch {alive}; sleep 2; rm {alive}; while :; do sleep 1; done"));
    container["livenessProbe"] = json!({"exec": {"command": ["test", "-e", alive]}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1});
    world.pod("ill", json!({"terminationGracePeriodSeconds": 1, "containers": [container]})).await;
    world.until("ill", |pod| pod["status"]["containerStatuses"][0]["restartCount"] == 1).await;
    world.event("ill", "Unhealthy", "Liveness probe failed").await;
    world.event("ill", "Killing", "failed liveness probe").await;
}

pub async fn an_unknown_image_names_the_flag_and_can_be_mended(world: World) {
    let container = json!({"name": "main", "image": "example.org/jobs:1", "command": ["true"]});
    world.pod("unknown", json!({"restartPolicy": "Never", "containers": [container]})).await;
    let waits =
        |pod: &serde_json::Value| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "ErrImagePull";
    let pod = world.until("unknown", waits).await;
    assert_eq!(pod["status"]["phase"], "Pending");
    world.event("unknown", "Failed", "--image jobs=DIR").await;
    let mut mended = world.api::<Pod>().get("unknown").await.expect("it is there");
    mended.spec.as_mut().expect("it is there").containers[0].image = Some("shell".to_owned());
    world.api::<Pod>().replace("unknown", &PostParams::default(), &mended).await.expect("it is there");
    world.phase("unknown", "Succeeded").await;
}
