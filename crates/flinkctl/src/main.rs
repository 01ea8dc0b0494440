//! The command line, and all parts of flinkctl in one binary.
//!
//! `main` is a plain function: each command makes the runtime that it needs, after anything that must happen before a thread exists.
//! stdout is data, stderr is talk. Exit codes: 0 success, 1 failure, 2 usage; `bootstrap run` has its own (see its help).

mod certs;
mod commands;

use std::process::ExitCode;

use clap::Parser;
use commands::Cli;

fn main() -> ExitCode {
    if let Some(code) = local::dispatch() {
        return code;
    }
    kit::tls::install_provider();
    Cli::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {}", kit::chain(error.as_ref()));
        ExitCode::FAILURE
    })
}
