//! The client against servers in this process: what arrives, what comes back, and what is said of a server that cannot be used.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use control_api::route::{Action, Target};
use control_api::{Kind, Operation, PLAIN_MEDIA_TYPE};
use control_client::{Client, Endpoint, Error, Request, Style, Unreachable};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

fn endpoint(address: SocketAddr) -> Endpoint {
    kit::tls::install_provider();
    Endpoint { host: address.ip().to_string(), port: address.port(), tls: None, server_name: None, token: None }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn serve(router: Router) -> SocketAddr {
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let seen = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let told = json!({
        "asked": format!("{method} {uri}"),
        "accept": seen(header::ACCEPT),
        "type": seen(header::CONTENT_TYPE),
        "authorization": seen(header::AUTHORIZATION),
        "body": String::from_utf8(body.to_vec()).unwrap(),
    });
    ([(header::CONTENT_TYPE, PLAIN_MEDIA_TYPE)], told.to_string())
}

/// SC-574
#[tokio::test]
async fn a_request_arrives_as_it_was_meant() {
    let mut endpoint = endpoint(serve(Router::new().fallback(echo)).await);
    endpoint.token = Some("secret".to_owned().into());
    assert!(!format!("{endpoint:?}").contains("secret"));
    let client = Client::new(&endpoint).await.unwrap();
    let request = Request::new(Operation::Act(Target::Cluster, Action::Scale), ["demo"])
        .by_post()
        .with("wait", "60s")
        .json(&json!({"taskManagers": 2}));
    let told = client.ask(&request).await.unwrap();
    assert_eq!(told["asked"], "POST /api/v1/clusters/demo/scale?wait=60s");
    assert_eq!(told["type"], "application/json");
    assert_eq!(told["authorization"], "Bearer secret");
    assert_eq!(told["body"], r#"{"taskManagers":2}"#);
    assert!(told["accept"].as_str().unwrap().starts_with(PLAIN_MEDIA_TYPE));
    let request = Request::new(Operation::Names(Target::Cluster), [""; 0]);
    let answer = client.send(&request, Style::Envelope, Duration::ZERO).await.unwrap();
    assert_eq!(answer.outcome().unwrap()["accept"], "application/json");
}

#[tokio::test]
async fn a_refusal_is_no_failure_to_reach() {
    let refuse = || async { (StatusCode::OK, r#"{"status":"FAILURE","error":"Cluster not found: demo"}"#) };
    let client = Client::new(&endpoint(serve(Router::new().fallback(any(refuse))).await)).await.unwrap();
    let request = Request::new(Operation::Get(Target::Cluster), ["demo"]);
    let error = client.ask(&request).await.unwrap_err();
    assert!(matches!(&error, Error::Refused(_)), "{error:?}");
    assert_eq!(error.to_string(), "Cluster not found: demo");
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let events = "event: ADDED\ndata: {}\n\n: alive\n\nevent: MODIFIED\nid: 9\ndata: {\"kind\":\"FlinkJob\"}\n\n";
    let router = Router::new()
        .route("/api/v1/watch", get(move || async move { ([(header::CONTENT_TYPE, "text/event-stream")], events) }));
    let client = Client::new(&endpoint(serve(router).await)).await.unwrap();
    let request = Request::new(Operation::Watch, [""; 0]);
    let mut watch = client.watch(&request).await.unwrap();
    assert_eq!(watch.next().await.unwrap().unwrap().event, "ADDED");
    assert_eq!(watch.next().await.unwrap().unwrap().id, "9");
    assert_eq!(watch.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_is_refused_says_why() {
    let refuse = || async {
        let problem = control_api::Problem::new(Kind::Forbidden, "viewer may not watch");
        (
            StatusCode::FORBIDDEN,
            [(header::CONTENT_TYPE, "application/problem+json")],
            serde_json::to_string(&problem).unwrap(),
        )
    };
    let client = Client::new(&endpoint(serve(Router::new().fallback(any(refuse))).await)).await.unwrap();
    let error = client.watch(&Request::new(Operation::Watch, [""; 0])).await.unwrap_err();
    assert_eq!(error.to_string(), "viewer may not watch");
}

async fn unreachable(endpoint: &Endpoint) -> Unreachable {
    let client = match Client::new(endpoint).await {
        Ok(client) => client,
        Err(Error::Unreachable { why, .. }) => return why,
        Err(other) => panic!("{other}"),
    };
    match client.ask(&Request::new(Operation::Names(Target::Cluster), [""; 0])).await {
        Err(Error::Unreachable { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nobody_and_nowhere_are_told_apart() {
    let (listener, address) = listener().await;
    drop(listener);
    assert_eq!(unreachable(&endpoint(address)).await, Unreachable::NobodyListens);
    let nowhere = Endpoint { host: "no-such-host.invalid".to_owned(), ..endpoint(address) };
    assert_eq!(unreachable(&nowhere).await, Unreachable::NoSuchHost);
}

#[tokio::test]
async fn a_server_that_hangs_up_is_told() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
            let _ = stream.shutdown().await;
        }
    });
    assert_eq!(unreachable(&endpoint(address)).await, Unreachable::Closed);
}

/// An authority, a server that wants its certificates, and what a client needs.
struct Pki {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Self {
        kit::tls::install_provider();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }

    fn issue(
        &self,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    fn anonymous(&self) -> ClientConfig {
        ClientConfig::builder().with_root_certificates(self.roots()).with_no_client_auth()
    }

    fn known(&self) -> ClientConfig {
        let (chain, key) = self.issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        ClientConfig::builder().with_root_certificates(self.roots()).with_client_auth_cert(chain, key).unwrap()
    }

    async fn serve(&self, name: &str) -> SocketAddr {
        let clients = WebPkiClientVerifier::builder(Arc::new(self.roots())).build().unwrap();
        let (chain, key) = self.issue(name, ExtendedKeyUsagePurpose::ServerAuth);
        let config = ServerConfig::builder().with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
                    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        address
    }
}

#[tokio::test]
async fn the_name_in_a_certificate_need_not_be_the_address() {
    let pki = Pki::new();
    let address = pki.serve("flink-operator.flink.svc").await;
    let named = Endpoint {
        tls: Some(pki.known()),
        server_name: Some("flink-operator.flink.svc".to_owned()),
        ..endpoint(address)
    };
    let client = Client::new(&named).await.unwrap();
    let answer = client.ask(&Request::new(Operation::Names(Target::Cluster), [""; 0])).await.unwrap();
    assert_eq!(answer, json!([]));
    let why = unreachable(&Endpoint { server_name: None, ..named }).await;
    assert!(
        matches!(&why, Unreachable::ServerCertificate(why) if why.starts_with("it is not for 127.0.0.1, but for ")),
        "{why:?}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_certificates_is_told() {
    let pki = Pki::new();
    let address = pki.serve("localhost").await;
    let at = Endpoint { host: "localhost".to_owned(), ..endpoint(address) };
    let why = unreachable(&Endpoint { tls: Some(pki.anonymous()), ..at.clone() }).await;
    assert_eq!(why, Unreachable::ClientCertificate("none was given".to_owned()));
    let why = unreachable(&Endpoint { tls: Some(Pki::new().known()), ..at.clone() }).await;
    assert_eq!(why, Unreachable::ServerCertificate("another authority has signed it".to_owned()));
    let stranger = {
        let (chain, key) = Pki::new().issue("client", ExtendedKeyUsagePurpose::ClientAuth);
        ClientConfig::builder().with_root_certificates(pki.roots()).with_client_auth_cert(chain, key).unwrap()
    };
    let why = unreachable(&Endpoint { tls: Some(stranger), ..at.clone() }).await;
    assert!(matches!(&why, Unreachable::ClientCertificate(_)), "{why:?}");
    assert_eq!(unreachable(&at).await, Unreachable::SpeaksTls);
    assert!(Endpoint { tls: Some(pki.anonymous()), ..at.clone() }.speaks_tls().await);
    let plain = serve(Router::new().fallback(echo)).await;
    assert!(!Endpoint { tls: Some(pki.known()), ..endpoint(plain) }.speaks_tls().await);
    let why = unreachable(&Endpoint { tls: Some(pki.known()), ..endpoint(plain) }).await;
    assert_eq!(why, Unreachable::SpeaksPlain);
}
