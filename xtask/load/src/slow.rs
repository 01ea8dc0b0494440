//! Clients that begin a handshake and never come to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One byte of it at a time.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts so many of them, and waits until each has been there. Whoever is put out comes back.
pub async fn start(address: SocketAddr, count: usize) -> JoinSet<()> {
    let connected = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..count {
        let connected = Arc::clone(&connected);
        clients.spawn(async move {
            loop {
                if let Ok(mut stream) = TcpStream::connect(address).await {
                    connected.fetch_add(1, Ordering::Relaxed);
                    while stream.write_all(&[0x16]).await.is_ok() {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    while connected.load(Ordering::Relaxed) < count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    clients
}
