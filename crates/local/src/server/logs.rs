//! Logs of containers, served from the files that the node writes:
//! `<pods>/<namespace>_<pod>_<uid>/<container>/<restart>.log`.
//!
//! The files hold plain lines without times, so that `timestamps` and `sinceSeconds` have no effect.
//!
//! Invariant: a log that is followed ends when its container has ended and every byte of it was sent.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream;
use http::Response;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::Server;
use super::reply::{self, Body};
use super::status::Failure;

/// How often a followed file is looked at: nobody tells when a process writes.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const CHUNK: usize = 32 * 1024;
const TEXT: &str = "text/plain; charset=utf-8";

/// Which part of which log is wanted.
struct Options {
    container: Option<String>,
    follow: bool,
    previous: bool,
    tail: Option<u64>,
    limit: Option<u64>,
}

impl Options {
    fn parse(query: &[(String, String)]) -> Result<Self, Failure> {
        let get = |name: &str| {
            query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let number = |name: &str| match get(name) {
            None => Ok(None),
            Some(text) => match text.parse::<u64>() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(Failure::bad_request(format!("{name}: Invalid value: {text:?}: must be a number"))),
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

/// One run of one container of one pod.
#[derive(Clone)]
struct Run {
    pod_path: String,
    uid: String,
    container: String,
    restart: u64,
}

pub(super) async fn answer(
    server: &Server,
    namespace: &str,
    name: &str,
    query: &[(String, String)],
) -> Result<Response<Body>, Failure> {
    let options = Options::parse(query)?;
    let pod_path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
    let pod = server.get(pod_path.clone()).ok_or_else(|| Failure::not_found(format!("pods \"{name}\" not found")))?;
    let container = choose_container(&pod, name, options.container.as_deref())?;
    let restart = choose_restart(&pod, name, &container, options.previous)?;
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    let path = log_path(&server.0.pods, namespace, name, &uid, &container, restart);
    let run = Run { pod_path, uid, container, restart };
    let mut reader = Reader {
        path,
        file: None,
        position: 0,
        left: options.limit,
        run: options.follow.then_some(run),
        server: server.clone(),
    };
    if let Some(lines) = options.tail {
        reader.seek_to_last(lines).await.map_err(|error| Failure::internal(format!("read the log: {error}")))?;
    }
    Ok(reply::stream(TEXT, stream::unfold(reader, Reader::next)))
}

fn log_path(pods: &Path, namespace: &str, name: &str, uid: &str, container: &str, restart: u64) -> PathBuf {
    pods.join(format!("{namespace}_{name}_{uid}")).join(container).join(format!("{restart}.log"))
}

/// The container that is meant: the named one, or the only one.
fn choose_container(pod: &Value, name: &str, wanted: Option<&str>) -> Result<String, Failure> {
    let names = |field: &str| -> Vec<&str> {
        let list = pod["spec"][field].as_array();
        list.into_iter().flatten().filter_map(|container| container["name"].as_str()).collect()
    };
    let (containers, init) = (names("containers"), names("initContainers"));
    match (wanted, containers.as_slice()) {
        (Some(wanted), _) if containers.contains(&wanted) || init.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => Err(Failure::bad_request(format!("container {wanted} is not valid for pod {name}"))),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) if init.is_empty() => Err(Failure::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            containers.join(" ")
        ))),
        (None, _) => Err(Failure::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}] or one of the init containers: [{}]",
            containers.join(" "),
            init.join(" ")
        ))),
    }
}

fn container_status<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    ["containerStatuses", "initContainerStatuses"]
        .iter()
        .filter_map(|field| pod["status"][field].as_array())
        .flatten()
        .find(|status| status["name"] == container)
}

/// The number of the run whose log is wanted: the last one that started, or the one before.
fn choose_restart(pod: &Value, name: &str, container: &str, previous: bool) -> Result<u64, Failure> {
    let status = container_status(pod, container);
    let restarts = status.and_then(|status| status["restartCount"].as_u64()).unwrap_or(0);
    if previous {
        return restarts.checked_sub(1).ok_or_else(|| {
            Failure::bad_request(format!("previous terminated container {container:?} in pod {name:?} not found"))
        });
    }
    let waiting = status.map_or(&Value::Null, |status| &status["state"]["waiting"]);
    let never_ran = status.is_none_or(|status| status["lastState"]["terminated"].is_null());
    if status.is_none() || (waiting.is_object() && never_ran) {
        let reason = waiting["reason"].as_str().unwrap_or("ContainerCreating");
        return Err(Failure::bad_request(format!(
            "container {container:?} in pod {name:?} is waiting to start: {reason}"
        )));
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
    server: Server,
}

impl Reader {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            // Judged before the file is read: what was written before the end is then read for certain.
            let ended = self.run.as_ref().is_none_or(|run| has_ended(&self.server, run));
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
                () = self.server.0.stop.cancelled() => return None,
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
fn has_ended(server: &Server, run: &Run) -> bool {
    let Some(pod) = server.get(run.pod_path.clone()) else { return true };
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
