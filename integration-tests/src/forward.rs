//! `kubectl port-forward`, as a user runs it: a process that listens on this machine until it is dropped.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

const SOON: Duration = Duration::from_secs(30);

/// A port-forward that listens.
pub struct Forward {
    _process: Child,
    /// It says more with each connection, and would not survive that nobody can hear it.
    _lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Forward {
    /// Starts `kubectl port-forward …`, and waits until it says where it listens.
    pub async fn start(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().context("cannot start kubectl")?;
        let mut lines = BufReader::new(process.stdout.take().context("a pipe")?).lines();
        let said = tokio::time::timeout(SOON, lines.next_line()).await.context("kubectl says nothing")??;
        let address = said.as_deref().and_then(|said| said.strip_prefix("Forwarding from ")?.split_whitespace().next());
        let Some(address) = address else {
            let mut why = String::new();
            process.stderr.take().context("a pipe")?.read_to_string(&mut why).await?;
            bail!("kubectl forwards nothing: {}", why.trim_end());
        };
        Ok(Self { address: address.to_owned(), _process: process, _lines: lines })
    }

    /// Where it listens: address and port.
    pub fn address(&self) -> &str {
        &self.address
    }
}
