//! `flinkctl get`.

use clap::Subcommand;
use control_api::route::{Operation, Target};

use super::{job, lists};
use crate::Result;
use crate::names::{ClusterName, DeploymentName, JobName};
use crate::print::{Format, Habit};
use crate::session::{ClientArgs, Resource, Session};

#[derive(Subcommand)]
pub enum Command {
    /// Show a deployment
    #[command(after_help = "Example:\n  flinkctl get deployment demo -o yaml")]
    Deployment(One<DeploymentName>),
    /// Show a cluster
    #[command(after_help = "Example:\n  flinkctl get cluster demo -o yaml")]
    Cluster(One<ClusterName>),
    /// Show a job
    #[command(after_help = "Example:\n  flinkctl get job demo counter -o json")]
    Job(One<JobName>),
    /// Show everything: deployments, clusters and jobs
    #[command(after_help = "Example:\n  flinkctl get all -o name")]
    All(All),
}

#[derive(clap::Args)]
pub struct One<N: clap::Args> {
    #[command(flatten)]
    name: N,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct All {
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        let (resource, client) = match self {
            Self::Deployment(one) => (Resource::deployment(one.name.0), one.client),
            Self::Cluster(one) => (Resource::cluster(one.name.0), one.client),
            Self::Job(one) => (job::resource(one.name), one.client),
            Self::All(all) => return everything(&all.client).await,
        };
        let session = Session::open(&client, Habit::Added).await?;
        let request = resource.request(Operation::Get);
        if session.format == Format::Envelope {
            return session.relay(&request, std::time::Duration::ZERO).await;
        }
        let object = session.ask(&request).await?;
        match session.format {
            Format::Json | Format::Yaml => session.show(&object, ToString::to_string),
            _ => lists::list(&session, resource.target, vec![object]),
        }
    }
}

async fn everything(client: &ClientArgs) -> Result {
    let session = Session::open(client, Habit::Added).await?;
    let mut all = Vec::new();
    for target in [Target::Deployment, Target::Cluster, Target::Job] {
        all.push((target, lists::all(&session, target).await?));
    }
    lists::sections(&session, all)
}
