//! `flinkctl validate`.

use std::path::PathBuf;

use crate::namespace::json;
use crate::print::{self, Format, Habit, OutputArgs};
use crate::session::{pretty, yaml};
use crate::{ExitStatus, Result, validate};

/// Arguments of `validate`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flinkctl validate -f manifests/ -f demo.yaml\n  helm template . | flinkctl validate -f -"
)]
pub struct Args {
    /// File, or directory with files that end with .yaml, .yml or .json; `-` for stdin; may be repeated
    #[arg(short, long = "filename", value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Args {
    /// Judges the files; no cluster is asked.
    pub fn run(&self) -> Result {
        let report = validate::validate(&self.filename)?;
        match self.output.format(Habit::Added) {
            Format::Json | Format::Envelope => print::data(&pretty(&json(&report))),
            Format::Yaml => print::data(&yaml(&json(&report))?),
            Format::Table | Format::Wide | Format::Name => print::data(&validate::render(&report)),
        }
        Ok(if report.is_valid() { ExitStatus::Done } else { ExitStatus::Failed })
    }
}
