//! `flinkctl savepoint`.

use clap::Subcommand;
use control_api::route::Action;
use serde_json::Value;

use super::action::{self, WaitArgs};
use super::job;
use crate::Result;
use crate::names::JobName;
use crate::session::ClientArgs;

#[derive(Subcommand)]
pub enum Command {
    /// Take a savepoint of a job, which runs on
    #[command(after_help = "Example:\n  flinkctl savepoint trigger demo counter --wait")]
    Trigger(Args),
    /// Forget the savepoints and checkpoints of a job: it starts from nothing
    #[command(after_help = "Example:\n  flinkctl savepoint forget demo counter")]
    Forget(Args),
}

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    name: JobName,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    client: ClientArgs,
}

impl Command {
    pub async fn run(self) -> Result {
        let (args, action) = match self {
            Self::Trigger(args) => (args, Action::TriggerSavepoint),
            Self::Forget(args) => (args, Action::ForgetSavepoint),
        };
        action::act(&job::resource(args.name), action, Value::Null, &args.wait, &args.client).await
    }
}
