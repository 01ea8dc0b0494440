//! `flinkctl local` as a person uses it: the real binary, `kubectl`, and a directory that only looks like Flink.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const DEADLINE: Duration = Duration::from_mins(1);

/// A data directory, whose instance ends with the test.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lib = directory.path().join("flink/lib");
        std::fs::create_dir_all(&lib).unwrap();
        std::fs::write(lib.join("flink-dist-2.1.3.jar"), "").unwrap();
        Self { directory }
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flinkctl"));
        command
            .arg("local")
            .args(words.split_whitespace())
            .arg("--data-dir")
            .arg(self.data_dir())
            .env("FLINK_HOME", self.directory.path().join("flink"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    fn ok(&self, words: &str) -> String {
        succeeded(&format!("flinkctl local {words}"), &self.run(words))
    }

    fn refused(&self, words: &str) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words} should be refused");
        String::from_utf8(output.stderr).unwrap()
    }

    fn kubectl(&self, words: &str) -> Output {
        Command::new("kubectl")
            .args(words.split_whitespace())
            .env("KUBECONFIG", self.data_dir().join("kubeconfig"))
            .env("HOME", self.directory.path())
            .output()
            .unwrap()
    }

    fn kubectl_ok(&self, words: &str) -> String {
        succeeded(&format!("kubectl {words}"), &self.kubectl(words))
    }

    fn status(&self) -> Value {
        serde_json::from_str(&self.ok("status -o json")).unwrap()
    }

    /// Starts an instance that runs pods of the host, and a deployment of a process that can be told from all others.
    fn start(&self, flags: &str) {
        let printed = self.ok(&format!("up --detach --image tool=host {flags}"));
        let expected = format!("export KUBECONFIG={}", self.data_dir().join("kubeconfig").display());
        assert!(printed.lines().any(|line| line == expected), "{printed}");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.run("down");
    }
}

fn succeeded(what: &str, output: &Output) -> String {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {stdout}{stderr}");
    stdout.into_owned()
}

/// The processes whose command line holds a word.
fn processes(word: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split('\0').any(|argument| argument == word)
    };
    pids.filter(holds).collect()
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn signal(name: &str, pid: u64) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

fn holder(data_dir: &Path) -> Option<u64> {
    std::fs::read_to_string(data_dir.join("lock")).ok()?.trim().parse().ok()
}

#[test]
fn a_life_from_up_to_purge() {
    let place = Place::new();
    // A number of seconds that no other process sleeps.
    let seconds = format!("{}", 1_000_000 + std::process::id());
    place.start("");
    assert_eq!(place.status()["namespace"], "default");
    assert!(place.ok("logs flink-operator").contains("operator started"));

    place.kubectl_ok(&format!("create deployment sleeper --image=tool --replicas=2 -- sleep {seconds}"));
    place.kubectl_ok("rollout status deployment/sleeper --timeout=30s");
    assert_eq!(processes(&seconds).len(), 2);
    let refusal = place.refused("up");
    assert!(refusal.contains("already runs"), "{refusal}");

    place.ok("down");
    assert_eq!(processes(&seconds), Vec::<u32>::new());
    let refusal = place.refused("status");
    assert!(refusal.contains("nothing runs"), "{refusal}");
    place.ok("down");

    // Everything is there again.
    place.start("");
    place.kubectl_ok("rollout status deployment/sleeper --timeout=30s");
    until("two processes run again", || (processes(&seconds).len() == 2).then_some(()));

    // No process outlives the instance, however that ends, and nothing is forgotten.
    let pid = place.status()["pid"].as_u64().unwrap();
    signal("-KILL", pid);
    until("the processes of the pods are gone", || processes(&seconds).is_empty().then_some(()));
    until("the directory is free", || (!place.run("status").status.success()).then_some(()));
    place.start("--without-operator");
    until("two processes run again", || (processes(&seconds).len() == 2).then_some(()));

    place.kubectl_ok("delete deployment sleeper");
    until("the deployment's processes are gone", || processes(&seconds).is_empty().then_some(()));
    place.ok("down --purge");
    assert!(!place.data_dir().exists());
}

#[test]
fn a_signal_ends_it_in_the_foreground() {
    let place = Place::new();
    let mut up = place
        .command("up --namespace flink-jobs --without-operator")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the node is ready", || {
        let node = place.kubectl("wait --for=condition=Ready node --all --timeout=5s");
        node.status.success().then_some(())
    });
    assert_eq!(holder(&place.data_dir()), Some(u64::from(up.id())));
    let accounts = place.kubectl_ok("get serviceaccounts --namespace flink-jobs --output name");
    assert!(accounts.contains("serviceaccount/flink-supervisor"), "{accounts}");
    signal("-TERM", u64::from(up.id()));
    assert!(up.wait().unwrap().success());
}

#[test]
fn what_is_missing_is_named() {
    let place = Place::new();
    let refusal = |command: &mut Command| String::from_utf8(command.output().unwrap().stderr).unwrap();
    let without_flink = refusal(place.command("up").env("FLINK_HOME", ""));
    assert!(without_flink.contains("--flink-home"), "{without_flink}");
    let without_java = refusal(place.command("up").env("JAVA_HOME", "/nowhere"));
    assert!(without_java.contains("JAVA_HOME"), "{without_java}");
    let not_flink = refusal(&mut place.command("up --flink-home /"));
    assert!(not_flink.contains("flink-dist"), "{not_flink}");
    assert!(!place.data_dir().exists(), "a refusal leaves nothing behind");
    for command in ["status", "logs some-pod"] {
        assert!(place.refused(command).contains("flinkctl local up"), "{command}");
    }
}
