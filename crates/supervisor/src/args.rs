//! Flags of `flinkctl supervisor run`.

use std::path::PathBuf;

/// Supervises one Flink cluster and its jobs.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Namespace of the cluster.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Name of the `FlinkCluster`.
    #[arg(long)]
    pub cluster_name: String,
    /// Seconds between two looks at a settled Flink cluster, within 5 and 60.
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub polling_interval: u64,
    /// Seconds after which a step that makes no progress is given up; the resource's own value goes before it.
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    pub task_timeout: u64,
    /// Kubeconfig to use instead of the pod's service account.
    #[arg(long, value_name = "FILE")]
    pub kube_config: Option<PathBuf>,
    /// Image of flinkctl that bootstrap pods get their executable from.
    #[arg(long, env = "FLINKCTL_IMAGE", default_value = "flinkctl")]
    pub image: String,
    /// Create bootstrap Jobs that do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Port of the original's control server, which served nothing; accepted and not used.
    #[arg(long, default_value_t = 4445, hide = true)]
    pub port: u16,
    /// Accepted for compatibility: Flink is spoken to at the address of its pod.
    #[arg(long, hide = true)]
    pub flink_hostname: Option<String>,
    /// Accepted for compatibility: Flink is spoken to at the address of its pod.
    #[arg(long, hide = true)]
    pub port_forward: Option<u16>,
    /// Accepted for compatibility: there is no control server to protect.
    #[arg(long, hide = true)]
    pub keystore_path: Option<PathBuf>,
    /// Accepted for compatibility.
    #[arg(long, hide = true)]
    pub keystore_secret: Option<String>,
    /// Accepted for compatibility.
    #[arg(long, hide = true)]
    pub truststore_path: Option<PathBuf>,
    /// Accepted for compatibility.
    #[arg(long, hide = true)]
    pub truststore_secret: Option<String>,
    #[command(flatten)]
    pub telemetry: kit::telemetry::Options,
}
