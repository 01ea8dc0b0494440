//! Who is on the other side of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The other side. It is in the extensions of each request.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// The certificate that it showed, verified. None where it showed none, or where there is no TLS.
    pub certificate: Option<Arc<ClientCertificate>>,
}

/// A verified certificate with what it says of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    pub der: CertificateDer<'static>,
    pub common_name: Option<String>,
    pub organizations: Vec<String>,
}

impl ClientCertificate {
    /// Reads the subject once, so that no request has to.
    pub fn new(der: CertificateDer<'static>) -> Self {
        let (common_name, organizations) = subject(&der).unwrap_or_default();
        Self { der, common_name, organizations }
    }
}

fn subject(der: &[u8]) -> Option<(Option<String>, Vec<String>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
    let organizations = subject.iter_organization().filter_map(|one| one.as_str().ok()).map(str::to_owned);
    Some((name, organizations.collect()))
}
