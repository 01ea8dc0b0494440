//! `flinkctl doctor`.

use serde_json::json;

use crate::doctor::{self, State};
use crate::print::{self, Format, Habit};
use crate::session::{ClientArgs, pretty, yaml};
use crate::{ExitStatus, Result};

/// Arguments of `doctor`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl doctor --namespace=flink-jobs")]
pub struct Args {
    #[command(flatten)]
    client: ClientArgs,
}

impl Args {
    /// Makes all checks, also after one went wrong.
    pub async fn run(self) -> Result {
        let checks = doctor::examine(&self.client.connection).await;
        let value = json!({ "checks": checks });
        match self.client.output.format(Habit::Added) {
            Format::Json | Format::Envelope => print::data(&pretty(&value)),
            Format::Yaml => print::data(&yaml(&value)?),
            Format::Table | Format::Wide | Format::Name => {
                print::data(&doctor::render(&checks, &self.client.output.look()));
            }
        }
        let wrong = checks.iter().any(|check| check.state == State::Fail);
        Ok(if wrong { ExitStatus::Failed } else { ExitStatus::Done })
    }
}
