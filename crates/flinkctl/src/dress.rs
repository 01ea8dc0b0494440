//! What is the same for all commands: a variable of the environment for each flag, and the name that the program is called by.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};

/// The name as a plugin of kubectl.
pub const PLUGIN: &str = "kubectl flink";
/// The usual name.
pub const PROGRAM: &str = "flinkctl";

/// Commands that talk to no operator and see to their variables themselves: servers run in pods, whose environment is full of others'
/// words, and must not listen to what was meant for a client.
pub const OTHERS: [&str; 5] = ["operator", "supervisor", "bootstrap", "local", "certs"];
/// What is written into a file should be said.
const CONTEXTS: &str = "config";

/// How the program was called: its own name, or that of the plugin.
pub fn program(argument: Option<OsString>) -> String {
    let argument = argument.unwrap_or_default();
    let stem = Path::new(&argument).file_stem().and_then(|stem| stem.to_str());
    if stem == Some("kubectl-flink") { PLUGIN } else { PROGRAM }.to_owned()
}

/// The variable of a flag.
pub fn variable(flag: &str) -> String {
    format!("FLINKCTL_{}", flag.replace('-', "_").to_uppercase())
}

/// The tree with variables and names.
pub fn dressed(command: Command, program: &str) -> Command {
    let groups: Vec<String> = command.get_subcommands().map(|group| group.get_name().to_owned()).collect();
    let mut command = command.bin_name(program);
    for group in groups {
        command = command.mut_subcommand(&group, |below| {
            if OTHERS.contains(&group.as_str()) { below } else { client(below, group == CONTEXTS, program) }
        });
    }
    command
}

fn client(command: Command, is_contexts: bool, program: &str) -> Command {
    let below: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let mut command =
        command.mut_args(|arg| if is_contexts && arg.get_id() != "config" { arg } else { with_variable(arg) });
    if program != PROGRAM
        && let Some(example) = command.get_after_help().map(ToString::to_string)
    {
        command = command.after_help(example.replace(&format!("  {PROGRAM} "), &format!("  {program} ")));
    }
    for name in below {
        command = command.mut_subcommand(name, |one| client(one, is_contexts, program));
    }
    command
}

fn with_variable(arg: Arg) -> Arg {
    let Some(long) = arg.get_long().filter(|long| !matches!(*long, "help" | "version")) else {
        return arg;
    };
    let name = variable(long);
    // An empty variable counts as none.
    if std::env::var_os(&name).is_some_and(|value| value.is_empty()) { arg } else { arg.env(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugin_is_known_by_its_name() {
        assert_eq!(program(Some("/usr/bin/kubectl-flink".into())), PLUGIN);
        assert_eq!(program(Some("./flinkctl".into())), PROGRAM);
        assert_eq!(program(None), PROGRAM);
        assert_eq!(variable("task-managers"), "FLINKCTL_TASK_MANAGERS");
    }
}
