//! Who is let in and who is not, with certificates in PEM files.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use integration_tests::wait::until;

use crate::certificates::{Authority, as_client, pem};
use crate::stage::Stage;

/// SC-573
#[tokio::test(flavor = "multi_thread")]
async fn only_owners_of_certificates_of_the_authority_are_let_in() -> Result<()> {
    let stage = Stage::new().await?;
    let directory = stage.directory.path();
    let (ca, other) = (Authority::new(directory, "ca")?, Authority::new(directory, "other")?);
    ca.server("server", 30)?;
    ca.client("mary", "analytics", 30)?;
    ca.client("late", "analytics", -1)?;
    other.client("stranger", "analytics", 30)?;
    let mut operator = stage.operator(&pem("server", "ca")).await?;
    let ask = |flags: &str| operator.curl(&stage, flags, "/clusters");
    let mary = as_client("ca", "mary");

    ask(&mary)?.is_good()?;
    ask(&format!("{mary} --tlsv1.3"))?.is_good()?;
    ask(&format!("{mary} --tls-max 1.2"))?.is_good()?;
    ask(&format!("{mary} --http2"))?.is_good()?;
    ask("--cacert ca.pem")?.is_refused()?;
    ask("--cacert ca.pem --tls-max 1.2")?.is_refused()?;
    ask(&as_client("ca", "stranger"))?.is_refused()?;
    ask(&as_client("ca", "late"))?.is_refused()?;
    // A server's certificate is not a client's.
    ask(&as_client("ca", "server"))?.is_refused()?;
    let misled = ask("--cacert other.pem --cert mary.pem --key mary-key.pem")?;
    misled.is_refused()?;
    ensure!(misled.trouble.contains("certificate"), "the client does not trust the server: {misled:?}");
    let plain = operator.curl_with(&stage, "http", "", "/clusters")?;
    ensure!(plain.code == 0, "plain HTTP has no answer: {plain:?}");

    // openssl speaks the old protocol only when nothing keeps it from doing so.
    for (protocol, taken) in [("-tls1_1", false), ("-tls1_2", true), ("-tls1_3", true)] {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &format!("127.0.0.1:{}", operator.port), protocol])
            .args(["-cipher", "DEFAULT:@SECLEVEL=0", "-cert", "mary.pem", "-key", "mary-key.pem", "-CAfile", "ca.pem"])
            .current_dir(directory)
            .stdin(std::process::Stdio::null())
            .output()?;
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            words.contains("Verify return code: 0 (ok)") && words.contains("BEGIN CERTIFICATE") == taken,
            "{protocol}: {words}"
        );
    }

    ask(&mary)?.is_good()?;
    operator.lives()?;
    let said = operator.said()?;
    ensure!(said.contains("refused a connection"), "refusals are told: {said}");
    Ok(())
}

/// S-01
#[tokio::test(flavor = "multi_thread")]
async fn without_certificates_the_api_is_served_only_when_asked_for() -> Result<()> {
    let stage = Stage::new().await?;
    let silent = stage.start("")?;
    silent.says("all resources are listed").await?;
    silent.says("the control API is not served: it has no certificates; give --tls-cert").await?;
    ensure!(silent.curl_with(&stage, "http", "", "/clusters")?.trouble.contains("Failed to connect"), "nobody listens");
    let url = format!("http://127.0.0.1:{}/readyz", silent.monitoring);
    until("the operator works all the same", Duration::from_secs(20), async || {
        Ok((reqwest::get(&url).await?.status() == 200).then_some(()))
    })
    .await?;

    let open = stage.operator("--insecure").await?;
    open.says("WARN").await?;
    open.says("without TLS; everybody who reaches its port may use it").await?;
    open.curl_with(&stage, "http", "", "/clusters")?.is_good()?;
    ensure!(open.curl(&stage, "--insecure", "/clusters")?.code == 0, "it does not speak TLS");
    Ok(())
}
