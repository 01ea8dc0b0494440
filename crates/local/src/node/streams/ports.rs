//! Port-forwards as libraries ask for them: one connection to each port that the request names, as channels of a WebSocket.
//!
//! Each port has two channels: an even one for its data, and the odd one after it, on which the client is told what went wrong. Both
//! begin with the number of the port. Invariant: a port that cannot be reached harms no other.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddrV4};

use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::forward::{BACKLOG, carry};
use crate::server::status::Failure;

/// The protocol of channels that a kubelet speaks here.
pub(super) const PROTOCOL: &str = "v4.channel.k8s.io";

/// A channel is a byte, and a port has two.
const MOST: usize = 127;

/// The ports that a request names, as an API server passes them on: `port=1&port=2`.
pub(super) fn wanted(query: &str) -> Result<Vec<u16>, Failure> {
    let named = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "port").map(|(_, value)| value);
    let read = |text: Cow<'_, str>| {
        let port = text.parse().ok().filter(|port| *port > 0);
        port.ok_or_else(|| Failure::bad_request(format!("unable to parse {text:?} as a port")))
    };
    let ports: Vec<u16> = named.map(read).collect::<Result<_, _>>()?;
    if ports.is_empty() || ports.len() > MOST {
        return Err(Failure::bad_request(format!("query parameter \"port\" must name 1 to {MOST} ports")));
    }
    Ok(ports)
}

/// Serves a client until it goes, all connections are over, or `end`.
pub(super) async fn serve<S>(socket: S, address: Ipv4Addr, ports: Vec<u16>, end: CancellationToken)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let (mut sink, mut source) = socket.split();
    let (outgoing, mut frames) = mpsc::channel::<Vec<u8>>(BACKLOG);
    let mut tasks = JoinSet::new();
    let mut pods = Vec::new();
    for (channel, port) in (0_u8..).step_by(2).zip(ports) {
        let (sender, pieces) = mpsc::channel(BACKLOG);
        pods.push(sender);
        tasks.spawn(connect(SocketAddrV4::new(address, port), channel, pieces, outgoing.clone()));
    }
    // With the last connection the last sender goes, and with it the client.
    drop(outgoing);
    let send = async {
        while let Some(frame) = frames.recv().await {
            if sink.send(Message::Binary(frame.into())).await.is_err() {
                return;
            }
        }
        let _ = sink.close().await;
    };
    let listen = async {
        while let Some(Ok(message)) = source.next().await {
            match message {
                Message::Binary(bytes) => {
                    let Some((channel, data)) = bytes.split_first() else { continue };
                    let pod = pods.get(usize::from(channel / 2)).filter(|_| channel % 2 == 0);
                    if let Some(pod) = pod.filter(|_| !data.is_empty()) {
                        // A pod that hears no more may still have something to say.
                        let _ = pod.send(data.to_vec()).await;
                    }
                }
                Message::Close(_) => return,
                _ => {}
            }
        }
    };
    tokio::select! {
        () = listen => {}
        () = send => {}
        () = end.cancelled() => {}
    }
}

async fn connect(target: SocketAddrV4, channel: u8, pieces: mpsc::Receiver<Vec<u8>>, outgoing: mpsc::Sender<Vec<u8>>) {
    for channel in [channel, channel + 1] {
        let _ = outgoing.send(framed(channel, &target.port().to_le_bytes())).await;
    }
    let failed = match TcpStream::connect(target).await {
        Ok(stream) => carry(stream, pieces, |chunk| framed(channel, chunk), &outgoing).await.err(),
        Err(error) => Some(error),
    };
    if let Some(why) = failed {
        let text = format!("an error occurred forwarding port {}: {why}", target.port());
        let _ = outgoing.send(framed(channel + 1, text.as_bytes())).await;
    }
}

fn framed(channel: u8, data: &[u8]) -> Vec<u8> {
    [&[channel], data].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    #[test]
    fn ports_are_numbers() {
        assert_eq!(wanted("port=80&port=1&port=2").ok(), Some(vec![80, 1, 2]));
        for query in ["", "port=", "port=0", "port=70000", "port=a"] {
            assert!(wanted(query).is_err(), "{query}");
        }
    }

    #[tokio::test]
    async fn each_port_is_a_pair_of_channels() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = listener.local_addr().unwrap().port();
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
        let (near, far) = tokio::io::duplex(1024);
        let server = WebSocketStream::from_raw_socket(near, Role::Server, None).await;
        let mut client = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        let served = tokio::spawn(serve(server, Ipv4Addr::LOCALHOST, vec![open, closed], CancellationToken::new()));
        let pod = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 4];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(b"pong").await.unwrap();
            heard
        };
        client.send(Message::Binary(b"\0ping".to_vec().into())).await.unwrap();
        let talk = async {
            let (heard, mut said) = (pod.await, Vec::new());
            while let Some(Ok(Message::Binary(bytes))) = client.next().await {
                said.push(bytes.to_vec());
            }
            (heard, said)
        };
        let (heard, said) = tokio::time::timeout(Duration::from_secs(10), talk).await.expect("it ends");
        assert_eq!(&heard, b"ping");
        for (channel, port) in [(0, open), (1, open), (2, closed), (3, closed)] {
            assert!(said.contains(&framed(channel, &port.to_le_bytes())), "{channel}");
        }
        assert!(said.contains(&framed(0, b"pong")));
        assert!(said.iter().any(|frame| frame[0] == 3 && frame.ends_with(b"(os error 111)")), "{said:?}");
        served.await.unwrap();
    }
}
