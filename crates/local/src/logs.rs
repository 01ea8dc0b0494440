//! Logs of containers, read from the files that the node writes:
//! `<pods>/<namespace>_<pod>_<uid>/<container>/<restart>.log`.
//!
//! The files hold plain lines without times, so that `timestamps` and `sinceSeconds` have no effect.
//!
//! Invariant: a log that is followed ends when its container has ended and every byte of it was sent.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::sync::CancellationToken;

/// How often a followed file is looked at: nobody tells when a process writes.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const CHUNK: usize = 32 * 1024;
/// The media type of a log.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Tells what a pod is now; nothing when it is gone.
pub type Look = Box<dyn Fn() -> Option<Value> + Send>;

/// Why there is no log, in the words of Kubernetes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Request(String),
    #[error("read the log: {0}")]
    File(#[from] std::io::Error),
}

/// Which part of which log is wanted.
pub struct Options {
    pub container: Option<String>,
    follow: bool,
    previous: bool,
    tail: Option<u64>,
    limit: Option<u64>,
}

impl Options {
    pub fn parse(query: &[(String, String)]) -> Result<Self, Error> {
        let get = |name: &str| {
            query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let number = |name: &str| match get(name) {
            None => Ok(None),
            Some(text) => match text.parse::<u64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Error::Request(format!("{name}: Invalid value: {text:?}: must be a number"))),
            },
        };
        let flag = |name: &str| matches!(get(name), Some("true" | "1"));
        Ok(Self {
            container: get("container").map(str::to_owned),
            follow: flag("follow"),
            previous: flag("previous"),
            tail: number("tailLines")?,
            limit: number("limitBytes")?,
        })
    }
}

/// The log of a container of `pod` in `directory`, as it was and, if that is wanted, as it grows.
pub async fn read(
    pod: &Value,
    container: &str,
    options: &Options,
    directory: &Path,
    look: Look,
    stop: CancellationToken,
) -> Result<impl Stream<Item = Bytes> + Send + use<>, Error> {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let restart = choose_restart(pod, name, container, options.previous)?;
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let run = Run { uid, container: container.to_owned(), restart, look };
    let mut reader = Reader {
        path: directory.join(container).join(format!("{restart}.log")),
        file: None,
        position: 0,
        left: options.limit,
        run: options.follow.then_some(run),
        stop,
    };
    if let Some(lines) = options.tail {
        reader.seek_to_last(lines).await?;
    }
    Ok(stream::unfold(reader, Reader::next))
}

/// One run of one container of one pod.
struct Run {
    uid: String,
    container: String,
    restart: u64,
    look: Look,
}

fn container_status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses"]
        .iter()
        .filter_map(|field| pod["status"][field].as_array())
        .flatten()
        .find(|status| status["name"] == container)
}

/// The number of the run whose log is wanted: the last one that started, or the one before.
fn choose_restart(pod: &Value, name: &str, container: &str, previous: bool) -> Result<u64, Error> {
    let status = container_status(pod, container);
    let restarts = status.and_then(|status| status["restartCount"].as_u64()).unwrap_or(0);
    if previous {
        return restarts.checked_sub(1).ok_or_else(|| {
            Error::Request(format!("previous terminated container {container:?} in pod {name:?} not found"))
        });
    }
    let waiting = status.map_or(&Value::Null, |status| &status["state"]["waiting"]);
    let never_ran = status.is_none_or(|status| status["lastState"]["terminated"].is_null());
    if status.is_none() || (waiting.is_object() && never_ran) {
        let reason = waiting["reason"].as_str().unwrap_or("ContainerCreating");
        return Err(Error::Request(format!("container {container:?} in pod {name:?} is waiting to start: {reason}")));
    }
    Ok(restarts)
}

struct Reader {
    path: PathBuf,
    file: Option<File>,
    position: u64,
    /// Bytes that may still be sent.
    left: Option<u64>,
    /// The run that is followed to its end.
    run: Option<Run>,
    stop: CancellationToken,
}

impl Reader {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            // Judged before the file is read: what was written before the end is then read for certain.
            let ended = self.run.as_ref().is_none_or(has_ended);
            match self.read().await {
                Ok(chunk) if !chunk.is_empty() => return Some((chunk, self)),
                Ok(_) if ended || self.left == Some(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, path = %self.path.display(), "failed to read a log");
                    return None;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    /// What is there beyond the position; nothing if the file does not exist (yet).
    async fn read(&mut self) -> std::io::Result<Bytes> {
        let limit = self.left.map_or(CHUNK, |left| usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK)));
        let position = self.position;
        let Some(file) = self.open().await? else { return Ok(Bytes::new()) };
        file.seek(SeekFrom::Start(position)).await?;
        let mut chunk = BytesMut::zeroed(limit);
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        let read = read as u64;
        self.position += read;
        self.left = self.left.map(|left| left - read);
        Ok(chunk.freeze())
    }

    async fn open(&mut self) -> std::io::Result<Option<&mut File>> {
        if self.file.is_none() {
            self.file = match File::open(&self.path).await {
                Ok(file) => Some(file),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
        }
        Ok(self.file.as_mut())
    }

    /// Moves to the begin of the last `lines` lines, reading backwards.
    async fn seek_to_last(&mut self, lines: u64) -> std::io::Result<()> {
        let Some(file) = self.open().await? else { return Ok(()) };
        let end = file.metadata().await?.len();
        let mut wanted = lines;
        let mut start = end;
        let mut buffer = Vec::new();
        while start > 0 {
            let size = start.min(CHUNK as u64);
            start -= size;
            buffer.resize(usize::try_from(size).unwrap_or(CHUNK), 0);
            file.seek(SeekFrom::Start(start)).await?;
            file.read_exact(&mut buffer).await?;
            for (index, byte) in buffer.iter().enumerate().rev() {
                let after = start + index as u64 + 1;
                // A line feed at the very end closes the last line; it does not begin another one.
                if *byte != b'\n' || (after == end && lines > 0) {
                    continue;
                }
                if wanted <= 1 {
                    self.position = if lines == 0 { end } else { after };
                    return Ok(());
                }
                wanted -= 1;
            }
        }
        self.position = if lines == 0 { end } else { 0 };
        Ok(())
    }
}

/// Whether nothing will be added to the log of this run.
fn has_ended(run: &Run) -> bool {
    let Some(pod) = (run.look)() else { return true };
    if pod["metadata"]["uid"] != run.uid.as_str()
        || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
    {
        return true;
    }
    container_status(&pod, &run.container).is_some_and(|status| {
        status["restartCount"].as_u64().is_some_and(|count| count > run.restart)
            || status["state"]["terminated"].is_object()
            || (status["state"]["waiting"].is_object() && status["lastState"]["terminated"].is_object())
    })
}
