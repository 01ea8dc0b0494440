//! `flinkctl events`.

use clap::Subcommand;
use control_api::route::Operation;
use serde_json::Value;

use super::job;
use crate::Result;
use crate::names::{ClusterName, DeploymentName, JobName};
use crate::print::{Cell, Column, Format, Habit, Table, Tone, ago};
use crate::session::{ClientArgs, Resource, Session};

#[derive(Subcommand)]
pub enum Command {
    /// Show events about a deployment
    #[command(after_help = "Example:\n  flinkctl events deployment demo")]
    Deployment(One<DeploymentName>),
    /// Show events about a cluster and its pods
    #[command(after_help = "Example:\n  flinkctl events cluster demo")]
    Cluster(One<ClusterName>),
    /// Show events about a job
    #[command(after_help = "Example:\n  flinkctl events job demo counter")]
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
        let session = Session::open(&client, Habit::Added).await?;
        let request = resource.request(Operation::Events);
        if session.format == Format::Envelope {
            return session.relay(&request, std::time::Duration::ZERO).await;
        }
        let answer = session.ask(&request).await?;
        if answer.as_array().is_some_and(Vec::is_empty) && matches!(session.format, Format::Table | Format::Wide) {
            eprintln!("There are no events about {}.", resource.said());
            return Ok(crate::ExitStatus::Done);
        }
        session.show(&answer, |events| table(events).render(&session.look))
    }
}

/// Events, the last first.
fn table(events: &Value) -> Table {
    let now = Session::now();
    let text = |event: &Value, member: &str| event[member].as_str().unwrap_or_default().to_owned();
    let row = |event: &Value| {
        let count = event["count"].as_i64().filter(|count| *count > 1);
        let tone = if event["warning"] == true { Tone::Bad } else { Tone::Plain };
        vec![
            Cell::plain(ago(&text(event, "time"), now)),
            Cell::toned(text(event, "reason"), tone),
            Cell::plain(text(event, "about")),
            Cell::plain(count.map_or_else(String::new, |count| format!("x{count}"))),
            Cell::toned(text(event, "message"), tone),
        ]
    };
    let columns = vec![
        Column::new("LAST", 0),
        Column::new("REASON", 0),
        Column::new("ABOUT", 1),
        Column::new("COUNT", 2),
        Column::words("MESSAGE"),
    ];
    Table { columns, rows: events.as_array().into_iter().flatten().map(row).collect() }
}
