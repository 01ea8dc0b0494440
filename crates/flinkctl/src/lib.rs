//! The command line, and all parts of flinkctl in one binary.
//!
//! `main` is a plain function: each command makes the runtime that it needs, after anything that must happen before a thread exists.
//! stdout is data, stderr is talk. Exit codes: see [`ExitStatus`]; `bootstrap run` has its own (see its help).

mod certs;
mod commands;
mod connection;
mod doctor;
mod dress;
mod exit;
mod failure;
mod names;
mod namespace;
mod preview;
mod print;
mod session;
mod spec;
mod validate;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

pub use exit::ExitStatus;

use commands::{Cli, Servers};
use failure::Failure;

/// What a command of ours ends with.
pub(crate) type Result<T = ExitStatus> = std::result::Result<T, Failure>;

/// The tree of commands, as `program` is called.
pub fn command(program: &str) -> clap::Command {
    dress::dressed(Cli::command(), program)
}

/// Runs the program.
pub fn main() -> ExitCode {
    if let Some(code) = local::dispatch() {
        return code;
    }
    kit::tls::install_provider();
    if let Some(servers) = Servers::asked() {
        return ended(servers.run());
    }
    let mut command = command(&dress::program(std::env::args_os().next()));
    let matches = command.get_matches_mut();
    let cli = Cli::from_arg_matches(&matches).map_err(|error| unnamed(&error, &matches));
    ended(cli.and_then(|cli| cli.run(command)))
}

fn ended(result: Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|failure| {
        failure.tell();
        failure.status.into()
    })
}

/// What is wrong with the names on a command line, which clap leaves to us.
fn unnamed(error: &clap::Error, matches: &clap::ArgMatches) -> Failure {
    let mut words = vec![dress::PROGRAM];
    let mut below = matches.subcommand();
    while let Some((name, matches)) = below {
        words.push(name);
        below = matches.subcommand();
    }
    let text = error.to_string();
    Failure::usage(text.trim_start_matches("error: ").trim())
        .hint(format!("how it is used: {} --help", words.join(" ")))
}
