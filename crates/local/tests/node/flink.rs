//! Genuine Flink on the node: clusters with the standard ports, side by side. Needs `FLINK_HOME`.

use crate::world::{World, until};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// Asks Flink's REST API.
fn get(address: &str, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect((address, 8081)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

async fn slots(address: &str, wanted: u64) {
    until(&format!("{wanted} slots are registered"), async || {
        let address = address.to_owned();
        let overview = tokio::task::spawn_blocking(move || get(&address, "/overview")).await.expect("no panic");
        overview.filter(|overview| overview["slots-total"] == wanted)
    })
    .await;
}

fn service(name: &str) -> Value {
    let ports: Vec<Value> = [("ui", 8081), ("rpc", 6123), ("blob", 6124), ("query", 6125)]
        .map(|(name, port)| json!({"name": name, "port": port, "targetPort": name}))
        .into();
    json!({"metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": ports}})
}

fn container(role: &str, cluster: &str) -> Value {
    let ports: Vec<Value> = match role {
        "jobmanager" => [("ui", 8081), ("rpc", 6123), ("blob", 6124), ("query", 6125)]
            .map(|(name, port)| json!({"name": name, "containerPort": port}))
            .into(),
        _ => Vec::new(),
    };
    json!({
        "name": role, "image": "apache/flink:2.1", "args": [role], "ports": ports,
        "resources": {"limits": {"memory": "300Mi", "cpu": "0.05"}},
        "env": [
            {"name": "JOB_MANAGER_RPC_ADDRESS", "value": format!("jobmanager-{cluster}")},
            {"name": "TASK_MANAGER_NUMBER_OF_TASK_SLOTS", "value": "2"},
            {"name": "FLINK_PROPERTIES", "value": "cluster.registration.error-delay: 300ms\n"},
        ],
    })
}

pub async fn two_clusters_have_the_standard_ports(world: World) {
    let since = Instant::now();
    let mut addresses = Vec::new();
    for cluster in ["a", "b"] {
        let name = format!("jobmanager-{cluster}");
        let service: Service = world.create(service(&name)).await;
        let mut job_manager = container("jobmanager", cluster);
        job_manager["livenessProbe"] =
            json!({"httpGet": {"path": "/overview", "port": 8081}, "initialDelaySeconds": 15, "periodSeconds": 30});
        world.pod(&name, json!({"restartPolicy": "Never", "containers": [job_manager]})).await;
        let task_manager = json!({"restartPolicy": "Never", "containers": [container("taskmanager", cluster)]});
        world.pod(&format!("taskmanager-{cluster}"), task_manager).await;
        let job_manager = world.phase(&name, "Running").await;
        addresses.push(job_manager["status"]["podIP"].as_str().expect("an address").to_owned());
        addresses.push(service.spec.and_then(|spec| spec.cluster_ip).expect("an address"));
    }
    for address in &addresses {
        slots(address, 2).await;
        println!("slots registered at {address} after {:.1} s", since.elapsed().as_secs_f64());
    }
    world.api::<Pod>().delete("jobmanager-a", &DeleteParams::default()).await.expect("it is deleted");
    world.gone("jobmanager-a").await;
    assert_eq!(get(&addresses[1], "/overview"), None);
    slots(&addresses[3], 2).await;
}

pub async fn the_manual_concatenates_properties_in_a_shell(world: World) {
    world
        .create::<ConfigMap>(
            json!({"metadata": {"name": "p"}, "data": {"FLINK_PROPERTIES": "rest.flamegraph.enabled: true\n"}}),
        )
        .await;
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"SECRET_PROPERTIES": "web.timeout: 12345\n"}});
    world.create::<Secret>(secret).await;
    world.create::<Service>(service("jobmanager-m")).await;
    let mut job_manager = container("jobmanager", "m");
    job_manager["command"] = json!(["bash"]);
    let script = "FLINK_PROPERTIES=\"$(FLINK_PROPERTIES)$(SECRET_PROPERTIES)\" /docker-entrypoint.sh jobmanager";
    job_manager["args"] = json!(["-c", script]);
    job_manager["env"] = json!([{"name": "JOB_MANAGER_RPC_ADDRESS", "value": "jobmanager-m"}]);
    job_manager["envFrom"] = json!([{"configMapRef": {"name": "p"}}, {"secretRef": {"name": "s"}}]);
    world.pod("jobmanager-m", json!({"restartPolicy": "Never", "containers": [job_manager]})).await;
    let pod = world.phase("jobmanager-m", "Running").await;
    let address = pod["status"]["podIP"].as_str().expect("an address").to_owned();
    // Before it leads, it answers with an error.
    let config =
        until("the JobManager answers", async || get(&address, "/jobmanager/config").filter(Value::is_array)).await;
    let has =
        |key: &str, value: &str| config.as_array().expect("a list").contains(&json!({"key": key, "value": value}));
    assert!(has("rest.flamegraph.enabled", "true") && has("web.timeout", "12345"), "{config}");
    assert!(has("rest.bind-address", &address) && has("jobmanager.rpc.address", "jobmanager-m"), "{config}");
}
