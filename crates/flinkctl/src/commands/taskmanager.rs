//! `flinkctl taskmanager`.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use clap::Subcommand;
use control_api::route::Operation;
use control_client::Request;

use crate::Result;
use crate::failure::Failure;
use crate::names::ClusterName;
use crate::print::{Habit, figures};
use crate::session::{ClientArgs, Session};

#[derive(Subcommand)]
pub enum Command {
    /// Show a TaskManager with its memory
    #[command(after_help = "Example:\n  flinkctl taskmanager details demo --taskmanager-id=127.0.1.7:41123-8c1f5e")]
    Details(Args),
    /// Show the metrics of a TaskManager
    #[command(after_help = "Example:\n  flinkctl taskmanager metrics demo --taskmanager-id=127.0.1.7:41123-8c1f5e")]
    Metrics(Args),
}

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    name: ClusterName,
    /// Flink's id of the TaskManager; asked for on a terminal if it is missing
    #[arg(long, value_name = "ID")]
    taskmanager_id: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        let (args, operation) = match self {
            Self::Details(args) => (args, Operation::TaskManagerDetails),
            Self::Metrics(args) => (args, Operation::TaskManagerMetrics),
        };
        let is_asked = std::io::stdin().is_terminal();
        if args.taskmanager_id.is_none() && !is_asked {
            return Err(Failure::usage("give --taskmanager-id <ID>")
                .hint(format!("flinkctl taskmanagers list {} -o name", args.name.0)));
        }
        let session = Session::open(&args.client, Habit::Original).await?;
        let id = match args.taskmanager_id {
            Some(id) => id,
            None => choose(&session, &args.name.0).await?,
        };
        let request = Request::new(operation, [args.name.0, id]);
        session.question(&request, |answer| figures(answer, &session.look)).await
    }
}

/// Shows which there are, and asks for one.
async fn choose(session: &Session, cluster: &str) -> Result<String> {
    let known = session.ask(&Request::new(Operation::TaskManagers, [cluster])).await?;
    for id in known.as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()) {
        eprintln!("  {id}");
    }
    eprint!("Insert TaskManager id: ");
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::new(format!("failed to read the answer: {error}")))?;
    match line.trim() {
        "" => Err(Failure::usage("no TaskManager was chosen")),
        id => Ok(id.to_owned()),
    }
}
