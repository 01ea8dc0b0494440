use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Extension;
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use std::time::Instant;

use super::*;
use crate::tls::{self, Clients, Material, Protocols, Source};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `NAME.crt` and `NAME.key`, good for servers and clients, and `ca.crt`.
fn issue(directory: &Path, authority: &Authority, name: &str, years: i32) -> Source {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "tests");
    params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_after =
        rcgen::date_time_ymd(i32::from(Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year()) + years, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let file = |suffix: &str| directory.join(format!("{name}.{suffix}"));
    std::fs::write(file("crt"), certificate.pem()).unwrap();
    std::fs::write(file("key"), key.serialize_pem()).unwrap();
    std::fs::write(directory.join("ca.crt"), authority.pem()).unwrap();
    Source::Pem { certificate: file("crt"), key: file("key"), authority: directory.join("ca.crt") }
}

struct Stage {
    directory: tempfile::TempDir,
    authority: Authority,
    address: SocketAddr,
    token: CancellationToken,
    server: tokio::task::JoinHandle<()>,
    certificates: Certificates,
    /// A slow request has come, and may be answered.
    began: Arc<Notify>,
    release: Arc<Notify>,
}

async fn stage(limits: Limits) -> Stage {
    tls::install_provider();
    let directory = tempfile::tempdir().unwrap();
    let authority = authority("first authority");
    let source = issue(directory.path(), &authority, "server", 2);
    let certificates = Certificates::load(source, Protocols::Http1And2, Clients::Required).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let who = |Extension(peer): Extension<Peer>| async move {
        let shown = peer.certificate.unwrap();
        format!("{} of {}", shown.common_name.clone().unwrap(), shown.organizations.join(","))
    };
    let (began, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, released) = (Arc::clone(&began), Arc::clone(&release));
    let slow = move || {
        begins.notify_one();
        let released = Arc::clone(&released);
        async move {
            released.notified().await;
            "at last"
        }
    };
    let echo = |body: axum::body::Bytes| async move { body };
    let router = Router::new().route("/who", get(who)).route("/slow", get(slow)).route("/echo", post(echo));
    let token = CancellationToken::new();
    let server = tokio::spawn(serve(listener, Some(certificates.clone()), limits, router, token.clone()));
    Stage { directory, authority, address, token, server, certificates, began, release }
}

impl Stage {
    async fn connect(&self, client: &Source) -> io::Result<TlsStream<TcpStream>> {
        let config = Arc::new(Material::load(client, Timestamp::now()).unwrap().client().unwrap());
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
        TlsConnector::from(config).connect(name, stream).await
    }

    fn client(&self, name: &str) -> Source {
        issue(self.directory.path(), &self.authority, name, 2)
    }
}

/// Sends a request and reads until `end` was read, or the connection ends.
async fn ask(stream: &mut TlsStream<TcpStream>, request: &str, end: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&read).contains(end) {
        let count = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await??;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&buffer[..count]);
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

const WHO: &str = "GET /who HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn the_subject_of_the_certificate_is_with_each_request() {
    let stage = stage(Limits::default()).await;
    let mut stream = stage.connect(&stage.client("mary")).await.unwrap();
    for _ in 0..2 {
        assert!(ask(&mut stream, WHO, "mary of tests").await.unwrap().starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let stage = stage(Limits::default()).await;
    let stranger = issue(stage.directory.path(), &authority("another authority"), "stranger", 2);
    // The stranger trusts the server all the same.
    std::fs::write(stage.directory.path().join("ca.crt"), stage.authority.pem()).unwrap();
    // With TLS 1.3 the client learns of it only when it reads.
    let refused = async {
        let mut stream = stage.connect(&stranger).await?;
        ask(&mut stream, WHO, "of tests").await
    };
    let error = refused.await.unwrap_err().to_string();
    assert!(error.contains("UnknownCA") || error.contains("BadCertificate"), "{error}");
}

/// S-03
#[tokio::test]
async fn new_certificates_are_taken_up_without_dropping_a_connection() {
    let stage = stage(Limits::default()).await;
    let mut old = stage.connect(&stage.client("mary")).await.unwrap();
    ask(&mut old, WHO, "mary").await.unwrap();
    let expiry = stage.certificates.expiry();
    let before = expiry.get();
    let follow = stage.certificates.clone().follow_every(Duration::from_millis(20), stage.token.clone());
    tokio::spawn(follow);

    // A damaged file changes nothing.
    std::fs::write(stage.directory.path().join("server.crt"), "nothing of use").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(expiry.get(), before);
    stage.connect(&stage.client("jane")).await.unwrap();

    let second = authority("second authority");
    issue(stage.directory.path(), &second, "server", 3);
    let deadline = Instant::now() + Duration::from_secs(10);
    while expiry.get() == before {
        assert!(Instant::now() < deadline, "the new certificate is taken up");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ask(&mut old, WHO, "mary").await.expect("the old connection lives on");
    let jane = issue(stage.directory.path(), &second, "jane", 2);
    let mut new = stage.connect(&jane).await.unwrap();
    ask(&mut new, WHO, "jane").await.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_is_not_loaded() {
    tls::install_provider();
    let directory = tempfile::tempdir().unwrap();
    let source = issue(directory.path(), &authority("a"), "server", -1);
    let error = Certificates::load(source, Protocols::Http1, Clients::Required).unwrap_err().to_string();
    assert!(error.contains("server.crt") && error.contains("it has expired on"), "{error}");
}

#[tokio::test]
async fn slow_connections_give_way_and_slow_bodies_fail() {
    let limits = Limits { connections: 20, body: Duration::from_millis(100), ..Limits::default() };
    let stage = stage(limits).await;
    let mary = stage.client("mary");
    let mut good = stage.connect(&mary).await.unwrap();
    ask(&mut good, WHO, "mary").await.unwrap();
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(&[22]).await.unwrap();
        slow.push(stream);
    }
    ask(&mut good, WHO, "mary").await.expect("who has asked before keeps its seat");
    stage.connect(&mary).await.expect("a new one gets the seat of a slow one");
    let request = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabc";
    assert!(ask(&mut good, request, "\r\n").await.unwrap().starts_with("HTTP/1.1 400"), "the body is not waited for");
}

#[tokio::test]
async fn whoever_asks_nothing_is_closed_in_time() {
    let short = Duration::from_millis(100);
    let stage = stage(Limits { handshake: short, first_request: short, idle: short, ..Limits::default() }).await;
    let mut bytes = [0; 16];
    let mut silent = TcpStream::connect(stage.address).await.unwrap();
    assert_eq!(silent.read(&mut bytes).await.unwrap(), 0);
    let mut first = stage.connect(&stage.client("mary")).await.unwrap();
    first.write_all(b"GET /who HT").await.unwrap();
    assert!(!matches!(first.read(&mut bytes).await, Ok(1..)));
    let mut idle = stage.connect(&stage.client("mary")).await.unwrap();
    ask(&mut idle, WHO, "mary").await.unwrap();
    assert_eq!(idle.read(&mut bytes).await.unwrap(), 0);
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_no_more() {
    let stage = stage(Limits { grace: Duration::from_secs(5), ..Limits::default() }).await;
    let mut idle = stage.connect(&stage.client("mary")).await.unwrap();
    ask(&mut idle, WHO, "mary").await.unwrap();
    let mut busy = stage.connect(&stage.client("jane")).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), stage.began.notified()).await.expect("the request comes");
    stage.token.cancel();
    stage.release.notify_one();
    assert!(ask(&mut busy, "", "at last").await.unwrap().contains(StatusCode::OK.as_str()));
    tokio::time::timeout(Duration::from_secs(3), stage.server).await.expect("the server ends").unwrap();
}
