//! The command line of `operator run`.

use std::path::PathBuf;

use crate::control::AccessOptions;

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

    #[command(flatten)]
    pub control: ControlArgs,

    #[command(flatten)]
    pub flink: FlinkArgs,

    /// Seconds; not used, as Kubernetes is watched
    #[arg(long, default_value_t = 10)]
    pub polling_interval: u64,

    /// Seconds; not used, as no task of the operator takes time
    #[arg(long, default_value_t = 120)]
    pub task_timeout: u64,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Options,
}

/// The control API
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Control API")]
pub struct ControlArgs {
    /// Port of the control API
    #[arg(long, default_value_t = control_api::PORT)]
    pub port: u16,

    #[command(flatten)]
    pub access: AccessOptions,
}

/// How Flink is reached
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Flink")]
pub struct FlinkArgs {
    /// Host of Flink's REST API, for an operator outside of the cluster: a node that serves node ports. By default a port is forwarded
    #[arg(long)]
    pub flink_hostname: Option<String>,

    /// Port of Flink's REST API, where one is forwarded
    #[arg(long)]
    pub port_forward: Option<u16>,
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

    /// C-15
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
        assert_eq!((args.control.port, args.control.access.insecure), (4444, false));
        assert_eq!(args.flink.port_forward, Some(8081));
    }
}
