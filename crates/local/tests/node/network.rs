//! Addresses, names and Services.

use crate::world::{World, eventually};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

const PORT: u16 = 18080;
/// The Service has another port; below 1024 it would be for root alone.
const WEB: u16 = 18081;

/// The server that pods of these tests run: answers with the pod's name, after it has been asked by name itself.
pub fn serve() -> ExitCode {
    let name = std::env::var("POD_NAME").expect("POD_NAME");
    let address = std::env::var("POD_IP").expect("POD_IP");
    let listener = TcpListener::bind((address.as_str(), PORT)).expect("the pod's address is free");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let length = stream.read(&mut [0; 1000]).unwrap_or(0);
        if length > 0 {
            let local = TcpStream::connect(("localhost", PORT)).is_ok();
            let body = format!("{name} {local}");
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    }
    ExitCode::SUCCESS
}

fn server() -> Value {
    json!({"terminationGracePeriodSeconds": 1, "containers": [{
        "name": "main", "image": "flinkctl:local", "args": ["serve"],
        "ports": [{"name": "web", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ],
    }]})
}

fn ask(address: &str, port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((address, port)).ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.rsplit("\r\n").next()?.to_owned())
}

pub async fn a_service_leads_to_ready_pods_by_name(world: World) {
    let service: Service = world
        .create(json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "one"}, "ports": [{"port": WEB, "targetPort": "web"}]}}))
        .await;
    let address = service.spec.expect("it is there").cluster_ip.expect("it is there");
    assert_eq!(ask(&address, WEB), None, "nobody is ready, so the connection is refused");
    world.pod("one", server()).await;
    world.pod("two", server()).await;
    let is_ready = |pod: &Value| pod["status"]["containerStatuses"][0]["ready"] == true;
    let one = world.until("one", is_ready).await;
    let two = world.until("two", is_ready).await;
    assert_ne!(one["status"]["podIP"], two["status"]["podIP"], "both have the port, each at its own address");
    eventually("the Service answers", || ask(&address, WEB).as_deref() == Some("one true")).await;
    let client = crate::world::shell(
        "main",
        "getent hosts web web.default.svc.cluster.local web-client localhost | awk '{print $1}' | tr '\\n' ' '",
    );
    world.pod("web-client", json!({"restartPolicy": "Never", "containers": [client]})).await;
    let client = world.phase("web-client", "Succeeded").await;
    let own = client["status"]["podIP"].as_str().expect("it is there");
    assert_eq!(world.log(&client, "main", 0).split_whitespace().collect::<Vec<_>>(), [&address, &address, own, own]);
    world.api::<Pod>().delete("one", &DeleteParams::default()).await.expect("it is there");
    eventually("the Service refuses", || ask(&address, WEB).is_none()).await;
    world.gone("one").await;
}

pub async fn a_blocked_port_is_blamed_on_its_owner(world: World) {
    let blocker = TcpListener::bind("0.0.0.0:0").expect("it is there");
    let port = blocker.local_addr().expect("it is there").port();
    let mut container = crate::world::shell("main", "true");
    container["ports"] = json!([{"containerPort": port}]);
    world.pod("blocked", json!({"restartPolicy": "Never", "containers": [container]})).await;
    let message = world.event("blocked", "PortInUse", &port.to_string()).await;
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    drop(blocker);
    world.phase("blocked", "Succeeded").await;
}
