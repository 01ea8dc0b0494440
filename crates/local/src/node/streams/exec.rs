//! Commands in containers: their streams as channels of a WebSocket (`v5.channel.k8s.io`, and `v4`, which cannot end its input).
//!
//! Invariant: a command whose client or container goes is killed, with everything that it started.

use std::time::Duration;

use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::super::killing::{Life, inside};
use super::super::process::{Exit, Identity};
use super::terminal::{Pipe, Terminal};

/// The protocols, the better one first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

const INPUT: u8 = 0;
pub(super) const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;
pub(super) const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;
const CHUNK: usize = 32 * 1024;
const BACKLOG: usize = 16;
/// How long a client may take to read what is left once the command has ended.
const LAST_WORDS: Duration = Duration::from_secs(30);
/// How long what a command has left behind may hold its output open; what it printed itself is read by then.
const DRAIN: Duration = Duration::from_secs(10);

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub command: Vec<String>,
    /// Of input, output and errors.
    channels: Vec<u8>,
    terminal: bool,
}

impl Wanted {
    pub fn of(query: &[(String, String)]) -> Self {
        let flag = |names: &[&str]| {
            query.iter().any(|(key, value)| names.contains(&key.as_str()) && matches!(value.as_str(), "1" | "true"))
        };
        let channels =
            [(INPUT, ["input", "stdin"]), (OUTPUT, ["output", "stdout"]), (ERRORS, ["error", "stderr"])].into_iter();
        Self {
            command: query.iter().filter(|(key, _)| key == "command").map(|(_, value)| value.clone()).collect(),
            channels: channels.filter(|(_, names)| flag(names)).map(|(channel, _)| channel).collect(),
            terminal: flag(&["tty"]),
        }
    }

    fn wants(&self, channel: u8) -> bool {
        self.channels.contains(&channel)
    }
}

/// Kills what is left when it is dropped.
struct Running(Identity);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGKILL);
    }
}

/// What is to be sent to the client.
type Said = (u8, Vec<u8>);

/// Runs a command for a client, and tells how it ended.
pub(super) async fn serve<S>(socket: S, life: Life, wanted: Wanted, end: CancellationToken)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let (mut sink, source) = socket.split();
    let (said, mut sayings) = mpsc::channel::<Said>(BACKLOG);
    let run = async move {
        let status = match end.run_until_cancelled(run(&life, &wanted, source, &said)).await {
            Some(Ok(exit)) => status(exit),
            Some(Err(why)) => failure(&format!("error executing command in container: {why}")),
            None => status(Exit::KILLED),
        };
        let _ = said.send((STATUS, status.to_string().into_bytes())).await;
    };
    let send = async {
        while let Some((channel, bytes)) = sayings.recv().await {
            if sink.send(message(channel, &bytes)).await.is_err() {
                return false;
            }
        }
        true
    };
    {
        tokio::pin!(run, send);
        tokio::select! {
            alive = &mut send => if !alive { return },
            // A client that reads nothing is not waited for.
            () = &mut run => { let _ = tokio::time::timeout(LAST_WORDS, send).await; }
        }
    }
    let _ = tokio::time::timeout(LAST_WORDS, sink.send(goodbye())).await;
}

async fn run<S>(life: &Life, wanted: &Wanted, source: S, said: &mpsc::Sender<Said>) -> Result<Exit, String>
where
    S: Stream<Item = Result<Message, Error>> + Unpin,
{
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let order = inside(life, wanted.command.clone());
    let spawner = &life.sandbox.machine.spawner;
    if wanted.terminal {
        let terminal = Terminal::open().map_err(|error| text(&error))?;
        let mut order = crate::shim::Order { input: Some(terminal.input()), ..order };
        if !order.environment.iter().any(|(name, _)| name == "TERM") {
            order.environment.push(("TERM".to_owned(), "xterm".to_owned()));
        }
        let mut process = spawner.start(&order, None).await.map_err(|error| text(&error))?;
        let _running = Running(process.identity);
        let (reader, writer, size) = terminal.split().map_err(|error| text(&error))?;
        let output = copy(reader, OUTPUT, wanted, said.clone());
        let input = listen(source, Some(writer), &size);
        return until(async { process.wait().await }, output, input).await;
    }
    let pipe = if wanted.wants(INPUT) {
        Some(Pipe::make(&life.sandbox.directory).map_err(|error| text(&error))?)
    } else {
        None
    };
    let order = crate::shim::Order { input: pipe.as_ref().map(Pipe::input), ..order };
    let (mut process, output, errors) = spawner.start_piped(&order).await.map_err(|error| text(&error))?;
    let _running = Running(process.identity);
    let writer = pipe.map(Pipe::writer);
    let outputs = async {
        tokio::join!(copy(output, OUTPUT, wanted, said.clone()), copy(errors, ERRORS, wanted, said.clone()));
    };
    until(async { process.wait().await }, outputs, listen(source, writer, &())).await
}

/// Until the command has ended and all that it printed was sent, or the client is gone.
async fn until(
    end: impl Future<Output = Exit>,
    outputs: impl Future<Output = ()>,
    input: impl Future<Output = ()>,
) -> Result<Exit, String> {
    let mut outputs = std::pin::pin!(outputs);
    let ended = async {
        let mut end = std::pin::pin!(end);
        tokio::select! {
            exit = &mut end => {
                let _ = tokio::time::timeout(DRAIN, outputs).await;
                exit
            }
            () = &mut outputs => end.await,
        }
    };
    tokio::select! {
        exit = ended => Ok(exit),
        () = input => Err("the client has gone".to_owned()),
    }
}

/// What a terminal can be told besides text.
pub(super) trait Resize {
    fn resize(&self, width: u16, height: u16);
}

impl Resize for () {
    fn resize(&self, _: u16, _: u16) {}
}

/// Hands on what the client types; returns when the client is gone.
async fn listen<S, W>(mut source: S, mut writer: Option<W>, terminal: &impl Resize)
where
    S: Stream<Item = Result<Message, Error>> + Unpin,
    W: AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = source.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Close(_) => return,
            _ => continue,
        };
        match bytes.split_first() {
            Some((&INPUT, text)) => {
                if let Some(open) = &mut writer
                    && (open.write_all(text).await.is_err() || open.flush().await.is_err())
                {
                    writer = None;
                }
            }
            Some((&CLOSE, [INPUT])) => writer = None,
            Some((&RESIZE, size)) => {
                let size: Value = serde_json::from_slice(size).unwrap_or_default();
                let number = |key: &str| size[key].as_u64().and_then(|number| u16::try_from(number).ok());
                if let (Some(width), Some(height)) = (number("Width"), number("Height")) {
                    terminal.resize(width, height);
                }
            }
            _ => {}
        }
    }
}

/// Sends what is printed. What nobody asked for is read all the same, so that the command can go on.
async fn copy(mut reader: impl AsyncRead + Unpin, channel: u8, wanted: &Wanted, said: mpsc::Sender<Said>) {
    let mut chunk = vec![0; CHUNK];
    // A terminal ends with an error when its last user is gone.
    while let Ok(read @ 1..) = reader.read(&mut chunk).await {
        if wanted.wants(channel) && said.send((channel, chunk[..read].to_vec())).await.is_err() {
            return;
        }
    }
}

/// The end, without which clients take what went before for a failure.
pub(super) fn goodbye() -> Message {
    Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() }))
}

/// A piece of a channel.
pub(super) fn message(channel: u8, bytes: &[u8]) -> Message {
    Message::Binary([&[channel][..], bytes].concat().into())
}

/// How a command ended, as clients expect to be told.
fn status(exit: Exit) -> Value {
    if exit.code == 0 {
        return success();
    }
    let message = format!("command terminated with non-zero exit code: exit code {}", exit.code);
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode", "message": message,
        "details": {"causes": [{"reason": "ExitCode", "message": exit.code.to_string()}]},
    })
}

pub(super) fn success() -> Value {
    json!({"metadata": {}, "status": "Success"})
}

fn failure(message: &str) -> Value {
    json!({"metadata": {}, "status": "Failure", "reason": "InternalError", "message": message, "code": 500})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_say_what_is_wanted() {
        let query = [("command", "sh"), ("command", "-c"), ("input", "1"), ("stdout", "true"), ("tty", "0")];
        let query: Vec<(String, String)> = query.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let wanted = Wanted::of(&query);
        assert_eq!(wanted.command, ["sh", "-c"]);
        assert_eq!((wanted.channels.as_slice(), wanted.terminal), (&[INPUT, OUTPUT][..], false));
    }

    #[test]
    fn ends_are_told_with_their_code() {
        assert_eq!(status(Exit { code: 0, signal: None })["status"], "Success");
        assert_eq!(status(Exit { code: 3, signal: None })["details"]["causes"][0]["message"], "3");
    }
}
