//! The two ways to make certificates, `secrets.sh` and `flinkctl certs generate`, judged by openssl.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const FILES: [&str; 12] = [
    "ca_cert.pem",
    "ca_key.pem",
    "keystore-operator-api.jks",
    "keystore-operator-cli.jks",
    "operator-api_cert.pem",
    "operator-api_csr.pem",
    "operator-api_key.pem",
    "operator-cli_cert.pem",
    "operator-cli_csr.pem",
    "operator-cli_key.pem",
    "truststore-operator-api.jks",
    "truststore-operator-cli.jks",
];
const NAMES: [&str; 10] = [
    "DNS:localhost",
    "IP Address:127.0.0.1",
    "IP Address:0:0:0:0:0:0:0:1",
    "DNS:host.docker.internal",
    "DNS:minikube",
    "DNS:flink-op",
    "DNS:flink-op.ns",
    "DNS:flink-op.ns.svc",
    "DNS:flink-op.ns.svc.cluster.local",
    "",
];

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../secrets.sh")
}

/// Runs the script with the shell that knows least.
fn by_script(directory: &Path, arguments: &[&str]) -> Output {
    let dash = Command::new("dash").arg("-c").arg(":").status().is_ok_and(|status| status.success());
    Command::new(if dash { "dash" } else { "sh" })
        .arg(script())
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn by_flinkctl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flinkctl"))
        .args(["certs", "generate"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn openssl(secrets: &Path, arguments: &str) -> String {
    succeeded(&Command::new("openssl").args(arguments.split_whitespace()).current_dir(secrets).output().unwrap())
}

/// What both ways promise.
fn judge(secrets: &Path) {
    for name in FILES {
        let mode = secrets.join(name).metadata().unwrap_or_else(|error| panic!("{name}: {error}")).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(secrets.metadata().unwrap().permissions().mode() & 0o777, 0o700);

    for (part, purpose) in [("api", "sslserver"), ("cli", "sslclient")] {
        openssl(
            secrets,
            &format!("verify -x509_strict -purpose {purpose} -CAfile ca_cert.pem operator-{part}_cert.pem"),
        );
    }
    let text = |name: &str| openssl(secrets, &format!("x509 -in {name} -noout -text -nameopt RFC2253"));
    let (ca, api, cli) = (text("ca_cert.pem"), text("operator-api_cert.pem"), text("operator-cli_cert.pem"));
    assert!(ca.contains("Subject: CN=flink-op authority") && ca.contains("CA:TRUE, pathlen:0"), "{ca}");
    assert!(ca.contains("Certificate Sign, CRL Sign"), "{ca}");
    assert!(api.contains("Subject: CN=flink-op\n") && api.contains("CA:FALSE"), "{api}");
    assert!(api.contains("TLS Web Server Authentication") && !api.contains("TLS Web Client"), "{api}");
    assert!(api.contains("Digital Signature, Key Encipherment"), "{api}");
    assert!(cli.contains("Subject: CN=flinkctl\n") && cli.contains("CA:FALSE"), "{cli}");
    assert!(cli.contains("TLS Web Client Authentication") && !cli.contains("TLS Web Server"), "{cli}");
    let names = openssl(secrets, "x509 -in operator-api_cert.pem -noout -ext subjectAltName");
    let names: BTreeSet<&str> = names.lines().skip(1).flat_map(|line| line.split(',')).map(str::trim).collect();
    assert_eq!(names, NAMES.into_iter().filter(|name| !name.is_empty()).collect());
    openssl(secrets, "x509 -in operator-api_cert.pem -noout -checkend 31000000");

    openssl(secrets, "pkey -in ca_key.pem -passin pass:key-pw -noout");
    let mut wrong = Command::new("openssl");
    wrong.args(["pkey", "-in", "ca_key.pem", "-passin", "pass:no", "-noout"]).current_dir(secrets);
    assert!(!wrong.output().unwrap().status.success());
    for part in ["api", "cli"] {
        let store =
            openssl(secrets, &format!("pkcs12 -in keystore-operator-{part}.jks -passin pass:store-pw -noenc -clcerts"));
        assert!(store.contains("friendlyName: selfsigned") && store.contains("PRIVATE KEY"), "{store}");
        let of = |text: &str| openssl(secrets, &format!("x509 -in {text} -noout -fingerprint"));
        std::fs::write(secrets.join("first.tmp"), &store[store.find("-----BEGIN CERT").unwrap()..]).unwrap();
        assert_eq!(of("first.tmp"), of(&format!("operator-{part}_cert.pem")));
        std::fs::remove_file(secrets.join("first.tmp")).unwrap();
        let trust =
            openssl(secrets, &format!("pkcs12 -in truststore-operator-{part}.jks -passin pass:trust-pw -nokeys"));
        assert!(trust.contains("CN = flink-op authority") && trust.contains("friendlyName: CARoot"), "{trust}");
    }
}

/// S-05
#[test]
fn the_script_makes_all_files() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pw"), "trust-pw\n").unwrap();
    let password = format!("file:{}", directory.path().join("pw").display());
    let output = by_script(directory.path(), &["flink-op", "key-pw", "store-pw", &password, "ns"]);
    assert!(succeeded(&output).contains("kubectl -n ns create secret generic flink-operator-ssl"));
    judge(&directory.path().join("secrets"));
    let left: Vec<_> = directory.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing but the password and the secrets: {left:?}");
}

#[test]
fn the_script_refuses_what_it_cannot_do() {
    let directory = tempfile::tempdir().unwrap();
    let output = by_script(directory.path(), &["flink-op", "a"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("usage: "));
    let output = by_script(directory.path(), &["flink-op,DNS:x", "key-pw", "store-pw", "trust-pw"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("neither a name nor an address"));
    std::fs::create_dir(directory.path().join("secrets")).unwrap();
    let output = by_script(directory.path(), &["flink-op", "key-pw", "store-pw", "trust-pw"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(directory.path().join("secrets").read_dir().unwrap().next().is_none(), "what was there stays");
}

#[test]
fn flinkctl_makes_all_files() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("pw"), "trust-pw\n").unwrap();
    let words = "flink-op --namespace ns --key-secret key-pw --keystore-secret store-pw --truststore-secret-file pw";
    let words: Vec<&str> = words.split_whitespace().collect();
    let output = by_flinkctl(directory.path(), &words);
    assert_eq!(succeeded(&output), "secrets\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("kubectl -n ns create secret generic flink-operator-ssl"));
    judge(&directory.path().join("secrets"));
    let again = by_flinkctl(directory.path(), &words);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("it exists already"));
}

#[test]
fn flinkctl_makes_passwords_that_are_not_given() {
    let directory = tempfile::tempdir().unwrap();
    succeeded(&by_flinkctl(
        directory.path(),
        &["10.1.2.3", "--also", "flink.example.com", "--out", "here", "--days", "7"],
    ));
    let here = directory.path().join("here");
    let read = |name: &str| std::fs::read_to_string(here.join(name)).unwrap();
    let password = read("keystore-secret");
    assert_eq!(password.len(), 24);
    assert_ne!(password, read("truststore-secret"));
    openssl(&here, &format!("pkcs12 -in keystore-operator-api.jks -passin pass:{password} -noout"));
    openssl(&here, &format!("pkey -in ca_key.pem -passin pass:{} -noout", read("key-secret")));
    let names = openssl(&here, "x509 -in operator-api_cert.pem -noout -ext subjectAltName");
    assert!(names.contains("IP Address:10.1.2.3") && names.contains("DNS:flink.example.com"), "{names}");
    assert!(!names.contains(".svc"), "{names}");
    openssl(&here, "x509 -in operator-api_cert.pem -noout -checkend 500000");
}

#[test]
fn an_operator_names_what_is_wrong_with_its_certificates_before_it_looks_for_a_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let said = Command::new(env!("CARGO_BIN_EXE_flinkctl"))
        .args(["operator", "run", "--keystore-path=store.p12", "--kube-config=/nowhere"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(!said.status.success() && text.contains("--keystore-path needs --truststore-path too"), "{text}");
}
