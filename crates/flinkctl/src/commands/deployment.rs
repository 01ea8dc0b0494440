//! `flinkctl deployment`.

use std::path::PathBuf;

use clap::Subcommand;
use control_api::route::Operation;

use super::action::{self, DeleteArgs, WaitArgs};
use super::ahead::DryRunArgs;
use super::create;
use crate::Result;
use crate::names::DeploymentName;
use crate::print::{Habit, describe};
use crate::session::{ClientArgs, Resource, Session};

#[derive(Subcommand)]
pub enum Command {
    /// Create a deployment from its spec
    #[command(after_help = "Example:\n  flinkctl deployment create demo --deployment-spec=demo.yaml --wait")]
    Create(Create),
    /// Replace the spec of a deployment
    #[command(after_help = "Example:\n  flinkctl deployment update demo --deployment-spec=demo.yaml")]
    Update(Update),
    /// Delete a deployment with its cluster and jobs
    #[command(after_help = "Example:\n  flinkctl deployment delete demo --wait")]
    Delete(Delete),
    /// Show the status of a deployment
    #[command(after_help = "Example:\n  flinkctl deployment status demo")]
    Status(Status),
}

#[derive(clap::Args)]
pub struct Create {
    #[command(flatten)]
    ahead: DryRunArgs,
    #[command(flatten)]
    name: DeploymentName,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
struct SpecArgs {
    /// File with the spec, or the whole resource, as JSON or YAML; `-` for stdin
    #[arg(long, value_name = "FILE")]
    deployment_spec: PathBuf,
}

#[derive(clap::Args)]
pub struct Update {
    #[command(flatten)]
    ahead: DryRunArgs,
    #[command(flatten)]
    name: DeploymentName,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Delete {
    #[command(flatten)]
    name: DeploymentName,
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
    name: DeploymentName,
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        match self {
            Self::Create(args) => {
                let resource = Resource::deployment(args.name.0);
                create::create(&resource, &args.spec.deployment_spec, args.ahead, &args.wait, &args.client).await
            }
            Self::Update(args) => {
                create::update(&Resource::deployment(args.name.0), &args.spec.deployment_spec, args.ahead, &args.client)
                    .await
            }
            Self::Delete(args) => {
                action::delete(&Resource::deployment(args.name.0), &args.options, &args.wait, &args.client).await
            }
            Self::Status(args) => status(&Resource::deployment(args.name.0), &args.client).await,
        }
    }
}

/// The status of any resource: the whole resource for people, its status for programs.
pub async fn status(resource: &Resource, client: &ClientArgs) -> Result {
    use crate::print::Format;
    let session = Session::open(client, Habit::Original).await?;
    match session.format {
        Format::Table | Format::Wide => {
            let object = session.ask(&resource.request(Operation::Get)).await?;
            session.show(&object, |object| describe(resource.target, object, Session::now(), &session.look))
        }
        Format::Name => {
            session.ask(&resource.request(Operation::Status)).await?;
            crate::print::data(&resource.reference());
            Ok(crate::ExitStatus::Done)
        }
        Format::Json | Format::Yaml | Format::Envelope => {
            session.question(&resource.request(Operation::Status), ToString::to_string).await
        }
    }
}
