//! One forwarded connection, in fair weather and in bad.
//!
//! Invariant: bytes arrive in order or the connection is reset; each direction is closed when its sender has finished, and not before.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

const CHUNK: usize = 16 * 1024;

/// What connections of a Service have to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Fair,
    /// Everything is late by that.
    Late(Duration),
    /// Nobody gets through.
    Refuse,
}

/// Forwards until both sides have finished, or until nobody is to get through any more.
pub(super) async fn forward(
    mut client: TcpStream,
    target: Option<SocketAddrV4>,
    weather: impl Fn() -> Weather,
    mut changes: watch::Receiver<()>,
) {
    let server = match target {
        Some(target) => TcpStream::connect(target).await.ok(),
        None => None,
    };
    let Some(mut server) = server else {
        // Closing at once with data outstanding resets the connection, which is what a refused one would see.
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let cut = tokio::select! {
        () = exchange(&mut client, &mut server, &weather) => false,
        () = refused(&weather, &mut changes) => true,
    };
    if cut {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn exchange(client: &mut TcpStream, server: &mut TcpStream, weather: &impl Fn() -> Weather) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let there = copy(&mut from_client, &mut to_server, weather);
    let back = copy(&mut from_server, &mut to_client, weather);
    // What one side can no longer take ends both directions.
    let _ = tokio::try_join!(there, back);
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    weather: &impl Fn() -> Weather,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        if let Weather::Late(by) = weather() {
            tokio::time::sleep(by).await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

async fn refused(weather: &impl Fn() -> Weather, changes: &mut watch::Receiver<()>) {
    while weather() != Weather::Refuse {
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::{Arc, Mutex};

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_is_cut_is_reset() {
        let listen = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (front, back) = (listen().await, listen().await);
        let std::net::SocketAddr::V4(target) = back.local_addr().unwrap() else { panic!("it is IPv4") };
        let weather = Arc::new(Mutex::new(Weather::Late(Duration::from_millis(30))));
        let (changed, changes) = watch::channel(());
        let mut near = TcpStream::connect(front.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = front.accept().await.unwrap();
        let now = weather.clone();
        let task = tokio::spawn(forward(accepted, Some(target), move || *now.lock().unwrap(), changes));
        let (mut far, _) = back.accept().await.unwrap();

        let began = std::time::Instant::now();
        near.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        assert!(began.elapsed() >= Duration::from_millis(30), "it is late");

        *weather.lock().unwrap() = Weather::Refuse;
        changed.send_replace(());
        task.await.unwrap();
        assert!(near.read(&mut heard).await.is_err(), "it is reset, not closed in order");
        assert!(far.read(&mut heard).await.is_err());
    }
}
