//! The tree as a whole: it is sound, it has every command of flink-k8s-toolbox, and each of its commands says how it is used.

use clap::error::ErrorKind;
use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;

fn tree() -> Command {
    let mut tree = crate::command("flinkctl");
    tree.build();
    tree
}

/// Commands that have none below them, with the words that lead to them.
fn leaves<'a>(command: &'a Command, path: &str, found: &mut Vec<(String, &'a Command)>) {
    let below: Vec<&Command> = command.get_subcommands().filter(|one| one.get_name() != "help").collect();
    if below.is_empty() {
        found.push((path.to_owned(), command));
    }
    for one in below {
        leaves(one, format!("{path} {}", one.get_name()).trim_start(), found);
    }
}

fn is_server(path: &str) -> bool {
    crate::dress::OTHERS.contains(&path.split(' ').next().unwrap_or_default())
}

fn parses(line: &str) -> Result<(), clap::Error> {
    let mut tree = tree();
    let matches = tree.try_get_matches_from_mut(line.split_whitespace())?;
    <Cli as clap::FromArgMatches>::from_arg_matches(&matches).map(drop)
}

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
    crate::command("kubectl flink").debug_assert();
}

#[test]
fn every_command_has_an_example_that_parses() {
    let tree = tree();
    let mut all = Vec::new();
    leaves(&tree, "", &mut all);
    assert!(all.len() > 40, "{}", all.len());
    for (path, command) in all.iter().filter(|(path, _)| !is_server(path)) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("  ")).collect();
        assert!(!examples.is_empty(), "`{path}` has no example");
        for example in examples.iter().filter(|line| line.starts_with("flinkctl ")) {
            assert!(example.starts_with(&format!("flinkctl {path}")), "`{path}` has an example of another: {example}");
            let words = example.split(" > ").next().unwrap_or_default();
            let words = words.split(" | ").next().unwrap_or_default();
            if let Err(error) = parses(words) {
                panic!("{example}: {error}");
            }
        }
    }
}

#[test]
fn every_flag_has_help_and_a_variable() {
    let tree = tree();
    let mut all = Vec::new();
    leaves(&tree, "", &mut all);
    for (path, command) in &all {
        for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let id = arg.get_id();
            assert!(arg.get_help().is_some_and(|help| !help.to_string().is_empty()), "`{path}`: {id} has no help");
            let is_flag = arg.get_long().is_some_and(|long| !matches!(long, "help" | "version"));
            if is_flag && !is_server(path) && !path.starts_with("config ") {
                let wanted = crate::dress::variable(arg.get_long().unwrap_or_default());
                let variable = arg.get_env().and_then(|name| name.to_str());
                assert_eq!(variable, Some(wanted.as_str()), "`{path}`: {id}");
            }
        }
    }
}

/// SC-574
#[test]
fn every_command_of_flink_k8s_toolbox_is_there() {
    let job = "--cluster-name=demo --job-name=counter";
    let stores =
        "--host=localhost --port=4444 --keystore-path=a --keystore-secret=b --truststore-path=c --truststore-secret=d";
    let lines = [
        "deployments list".to_owned(),
        "deployment create --deployment-name=demo --deployment-spec=f".to_owned(),
        "deployment update --deployment-name demo --deployment-spec f".to_owned(),
        "deployment delete --deployment-name=demo".to_owned(),
        "deployment status --deployment-name=demo".to_owned(),
        "clusters list".to_owned(),
        "cluster create --cluster-name=demo --cluster-spec=f".to_owned(),
        "cluster update --cluster-name=demo --cluster-spec=f".to_owned(),
        "cluster delete --cluster-name=demo".to_owned(),
        "cluster status --cluster-name=demo".to_owned(),
        "cluster start --cluster-name=demo --without-savepoint".to_owned(),
        "cluster stop --cluster-name=demo --without-savepoint".to_owned(),
        "cluster scale --cluster-name=demo --task-managers=2".to_owned(),
        "jobs list --cluster-name=demo".to_owned(),
        format!("job create {job} --job-spec=f"),
        format!("job update {job} --job-spec=f"),
        format!("job delete {job}"),
        format!("job status {job}"),
        format!("job details {job}"),
        format!("job metrics {job}"),
        format!("job start {job} --without-savepoint"),
        format!("job stop {job} --without-savepoint"),
        format!("job scale {job} --parallelism=0"),
        format!("savepoint trigger {job}"),
        format!("savepoint forget {job}"),
        "jobmanager metrics --cluster-name=demo".to_owned(),
        "taskmanagers list --cluster-name=demo".to_owned(),
        "taskmanager details --cluster-name=demo".to_owned(),
        "taskmanager metrics --cluster-name=demo --taskmanager-id=x".to_owned(),
    ];
    for line in lines {
        if let Err(error) = parses(&format!("flinkctl {line} {stores}")) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn servers_have_their_places() {
    let lines = [
        "operator run --namespace=flink --port=4444",
        "supervisor run --namespace=flink --cluster-name=demo --polling-interval=5 --task-timeout=300",
        "bootstrap install --to /flinkctl-bin/flinkctl",
        "certs generate flink-operator --namespace flink --also 10.1.2.3 --days 30 --out /tmp/secrets",
        "local up --namespace flink --image jobs=/tmp --image other=host --detach --without-operator",
        "local status -o json",
        "local logs flink-operator -f",
        "local down --purge",
    ];
    for line in lines {
        let words = std::iter::once("flinkctl").chain(line.split(' '));
        assert!(Cli::try_parse_from(words).is_ok(), "{line}");
    }
}

#[test]
fn wrong_usage_is_told_before_anything_is_sent() {
    let cases = [
        ("flinkctl", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("flinkctl cluster", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("flinkctl cluster stop", ErrorKind::MissingRequiredArgument),
        ("flinkctl cluster scale demo", ErrorKind::MissingRequiredArgument),
        ("flinkctl cluster scale demo --task-managers=-1", ErrorKind::ValueValidation),
        ("flinkctl cluster scale demo --task-managers=many", ErrorKind::ValueValidation),
        ("flinkctl cluster scale demo --task-managers=1 --wait=1h", ErrorKind::ValueValidation),
        ("flinkctl cluster halt demo", ErrorKind::InvalidSubcommand),
        ("flinkctl clusters list --port=http", ErrorKind::ValueValidation),
        ("flinkctl clusters list -o xml", ErrorKind::InvalidValue),
    ];
    for (line, kind) in cases {
        let error = parses(line).expect_err(line);
        assert_eq!((error.kind(), error.exit_code()), (kind, 2), "{line}: {error}");
    }
}
