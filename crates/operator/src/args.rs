//! The command line of `operator run`.

use std::path::PathBuf;

/// Run the operator of a namespace
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Namespace to work in
    #[arg(long, default_value = "default")]
    pub namespace: String,

    /// Image of flinkctl for supervisors and for the submission of jobs
    #[arg(long, env = "FLINKCTL_IMAGE", default_value = concat!("nextbreakpoint/flinkctl:", env!("CARGO_PKG_VERSION")))]
    pub image: String,

    /// Kubeconfig; in a pod its service account is used
    #[arg(long)]
    pub kube_config: Option<PathBuf>,

    /// Create supervisors with 0 replicas
    #[arg(long)]
    pub dry_run: bool,

    /// Port of the monitoring server
    #[arg(long, default_value_t = kit::monitoring::PORT)]
    pub monitoring_port: u16,

    /// Port of the control API; not served by this version
    #[arg(long, default_value_t = 4444)]
    pub port: u16,

    /// Key store of the control API; not used by this version
    #[arg(long)]
    pub keystore_path: Option<PathBuf>,

    /// Its password
    #[arg(long, hide_env_values = true)]
    pub keystore_secret: Option<String>,

    /// Trust store of the control API; not used by this version
    #[arg(long)]
    pub truststore_path: Option<PathBuf>,

    /// Its password
    #[arg(long, hide_env_values = true)]
    pub truststore_secret: Option<String>,

    /// Address of Flink outside of the cluster; not used by this version
    #[arg(long)]
    pub flink_hostname: Option<String>,

    /// Port of Flink outside of the cluster; not used by this version
    #[arg(long)]
    pub port_forward: Option<u16>,

    /// Seconds; not used, as Kubernetes is watched
    #[arg(long, default_value_t = 10)]
    pub polling_interval: u64,

    /// Seconds; not used, as no task of the operator takes time
    #[arg(long, default_value_t = 120)]
    pub task_timeout: u64,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Options,
}

impl Args {
    /// Says once which options of the original have no effect here.
    pub(crate) fn log_unused(&self) {
        let stores = [&self.keystore_path, &self.truststore_path];
        if self.port != 4444 || stores.iter().any(|store| store.is_some()) {
            tracing::info!("the control API is not served by this version; its port and key stores are not used");
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::Args;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn every_flag_of_the_original_is_accepted() {
        let args = Cli::parse_from([
            "operator",
            "--port=4444",
            "--flink-hostname=localhost",
            "--port-forward=8081",
            "--kube-config=/k",
            "--namespace=flink",
            "--keystore-path=/a",
            "--keystore-secret=b",
            "--truststore-path=/c",
            "--truststore-secret=d",
            "--polling-interval=5",
            "--task-timeout=60",
            "--dry-run",
        ])
        .args;
        assert_eq!(args.namespace, "flink");
        assert!(args.dry_run);
        assert_eq!(args.monitoring_port, 8080);
    }
}
