//! `flinkctl job`.

use std::path::PathBuf;

use clap::Subcommand;
use control_api::route::{Action, Operation};
use control_client::Request;
use serde_json::{Value, json};

use super::action::{self, DeleteArgs, SavepointArgs, WaitArgs};
use super::ahead::{self, DryRunArgs, Number, ScaleArgs};
use super::{create, deployment};
use crate::Result;
use crate::names::JobName;
use crate::print::{Cell, Column, Details, Habit, Table, age, figures};
use crate::session::{ClientArgs, Resource, Session};

#[derive(Subcommand)]
pub enum Command {
    /// Create a job from its spec
    #[command(after_help = "Example:\n  flinkctl job create demo counter --job-spec=job.yaml --wait=2m")]
    Create(Create),
    /// Replace the spec of a job
    #[command(after_help = "Example:\n  flinkctl job update demo counter --job-spec=job.yaml")]
    Update(Update),
    /// Delete a job
    #[command(after_help = "Example:\n  flinkctl job delete demo counter --wait")]
    Delete(Delete),
    /// Show the status of a job
    #[command(after_help = "Example:\n  flinkctl job status demo counter")]
    Status(Question),
    /// Show what Flink says of a job
    #[command(after_help = "Example:\n  flinkctl job details demo counter")]
    Details(Question),
    /// Show the metrics of a job
    #[command(after_help = "Example:\n  flinkctl job metrics demo counter -o json")]
    Metrics(Question),
    /// Start a job
    #[command(after_help = "Example:\n  flinkctl job start demo counter --wait")]
    Start(Start),
    /// Stop a job with a savepoint
    #[command(after_help = "Example:\n  flinkctl job stop --cluster-name=demo --job-name=counter --wait=5m")]
    Stop(Start),
    /// Set the parallelism of a job; 0 suspends it
    #[command(after_help = "Example:\n  flinkctl job scale demo counter --parallelism=4 --wait")]
    Scale(Scale),
}

#[derive(clap::Args)]
struct SpecArgs {
    /// File with the spec, or the whole resource, as JSON or YAML; `-` for stdin
    #[arg(long, value_name = "FILE")]
    job_spec: PathBuf,
}

#[derive(clap::Args)]
pub struct Create {
    #[command(flatten)]
    ahead: DryRunArgs,
    #[command(flatten)]
    name: JobName,
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
    name: JobName,
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Delete {
    #[command(flatten)]
    name: JobName,
    #[command(flatten)]
    options: DeleteArgs,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Question {
    #[command(flatten)]
    name: JobName,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(clap::Args)]
pub struct Start {
    #[command(flatten)]
    name: JobName,
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
    name: JobName,
    /// Wanted parallelism
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    parallelism: i32,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// The job of a name.
pub fn resource(name: JobName) -> Resource {
    Resource::job(name.cluster, name.job)
}

impl Command {
    pub async fn run(self) -> Result {
        match self {
            Self::Create(args) => {
                create::create(&resource(args.name), &args.spec.job_spec, args.ahead, &args.wait, &args.client).await
            }
            Self::Update(args) => {
                create::update(&resource(args.name), &args.spec.job_spec, args.ahead, &args.client).await
            }
            Self::Delete(args) => action::delete(&resource(args.name), &args.options, &args.wait, &args.client).await,
            Self::Status(args) => deployment::status(&resource(args.name), &args.client).await,
            Self::Details(args) => {
                let session = Session::open(&args.client, Habit::Original).await?;
                let request = Request::new(Operation::JobDetails, [args.name.cluster, args.name.job]);
                session.question(&request, |job| details(job, &session)).await
            }
            Self::Metrics(args) => {
                let session = Session::open(&args.client, Habit::Original).await?;
                let request = Request::new(Operation::JobMetrics, [args.name.cluster, args.name.job]);
                session.question(&request, |metrics| figures(metrics, &session.look)).await
            }
            Self::Start(args) => args.run(Action::Start).await,
            Self::Stop(args) => args.run(Action::Stop).await,
            Self::Scale(args) => {
                let resource = resource(args.name);
                let number = Number::Parallelism(args.parallelism);
                if args.ahead.ahead.dry_run {
                    return ahead::scale(&resource, number, &args.client).await;
                }
                if !args.ahead.force {
                    ahead::refuse(&resource, number, &args.client).await?;
                }
                let body = json!({ "parallelism": args.parallelism });
                action::act(&resource, Action::Scale, body, &args.wait, &args.client).await
            }
        }
    }
}

impl Start {
    async fn run(self, action: Action) -> Result {
        action::act(&resource(self.name), action, action::options(self.savepoint), &self.wait, &self.client).await
    }
}

/// What Flink says of a job: the job, and its vertices as a table.
fn details(job: &Value, session: &Session) -> String {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let time = |value: &Value| {
        let at = value.as_i64().filter(|at| *at > 0).and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
    };
    let duration = |value: &Value| value.as_i64().map(|millis| age(millis / 1000)).unwrap_or_default();
    let mut head = Details::default();
    head.add("Name", Cell::plain(text(&job["name"])));
    head.add("Id", Cell::plain(text(&job["jid"])));
    head.add("State", Cell::word(text(&job["state"])));
    head.add("Started", Cell::plain(time(&job["start-time"])));
    head.add("Ended", Cell::plain(time(&job["end-time"])));
    head.add("Duration", Cell::plain(duration(&job["duration"])));
    let columns = vec![
        Column::new("VERTEX", 0),
        Column::new("STATUS", 0),
        Column::new("PARALLELISM", 1),
        Column::new("DURATION", 4),
        Column::new("RECORDS-IN", 2),
        Column::new("RECORDS-OUT", 3),
        Column::wide("ID"),
    ];
    let row = |vertex: &Value| {
        vec![
            Cell::plain(text(&vertex["name"])),
            Cell::word(text(&vertex["status"])),
            Cell::plain(text(&vertex["parallelism"])),
            Cell::plain(duration(&vertex["duration"])),
            Cell::plain(text(&vertex["metrics"]["read-records"])),
            Cell::plain(text(&vertex["metrics"]["write-records"])),
            Cell::plain(text(&vertex["id"])),
        ]
    };
    let vertices = job["vertices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let table = Table { columns, rows: vertices.iter().map(row).collect() };
    format!("{}\n{}", head.render(&session.look), table.render(&session.look))
}
