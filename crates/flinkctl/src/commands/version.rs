//! `flinkctl version`.

use std::time::Duration;

use kit::forward::{Forward, Target};
use serde_json::{Value, json};

use crate::connection::{ConnectionArgs, Kubernetes, OPERATOR};
use crate::failure::Failure;
use crate::print::{self, Cell, Details, Format, Habit, OutputArgs};
use crate::session::{pretty, yaml};
use crate::{ExitStatus, Result};

const SOON: Duration = Duration::from_secs(10);

/// Arguments of `version`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl version -o json")]
pub struct Args {
    /// Do not ask the operator
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Args {
    pub async fn run(self) -> Result {
        let mut versions = json!({ "client": env!("CARGO_PKG_VERSION") });
        let outcome = if self.client {
            Ok(())
        } else {
            operator(&self.connection).await.map(|found| versions["operator"] = found)
        };
        match self.output.format(Habit::Added) {
            Format::Json => print::data(&pretty(&versions)),
            Format::Yaml => print::data(&yaml(&versions)?),
            _ => {
                let mut details = Details::default();
                details.add("Client", Cell::plain(text(&versions["client"])));
                details.add("Operator", Cell::plain(text(&versions["operator"])));
                print::data(&details.render(&self.output.look()));
            }
        }
        outcome.map(|()| ExitStatus::Done)
    }
}

/// The operator tells its version on its monitoring port, which only the kubeconfig leads to.
pub async fn operator(connection: &ConnectionArgs) -> Result<Value> {
    let place = connection.place()?;
    let kubernetes = Kubernetes::open(&place.kubernetes).await?;
    let namespace = kubernetes.operator().await?;
    let target = Target::Service { name: OPERATOR.to_owned(), port: kit::monitoring::PORT };
    let forward = Forward::start(kubernetes.client, &namespace, target, 0).await?;
    let failed = |error: reqwest::Error| {
        Failure::new(format!("failed to ask the operator for its version: {}", kit::chain(&error)))
            .with(ExitStatus::Unreachable)
    };
    let client = reqwest::Client::builder().no_proxy().timeout(SOON).build().map_err(failed)?;
    let answer = client.get(format!("http://{}/version", forward.address())).send().await.map_err(failed)?;
    let answer: Value = answer.json().await.map_err(failed)?;
    Ok(answer["version"].clone())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
