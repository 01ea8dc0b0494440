//! `cargo xtask picture`: what commands print on a terminal, as an SVG for the documentation.
//!
//! The commands run for real, one after the other, on a pseudo-terminal of the wanted width. What draws over itself, such as progress,
//! is not for a picture: only colours and text are kept.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anstyle_svg::{Term, WIN10_CONSOLE};
use anyhow::{Context, Result, ensure};

/// Options of `cargo xtask picture`.
#[derive(clap::Args)]
pub struct Args {
    /// The SVG to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    /// Columns of the terminal
    #[arg(long, default_value_t = 120)]
    columns: u16,

    /// Command lines, each one argument
    #[arg(required = true, value_name = "COMMAND")]
    commands: Vec<String>,
}

/// Runs the commands and draws what they print.
pub fn run(args: &Args) -> Result<()> {
    let shown = |command: &String| Ok(format!("\x1b[1m$ {command}\x1b[0m\n{}", on_a_terminal(command, args.columns)?));
    let texts: Vec<String> = args.commands.iter().map(shown).collect::<Result<_>>()?;
    let picture = Term::new().palette(WIN10_CONSOLE).render_svg(texts.join("\n").trim_end());
    std::fs::write(&args.output, picture).with_context(|| format!("cannot write {}", args.output.display()))
}

fn on_a_terminal(command: &str, columns: u16) -> Result<String> {
    let line = format!("stty cols {columns} rows 50; {command}");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .context("cannot run `script`; it is in util-linux")?;
    let text = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    ensure!(!text.trim().is_empty(), "`{command}` prints nothing");
    Ok(text)
}
