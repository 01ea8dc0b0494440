//! The tree of commands.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::certs;

/// Run Apache Flink on Kubernetes
#[derive(Parser)]
#[command(name = "flinkctl", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    group: Group,
}

#[derive(Subcommand)]
enum Group {
    /// The operator of a namespace
    #[command(subcommand)]
    Operator(Operator),
    /// The supervisor of a cluster
    #[command(subcommand)]
    Supervisor(Supervisor),
    /// The submission of a job
    #[command(subcommand)]
    Bootstrap(Bootstrap),
    /// Certificates of the control API
    #[command(subcommand)]
    Certs(certs::Command),
    /// Flink on this machine, for development, demos and tests: a control plane and a node in one process
    #[command(subcommand)]
    Local(local::Command),
}

#[derive(Subcommand)]
enum Operator {
    Run(Box<operator::Args>),
}

#[derive(Subcommand)]
enum Supervisor {
    Run(Box<supervisor::Args>),
}

#[derive(Subcommand)]
enum Bootstrap {
    Run(Box<bootstrap::Args>),
    Install(bootstrap::InstallArgs),
}

impl Cli {
    /// Runs the command to its end.
    pub fn run(self) -> Result<ExitCode> {
        match self.group {
            Group::Operator(Operator::Run(args)) => {
                kit::telemetry::init(&args.telemetry);
                kit::process::block_on(operator::run(*args))??;
            }
            Group::Supervisor(Supervisor::Run(args)) => {
                kit::telemetry::init(&args.telemetry);
                kit::process::block_on(supervisor::run(*args))??;
            }
            Group::Bootstrap(Bootstrap::Run(args)) => {
                kit::telemetry::init(&args.telemetry);
                let outcome = kit::process::block_on(bootstrap::run(&args))?;
                return Ok(outcome.reason.exit_code().into());
            }
            Group::Bootstrap(Bootstrap::Install(args)) => bootstrap::install(&args)?,
            Group::Certs(command) => certs::run(&command)?,
            Group::Local(command) => kit::process::block_on(local::run(command))??,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_tree_is_sound() {
        Cli::command().debug_assert();
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
        assert!(Cli::try_parse_from(["flinkctl", "operator"]).is_err());
    }
}
