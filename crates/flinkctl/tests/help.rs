//! The help of every command, as the binary prints it, and what it says where there is nothing to do.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::fmt::Write as _;
use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flinkctl"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FLINKCTL_") {
            command.env_remove(name);
        }
    }
    command.args(words).env("COLUMNS", "100").env("NO_COLOR", "1").env_remove("FLINK_HOME").output().unwrap()
}

/// The short help of a command, and of all below it.
fn help(words: &[&str], text: &mut String) {
    let output = run(&[words, &["-h"]].concat());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), output.stderr.is_empty()), (Some(0), true), "{words:?}");
    let _ = write!(text, "$ flinkctl {} -h\n{said}\n", words.join(" "));
    let below = said.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A line that goes on is indented further.
    let names: Vec<&str> =
        below.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    for name in names.into_iter().filter(|name| *name != "help") {
        help(&[words, &[name]].concat(), text);
    }
}

macro_rules! snapshots {
    ($($name:ident: $group:literal;)+) => {
        $(#[test]
        fn $name() {
            let mut text = String::new();
            help(&[$group], &mut text);
            insta::assert_snapshot!(text);
        })+
    };
}

snapshots! {
    deployments: "deployments";
    deployment: "deployment";
    clusters: "clusters";
    cluster: "cluster";
    jobs: "jobs";
    job: "job";
    savepoint: "savepoint";
    jobmanager: "jobmanager";
    taskmanagers: "taskmanagers";
    taskmanager: "taskmanager";
    get: "get";
    events: "events";
    logs: "logs";
    ui: "ui";
    config: "config";
    version: "version";
    completion: "completion";
    man: "man";
    explain: "explain";
    validate: "validate";
    diff: "diff";
    doctor: "doctor";
    certs: "certs";
}

#[test]
fn the_program() {
    let output = run(&["--help"]);
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn everything_of_one_command() {
    let output = run(&["job", "stop", "--help"]);
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn nothing_to_do_is_wrong_usage_and_shows_what_there_is() {
    for words in [&[][..], &["cluster"], &["config"]] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8(output.stderr).unwrap().contains("Commands:"), "{words:?}");
    }
}

#[test]
fn the_plugin_of_kubectl_calls_itself_so() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = directory.path().join("kubectl-flink");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flinkctl"), &plugin).unwrap();
    let output = Command::new(&plugin).args(["job", "stop", "-h"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Usage: kubectl flink job stop"), "{text}");
    assert!(text.contains("  kubectl flink job stop --cluster-name=demo"), "{text}");
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completion", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && script.contains("savepoint") && script.contains("task-managers"), "{shell}");
    }
}
