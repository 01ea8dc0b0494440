//! How output looks: its form, its width, and whether it has colours.

use std::io::IsTerminal as _;

use clap::ValueEnum;

/// The form of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people; cut to the width of the terminal
    Table,
    /// For people, with everything
    Wide,
    Json,
    Yaml,
    /// Names alone, as kubectl takes them
    Name,
    /// The answer as it came, as flink-k8s-toolbox printed it
    Envelope,
}

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colors {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    Always,
    Never,
}

/// Options of every command that prints something.
#[derive(Clone, Debug, clap::Args)]
pub struct OutputArgs {
    /// Form of the output; `table` on a terminal and `envelope` elsewhere, if the command is one of flink-k8s-toolbox
    #[arg(short, long, value_enum, value_name = "FORM", help_heading = "Output")]
    pub output: Option<Format>,

    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, hide_short_help = true, help_heading = "Output")]
    pub color: Colors,
}

/// What a command prints where nobody says and there is no terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// A command of flink-k8s-toolbox: the envelope.
    Original,
    /// Any other: the table.
    Added,
}

/// How tables look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; none where there is no end.
    pub width: Option<usize>,
    pub color: bool,
    /// Whether columns are shown that most people do not need.
    pub wide: bool,
}

impl OutputArgs {
    /// The form that is wanted.
    pub fn format(&self, habit: Habit) -> Format {
        let usual =
            if habit == Habit::Added || std::io::stdout().is_terminal() { Format::Table } else { Format::Envelope };
        self.output.unwrap_or(usual)
    }

    /// How a table on stdout looks.
    pub fn look(&self) -> Look {
        let terminal = std::io::stdout().is_terminal();
        let wide = self.output == Some(Format::Wide);
        Look { width: width(terminal).filter(|_| !wide), color: self.is_colored(terminal), wide }
    }

    fn is_colored(&self, terminal: bool) -> bool {
        match self.color {
            Colors::Always => true,
            Colors::Never => false,
            Colors::Auto => {
                let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                terminal && !plain && !dumb
            }
        }
    }
}

/// The columns of a terminal; the variable COLUMNS wins.
fn width(terminal: bool) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse::<usize>().ok());
    let found = || {
        let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
        Some(usize::from(size.ws_col))
    };
    said.or_else(|| if terminal { found() } else { None }).filter(|columns| *columns > 0)
}
