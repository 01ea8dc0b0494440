//! What a container prints, for those who attach to it. Nobody can type into it: containers read nothing.
//!
//! Invariant: a client that goes away or stops reading keeps nothing alive but its own connection.

use bytes::Bytes;
use futures::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::exec::{OUTPUT, STATUS, goodbye, message, success};

/// Sends what is printed until it ends or the client is gone.
pub(super) async fn serve<S>(socket: S, prints: impl Stream<Item = Bytes>)
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    let (mut sink, mut source) = socket.split();
    let send = async {
        let mut prints = std::pin::pin!(prints);
        while let Some(bytes) = prints.next().await {
            if sink.send(message(OUTPUT, &bytes)).await.is_err() {
                return;
            }
        }
        let _ = sink.send(message(STATUS, success().to_string().as_bytes())).await;
        let _ = sink.send(goodbye()).await;
    };
    let gone = async { while let Some(Ok(_)) = source.next().await {} };
    tokio::select! {
        () = send => {}
        () = gone => {}
    }
}
