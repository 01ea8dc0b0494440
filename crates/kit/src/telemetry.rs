//! Logs: one line or one JSON object per event, on stderr. Filtering is by target and level; there are no regular expressions in it,
//! which keeps a megabyte out of each process.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How a log line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Options of every server command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// What to log: a level, or a list such as `info,operator=debug`
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "FILTER")]
    pub log_level: String,

    /// How to log
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: Format,
}

/// Starts logging. A filter that cannot be read is reported and replaced by `info`.
pub fn init(options: &Options) {
    let parsed = options.log_level.parse::<Targets>();
    let refused = parsed.as_ref().err().map(ToString::to_string);
    let filter = parsed.unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(true);
    let layer = match options.log_format {
        Format::Text => layer.with_filter(filter).boxed(),
        Format::Json => layer.json().with_filter(filter).boxed(),
    };
    let started = tracing_subscriber::registry().with(layer).try_init();
    if let Some(why) = refused {
        tracing::warn!(filter = options.log_level, why, "cannot read the log filter, using info");
    }
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
