//! `flinkctl completion`.

use clap::Command;
use clap_complete::Shell;

use crate::{ExitStatus, dress};

/// Arguments of `completion`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flinkctl completion bash > /etc/bash_completion.d/flinkctl")]
pub struct Args {
    /// The shell
    shell: Shell,
}

impl Args {
    pub fn run(self, mut command: Command) -> ExitStatus {
        let mut script = Vec::new();
        command.set_bin_name(dress::PROGRAM);
        clap_complete::generate(self.shell, &mut command, dress::PROGRAM, &mut script);
        crate::print::data(&String::from_utf8_lossy(&script));
        ExitStatus::Done
    }
}
