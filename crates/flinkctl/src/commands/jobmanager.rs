//! `flinkctl jobmanager`.

use clap::Subcommand;
use control_api::route::Operation;
use control_client::Request;

use crate::Result;
use crate::names::ClusterName;
use crate::print::{Habit, figures};
use crate::session::{ClientArgs, Session};

#[derive(Subcommand)]
pub enum Command {
    /// Show the metrics of the JobManager
    #[command(after_help = "Example:\n  flinkctl jobmanager metrics demo")]
    Metrics(Args),
}

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    name: ClusterName,
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        let Self::Metrics(args) = self;
        let session = Session::open(&args.client, Habit::Original).await?;
        let request = Request::new(Operation::JobManagerMetrics, [args.name.0]);
        session.question(&request, |metrics| figures(metrics, &session.look)).await
    }
}
