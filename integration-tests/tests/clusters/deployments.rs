//! `FlinkDeployment`: what it creates, what it changes, what it leaves alone, and that nothing is left of it.

use std::sync::Arc;

use anyhow::{Result, ensure};
use integration_tests::counter;
use integration_tests::objects::{self, EXAMPLES_IMAGE, EXAMPLES_JAR, cluster_spec, counter_spec};
use integration_tests::world::{SOON, UP, World, job_id, status};
use serde_json::{Value, json};

/// The original manual's own shape: its image names, its resource limits, everything spelled out.
///
/// SC-005, SC-006, SC-014, SC-023, SC-053
pub async fn a_deployment_in_the_form_of_the_manual_lives_and_dies(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let resources =
        json!({ "limits": { "cpu": "0.05", "memory": "300Mi" }, "requests": { "cpu": "0.05", "memory": "300Mi" } });
    let volumes = json!([{ "name": "state", "hostPath": { "path": state, "type": "DirectoryOrCreate" } }]);
    let mounts = json!([{ "name": "state", "mountPath": state }]);
    let properties = "jobmanager.memory.process.size: 800m\ntaskmanager.memory.process.size: 1200m\nexecution.checkpointing.interval: 1s\n";
    let environment = json!([{ "name": "FLINK_PROPERTIES", "value": format!("{properties}execution.checkpointing.dir: {}\n", objects::url(&state, "checkpoints")) }]);
    let job = |name: &str| {
        json!({ "name": name, "spec": {
            "jobParallelism": 1,
            "savepoint": { "savepointMode": "Automatic", "savepointInterval": 600, "savepointTargetPath": objects::url(&state, &format!("savepoints/manual-{name}")) },
            "restart": { "restartPolicy": "Always", "restartDelay": 30, "restartTimeout": 120 },
            "bootstrap": {
                "serviceAccount": "flink-bootstrap",
                "pullPolicy": "IfNotPresent",
                "image": EXAMPLES_IMAGE,
                "jarPath": EXAMPLES_JAR,
                "className": counter::CLASS,
                "arguments": counter::arguments(&objects::url(&state, &format!("output/manual-{name}")), 200),
                "resources": resources,
            },
        } })
    };
    let deployment = json!({
        "apiVersion": "nextbreakpoint.com/v1",
        "kind": "FlinkDeployment",
        "metadata": { "name": "manual" },
        "spec": {
            "cluster": {
                "supervisor": { "pullPolicy": "IfNotPresent", "image": "nextbreakpoint/flinkctl:1.4.4-beta", "serviceAccount": "flink-supervisor", "taskTimeout": 180, "resources": resources },
                "runtime": { "pullPolicy": "IfNotPresent", "image": "apache/flink:2.1.3-scala_2.12-java17" },
                "jobManager": { "serviceMode": "NodePort", "environment": environment, "volumes": volumes, "volumeMounts": mounts, "resources": resources },
                "taskManager": { "taskSlots": 1, "environment": environment, "volumes": volumes, "volumeMounts": mounts, "resources": resources },
            },
            "jobs": [job("one"), job("two")],
        },
    });
    world.apply(&[deployment]).await?;
    let one = world.running("manual-one").await?;
    world.running("manual-two").await?;
    world.counted("manual-one", job_id(&one), 50).await?;
    let cluster = world.started("manual").await?;
    ensure!(
        cluster["status"]["taskManagers"] == 2 && cluster["status"]["totalTaskSlots"] == 2,
        "two slots: {}",
        cluster["status"]
    );
    ensure!(cluster["status"]["serviceMode"] == "NodePort", "{}", cluster["status"]["serviceMode"]);
    // The old image cannot run this supervisor; that it was replaced is said.
    let replaced =
        |events: &[Value]| events.iter().any(|event| event.to_string().contains("nextbreakpoint/flinkctl:1.4.4-beta"));
    ensure!(replaced(&world.local.list("event", "").await?), "an event says that the image was replaced");

    world.local.kubectl(&["delete", "fd", "manual", "--wait=true", "--timeout=90s"]).await?;
    world.leaves_nothing("manual").await
}

/// SC-028, F-06
pub async fn a_deployment_follows_its_spec(world: Arc<World>) -> Result<()> {
    let state = world.state().to_owned();
    let spec = |name: &str, patch: Value| counter_spec(&state, &format!("follow-{name}"), patch);
    let one = spec("one", json!({}));
    world.apply(&[objects::deployment("follow", &cluster_spec(&state, json!({})), &[("one", one.clone())])]).await?;
    let first = world.running("follow-one").await?;
    world.counted("follow-one", job_id(&first), 20).await?;

    // A job is added, and cluster and job are edited in the same update: all of it arrives.
    let edited = objects::merged(
        one,
        json!({ "bootstrap": { "arguments": counter::arguments(&objects::url(&state, "output/follow-one"), 300) } }),
    );
    let cluster = cluster_spec(&state, json!({ "supervisor": { "rescaleDelay": 7 } }));
    world
        .apply(&[objects::deployment("follow", &cluster, &[("one", edited.clone()), ("two", spec("two", json!({})))])])
        .await?;
    let second = world.running_again("follow-one", job_id(&first)).await?;
    world.running("follow-two").await?;
    world
        .when("fc", "follow", "has the new delay", SOON, |cluster| cluster["spec"]["supervisor"]["rescaleDelay"] == 7)
        .await?;
    world.counted("follow-one", job_id(&second), 20).await?;

    // A job belongs to whoever scaled it: another update of the deployment does not take it back.
    world.local.kubectl(&["scale", "fj", "follow-two", "--replicas=2"]).await?;
    world
        .when("fj", "follow-two", "runs with two", UP, |job| {
            job["status"]["jobParallelism"] == 2 && status(job, "jobStatus") == "RUNNING"
        })
        .await?;
    // A job is removed.
    world
        .apply(&[objects::deployment(
            "follow",
            &cluster,
            &[("two", spec("two", json!({ "restart": { "restartDelay": 2 } })))],
        )])
        .await?;
    world.gone("fj", "follow-one").await?;
    let two = world
        .when("fj", "follow-two", "has the new restart delay", SOON, |job| job["spec"]["restart"]["restartDelay"] == 2)
        .await?;
    ensure!(two["spec"]["jobParallelism"] == 2, "the user's parallelism stays: {}", two["spec"]["jobParallelism"]);

    // A job that somebody deletes although it is declared comes back.
    let uid = two["metadata"]["uid"].clone();
    world.local.kubectl(&["delete", "fj", "follow-two", "--wait=false"]).await?;
    world.when("fj", "follow-two", "is back", UP, |job| job["metadata"]["uid"] != uid).await?;
    world.running("follow-two").await?;

    world.local.kubectl(&["delete", "fd", "follow", "--wait=true", "--timeout=90s"]).await?;
    world.leaves_nothing("follow").await
}
