//! The certificate that a server shows: until when, and for which names. Whether it is trusted is seen by what is asked of the server.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::Check;
use crate::connection::Peer;

/// Certificates that end sooner are worth a look.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 14);
const PATIENCE: Duration = Duration::from_secs(5);

/// The chain that the peer shows, its own certificate first.
pub async fn shown(peer: &Peer) -> Result<Vec<CertificateDer<'static>>, String> {
    let peer = peer.clone();
    tokio::task::spawn_blocking(move || handshake(&peer)).await.map_err(|error| error.to_string())?
}

fn handshake(peer: &Peer) -> Result<Vec<CertificateDer<'static>>, String> {
    let witness = Arc::new(Witness::default());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(peer.server_name.clone()).map_err(|error| error.to_string())?;
    let stream = TcpStream::connect((peer.host.as_str(), peer.port)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    // A server that wants a certificate of ours ends this, after it has shown its own.
    let outcome = StreamOwned::new(connection, stream).flush();
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if seen.is_empty() {
        Err(outcome.err().map_or_else(|| "it shows none".to_owned(), |error| error.to_string()))
    } else {
        Ok(seen)
    }
}

/// What a certificate says.
pub fn judge(name: &str, chain: &[CertificateDer<'_>], wanted: &str, now: Timestamp) -> Check {
    let renew = "make new ones (flinkctl certs generate, or secrets.sh) and replace the Secret; the operator takes them up by itself";
    let Some(own) = chain.first() else { return Check::fail(name, "there is none", renew) };
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(own) else {
        return Check::fail(name, "it cannot be read", renew);
    };
    let mut ends = parsed.validity().not_after.timestamp();
    for link in &chain[1..] {
        if let Ok((_, parsed)) = x509_parser::parse_x509_certificate(link) {
            ends = ends.min(parsed.validity().not_after.timestamp());
        }
    }
    let ends = Timestamp::from_second(ends).unwrap_or(Timestamp::MAX);
    let names = names(&parsed);
    let message = format!("for {}, until {ends:.0}", names.join(", "));
    if ends <= now {
        return Check::fail(name, format!("it has expired: {message}"), renew);
    }
    if !names.iter().any(|one| matches(one, wanted)) {
        let mend = format!("make one for {wanted} too, or give --tls-server-name with one of its names");
        return Check::fail(name, format!("it is not for {wanted}: {message}"), mend);
    }
    if ends.duration_since(now) < SOON {
        return Check::warn(name, format!("it expires soon: {message}"), renew);
    }
    Check::ok(name, message)
}

fn names(certificate: &x509_parser::certificate::X509Certificate<'_>) -> Vec<String> {
    use x509_parser::extensions::GeneralName;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.clone()).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress([a, b, c, d]) => Some(format!("{a}.{b}.{c}.{d}")),
            _ => None,
        })
        .collect()
}

fn matches(name: &str, wanted: &str) -> bool {
    let wildcard =
        || name.strip_prefix("*.").is_some_and(|end| wanted.split_once('.').is_some_and(|(_, rest)| rest == end));
    name.eq_ignore_ascii_case(wanted) || wildcard()
}

/// Takes any certificate, and remembers it. Nothing is sent over such a connection.
#[derive(Debug, Default)]
struct Witness {
    seen: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(own).chain(chain).map(|one| one.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn certificate(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 1, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_judged_by_its_time_and_its_names() {
        let chain = [certificate(&["flink-operator.flink.svc", "127.0.0.1", "*.example.com"])];
        let state = |wanted: &str, now: &str| judge("certificate", &chain, wanted, now.parse().unwrap()).state;
        assert_eq!(state("flink-operator.flink.svc", "2026-06-01T00:00:00Z"), State::Ok);
        assert_eq!(state("127.0.0.1", "2026-06-01T00:00:00Z"), State::Ok);
        assert_eq!(state("a.example.com", "2026-06-01T00:00:00Z"), State::Ok);
        assert_eq!(state("other", "2026-06-01T00:00:00Z"), State::Fail);
        assert_eq!(state("127.0.0.1", "2026-12-25T00:00:00Z"), State::Warn);
        assert_eq!(state("127.0.0.1", "2027-06-01T00:00:00Z"), State::Fail);
    }
}
