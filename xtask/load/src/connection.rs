//! One kept-alive connection of HTTP/1.1.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(address.ip().into());
        let stream = TlsConnector::from(config).connect(name, stream).await.context("the handshake failed")?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024] })
    }

    /// Sends a request and reads its whole answer, which must be a good one.
    pub async fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let mut whole = None;
        loop {
            let count = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(count > 0, "the server closed the connection");
            filled += count;
            if whole.is_none() {
                whole = length(&self.buffer[..filled])?;
            }
            if whole.is_some_and(|whole| filled >= whole) {
                return Ok(());
            }
            ensure!(filled < self.buffer.len(), "the answer is longer than {} bytes", self.buffer.len());
        }
    }
}

/// The length of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    const FIELD: &[u8] = b"content-length: ";
    let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else { return Ok(None) };
    let head = &answer[..end];
    if !head.starts_with(b"HTTP/1.1 200") {
        bail!("{}", String::from_utf8_lossy(answer));
    }
    let start = head.windows(FIELD.len()).position(|part| part == FIELD).context("the answer has no length")?;
    let digits = head[start + FIELD.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(Some(end + 4 + digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))))
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn the_length_is_known_with_the_head() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n").unwrap(), None);
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nabc").unwrap(), Some(51));
        assert!(length(b"HTTP/1.1 429 Too Many\r\ncontent-length: 1\r\n\r\na").is_err());
    }
}
