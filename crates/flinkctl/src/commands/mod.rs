//! The tree of commands, one module for each group.

mod action;
mod ahead;
mod cluster;
mod completion;
mod config;
mod create;
mod deployment;
mod diff;
mod doctor;
mod events;
mod explain;
mod get;
mod job;
mod jobmanager;
mod lists;
mod logs;
mod man;
mod savepoint;
mod taskmanager;
mod ui;
mod validate;
mod version;

use std::process::ExitCode;

pub use version::operator as operator_version;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::failure::Failure;
use crate::{ExitStatus, Result, certs};

/// Run Apache Flink on Kubernetes
#[derive(Parser)]
#[command(name = "flinkctl", version, propagate_version = true, max_term_width = 120, after_long_help = EPILOGUE)]
pub struct Cli {
    #[command(subcommand)]
    group: Group,
}

const EPILOGUE: &str = "\
Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 operator or Kubernetes not reached, 4 not done in time.

The operator is found by --host and --port, else by the current context (flinkctl config), else by the kubeconfig.
Every flag of a command that talks to it has a variable: --cluster-name is FLINKCTL_CLUSTER_NAME.";

#[derive(Subcommand)]
enum Group {
    /// List deployments
    #[command(subcommand)]
    Deployments(lists::Deployments),
    /// Create, change, look at and delete a deployment: a cluster with its jobs
    #[command(subcommand)]
    Deployment(deployment::Command),
    /// List clusters
    #[command(subcommand)]
    Clusters(lists::Clusters),
    /// Create, change, start, stop, scale, look at and delete a cluster
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// List jobs
    #[command(subcommand)]
    Jobs(lists::Jobs),
    /// Create, change, start, stop, scale, look at and delete a job
    #[command(subcommand)]
    Job(job::Command),
    /// Take savepoints, and forget them
    #[command(subcommand)]
    Savepoint(savepoint::Command),
    /// Look at the JobManager of a cluster
    #[command(subcommand, name = "jobmanager")]
    JobManager(jobmanager::Command),
    /// List the TaskManagers of a cluster
    #[command(subcommand, name = "taskmanagers")]
    TaskManagers(lists::TaskManagers),
    /// Look at a TaskManager
    #[command(subcommand, name = "taskmanager")]
    TaskManager(taskmanager::Command),
    /// Show whole resources
    #[command(subcommand)]
    Get(get::Command),
    /// Show what happened to a resource
    #[command(subcommand)]
    Events(events::Command),
    /// Why a resource is as it is, and what to do
    #[command(subcommand)]
    Explain(explain::Command),
    /// Print logs of the pods of a cluster
    Logs(logs::Args),
    /// Open Flink's web UI of a cluster
    Ui(ui::Args),
    /// Judge manifests without a cluster, by the rules of the API server and by ours
    Validate(validate::Args),
    /// Show what manifests would change, what would restart, and whether it fits
    Diff(diff::Args),
    /// Check everything that flinkctl stands on, and say how to mend it
    Doctor(doctor::Args),
    /// Choose between operators
    #[command(subcommand)]
    Config(config::Command),
    /// Show the versions of this program and of the operator
    Version(version::Args),
    /// Print a script that completes commands in a shell
    Completion(completion::Args),
    /// Write the manual pages of all commands
    Man(man::Args),
    /// Certificates of the control API
    #[command(subcommand)]
    Certs(certs::Command),
    #[command(flatten)]
    Server(Server),
    /// Flink on this machine, for development, demos and tests: a control plane and a node in one process
    #[command(subcommand)]
    Local(local::Command),
}

/// The servers alone: they run for months, and shall not carry the tree of all commands in their memory.
#[derive(Parser)]
#[command(name = "flinkctl", version, propagate_version = true, max_term_width = 120)]
pub struct Servers {
    #[command(subcommand)]
    server: Server,
}

/// What runs in pods.
#[derive(Subcommand)]
enum Server {
    /// The operator of a namespace
    #[command(subcommand)]
    Operator(Operator),
    /// The supervisor of a cluster
    #[command(subcommand)]
    Supervisor(Supervisor),
    /// The submission of a job
    #[command(subcommand)]
    Bootstrap(Bootstrap),
}

#[derive(Subcommand)]
enum Operator {
    #[command(
        after_help = "Example:\n  flinkctl operator run --namespace=flink-jobs --kube-config=~/.kube/config --insecure"
    )]
    Run(Box<operator::Args>),
}

#[derive(Subcommand)]
enum Supervisor {
    #[command(after_help = "Example:\n  flinkctl supervisor run --namespace=flink-jobs --cluster-name=demo")]
    Run(Box<supervisor::Args>),
}

#[derive(Subcommand)]
enum Bootstrap {
    Run(Box<bootstrap::Args>),
    Install(bootstrap::InstallArgs),
}

#[cfg(test)]
mod tests;

impl Cli {
    /// Runs the command to its end. `command` is the tree, for those that tell of it.
    pub fn run(self, command: clap::Command) -> Result<ExitCode> {
        let status = match self.group {
            Group::Deployments(list) => wait_for(list.run())?,
            Group::Deployment(command) => wait_for(command.run())?,
            Group::Clusters(list) => wait_for(list.run())?,
            Group::Cluster(command) => wait_for(command.run())?,
            Group::Jobs(list) => wait_for(list.run())?,
            Group::Job(command) => wait_for(command.run())?,
            Group::Savepoint(command) => wait_for(command.run())?,
            Group::JobManager(command) => wait_for(command.run())?,
            Group::TaskManagers(list) => wait_for(list.run())?,
            Group::TaskManager(command) => wait_for(command.run())?,
            Group::Get(command) => wait_for(command.run())?,
            Group::Events(command) => wait_for(command.run())?,
            Group::Explain(command) => wait_for(command.run())?,
            Group::Logs(args) => wait_for(args.run())?,
            Group::Ui(args) => wait_for(args.run())?,
            Group::Validate(args) => args.run()?,
            Group::Diff(args) => wait_for(args.run())?,
            Group::Doctor(args) => wait_for(args.run())?,
            Group::Config(command) => command.run()?,
            Group::Version(args) => wait_for(args.run())?,
            Group::Completion(args) => args.run(command),
            Group::Man(args) => args.run(command)?,
            Group::Certs(command) => {
                certs::run(&command).map_err(|error| Failure::new(kit::chain(&error)))?;
                ExitStatus::Done
            }
            Group::Local(command) => {
                block_on(local::run(command))?.map_err(|error| Failure::new(kit::chain(&error)))?;
                ExitStatus::Done
            }
            Group::Server(server) => return server.run(),
        };
        Ok(status.into())
    }
}

impl Servers {
    /// The server that the command line asks for, if its first word is the name of one. A wrong command line ends here.
    pub fn asked() -> Option<Self> {
        let word = std::env::args_os().nth(1)?;
        let known = Self::command().get_subcommands().any(|server| word == server.get_name());
        known.then(Self::parse)
    }

    /// Runs it to its end.
    pub fn run(self) -> Result<ExitCode> {
        self.server.run()
    }
}

impl Server {
    fn run(self) -> Result<ExitCode> {
        match self {
            Self::Operator(Operator::Run(args)) => {
                kit::telemetry::init(&args.telemetry);
                block_on(operator::run(*args))?.map_err(|error| Failure::new(kit::chain(&error)))?;
            }
            Self::Supervisor(Supervisor::Run(args)) => {
                kit::telemetry::init(&args.telemetry);
                block_on(supervisor::run(*args))?.map_err(|error| Failure::new(kit::chain(&error)))?;
            }
            Self::Bootstrap(Bootstrap::Run(args)) => {
                kit::telemetry::init(&args.telemetry);
                let outcome = block_on(bootstrap::run(&args))?;
                return Ok(outcome.reason.exit_code().into());
            }
            Self::Bootstrap(Bootstrap::Install(args)) => {
                bootstrap::install(&args).map_err(|error| Failure::new(kit::chain(&error)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn block_on<F: Future>(future: F) -> Result<F::Output> {
    kit::process::block_on(future).map_err(|error| Failure::new(format!("failed to start a runtime: {error}")))
}

fn wait_for<F: Future<Output = Result>>(future: F) -> Result {
    block_on(future)?
}
