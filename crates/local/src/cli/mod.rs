//! The commands `flinkctl local up`, `status`, `logs` and `down`.
//!
//! What a program may want to read goes to stdout, what is for people only to stderr.

mod detach;
mod down;
mod install;
mod logs;
mod node;
mod preflight;
mod status;
mod up;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::node::image::{ImageSource, parse_image};
use crate::{instance, kubeconfig, lock, network};

/// Run Flink on this machine: a Kubernetes control plane and a node in one process, for development and tests
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Start the control plane, the node and the operator, and stay until Ctrl-C
    Up(UpArgs),
    /// Run pods of another control plane on this machine: the node alone, until Ctrl-C
    Node(NodeArgs),
    /// Show what runs
    Status(StatusArgs),
    /// Print the log of a pod
    Logs(LogsArgs),
    /// Stop everything, and wait until it is gone
    Down(DownArgs),
}

/// Where an instance keeps its things.
#[derive(Debug, Clone, clap::Args)]
pub struct DataDir {
    /// Directory of the instance; `~/.local/state/flinkctl/local` (or below `$XDG_STATE_HOME`) unless given
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// What containers are made of.
#[derive(Debug, Clone, clap::Args)]
pub struct Images {
    /// Flink distribution that the image `flink` stands for
    // An empty variable is no usage error, and no Flink.
    #[arg(long, value_name = "DIR", env = "FLINK_HOME", value_parser = clap::builder::OsStringValueParser::new())]
    flink_home: Option<OsString>,

    /// File system of an image, as a directory that is laid over the host's, or `host` for the host itself
    #[arg(long = "image", value_name = "NAME=DIR", value_parser = parse_image)]
    images: Vec<(String, ImageSource)>,
}

/// Arguments of `up`.
#[derive(Debug, Clone, clap::Args)]
pub struct UpArgs {
    #[command(flatten)]
    data: DataDir,

    /// Namespace of the operator, and default namespace of the kubeconfig
    #[arg(long, value_name = "NAME", default_value = "default")]
    namespace: String,

    #[command(flatten)]
    images: Images,

    /// Port of the API server
    #[arg(long, value_name = "PORT", default_value_t = network::PORT)]
    port: u16,

    /// Return when everything is ready, and let it run in the background
    #[arg(long)]
    detach: bool,

    /// Do not run the operator
    #[arg(long)]
    without_operator: bool,

    /// The process that `--detach` starts
    #[arg(long, hide = true, conflicts_with = "detach")]
    detached: bool,

    #[command(flatten)]
    telemetry: kit::telemetry::Options,
}

/// Arguments of `node`.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeArgs {
    #[command(flatten)]
    data: DataDir,

    /// How to reach the API server, as the user `system:node:NAME` of the group `system:nodes` where nodes are held to their rights
    #[arg(long, value_name = "FILE", env = "KUBECONFIG")]
    kubeconfig: PathBuf,

    /// Name of the node
    #[arg(long, value_name = "NAME", default_value = up::NODE)]
    name: String,

    #[command(flatten)]
    images: Images,

    #[command(flatten)]
    server: NodeServer,

    #[command(flatten)]
    telemetry: kit::telemetry::Options,
}

/// How the API server can ask the node for logs; without it, `kubectl logs` has no answer.
#[derive(Debug, Clone, clap::Args)]
pub struct NodeServer {
    /// Certificate of the node's own server, whose port is 10250
    #[arg(long = "tls-cert-file", value_name = "FILE", requires_all = ["key", "clients"])]
    certificate: Option<PathBuf>,

    /// Private key of that certificate
    #[arg(long = "tls-private-key-file", value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,

    /// Authority of the certificates with which API servers ask the node
    #[arg(long = "client-ca-file", value_name = "FILE", requires = "certificate")]
    clients: Option<PathBuf>,
}

/// Arguments of `status`.
#[derive(Debug, Clone, clap::Args)]
pub struct StatusArgs {
    #[command(flatten)]
    data: DataDir,

    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// The form of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Arguments of `logs`.
#[derive(Debug, Clone, clap::Args)]
pub struct LogsArgs {
    /// Name of the pod, or the begin of it up to a dash
    pod: String,

    /// Go on until the container ends
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    data: DataDir,
}

/// Arguments of `down`.
#[derive(Debug, Clone, clap::Args)]
pub struct DownArgs {
    #[command(flatten)]
    data: DataDir,

    /// Remove the directory of the instance too
    #[arg(long)]
    purge: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Java or Flink is missing.
    #[error(transparent)]
    Preflight(#[from] preflight::Error),
    /// The control plane does not start.
    #[error(transparent)]
    Instance(#[from] instance::Error),
    /// The data directory is in use, or cannot be used.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// The node ended.
    #[error("run the node: {0}")]
    Node(#[source] crate::node::Error),
    /// Something needed does not get into the API server.
    #[error("{what}: {source}")]
    Request {
        /// What was tried.
        what: String,
        /// What the server said.
        source: Box<kube::Error>,
    },
    /// A kubeconfig cannot be used.
    #[error("read the kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// A kubeconfig without a certificate authority.
    #[error("use {0}: it names no certificate authority of the API server, which pods need")]
    NoAuthority(PathBuf),
    /// No network for pods.
    #[error(transparent)]
    Network(#[from] network::Error),
    /// There is no home directory.
    #[error("find a place for the instance's files: neither XDG_STATE_HOME nor HOME is set; use --data-dir")]
    NoDataDir,
    /// No process has the data directory.
    #[error("nothing runs in {0}; start it with `flinkctl local up`")]
    NotRunning(PathBuf),
    /// A file or a process refuses.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The background process did not come up.
    #[error("start in the background; the log is {log}:\n{tail}")]
    Detach {
        /// Its log.
        log: PathBuf,
        /// The last lines of it.
        tail: String,
    },
    /// Something does not get ready.
    #[error("wait for {0}")]
    Timeout(String),
    /// A part of the control plane ended by itself.
    #[error("keep running: {0} ended")]
    Ended(&'static str),
    /// No pod has this name.
    #[error("find pod {0}; `kubectl get pods --all-namespaces` lists them")]
    NoPod(String),
    /// Several pods have such a name.
    #[error("find one pod {name}: there are {found}")]
    ManyPods {
        /// What was asked for.
        name: String,
        /// What is there.
        found: String,
    },
    /// A directory does not look like an instance's.
    #[error("remove {0}: it holds no state of `flinkctl local`; remove it by hand if that is meant")]
    NotOurs(PathBuf),
}

/// Runs a command.
pub async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Up(args) if args.detach => detach::up(&args).await,
        Command::Up(args) => up::up(args).await,
        Command::Node(args) => node::node(args).await,
        Command::Status(args) => status::status(&args).await,
        Command::Logs(args) => logs::logs(&args).await,
        Command::Down(args) => down::down(&args).await,
    }
}

impl DataDir {
    fn path(&self) -> Result<PathBuf, Error> {
        self.data_dir.clone().or_else(instance::default_data_dir).ok_or(Error::NoDataDir)
    }

    /// The flag as it has to be repeated for other commands; empty for the default.
    fn flag(&self) -> String {
        self.data_dir.as_ref().map_or_else(String::new, |path| format!(" --data-dir {}", quote(path)))
    }
}

/// A line of data. A reader that has seen enough and went away is no failure.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A path as a shell takes it.
fn quote(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A client for the instance of a data directory, if one runs.
async fn connect(data_dir: &Path) -> Result<kube::Client, Error> {
    if lock::holder(data_dir)?.is_none() {
        return Err(Error::NotRunning(data_dir.to_owned()));
    }
    let read = Kubeconfig::read_from(kubeconfig::path(data_dir))?;
    let config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    kube::Client::try_from(config).map_err(request("make a client"))
}

fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::System { what, source }
}

fn request(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Error {
    let what = what.into();
    move |source| Error::Request { what, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_a_quoted_path_as_it_is() {
        assert_eq!(quote(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(quote(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
