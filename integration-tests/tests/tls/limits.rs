//! Clients that are slow, loud or long-winded harm nobody but themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::wait::until;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::certificates::{Authority, as_client, pem};
use crate::stage::Stage;

const SLOW: usize = 1000;
const PAUSE: Duration = Duration::from_millis(500);
/// Starting `curl` and shaking hands takes time on a machine that does other things too; what it takes is measured elsewhere.
const PATIENCE: Duration = Duration::from_secs(10);
/// The begin of a TLS record that never comes.
const RECORD: [u8; 200] = [0x16; 200];

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_slow_clients_do_not_stop_a_fast_one() -> Result<()> {
    let stage = Stage::new().await?;
    let ca = Authority::new(stage.directory.path(), "ca")?;
    ca.server("server", 90)?;
    ca.client("mary", "", 30)?;
    let mut operator = stage.operator(&pem("server", "ca")).await?;
    let mut slow = JoinSet::new();
    let connected = Arc::new(AtomicUsize::new(0));
    let address = ("127.0.0.1", operator.port);
    for number in 0..SLOW {
        let connected = Arc::clone(&connected);
        slow.spawn(async move {
            // Whoever is put out comes back, as such clients do.
            loop {
                if let Ok(mut stream) = TcpStream::connect(address).await {
                    connected.fetch_add(1, Ordering::Relaxed);
                    for byte in RECORD {
                        if number % 2 == 0 && stream.write_all(&[byte]).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    until("all of them are there", Duration::from_secs(30), async || {
        Ok((connected.load(Ordering::Relaxed) >= SLOW).then_some(()))
    })
    .await?;
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let started = Instant::now();
        operator.curl(&stage, &as_client("ca", "mary"), "/clusters")?.is_good()?;
        longest = longest.max(started.elapsed());
    }
    ensure!(longest < PATIENCE, "the fast one waited {longest:?}");
    operator.lives()?;
    slow.shutdown().await;
    Ok(())
}

/// S-09
#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_rates_have_limits() -> Result<()> {
    let stage = Stage::new().await?;
    let ca = Authority::new(stage.directory.path(), "ca")?;
    ca.server("server", 90)?;
    ca.client("mary", "", 30)?;
    ca.client("jane", "", 30)?;
    let operator = stage.operator(&format!("{} --rate-limit 2", pem("server", "ca"))).await?;
    let mary = as_client("ca", "mary");
    std::fs::write(stage.path("large"), vec![b' '; 1024 * 1024 + 1])?;
    let flags = format!("{mary} -X PUT --data-binary @large");
    operator.curl(&stage, &flags, "/clusters/demo?envelope=false")?.is(413, "the body is longer than 1 MiB")?;

    // One connection asks ten times at once, four of which are a second's worth and twice as many at once.
    let urls = format!(" https://127.0.0.1:{}/api/v1/clusters", operator.port).repeat(10);
    let said = stage.run("curl", &format!("-sS -i {mary}{urls}"))?;
    ensure!(said.matches("HTTP/1.1 200").count() >= 3 && said.matches("HTTP/1.1 429").count() >= 3, "{said}");
    ensure!(said.contains("retry-after: 1") && said.contains("too many requests; try again in"), "{said}");
    operator.curl(&stage, &as_client("ca", "jane"), "/clusters")?.is_good()
}
