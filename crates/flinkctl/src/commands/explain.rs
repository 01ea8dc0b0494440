//! `flinkctl explain`: why a resource is as it is, and what to do.
//!
//! The operator explains. Where it cannot be asked, which is when people need this most, Kubernetes is read directly.

use clap::Subcommand;
use control_api::explain::{self, Event, Explanation, Subject, What};
use control_api::route::{Operation, Target};
use control_api::{Kind, Problem};
use jiff::Timestamp;
use serde_json::Value;

use super::job;
use crate::connection::Address;
use crate::failure::Failure;
use crate::names::{ClusterName, DeploymentName, JobName};
use crate::namespace::{Namespace, json};
use crate::print::{self, Format, Habit};
use crate::session::{ClientArgs, Resource, Session, pretty, yaml};
use crate::{ExitStatus, Result};

/// Width where there is no terminal.
const WIDTH: usize = 100;

#[derive(Subcommand)]
pub enum Command {
    /// Why a deployment is as it is, and what to do
    #[command(after_help = "Example:\n  flinkctl explain deployment demo")]
    Deployment(One<DeploymentName>),
    /// Why a cluster is as it is, and what to do
    #[command(after_help = "Example:\n  flinkctl explain cluster demo")]
    Cluster(One<ClusterName>),
    /// Why a job is as it is, and what to do
    #[command(after_help = "Example:\n  flinkctl explain job demo counter")]
    Job(One<JobName>),
}

#[derive(clap::Args)]
pub struct One<N: clap::Args> {
    #[command(flatten)]
    name: N,
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        let (resource, client) = match self {
            Self::Deployment(one) => (Resource::deployment(one.name.0), one.client),
            Self::Cluster(one) => (Resource::cluster(one.name.0), one.client),
            Self::Job(one) => (job::resource(one.name), one.client),
        };
        let format = client.output.format(Habit::Added);
        let answer = match asked(&resource, &client).await {
            Ok(answer) => answer,
            Err(Unasked::Answered(failure)) => return Err(failure),
            Err(Unasked::Silent(failure)) => {
                if client.connection.place()?.address != Address::Kubernetes {
                    return Err(failure);
                }
                let explanation = read(&resource, &client).await?;
                eprintln!("note: the operator does not say; this is what Kubernetes says (see `flinkctl doctor`)");
                failure.tell();
                json(&explanation)
            }
        };
        show(&answer, format, client.output.look().width)
    }
}

/// Why the operator has not explained.
enum Unasked {
    /// It has answered: there is no such resource, or one may not ask.
    Answered(Failure),
    /// It cannot be reached, or it cannot say.
    Silent(Failure),
}

async fn asked(resource: &Resource, client: &ClientArgs) -> std::result::Result<Value, Unasked> {
    let sort = |failure: Failure| {
        if failure.status == ExitStatus::Unreachable { Unasked::Silent(failure) } else { Unasked::Answered(failure) }
    };
    let session = Session::open(client, Habit::Added).await.map_err(sort)?;
    let answer = session.connection.client.ask(&resource.request(Operation::Explain)).await;
    answer.map_err(|error| match &error {
        control_client::Error::Refused(problem) if !cannot_say(problem) => Unasked::Answered(session.explained(error)),
        _ => Unasked::Silent(session.explained(error)),
    })
}

fn cannot_say(problem: &Problem) -> bool {
    matches!(
        problem.kind,
        Kind::Unavailable | Kind::NoSuchRoute | Kind::Internal | Kind::KubernetesRefused | Kind::Unauthenticated
    )
}

/// The explanation, made here.
async fn read(resource: &Resource, client: &ClientArgs) -> Result<Explanation> {
    let place = Namespace::open(&client.connection).await?;
    let missing = || Failure::new(format!("there is no {} in namespace {}", resource.said(), place.name));
    let name = resource.name();
    let events = place.events().await.unwrap_or_default();
    let cluster_name = resource.names.first().cloned().unwrap_or_default();
    let trouble = place.supervisor_trouble(&cluster_name).await.unwrap_or_default();
    let explained = |what: What<'_>| {
        let events = events.iter().filter(|event| explain::concerns(&what, event)).map(Event::of).collect();
        explain::explain(&Subject { what, events, supervisor: trouble.as_deref(), now: Timestamp::now() })
    };
    match resource.target {
        Target::Deployment => {
            let deployment = place.deployment(&name).await?.ok_or_else(missing)?;
            let (cluster, jobs) = (place.cluster(&name).await?, place.jobs_of(&name).await?);
            let (cluster, jobs) = (cluster.as_ref(), jobs.iter().collect());
            Ok(explained(What::Deployment { deployment: &deployment, cluster, jobs }))
        }
        Target::Cluster => {
            let cluster = place.cluster(&name).await?.ok_or_else(missing)?;
            let jobs = place.jobs_of(&name).await?;
            Ok(explained(What::Cluster { cluster: &cluster, jobs: jobs.iter().collect() }))
        }
        Target::Job => {
            let job = place.job(&name).await?.ok_or_else(missing)?;
            let cluster = place.cluster(&cluster_name).await?;
            Ok(explained(What::Job { job: &job, cluster: cluster.as_ref() }))
        }
    }
}

fn show(answer: &Value, format: Format, width: Option<usize>) -> Result {
    match format {
        Format::Json | Format::Envelope => print::data(&pretty(answer)),
        Format::Yaml => print::data(&yaml(answer)?),
        Format::Table | Format::Wide | Format::Name => {
            let explanation: Explanation = serde_json::from_value(answer.clone())
                .map_err(|error| Failure::new(format!("failed to read the operator's explanation: {error}")))?;
            print::data(&explain::render(&explanation, Timestamp::now(), width.unwrap_or(WIDTH)));
        }
    }
    Ok(ExitStatus::Done)
}
