//! `flinkctl cluster`.

use std::path::PathBuf;

use clap::Subcommand;
use control_api::route::Action;
use serde_json::json;

use super::action::{self, DeleteArgs, SavepointArgs, WaitArgs};
use super::ahead::{self, DryRunArgs, Number, ScaleArgs};
use super::{create, deployment};
use crate::Result;
use crate::names::ClusterName;
use crate::session::{ClientArgs, Resource};

#[derive(Subcommand)]
pub enum Command {
    /// Create a cluster from its spec
    #[command(after_help = "Example:\n  flinkctl cluster create demo --cluster-spec=cluster.yaml --wait=2m")]
    Create(Create),
    /// Replace the spec of a cluster
    #[command(after_help = "Example:\n  flinkctl cluster update demo --cluster-spec=cluster.yaml")]
    Update(Update),
    /// Delete a cluster with its jobs
    #[command(after_help = "Example:\n  flinkctl cluster delete demo --wait")]
    Delete(Delete),
    /// Show the status of a cluster
    #[command(after_help = "Example:\n  flinkctl cluster status demo")]
    Status(Status),
    /// Start a cluster and its jobs
    #[command(after_help = "Example:\n  flinkctl cluster start demo --wait=2m")]
    Start(Start),
    /// Stop the jobs with savepoints, and then the cluster
    #[command(after_help = "Example:\n  flinkctl cluster stop --cluster-name=demo --wait")]
    Stop(Start),
    /// Set the number of TaskManagers
    #[command(after_help = "Example:\n  flinkctl cluster scale demo --task-managers=4 --dry-run")]
    Scale(Scale),
}

#[derive(clap::Args)]
struct SpecArgs {
    /// File with the spec, or the whole resource, as JSON or YAML; `-` for stdin
    #[arg(long, value_name = "FILE")]
    cluster_spec: PathBuf,
}

#[derive(clap::Args)]
pub struct Create {
    #[command(flatten)]
    ahead: DryRunArgs,
    #[command(flatten)]
    name: ClusterName,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Update {
    #[command(flatten)]
    ahead: DryRunArgs,
    #[command(flatten)]
    name: ClusterName,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Delete {
    #[command(flatten)]
    name: ClusterName,
    #[command(flatten)]
    options: DeleteArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    name: ClusterName,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Start {
    #[command(flatten)]
    name: ClusterName,
    #[command(flatten)]
    savepoint: SavepointArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Scale {
    #[command(flatten)]
    ahead: ScaleArgs,
    #[command(flatten)]
    name: ClusterName,
    /// Wanted number of TaskManagers
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    task_managers: i32,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        match self {
            Self::Create(args) => {
                create::create(
                    &Resource::cluster(args.name.0),
                    &args.spec.cluster_spec,
                    args.ahead,
                    &args.wait,
                    &args.client,
                )
                .await
            }
            Self::Update(args) => {
                create::update(&Resource::cluster(args.name.0), &args.spec.cluster_spec, args.ahead, &args.client).await
            }
            Self::Delete(args) => {
                action::delete(&Resource::cluster(args.name.0), &args.options, &args.wait, &args.client).await
            }
            Self::Status(args) => deployment::status(&Resource::cluster(args.name.0), &args.client).await,
            Self::Start(args) => args.run(Action::Start).await,
            Self::Stop(args) => args.run(Action::Stop).await,
            Self::Scale(args) => {
                let resource = Resource::cluster(args.name.0);
                let number = Number::TaskManagers(args.task_managers);
                if args.ahead.ahead.dry_run {
                    return ahead::scale(&resource, number, &args.client).await;
                }
                if !args.ahead.force {
                    ahead::refuse(&resource, number, &args.client).await?;
                }
                let body = json!({ "taskManagers": args.task_managers });
                action::act(&resource, Action::Scale, body, &args.wait, &args.client).await
            }
        }
    }
}

impl Start {
    async fn run(self, action: Action) -> Result {
        let resource = Resource::cluster(self.name.0);
        action::act(&resource, action, action::options(self.savepoint), &self.wait, &self.client).await
    }
}
