//! An operator that cannot serve as it is told does not start, and says what to do.

use anyhow::{Context, Result, ensure};

use crate::certificates::{Authority, as_client, pem};
use crate::stage::Stage;

const STORES: &str = "--keystore-path server.p12 --truststore-path trust.p12";

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_named() -> Result<()> {
    let stage = Stage::new().await?;
    let directory = stage.directory.path();
    let ca = Authority::new(directory, "ca")?;
    ca.server("server", 30)?;
    ca.server("late", -1)?;
    ca.server("another", 30)?;
    stage.run("openssl", "pkcs12 -export -name selfsigned -in server.pem -inkey server-key.pem -certfile ca.pem -passout pass:right -out server.p12")?;
    stage.run("openssl", "pkcs12 -export -nokeys -in ca.pem -passout pass:right -out trust.p12")?;
    std::fs::write(stage.path("nonsense"), "neither this nor that")?;
    std::fs::write(stage.path("password"), "wrong\n")?;
    let rows = [
        ("--tls-cert server.pem --tls-key server-key.pem".to_owned(), "--tls-cert needs --tls-client-ca too"),
        (
            "--keystore-path server.p12 --keystore-secret right".to_owned(),
            "--keystore-path needs --truststore-path too",
        ),
        (
            "--truststore-path trust.p12 --truststore-secret right".to_owned(),
            "--truststore-path needs --keystore-path too",
        ),
        (
            STORES.to_owned(),
            "--keystore-path has no password; give --keystore-secret-file FILE, or set KEYSTORE_SECRET",
        ),
        (
            format!("{STORES} --keystore-secret-file password --truststore-secret right"),
            "open server.p12: the password is wrong",
        ),
        (
            format!("{STORES} --keystore-secret right --truststore-secret wrong"),
            "open trust.p12: the password is wrong",
        ),
        (
            "--keystore-path nonsense --truststore-path trust.p12 --keystore-secret right --truststore-secret right"
                .to_owned(),
            "read nonsense: it is no PKCS#12 key store",
        ),
        (pem("late", "ca"), "use the certificate in late.pem: it has expired on"),
        (pem("nobody", "ca"), "read nobody.pem: No such file"),
        (
            "--tls-cert server.pem --tls-key another-key.pem --tls-client-ca ca.pem".to_owned(),
            "the private key does not belong to it",
        ),
        (
            "--tls-cert nonsense --tls-key server-key.pem --tls-client-ca ca.pem".to_owned(),
            "read nonsense: it holds no certificate",
        ),
        (format!("{} --insecure", pem("server", "ca")), "--insecure means no certificates"),
        (format!("{} --authorization nonsense", pem("server", "ca")), "use the grants in nonsense"),
    ];
    for (flags, words) in rows {
        let said = stage.refusal(&flags).await?;
        ensure!(said.contains(words), "{flags}: not {words:?} in {said:?}");
        ensure!(!said.contains("right"), "no password is told: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_java_key_store_is_refused_with_the_command_that_converts_it() -> Result<()> {
    let stage = Stage::new().await?;
    let ca = Authority::new(stage.directory.path(), "ca")?;
    ca.client("mary", "", 30)?;
    let names = "-ext san=ip:127.0.0.1 -ext eku=serverAuth";
    stage.run("keytool", &format!("-genkeypair -alias selfsigned -keyalg RSA -dname CN=old {names} -keystore old.jks -storetype JKS -storepass secret -keypass secret"))?;
    stage.run("openssl", "pkcs12 -export -nokeys -in ca.pem -passout pass:secret -out trust.p12")?;
    let passwords = "--keystore-secret secret --truststore-secret secret --truststore-path trust.p12";
    let said = stage.refusal(&format!("--keystore-path old.jks {passwords}")).await?;
    let start = said.find("keytool -importkeystore").with_context(|| said.clone())?;
    let command = said[start..].lines().next().context("a line")?.trim();
    let arguments = command.strip_prefix("keytool ").context("the command is keytool's")?;
    // What a person would answer to its questions.
    stage.run("keytool", &format!("{arguments} -srcstorepass secret -deststorepass secret"))?;
    stage.run("keytool", "-exportcert -rfc -alias selfsigned -keystore old.jks -storepass secret -file old.pem")?;
    let operator = stage.operator(&format!("--keystore-path old.jks.p12 {passwords}")).await?;
    operator
        .curl(&stage, &as_client("ca", "mary").replace("--cacert ca.pem", "--cacert old.pem"), "/clusters")?
        .is_good()
}
