//! Port-forwards: connections to a pod's ports, many at a time, as SPDY streams within a WebSocket.
//!
//! A client opens two streams for each connection: one for its data, and one on which it is told what went wrong. Invariant: a
//! connection that fails harms no other.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::frame::{self, Frame};
use super::headers::{Reader, Writer};

/// The protocol that `kubectl` asks for.
pub(super) const PROTOCOL: &str = "SPDY/3.1+portforward.k8s.io";

const CHUNK: usize = 32 * 1024;
/// Pieces that may wait for a slow pod before the whole forward waits for it.
pub(super) const BACKLOG: usize = 64;

/// Connections that may wait for the second one of their streams.
const OPENINGS: usize = 1000;

/// A connection whose streams are coming in.
#[derive(Default)]
struct Opening {
    port: Option<u16>,
    data: Option<u32>,
    error: Option<u32>,
}

struct Forward {
    address: Ipv4Addr,
    openings: HashMap<String, Opening>,
    connections: HashMap<u32, mpsc::Sender<Vec<u8>>>,
    outgoing: mpsc::Sender<Vec<u8>>,
    tasks: JoinSet<()>,
}

/// Serves a client until it goes, or until `end`.
pub(super) async fn serve<S>(socket: S, address: Ipv4Addr, end: CancellationToken)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let (mut sink, source) = socket.split();
    let (outgoing, mut frames) = mpsc::channel::<Vec<u8>>(BACKLOG);
    let forward =
        Forward { address, openings: HashMap::new(), connections: HashMap::new(), outgoing, tasks: JoinSet::new() };
    // Each direction goes on while the other one waits: a pod may read only after it was read.
    let send = async {
        while let Some(frame) = frames.recv().await {
            if sink.send(Message::Binary(frame.into())).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = forward.listen(source) => {}
        () = send => {}
        () = end.cancelled() => {}
    }
}

impl Forward {
    /// Deals with what the client sends, until it is done.
    async fn listen<S>(mut self, mut source: S)
    where
        S: Stream<Item = Result<Message, Error>> + Unpin,
    {
        let (mut headers, mut writer) = (Reader::new(), Writer::default());
        let mut buffer = Vec::new();
        while let Some(Ok(message)) = source.next().await {
            match message {
                Message::Binary(bytes) => buffer.extend_from_slice(&bytes),
                Message::Close(_) => return,
                _ => {}
            }
            while let Some(frame) = frame::take(&mut buffer) {
                if !self.take(frame, &mut headers, &mut writer).await {
                    return;
                }
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    /// Deals with a frame; false if the client is done or talks nonsense.
    async fn take(&mut self, frame: Frame, headers: &mut Reader, writer: &mut Writer) -> bool {
        match frame {
            Frame::Open { stream, headers: block, .. } => {
                let Some(said) = headers.read(&block) else { return false };
                self.send(frame::accept(stream, &writer.none())).await;
                self.open(stream, &said).await;
            }
            Frame::Data { stream, last, data } => {
                let Some(connection) = self.connections.get(&stream) else { return true };
                let alive = data.is_empty() || connection.send(data).await.is_ok();
                // Without its sender a connection hears no more, and says the rest.
                if last || !alive {
                    self.connections.remove(&stream);
                }
            }
            Frame::Reset { stream } => {
                self.connections.remove(&stream);
            }
            Frame::Ping { id } => self.send(frame::ping(id)).await,
            Frame::Away => return false,
            Frame::Other => {}
        }
        true
    }

    /// Sends in the order of the calls, as the compression of headers demands it.
    async fn send(&self, frame: Vec<u8>) {
        // Without a receiver the whole forward is about to end.
        let _ = self.outgoing.send(frame).await;
    }

    async fn open(&mut self, stream: u32, headers: &[(String, String)]) {
        let value = |name: &str| {
            headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
        };
        let id = value("requestID").unwrap_or_default().to_owned();
        if self.openings.len() >= OPENINGS {
            return self.send(frame::reset(stream)).await;
        }
        let opening = self.openings.entry(id.clone()).or_default();
        opening.port = value("port").and_then(|port| port.parse().ok()).or(opening.port);
        match value("streamType") {
            Some("data") => opening.data = Some(stream),
            Some("error") => opening.error = Some(stream),
            _ => return self.send(frame::reset(stream)).await,
        }
        if let Opening { port: Some(port), data: Some(data), error: Some(error) } = *opening {
            self.openings.remove(&id);
            let (sender, pieces) = mpsc::channel(BACKLOG);
            self.connections.insert(data, sender);
            let target = SocketAddrV4::new(self.address, port);
            self.tasks.spawn(connect(target, data, error, pieces, self.outgoing.clone()));
        }
    }
}

/// One connection, from its begin to its end.
async fn connect(
    target: SocketAddrV4,
    data: u32,
    error: u32,
    pieces: mpsc::Receiver<Vec<u8>>,
    outgoing: mpsc::Sender<Vec<u8>>,
) {
    let failed = match TcpStream::connect(target).await {
        Ok(stream) => carry(stream, pieces, |chunk| frame::data(data, false, chunk), &outgoing).await.err(),
        Err(error) => Some(error),
    };
    if let Some(why) = failed {
        let text = format!("an error occurred forwarding port {}: {why}", target.port());
        let _ = outgoing.send(frame::data(error, false, text.as_bytes())).await;
    }
    for stream in [error, data] {
        let _ = outgoing.send(frame::data(stream, true, &[])).await;
    }
}

/// Carries what a client and a pod say to each other, until the pod has said all; `frame` wraps what the pod says.
pub(super) async fn carry(
    stream: TcpStream,
    mut pieces: mpsc::Receiver<Vec<u8>>,
    frame: impl Fn(&[u8]) -> Vec<u8>,
    outgoing: &mpsc::Sender<Vec<u8>>,
) -> std::io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let inward = async {
        while let Some(piece) = pieces.recv().await {
            writer.write_all(&piece).await?;
        }
        writer.shutdown().await
    };
    let outward = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = reader.read(&mut chunk).await?;
            if read == 0 || outgoing.send(frame(&chunk[..read])).await.is_err() {
                return std::io::Result::Ok(());
            }
        }
    };
    tokio::pin!(inward, outward);
    tokio::select! {
        ended = &mut outward => ended,
        // Also a pod that reads no more may still have something to say.
        _ = &mut inward => outward.await,
    }
}
