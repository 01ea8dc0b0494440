//! `flinkctl ui`.

use kit::forward::{Forward, Target};

use crate::connection::{ConnectionArgs, Kubernetes};
use crate::failure::Failure;
use crate::names::ClusterName;
use crate::{ExitStatus, Result, print};

/// The port of Flink's web UI.
const PORT: u16 = 8081;

/// Arguments of `ui`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl ui demo --open")]
pub struct Args {
    #[command(flatten)]
    name: ClusterName,
    /// Open it in a browser
    #[arg(long)]
    open: bool,
    /// Port on this machine; any that is free unless given
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    local_port: u16,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Args {
    pub async fn run(self) -> Result {
        let place = self.connection.place()?;
        let kubernetes = Kubernetes::open(&place.kubernetes).await?;
        let namespace = kubernetes.clusters().await?;
        let cluster = &self.name.0;
        let target = Target::Service { name: api::names::job_manager_service(cluster), port: PORT };
        let forward = Forward::start(kubernetes.client, &namespace, target, self.local_port).await;
        let forward = forward.map_err(|error| {
            Failure::from(error).hint(format!("does the cluster run? flinkctl cluster status {cluster}"))
        })?;
        let address = format!("http://{}", forward.address());
        print::data(&address);
        eprintln!("Flink's web UI of cluster {cluster}, until Ctrl-C.");
        if self.open {
            browse(&address);
        }
        let _ = tokio::signal::ctrl_c().await;
        Ok(ExitStatus::Done)
    }
}

/// Opens the address in whatever the desktop prefers.
fn browse(address: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(opener)
        .arg(address)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    if let Err(error) = started {
        eprintln!("warning: no browser was opened ({opener}: {error}); open the address yourself");
    }
}
