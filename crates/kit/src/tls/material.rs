//! Certificates that were looked at, and the configurations made of them.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::source::Parts;
use super::{Error, Source};

/// What a server speaks on top of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    Http1,
    Http1And2,
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    Required,
    /// They may show none, and be known by something else. One that is shown has to be right.
    Optional,
}

/// An own certificate with its key, and the authorities to trust.
#[derive(Debug)]
pub struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    authorities: RootCertStore,
    expires: Timestamp,
}

impl Material {
    /// Reads and looks at everything. It blocks for a part of a second where a key store is opened.
    pub fn load(source: &Source, now: Timestamp) -> Result<Self, Error> {
        let Parts { chain, key, authorities } = source.read()?;
        let own = |why: String| Error::Certificate { path: source.own().to_owned(), why };
        let first = chain.first().ok_or_else(|| Error::NoKey { path: source.own().to_owned() })?;
        let expires = valid_until(first, now).map_err(own)?;
        let mut roots = RootCertStore::empty();
        let mut unfit = None;
        for authority in authorities {
            // A bundle outlives some of its members: what counts is that one of them is of use.
            let added =
                valid_until(&authority, now).and_then(|_| roots.add(authority).map_err(|error| error.to_string()));
            unfit = unfit.or(added.err());
        }
        if let (true, Some(why)) = (roots.is_empty(), unfit) {
            return Err(Error::Certificate { path: source.trusted().to_owned(), why });
        }
        let material = Self { chain, key, authorities: roots, expires };
        // A key that does not fit is found when a configuration is made of it.
        material.client().map_err(|why| Error::Mismatch { path: source.own().to_owned(), why: why.to_string() })?;
        Ok(material)
    }

    /// When the own certificate is no longer valid.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The configuration of a server that takes only client certificates of the authorities. TLS 1.2 and 1.3.
    pub fn server(&self, protocols: Protocols, clients: Clients) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.authorities.clone()), provider.clone());
        if clients == Clients::Optional {
            verifier = verifier.allow_unauthenticated();
        }
        let clients = verifier.build().map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = match protocols {
            Protocols::Http1 => vec![b"http/1.1".to_vec()],
            Protocols::Http1And2 => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        Ok(config)
    }

    /// The configuration of a client that shows the own certificate and trusts only the authorities.
    pub fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.authorities.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
    }
}

/// The end of a certificate's validity, which must have begun and not ended.
fn valid_until(certificate: &CertificateDer<'_>, now: Timestamp) -> Result<Timestamp, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| format!("it is damaged: {error}"))?;
    let read = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| error.to_string());
    let begin = read(parsed.validity().not_before.timestamp())?;
    let end = read(parsed.validity().not_after.timestamp())?;
    if now < begin {
        return Err(format!("it is valid only from {begin} on; is the clock right?"));
    }
    if now >= end {
        return Err(format!("it has expired on {end}; make a new one"));
    }
    Ok(end)
}
