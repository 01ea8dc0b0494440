//! `flinkctl man`.

use std::path::PathBuf;

use clap::Command;

use crate::failure::Failure;
use crate::{ExitStatus, Result, dress};

/// Arguments of `man`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl man /usr/local/share/man/man1")]
pub struct Args {
    /// Directory for the pages, made if need be
    directory: PathBuf,
}

impl Args {
    pub fn run(self, command: Command) -> Result {
        let failed = |error| Failure::new(format!("failed to write into {}: {error}", self.directory.display()));
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        // Pages tell what is the same everywhere, so not the variables of whoever writes them.
        let command = hidden(command.bin_name(dress::PROGRAM));
        clap_mangen::generate_to(command, &self.directory).map_err(failed)?;
        Ok(ExitStatus::Done)
    }
}

/// The tree without the values of variables.
fn hidden(command: Command) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let mut command = command.mut_args(|arg| arg.hide_env_values(true));
    for name in names {
        command = command.mut_subcommand(name, hidden);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let directory = tempfile::tempdir().expect("a directory");
        Args { directory: directory.path().to_owned() }.run(crate::command(dress::PROGRAM)).expect("written");
        for name in ["flinkctl", "flinkctl-cluster-scale", "flinkctl-job-stop", "flinkctl-config-set-context"] {
            let page = std::fs::read_to_string(directory.path().join(format!("{name}.1"))).expect(name);
            assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
        }
    }
}
