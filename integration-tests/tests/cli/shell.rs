//! Runs the binary as a shell does.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::setup::Setup;
use integration_tests::world::World;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;

/// Longer than any command takes.
const DEADLINE: Duration = Duration::from_mins(4);

/// A shell with its variables.
pub struct Shell {
    binary: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    variables: Vec<(String, String)>,
}

/// What a command has said.
#[derive(Debug)]
pub struct Said {
    pub line: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// It ended with this code.
    pub fn ends(self, code: i32) -> Result<Self> {
        ensure!(
            self.code == code,
            "`flinkctl {}` ended with {} instead of {code}: {} {}",
            self.line,
            self.code,
            self.out,
            self.err
        );
        Ok(self)
    }

    /// It said this, on stdout or stderr.
    pub fn says(self, words: &str) -> Result<Self> {
        let found = self.out.contains(words) || self.err.contains(words);
        ensure!(found, "`flinkctl {}` does not say `{words}`: {} {}", self.line, self.out, self.err);
        Ok(self)
    }

    /// The `output` of the envelope, as `jq -r .output | jq` shows it.
    pub fn output(&self) -> Result<Value> {
        let envelope: Value =
            serde_json::from_str(&self.out).with_context(|| format!("`{}`: {}", self.line, self.out))?;
        ensure!(envelope["status"] == "OK", "`flinkctl {}` says {envelope}", self.line);
        match envelope["output"].as_str() {
            Some(text) => Ok(serde_json::from_str(text)?),
            None => Ok(Value::Null),
        }
    }
}

impl Shell {
    pub fn new(world: &World) -> Result<Self> {
        let binary = Setup::find()?.binary;
        let home = world.state().join("home");
        std::fs::create_dir_all(&home)?;
        Ok(Self { binary, kubeconfig: world.local.kubeconfig(), home, variables: Vec::new() })
    }

    /// The same with one more variable.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// A command as it would be started.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("KUBECONFIG", &self.kubeconfig).env("XDG_CONFIG_HOME", &self.home).env("TERM", "xterm");
        command.envs(self.variables.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Runs `flinkctl` with the words of a line.
    pub async fn run(&self, line: &str) -> Result<Said> {
        let mut command = self.command(&self.binary.to_string_lossy());
        command.args(line.split_whitespace());
        finish(command, line).await
    }

    /// The same at a terminal of so many columns, where stdout and stderr are one.
    pub async fn at_terminal(&self, columns: u16, line: &str) -> Result<Said> {
        let mut command = self.command("script");
        let inner = format!("stty cols {columns} rows 40; {} {line}", self.binary.display());
        command.args(["--quiet", "--return", "--command", &inner, "/dev/null"]);
        finish(command, line).await
    }
}

async fn finish(mut command: Command, line: &str) -> Result<Said> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().context("cannot start it")?;
    let (mut out, mut err) = (String::new(), String::new());
    let (mut stdout, mut stderr) = (child.stdout.take().context("a pipe")?, child.stderr.take().context("a pipe")?);
    let ended = tokio::time::timeout(DEADLINE, async {
        let (read_out, read_err) = tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err));
        read_out.and(read_err)?;
        child.wait().await
    });
    let status = ended.await.with_context(|| format!("`flinkctl {line}` does not end"))??;
    Ok(Said { line: line.to_owned(), code: status.code().unwrap_or(-1), out, err })
}
