//! The command line of `bootstrap run`.

use std::path::PathBuf;

use flink::JobId;

/// Submit a JAR to a Flink cluster
///
/// Exit codes: 0 submitted, 2 usage, 3 not the pending attempt, 4 JAR missing, 5 main class missing, 6 restore failed, 7 job rejected,
/// 8 `JobManager` unreachable, 9 Kubernetes unreachable.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Namespace of the `FlinkJob`
    #[arg(long, default_value = "default")]
    pub namespace: String,

    /// Name of the cluster
    #[arg(long)]
    pub cluster_name: String,

    /// Name of the job within the cluster
    #[arg(long)]
    pub job_name: String,

    /// Path of the JAR
    #[arg(long)]
    pub jar_path: PathBuf,

    /// Main class
    #[arg(long)]
    pub class_name: String,

    /// Parallelism of the job
    #[arg(long, default_value_t = 1)]
    pub parallelism: u32,

    /// Savepoint or checkpoint to start from
    #[arg(long)]
    pub savepoint_path: Option<String>,

    /// Argument of the program; give the option once for each
    #[arg(long = "argument", allow_hyphen_values = true)]
    pub arguments: Vec<String>,

    /// Number of the attempt that this process was started for
    #[arg(long)]
    pub attempt: u64,

    /// Flink job id of the attempt
    #[arg(long)]
    pub job_id: JobId,

    /// Address of the `JobManager`
    #[arg(long)]
    pub flink_hostname: Option<String>,

    /// Port of the `JobManager`'s REST API
    #[arg(long)]
    pub port_forward: Option<u16>,

    /// Kubeconfig; in a pod its service account is used
    #[arg(long)]
    pub kube_config: Option<PathBuf>,

    /// Do nothing
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub telemetry: kit::telemetry::Options,
}

impl Args {
    /// Name of the `FlinkJob` resource.
    pub fn resource(&self) -> String {
        api::names::job(&self.cluster_name, &self.job_name)
    }

    /// Where the `JobManager` is, as `host:port`.
    pub fn flink_address(&self) -> String {
        let host = match (&self.flink_hostname, self.port_forward) {
            (Some(host), _) => host.clone(),
            (None, Some(_)) => "localhost".to_owned(),
            (None, None) => api::names::job_manager_service(&self.cluster_name),
        };
        let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
        format!("{host}:{}", self.port_forward.unwrap_or(8081))
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

    const REQUIRED: [&str; 7] = [
        "bootstrap",
        "--cluster-name=demo",
        "--job-name=a",
        "--jar-path=/j.jar",
        "--class-name=C",
        "--attempt=3",
        "--job-id=0123456789abcdef0123456789abcdef",
    ];

    fn parse(more: &[&str]) -> Args {
        Cli::parse_from(REQUIRED.iter().chain(more)).args
    }

    /// F-32
    #[test]
    fn arguments_keep_their_hyphens_blanks_and_order() {
        let args = parse(&["--argument=--rate", "--argument", "-1", "--argument=a b"]);
        assert_eq!(args.arguments, ["--rate", "-1", "a b"]);
        assert_eq!(args.resource(), "demo-a");
    }

    #[test]
    fn the_address_follows_the_options() {
        assert_eq!(parse(&[]).flink_address(), "jobmanager-demo:8081");
        assert_eq!(parse(&["--port-forward=8888"]).flink_address(), "localhost:8888");
        assert_eq!(parse(&["--flink-hostname=10.0.0.1"]).flink_address(), "10.0.0.1:8081");
        assert_eq!(parse(&["--flink-hostname=fd00::1"]).flink_address(), "[fd00::1]:8081");
    }
}
