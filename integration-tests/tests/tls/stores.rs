//! Key stores, whoever made them.

use anyhow::{Result, ensure};

use crate::stage::{Operator, Stage, binary};

const HOST: &str = "flink-operator";
const CLIENT: &str =
    "--cacert secrets/ca_cert.pem --cert secrets/operator-cli_cert.pem --key secrets/operator-cli_key.pem";

fn flags(keystore: &str, truststore: &str) -> String {
    format!("--keystore-path {keystore} --truststore-path {truststore}")
}

/// The whole of what is in `secrets`: stores with passwords by flag and by file, PEM files, and clients of both names.
async fn serves(stage: &Stage) -> Result<()> {
    let stores = flags("secrets/keystore-operator-api.jks", "secrets/truststore-operator-api.jks");
    std::fs::write(stage.path("trust"), "trust-pw\n")?;
    let operator =
        stage.operator(&format!("{stores} --keystore-secret store-pw --truststore-secret-file trust")).await?;
    good(stage, &operator)?;
    let pem = "--tls-cert secrets/operator-api_cert.pem --tls-key secrets/operator-api_key.pem --tls-client-ca secrets/ca_cert.pem";
    good(stage, &stage.operator(pem).await?)
}

fn good(stage: &Stage, operator: &Operator) -> Result<()> {
    operator.curl(stage, CLIENT, "/clusters")?.is_good()?;
    operator.curl(stage, "--cacert secrets/ca_cert.pem", "/clusters")?.is_refused()?;
    for name in [HOST, "flink-operator.ns.svc", "localhost"] {
        let resolve = format!("{CLIENT} --connect-to {name}:{0}:127.0.0.1:{0}", operator.port);
        let answer = stage.run("curl", &format!("-sS {resolve} https://{name}:{}/api/v1/clusters", operator.port))?;
        ensure!(answer.contains("OK"), "{name}: {answer}");
    }
    Ok(())
}

/// What Java sees in a store.
fn listed(stage: &Stage, store: &str, password: &str) -> Result<String> {
    stage.run("keytool", &format!("-list -keystore secrets/{store} -storepass {password}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_makes_stores_that_serve_and_that_java_reads() -> Result<()> {
    let stage = Stage::new().await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../secrets.sh");
    stage.run("sh", &format!("{script} {HOST} key-pw store-pw trust-pw ns"))?;
    serves(&stage).await?;
    for part in ["api", "cli"] {
        let seen = listed(&stage, &format!("keystore-operator-{part}.jks"), "store-pw")?;
        ensure!(seen.contains("selfsigned") && seen.contains("PrivateKeyEntry"), "{seen}");
        // Only openssl 3.2 and later can mark certificates as trusted for Java.
        let help = std::process::Command::new("openssl").args(["pkcs12", "-help"]).output()?;
        let marks = String::from_utf8_lossy(&help.stderr).contains("jdktrust");
        if marks {
            let seen = listed(&stage, &format!("truststore-operator-{part}.jks"), "trust-pw")?;
            ensure!(seen.contains("caroot") && seen.contains("trustedCertEntry"), "{seen}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn flinkctl_makes_stores_that_serve_and_that_java_reads() -> Result<()> {
    let stage = Stage::new().await?;
    let passwords = "--key-secret key-pw --keystore-secret store-pw --truststore-secret trust-pw";
    stage.run(binary()?, &format!("certs generate {HOST} --namespace ns {passwords}"))?;
    serves(&stage).await?;
    for part in ["api", "cli"] {
        let seen = listed(&stage, &format!("keystore-operator-{part}.jks"), "store-pw")?;
        ensure!(seen.contains("selfsigned") && seen.contains("PrivateKeyEntry") && seen.contains("caroot"), "{seen}");
        let seen = listed(&stage, &format!("truststore-operator-{part}.jks"), "trust-pw")?;
        ensure!(seen.contains("caroot") && seen.contains("trustedCertEntry"), "{seen}");
    }
    Ok(())
}

/// The way of flink-k8s-toolbox: `keytool` for keys and stores, `openssl` in between.
#[tokio::test(flavor = "multi_thread")]
async fn stores_of_keytool_serve() -> Result<()> {
    let stage = Stage::new().await?;
    std::fs::create_dir(stage.path("secrets"))?;
    let keytool = |arguments: &str| stage.run("keytool", arguments);
    keytool("-genkeypair -alias ca -keyalg RSA -dname CN=ca -ext bc:c -keystore secrets/ca.p12 -storepass secret")?;
    keytool("-exportcert -rfc -alias ca -keystore secrets/ca.p12 -storepass secret -file secrets/ca_cert.pem")?;
    for (part, extensions) in [
        ("api", "-ext san=ip:127.0.0.1,dns:localhost,dns:flink-operator,dns:flink-operator.ns.svc -ext eku=serverAuth"),
        ("cli", "-ext eku=clientAuth"),
    ] {
        let store = format!("-keystore secrets/keystore-operator-{part}.jks -storepass store-pw");
        keytool(&format!("-genkeypair -alias selfsigned -keyalg RSA -dname CN={part} {store}"))?;
        keytool(&format!("-certreq -alias selfsigned -file secrets/{part}.csr {store}"))?;
        keytool(&format!(
            "-gencert -alias ca -keystore secrets/ca.p12 -storepass secret -rfc -infile secrets/{part}.csr -outfile secrets/operator-{part}_cert.pem {extensions}"
        ))?;
        keytool(&format!("-importcert -noprompt -alias CARoot -file secrets/ca_cert.pem {store}"))?;
        keytool(&format!("-importcert -noprompt -alias selfsigned -file secrets/operator-{part}_cert.pem {store}"))?;
        let trust = format!("-keystore secrets/truststore-operator-{part}.jks -storepass trust-pw");
        keytool(&format!("-importcert -noprompt -alias CARoot -file secrets/ca_cert.pem {trust}"))?;
        stage.run("openssl", &format!("pkcs12 -in secrets/keystore-operator-{part}.jks -passin pass:store-pw -nocerts -noenc -out secrets/operator-{part}_key.pem"))?;
    }
    serves(&stage).await
}
