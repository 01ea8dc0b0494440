//! What the real `kubectl` does inside pods: commands, terminals, files, connections, figures; and how all of it ends.

use crate::world::{World, alive, eventually, shell};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{ExitCode, Output, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

const PORT: u16 = 18090;
/// Nobody listens there.
const CLOSED: u16 = 18091;
/// More than any buffer on the way holds.
const MUCH: usize = 8 * 1024 * 1024;
/// Long before the time that processes of these tests would take by themselves.
const SOON: Duration = Duration::from_secs(20);

/// The server that pods of these tests run: says what it hears, connection by connection.
pub fn echo() -> ExitCode {
    let address = std::env::var("POD_IP").expect("POD_IP");
    let listener = TcpListener::bind((address.as_str(), PORT)).expect("the pod's address is free");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        std::thread::spawn(move || {
            let mut reader = stream.try_clone().expect("a second handle");
            let _ = std::io::copy(&mut reader, &mut stream);
            let _ = stream.shutdown(Shutdown::Write);
        });
    }
    ExitCode::SUCCESS
}

fn echoing() -> Value {
    let address = json!({"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}});
    json!({"terminationGracePeriodSeconds": 1, "containers": [{
        "name": "main", "image": "flinkctl:local", "args": ["echo"], "env": [address],
        "ports": [{"name": "echo", "containerPort": PORT}], "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }]})
}

fn idle() -> Value {
    json!({"terminationGracePeriodSeconds": 1, "containers": [shell("main", "while :; do sleep 1; done")]})
}

fn command(data: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .env("KUBECONFIG", local::kubeconfig::path(data))
        .env("HOME", data)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn start(world: &World, arguments: &[&str]) -> Child {
    command(&world.data, "kubectl", arguments).spawn().expect("kubectl is installed")
}

async fn finish(mut child: Child, input: &[u8]) -> Output {
    let mut stdin = child.stdin.take().expect("a pipe");
    let write = async move {
        // A command may end without having read.
        let _ = stdin.write_all(input).await;
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), write);
    output.expect("it ends")
}

async fn kubectl(world: &World, arguments: &[&str]) -> Output {
    finish(start(world, arguments), b"").await
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

/// The next line; nothing when there is none any more.
async fn line(reader: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    let read = tokio::time::timeout(SOON, reader.read_line(&mut line)).await.expect("a line in time").expect("a line");
    (read > 0).then(|| line.trim_end().to_owned())
}

async fn ends(child: &mut Child) -> Option<i32> {
    tokio::time::timeout(SOON, child.wait()).await.expect("it ends in time").expect("it ends").code()
}

pub async fn commands_run_in_containers_and_tell_how_they_end(world: World) {
    let spec = json!({"terminationGracePeriodSeconds": 1, "containers": [
        shell("main", "while :; do sleep 1; done"),
        {"name": "other", "image": "shell", "command": ["/bin/sleep", "1000"], "env": [{"name": "WHO", "value": "other"}]},
    ]});
    world.pod("p", spec).await;
    world.phase("p", "Running").await;
    let both = kubectl(&world, &["exec", "p", "-c", "other", "--", "sh", "-c", "echo $WHO; echo no >&2; exit 3"]).await;
    assert_eq!((text(&both.stdout), both.status.code()), ("other\n", Some(3)));
    assert!(text(&both.stderr).starts_with("no\n"), "{}", text(&both.stderr));
    let fine = kubectl(&world, &["exec", "p", "-c", "main", "--", "cat", "/proc/self/cmdline"]).await;
    assert_eq!((text(&fine.stdout), fine.status.code()), ("cat\0/proc/self/cmdline\0", Some(0)));
    let nothing = kubectl(&world, &["exec", "p", "-c", "main", "--", "/no/such/program"]).await;
    assert!(text(&nothing.stderr).contains("/no/such/program") && !nothing.status.success());
    let nowhere = kubectl(&world, &["exec", "p", "-c", "third", "--", "true"]).await;
    assert!(text(&nowhere.stderr).contains("container third"), "{}", text(&nowhere.stderr));
    let nobody = kubectl(&world, &["exec", "q", "--", "true"]).await;
    assert_eq!(text(&nobody.stderr).trim(), r#"Error from server (NotFound): pods "q" not found"#);

    let much: Vec<u8> = (0..MUCH).map(|index| u8::try_from(index % 251).expect("a byte")).collect();
    let echoed = finish(start(&world, &["exec", "-i", "p", "-c", "main", "--", "cat"]), &much).await;
    assert!(echoed.stdout == much, "{} bytes, {}", echoed.stdout.len(), text(&echoed.stderr));

    let from = world.data.join("from");
    std::fs::write(&from, &much).expect("a file");
    let (there, back) = (format!("p:{}", world.data.join("there").display()), world.data.join("back"));
    let name = |path: &Path| path.to_str().expect("a name").to_owned();
    for (source, target) in [(name(&from), there.clone()), (there, name(&back))] {
        let copied = kubectl(&world, &["cp", "-c", "main", &source, &target]).await;
        assert!(copied.status.success(), "{}", text(&copied.stderr));
    }
    assert!(std::fs::read(&back).expect("it is there") == much);
}

pub async fn a_command_has_a_terminal_of_its_own(world: World) {
    world.pod("p", idle()).await;
    world.phase("p", "Running").await;
    let inner = r#"until [ "$(stty size)" = "33 77" ]; do sleep 0.1; done; test -t 0 && test -t 1 && echo here; read word; echo $TERM $word; exec sleep 1000"#;
    let outer = format!("stty rows 33 cols 77; kubectl exec -it p -- sh -c '{inner}'");
    let mut script =
        command(&world.data, "script", &["-qec", &outer, "/dev/null"]).spawn().expect("script is installed");
    let mut input = script.stdin.take().expect("a pipe");
    let mut output = BufReader::new(script.stdout.take().expect("a pipe"));
    assert_eq!(line(&mut output).await.as_deref(), Some("here"));
    input.write_all(b"typed\r").await.expect("it reads");
    assert_eq!(line(&mut output).await.as_deref(), Some("typed"), "a terminal shows what is typed");
    assert_eq!(line(&mut output).await.as_deref(), Some("xterm typed"));
    input.write_all(b"\x03").await.expect("it reads");
    assert_eq!(ends(&mut script).await, Some(130));
}

pub async fn what_a_client_started_ends_with_it(world: World) {
    world.pod("p", idle()).await;
    world.phase("p", "Running").await;
    let mut child = start(&world, &["exec", "p", "--", "sh", "-c", "sleep 1000 & echo $$ $!; wait"]);
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    let processes = line(&mut output).await.expect("two numbers");
    assert!(processes.split_whitespace().all(alive), "{processes}");
    child.start_kill().expect("it runs");
    eventually("the command has ended", || !processes.split_whitespace().any(alive)).await;
}

pub async fn all_streams_end_with_their_pod(world: World) {
    world.pod("p", echoing()).await;
    world.until("p", |pod| pod["status"]["containerStatuses"][0]["ready"] == true).await;
    let mut command = start(&world, &["exec", "p", "--", "sh", "-c", "echo $$; exec sleep 1000"]);
    let process = line(&mut BufReader::new(command.stdout.as_mut().expect("a pipe"))).await.expect("a number");
    let (mut forward, mut forwarded) = forward(&world, "pod/p").await;
    let mut attached = start(&world, &["attach", "p"]);
    let mut talk = BufReader::new(attached.stderr.take().expect("a pipe"));
    line(&mut talk).await;
    world.api::<Pod>().delete("p", &DeleteParams::default()).await.expect("it is there");
    assert_eq!(ends(&mut command).await, Some(137));
    assert_eq!(ends(&mut forward).await, Some(1), "kubectl says that it has lost its connection");
    assert!(ends(&mut attached).await.is_some());
    assert_eq!(forwarded.read(&mut [0; 1]).unwrap_or(0), 0);
    assert!(!alive(&process));
    world.gone("p").await;
}

pub async fn a_node_with_open_streams_stops(world: World) {
    world.pod("p", echoing()).await;
    world.until("p", |pod| pod["status"]["containerStatuses"][0]["ready"] == true).await;
    let mut command = start(&world, &["exec", "-i", "p", "--", "sh", "-c", "echo $$; exec sleep 1000"]);
    let process = line(&mut BufReader::new(command.stdout.as_mut().expect("a pipe"))).await.expect("a number");
    let (mut forward, _forwarded) = forward(&world, "pod/p").await;
    let since = Instant::now();
    world.shutdown.end().await;
    assert!(since.elapsed() < Duration::from_secs(8), "it took {:?}", since.elapsed());
    assert!(ends(&mut command).await.is_some_and(|code| code != 0));
    assert!(ends(&mut forward).await.is_some());
    assert!(!alive(&process));
}

/// A port-forward and a first connection through it, over which something was said and heard.
async fn forward(world: &World, target: &str) -> (Child, TcpStream) {
    let mut child = start(world, &["port-forward", target, &format!(":{PORT}")]);
    let mut output = BufReader::new(child.stdout.as_mut().expect("a pipe"));
    let said = line(&mut output).await.expect("where it listens");
    let address = said.split_whitespace().nth(2).expect("Forwarding from ADDRESS").to_owned();
    let stream = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("kubectl listens");
        stream.set_read_timeout(Some(SOON)).expect("a time");
        assert_eq!(say(&mut stream, b"hello"), b"hello");
        stream
    });
    (child, stream.await.expect("no panic"))
}

/// Says something, while it hears as much.
fn say(stream: &mut TcpStream, words: &[u8]) -> Vec<u8> {
    let mut heard = vec![0; words.len()];
    std::thread::scope(|scope| {
        let mut writer = stream.try_clone().expect("a second handle");
        scope.spawn(move || writer.write_all(words).expect("it is sent"));
        stream.read_exact(&mut heard).expect("it comes back");
    });
    heard
}

pub async fn ports_of_pods_and_services_are_forwarded(world: World) {
    let service = json!({"metadata": {"name": "s"}, "spec": {"selector": {"app": "p"}, "ports": [{"port": PORT, "targetPort": "echo"}]}});
    world.create::<Service>(service).await;
    world.pod("p", echoing()).await;
    world.until("p", |pod| pod["status"]["containerStatuses"][0]["ready"] == true).await;
    for target in ["pod/p", "svc/s"] {
        let (child, mut first) = forward(&world, target).await;
        let talk = tokio::task::spawn_blocking(move || {
            let address = first.peer_addr().expect("an address");
            let threads: Vec<_> = (0..8_u8)
                .map(|index| {
                    std::thread::spawn(move || {
                        let mut stream = TcpStream::connect(address).expect("kubectl listens");
                        stream.set_read_timeout(Some(SOON)).expect("a time");
                        let words = vec![index; MUCH / 8];
                        assert!(say(&mut stream, &words) == words);
                        stream.shutdown(Shutdown::Write).expect("it is open");
                        assert_eq!(stream.read(&mut [0; 1]).expect("an end"), 0, "the end comes back, too");
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("no panic");
            }
            assert_eq!(say(&mut first, b"still here"), b"still here");
        });
        talk.await.expect("no panic");
        drop(child);
    }

    let mut child = start(&world, &["port-forward", "pod/p", &format!(":{CLOSED}")]);
    let said = line(&mut BufReader::new(child.stdout.as_mut().expect("a pipe"))).await.expect("where it listens");
    let address = said.split_whitespace().nth(2).expect("Forwarding from ADDRESS").to_owned();
    let refused = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).expect("kubectl listens");
        stream.set_read_timeout(Some(SOON)).expect("a time");
        stream.read(&mut [0; 1]).unwrap_or(0)
    });
    assert_eq!(refused.await.expect("no panic"), 0);
    let mut errors = BufReader::new(child.stderr.take().expect("a pipe"));
    let why = line(&mut errors).await.expect("a reason");
    assert!(why.contains(&format!("forwarding port {CLOSED}")) && why.contains("refused"), "{why}");
}

pub async fn who_attaches_sees_what_is_printed(world: World) {
    let go = world.data.join("go");
    let script = format!("echo first; until [ -e {} ]; do echo next; sleep 0.1; done; echo last; exit 3", go.display());
    world.pod("p", json!({"restartPolicy": "Never", "containers": [shell("main", &script)]})).await;
    let pod = world.phase("p", "Running").await;
    eventually("it prints", || world.log(&pod, "main", 0).starts_with("first\nnext\n")).await;
    let mut attached = start(&world, &["attach", "p"]);
    let mut output = BufReader::new(attached.stdout.take().expect("a pipe"));
    assert_eq!(line(&mut output).await.as_deref(), Some("next"));
    std::fs::write(&go, "").expect("a file");
    let mut printed = String::new();
    output.read_to_string(&mut printed).await.expect("text");
    assert!(printed.ends_with("last\n") && !printed.contains("first"), "{printed}");
    assert_eq!(ends(&mut attached).await, Some(0));
}

pub async fn figures_tell_who_works(world: World) {
    let spec = json!({"terminationGracePeriodSeconds": 1, "containers": [
        shell("busy", "while :; do :; done"), shell("lazy", "while :; do sleep 100; done"),
    ]});
    world.pod("p", spec).await;
    world.phase("p", "Running").await;
    let pods = kubectl(&world, &["top", "pod", "--containers", "--no-headers"]).await;
    let rows: Vec<Vec<&str>> = text(&pods.stdout).lines().map(|row| row.split_whitespace().collect()).collect();
    let cpu = |name: &str| {
        let row = rows.iter().find(|row| row[1] == name).unwrap_or_else(|| panic!("{rows:?} {}", text(&pods.stderr)));
        row[2].trim_end_matches('m').parse::<u64>().expect("thousandths of a CPU")
    };
    assert!(cpu("busy") >= 20 && cpu("busy") > 5 * cpu("lazy"), "{rows:?}");
    let nodes = kubectl(&world, &["top", "node", "--no-headers"]).await;
    let row: Vec<&str> = text(&nodes.stdout).split_whitespace().collect();
    assert!(
        row.len() == 5 && row[0] == crate::world::NODE && row[3].ends_with("Mi"),
        "{row:?} {}",
        text(&nodes.stderr)
    );
    let one = kubectl(&world, &["get", "--raw", "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/q"]).await;
    assert!(text(&one.stderr).contains("NotFound"), "{}", text(&one.stderr));
}
