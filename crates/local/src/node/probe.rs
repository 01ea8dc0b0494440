//! Probes: whether a container has started, lives, and is ready.

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Which question a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Startup,
    Liveness,
    Readiness,
}

impl Question {
    pub fn name(self) -> &'static str {
        match self {
            Question::Startup => "Startup",
            Question::Liveness => "Liveness",
            Question::Readiness => "Readiness",
        }
    }
}

/// The numbers of a probe with Kubernetes' defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    pub initial_delay: Duration,
    pub period: Duration,
    pub timeout: Duration,
    pub successes: u32,
    pub failures: u32,
}

impl Schedule {
    pub fn new(probe: &Probe) -> Self {
        let number = |value: Option<i32>, default: u32| {
            value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(default)
        };
        let seconds = |value, default| Duration::from_secs(u64::from(number(value, default)));
        Schedule {
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: number(probe.success_threshold, 1),
            failures: number(probe.failure_threshold, 3),
        }
    }
}

/// Counts answers in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counter {
    last: Option<bool>,
    row: u32,
}

impl Counter {
    /// The verdict, once enough answers agree.
    pub fn count(&mut self, success: bool, schedule: &Schedule) -> Option<bool> {
        self.row = if self.last == Some(success) { self.row.saturating_add(1) } else { 1 };
        self.last = Some(success);
        let enough = if success { schedule.successes } else { schedule.failures };
        (self.row >= enough).then_some(success)
    }
}

fn number(port: &IntOrString, container: &Container) -> Option<u16> {
    match port {
        IntOrString::Int(port) => u16::try_from(*port).ok(),
        IntOrString::String(name) => {
            let ports = container.ports.iter().flatten();
            let named = ports
                .filter(|port| port.name.as_ref() == Some(name))
                .find_map(|port| u16::try_from(port.container_port).ok());
            named.or_else(|| name.parse().ok())
        }
    }
}

/// Asks over the network; `None` if the probe asks in another way.
pub(super) async fn ask(probe: &Probe, container: &Container, address: Ipv4Addr) -> Option<Result<(), String>> {
    if let Some(action) = &probe.http_get {
        Some(http(action, container, address).await)
    } else if let Some(action) = &probe.tcp_socket {
        Some(connect(&action.port, action.host.as_deref(), container, address).await.map(drop))
    } else {
        None
    }
}

async fn connect(
    port: &IntOrString,
    host: Option<&str>,
    container: &Container,
    address: Ipv4Addr,
) -> Result<TcpStream, String> {
    let port = number(port, container).ok_or("the container has no port of that name")?;
    let connected = match host.filter(|host| !host.is_empty()) {
        Some(host) => TcpStream::connect((host, port)).await,
        None => TcpStream::connect(SocketAddrV4::new(address, port)).await,
    };
    connected.map_err(|error| format!("connect to port {port} of {address}: {error}"))
}

async fn http(action: &HTTPGetAction, container: &Container, address: Ipv4Addr) -> Result<(), String> {
    let mut stream = connect(&action.port, action.host.as_deref(), container, address).await?;
    if action.scheme.as_deref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) {
        // The certificate would not be verified; that somebody answers is what can be learnt.
        return Ok(());
    }
    let path = action.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let mut request = format!(
        "GET {path} HTTP/1.0\r\nHost: {address}\r\nUser-Agent: kube-probe/flinkctl\r\nAccept: */*\r\nConnection: close\r\n"
    );
    for header in action.http_headers.iter().flatten() {
        request.extend([&header.name, ": ", &header.value, "\r\n"]);
    }
    request += "\r\n";
    let failed = |error: std::io::Error| format!("get {path}: {error}");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    let read = stream.take(64).read_to_end(&mut answer).await;
    if answer.is_empty() {
        read.map_err(failed)?;
    }
    let answer = String::from_utf8_lossy(&answer);
    match answer.split_whitespace().nth(1).and_then(|code| code.parse::<u16>().ok()) {
        Some(200..400) => Ok(()),
        Some(code) => Err(format!("HTTP probe failed with statuscode: {code}")),
        None => Err(format!("get {path}: the answer is not HTTP")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tokio::net::TcpListener;

    fn container() -> Container {
        serde_json::from_value(json!({"name": "c", "ports": [{"name": "ui", "containerPort": 8081}]})).unwrap()
    }

    #[test]
    fn defaults_and_thresholds_are_those_of_kubernetes() {
        let probe: Probe = serde_json::from_value(json!({"periodSeconds": 30, "initialDelaySeconds": 15})).unwrap();
        let schedule = Schedule::new(&probe);
        assert_eq!(
            (schedule.initial_delay.as_secs(), schedule.period.as_secs(), schedule.timeout.as_secs()),
            (15, 30, 1)
        );
        let mut counter = Counter::default();
        let verdicts = [false, false, true, false, false, false].map(|success| counter.count(success, &schedule));
        assert_eq!(verdicts, [None, None, Some(true), None, None, Some(false)]);
    }

    #[tokio::test]
    async fn a_status_decides() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let probe: Probe = serde_json::from_value(json!({"httpGet": {"path": "/overview", "port": port}})).unwrap();
        let container = container();
        for (status, right) in [("200 OK", true), ("302 Found", true), ("503 Not yet", false)] {
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 1000];
                let length = stream.read(&mut request).await.unwrap();
                assert!(request[..length].starts_with(b"GET /overview "));
                stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
            };
            let (answer, ()) = tokio::join!(ask(&probe, &container, Ipv4Addr::LOCALHOST), serve);
            assert_eq!(answer.unwrap().is_ok(), right, "{status}");
        }
        drop(listener);
        assert!(ask(&probe, &container, Ipv4Addr::LOCALHOST).await.unwrap().is_err());
    }

    #[test]
    fn ports_have_names() {
        assert_eq!(number(&IntOrString::String("ui".into()), &container()), Some(8081));
        assert_eq!(number(&IntOrString::String("none".into()), &container()), None);
    }
}
