//! Asks the control API as fast as it answers, for `cargo xtask bench api`.
//!
//! A program of its own, on one thread and with as little between it and the socket as possible: it shares the machine with what it
//! measures. What it measured is one line of JSON on stdout.

mod connection;
mod slow;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;

use connection::Connection;

/// Ask a server over mutual TLS
#[derive(Parser)]
struct Args {
    address: SocketAddr,
    /// What is asked for
    path: String,
    #[arg(long)]
    ca: PathBuf,
    #[arg(long)]
    cert: PathBuf,
    #[arg(long)]
    key: PathBuf,
    /// Connections, each of which asks again when it was answered
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Clients beside them that never come to the end of a handshake
    #[arg(long, default_value_t = 0)]
    slow: usize,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> Result<()> {
    let config = config(&args)?;
    let request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", args.path, args.address);
    let mut slow = slow::start(args.address, args.slow).await;
    let mut asking = JoinSet::new();
    let mut handshakes = Vec::new();
    for _ in 0..args.connections {
        let started = Instant::now();
        let connection = Connection::open(args.address, Arc::clone(&config)).await?;
        handshakes.push(started.elapsed());
        asking.spawn(ask(connection, request.clone(), Duration::from_secs(args.seconds)));
    }
    let started = Instant::now();
    let mut samples = Vec::new();
    while let Some(asked) = asking.join_next().await {
        samples.extend(asked??);
    }
    let taken = started.elapsed().as_secs_f64();
    slow.abort_all();
    ensure!(!samples.is_empty(), "no answer within {} s", args.seconds);
    #[expect(clippy::cast_precision_loss, reason = "a count of some hundred thousand")]
    let rate = samples.len() as f64 / taken;
    let result = serde_json::json!({
        "requests": samples.len(),
        "rate": rate,
        "p50": at(&mut samples, 50),
        "p99": at(&mut samples, 99),
        "max": at(&mut samples, 100),
        "handshake": at(&mut handshakes, 100),
    });
    println!("{result}");
    Ok(())
}

/// Asks until the time is over; how long each answer took.
async fn ask(mut connection: Connection, request: String, time: Duration) -> Result<Vec<Duration>> {
    let mut samples = Vec::with_capacity(64 * 1024);
    let end = Instant::now() + time;
    let mut now = Instant::now();
    while now < end {
        connection.ask(request.as_bytes()).await?;
        let answered = Instant::now();
        samples.push(answered - now);
        now = answered;
    }
    Ok(samples)
}

/// The sample in milliseconds below which so many of a hundred lie.
fn at(samples: &mut [Duration], percent: usize) -> f64 {
    samples.sort_unstable();
    let rank = (samples.len() * percent).div_ceil(100).clamp(1, samples.len().max(1));
    samples.get(rank - 1).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1000.0)
}

fn config(args: &Args) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(&args.ca).context("cannot read the authority")? {
        roots.add(authority?)?;
    }
    let chain = CertificateDer::pem_file_iter(&args.cert).context("cannot read the certificate")?;
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&args.key).context("cannot read the key")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    Ok(Arc::new(config))
}
