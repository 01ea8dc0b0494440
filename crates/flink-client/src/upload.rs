//! Uploading a JAR: a multipart request whose body is streamed, so that a large file is never held in memory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flink::UploadAnswer;
use futures::stream::{self, BoxStream, StreamExt};
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio_util::io::ReaderStream;

use crate::transport::{Answer, Outgoing};
use crate::{Client, Error};

const BOUNDARY: &str = "flinkctl-jar-4f1c2a9d7be04c5e";
const CHUNK: usize = 64 * 1024;

/// Where the JAR comes from.
#[derive(Debug, Clone)]
pub enum JarSource {
    /// A file; Flink gets its name.
    File(PathBuf),
    /// A file under another name that ends with `.jar`.
    Named { path: PathBuf, name: String },
    /// Bytes under a name that ends with `.jar`.
    Bytes { name: String, bytes: Bytes },
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the JAR handed to the connection.
    pub sent: u64,
    /// Bytes of the JAR.
    pub total: u64,
}

/// An opened source: a file name, a length, and that many bytes.
struct Content {
    name: String,
    length: u64,
    chunks: BoxStream<'static, io::Result<Bytes>>,
}

impl JarSource {
    async fn open(self) -> Result<Content, Error> {
        match self {
            Self::Bytes { name, bytes } => {
                Ok(Content { name, length: bytes.len() as u64, chunks: stream::iter([Ok(bytes)]).boxed() })
            }
            Self::File(path) => {
                let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
                Box::pin(Self::Named { path, name }.open()).await
            }
            Self::Named { path, name } => {
                let failed = |source| Error::File { path: path.display().to_string(), source };
                let file = tokio::fs::File::open(&path).await.map_err(failed)?;
                let length = file.metadata().await.map_err(failed)?.len();
                Ok(Content { name, length, chunks: ReaderStream::with_capacity(file, CHUNK).boxed() })
            }
        }
    }
}

impl Client {
    /// Uploads a JAR and returns its id. `progress` is called for each chunk. There is no deadline for the whole: an
    /// upload ends when it [stands still](Self::UPLOAD_STALL).
    pub async fn upload_jar(
        &self,
        source: JarSource,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<String, Error> {
        let content = source.open().await?;
        let sent = Arc::new(AtomicU64::new(0));
        let request = self.send_jar(content, sent.clone(), progress);
        tokio::select! {
            answer = request => Ok(answer?.decode::<UploadAnswer>()?.jar_id().to_owned()),
            () = stalled(&sent, Self::UPLOAD_STALL) => Err(Error::Timeout {
                call: "POST /jars/upload".to_owned(),
                address: self.address().to_owned(),
                deadline: Self::UPLOAD_STALL,
            }),
        }
    }

    async fn send_jar(
        &self,
        content: Content,
        sent: Arc<AtomicU64>,
        progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Answer, Error> {
        let total = content.length;
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"{}\"\r\n\
             Content-Type: application/x-java-archive\r\n\r\n",
            quoted(&content.name)
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let counted = content.chunks.inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                let length = chunk.len() as u64;
                progress(Progress { sent: sent.fetch_add(length, Ordering::Relaxed) + length, total });
            }
        });
        let whole = stream::iter([Ok(Bytes::from(head))]).chain(counted).chain(stream::iter([Ok(Bytes::from(tail))]));
        let body = StreamBody::new(whole.map(|chunk| chunk.map(Frame::data))).boxed_unsync();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let outgoing = Outgoing { method: Method::POST, path: "/jars/upload", content_type: Some(&kind), body };
        self.transport.send(outgoing, Duration::MAX).await
    }
}

/// Returns when the counter has not moved for that long.
async fn stalled(sent: &AtomicU64, limit: Duration) {
    let mut seen = sent.load(Ordering::Relaxed);
    loop {
        tokio::time::sleep(limit).await;
        let now = sent.load(Ordering::Relaxed);
        if now == seen {
            return;
        }
        seen = now;
    }
}

/// A file name inside the quotes of a header.
fn quoted(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c == '"' || c == '\\' { '_' } else { c }).collect()
}
