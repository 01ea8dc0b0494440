//! `flinkctl local`: a Kubernetes control plane and a node in one process, on loopback, for development, demos and the CI of Flink jobs.

mod cli;
pub mod controllers;
mod files;
pub mod instance;
pub mod judge;
pub mod kubeconfig;
pub mod lock;
mod logs;
pub mod machinery;
pub mod network;
pub mod node;
pub mod pki;
pub mod server;
pub mod shim;
pub mod store;

use std::process::ExitCode;

pub use cli::{Command, Error, run};

/// Runs the hidden parts of the executable, if the arguments ask for one: the shim that becomes a container, or the entry point of the Flink
/// image. A main function calls this before it starts any thread.
pub fn dispatch() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (part, rest) = arguments.split_at_checked(2)?;
    if part == shim::ARGUMENTS {
        Some(shim::main())
    } else if part == node::image::entrypoint::ARGUMENTS {
        Some(node::image::entrypoint::main(rest))
    } else {
        None
    }
}
