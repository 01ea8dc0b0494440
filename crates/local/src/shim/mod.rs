//! The shim: the last thing that runs before a container's own program.
//!
//! The node cannot prepare a process between fork and exec without unsafe code, so it starts its own executable once more. The shim, which is
//! single-threaded, reads what to do from its standard input, makes the container's file tree, tells the node what went wrong if anything did,
//! and becomes the container's program by exec: the shim's process id is the container's.
//!
//! Invariant: either the program runs with every essential mount in place, or it does not run and the node has been told why.

mod root;
mod tree;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::{prctl, signal::Signal};
use nix::unistd;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The arguments that make the executable a shim.
pub const ARGUMENTS: [&str; 2] = ["local", "shim"];

/// Exit code of a shim that could not become its program.
pub const FAILED: u8 = 128;

/// One process that the node wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    pub program: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub directory: PathBuf,
    /// Process id of the node: the process must not outlive it.
    pub node: i32,
    pub place: Place,
    /// What the process reads; nothing, if there is none.
    pub input: Option<Input>,
}

/// Where a process gets its input from, by a path on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// A named pipe.
    Pipe(PathBuf),
    /// A terminal, which is also where the process prints.
    Terminal(PathBuf),
}

/// Where the process runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Place {
    /// On the host as it is.
    Host,
    /// In a file tree of its own.
    Root(Root),
    /// In the file tree of a container that runs.
    Container { process: i32, user_namespace: bool },
}

/// The file tree of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Root {
    /// An empty directory on which the tree is put together.
    pub staging: PathBuf,
    /// Whether a user namespace is needed to mount.
    pub user_namespace: bool,
    pub hostname: String,
    /// Directories laid over the host's root, in this order.
    pub layers: Vec<PathBuf>,
    /// Directories that belong to the container, with the entries that they have.
    pub directories: Vec<PathBuf>,
    pub mounts: Vec<Mount>,
    /// Small files of the container's own (path, content), executable by all.
    pub scripts: Vec<(PathBuf, String)>,
}

/// A file or directory of the host that is shown in the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    pub source: PathBuf,
    pub target: PathBuf,
    pub read_only: bool,
    /// Whether the container cannot start without it.
    pub essential: bool,
}

/// What the shim tells the node, one JSON value per line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// A mount that is not essential could not be made.
    Warning(String),
    /// The program was not started.
    Failed(String),
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("read the order of the node")]
    Order(#[source] io::Error),
    #[error("{what}")]
    System { what: String, source: io::Error },
    #[error("start {program:?}")]
    Exec { program: String, source: io::Error },
}

fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    let what = what.into();
    move |source| Error::System { what, source: source.into() }
}

/// Runs the shim; comes back only when the program could not be started.
pub fn main() -> ExitCode {
    let mut node = None;
    let error = match run(&mut node) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    match node {
        Some(node) => tell(&node, &Report::Failed(text)),
        None => eprintln!("error: {text}"),
    }
    ExitCode::from(FAILED)
}

fn run(reports: &mut Option<UnixStream>) -> Result<std::convert::Infallible, Error> {
    let mut order = Vec::new();
    let mut input = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(Error::Order)?);
    input.read_to_end(&mut order).map_err(Error::Order)?;
    let order: Order = serde_json::from_slice(&order).map_err(|error| Error::Order(error.into()))?;
    let node = reports.insert(input);
    let input = match &order.input {
        Some(Input::Pipe(path)) => path.as_path(),
        Some(Input::Terminal(_)) | None => Path::new("/dev/null"),
    };
    let input = File::open(input).map_err(system(format!("open {}", input.display())))?;
    unistd::dup2_stdin(input).map_err(system("leave the standard input"))?;
    unistd::setsid().map_err(system("make a session"))?;
    if let Some(Input::Terminal(path)) = &order.input {
        take_terminal(path).map_err(system(format!("open the terminal {}", path.display())))?;
    }
    match &order.place {
        Place::Host => {}
        Place::Root(root) => {
            isolate(root)?;
            for warning in root::build(root)? {
                tell(node, &Report::Warning(warning));
            }
        }
        Place::Container { process, user_namespace } => enter(*process, *user_namespace)?,
    }
    // A change of credentials clears the signal, therefore it is asked for last.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(system("follow the node"))?;
    if unistd::getppid().as_raw() != order.node {
        return Err(Error::System { what: "follow the node".to_owned(), source: io::Error::other("it is gone") });
    }
    exec(&order)
}

/// A session without a terminal gets the first one that it opens.
fn take_terminal(path: &Path) -> io::Result<()> {
    let terminal = File::options().read(true).write(true).open(path)?;
    unistd::dup2_stdin(&terminal)?;
    unistd::dup2_stdout(&terminal)?;
    unistd::dup2_stderr(&terminal)?;
    Ok(())
}

fn exec(order: &Order) -> Result<std::convert::Infallible, Error> {
    let (program, arguments) = order.program.split_first().ok_or_else(|| Error::Exec {
        program: String::new(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "no command is given, neither by the pod nor by the image"),
    })?;
    let directory = &order.directory;
    std::fs::create_dir_all(directory)
        .and_then(|()| std::env::set_current_dir(directory))
        .map_err(system(format!("enter the working directory {}", directory.display())))?;
    let source = Command::new(program).args(arguments).env_clear().envs(order.environment.iter().cloned()).exec();
    Err(Error::Exec { program: program.clone(), source })
}

/// Makes namespaces of the container's own: mounts and host name.
fn isolate(root: &Root) -> Result<(), Error> {
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    let (user, group) = (unistd::geteuid(), unistd::getegid());
    if root.user_namespace {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).map_err(system("make a mount namespace"))?;
    if root.user_namespace {
        let map = |file: &str, text: String| std::fs::write(file, text).map_err(system(format!("write {file}")));
        map("/proc/self/setgroups", "deny".to_owned())?;
        map("/proc/self/uid_map", format!("{user} {user} 1"))?;
        map("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    unistd::sethostname(&root.hostname).map_err(system("set the host name"))
}

fn enter(process: i32, user_namespace: bool) -> Result<(), Error> {
    let open = |name: &str| {
        let path = format!("/proc/{process}/ns/{name}");
        File::open(&path).map_err(system(format!("open {path}")))
    };
    let (user, mount, uts) = (open("user")?, open("mnt")?, open("uts")?);
    if user_namespace {
        setns(user, CloneFlags::CLONE_NEWUSER).map_err(system("enter the user namespace"))?;
    }
    setns(uts, CloneFlags::CLONE_NEWUTS).map_err(system("enter the host name's namespace"))?;
    setns(mount, CloneFlags::CLONE_NEWNS).map_err(system("enter the mount namespace"))
}

fn tell(mut node: &UnixStream, report: &Report) {
    // A node that does not listen any more cannot be told.
    if let Ok(mut line) = serde_json::to_vec(report) {
        line.push(b'\n');
        let _ = node.write_all(&line);
    }
}

/// Whether a path is absolute and stays below the root.
pub(super) fn inside(path: &Path) -> bool {
    path.is_absolute() && !path.components().any(|part| part == std::path::Component::ParentDir)
}
