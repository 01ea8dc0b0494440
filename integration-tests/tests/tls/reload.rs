//! New certificates are taken up while a connection stays open; damaged ones change nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use integration_tests::wait::until;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificates::{Authority, as_client, pem};
use crate::stage::{Operator, Stage};

const LONG: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn certificates_change_under_a_connection() -> Result<()> {
    let stage = Stage::new().await?;
    let directory = stage.directory.path();
    let ca = Authority::new(directory, "ca")?;
    ca.server("server", 5)?;
    ca.client("mary", "", 30)?;
    let operator = stage.operator(&pem("server", "ca")).await?;
    operator.says("the certificate expires soon; make a new one").await?;
    let before = expiry(&operator).await?;
    let mut open = connect(&stage, &operator).await?;
    ask(&mut open).await?;

    std::fs::write(stage.path("server.pem"), "damaged")?;
    let told = "failed to take up new certificates; the old ones stay in use";
    until(told, LONG, async || Ok(operator.said()?.contains(told).then_some(()))).await?;
    operator.curl(&stage, &as_client("ca", "mary"), "/clusters")?.is_good()?;

    // A new authority too: its clients are let in, and those of the old one are not any more.
    let old = std::fs::read(stage.path("ca.pem"))?;
    std::fs::write(stage.path("old.pem"), old)?;
    let new = Authority::new(directory, "ca")?;
    new.server("server", 90)?;
    new.client("jane", "", 30)?;
    until("the new certificate is taken up", LONG, async || Ok((expiry(&operator).await? > before).then_some(())))
        .await?;
    ask(&mut open).await.context("the old connection lives on")?;
    operator.curl(&stage, &as_client("ca", "jane"), "/clusters")?.is_good()?;
    operator.curl(&stage, "--cacert ca.pem --cert mary.pem --key mary-key.pem", "/clusters")?.is_refused()?;
    ensure!(operator.curl(&stage, &as_client("old", "mary"), "/clusters")?.code == 0, "the old certificate is gone");
    Ok(())
}

async fn expiry(operator: &Operator) -> Result<u64> {
    let text = reqwest::get(format!("http://127.0.0.1:{}/metrics", operator.monitoring)).await?.text().await?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("flink_operator_api_certificate_expiry_timestamp_seconds "));
    Ok(line.context("there is no such metric")?.parse()?)
}

async fn connect(stage: &Stage, operator: &Operator) -> Result<TlsStream<TcpStream>> {
    let source = kit::tls::Source::Pem {
        certificate: stage.path("mary.pem"),
        key: stage.path("mary-key.pem"),
        authority: stage.path("ca.pem"),
    };
    let client = kit::tls::Material::load(&source, jiff::Timestamp::now())?.client()?;
    let stream = TcpStream::connect(("127.0.0.1", operator.port)).await?;
    let name = ServerName::try_from("127.0.0.1")?;
    Ok(TlsConnector::from(Arc::new(client)).connect(name, stream).await?)
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> Result<()> {
    stream.write_all(b"GET /api/v1/clusters HTTP/1.1\r\nhost: x\r\n\r\n").await?;
    let mut buffer = [0; 4096];
    let count = tokio::time::timeout(LONG, stream.read(&mut buffer)).await??;
    let text = String::from_utf8_lossy(&buffer[..count]);
    ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
    Ok(())
}
