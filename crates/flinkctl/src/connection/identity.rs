//! TLS of a client: from key stores, PEM files, or what a kubeconfig holds.

use std::sync::Arc;

use kit::tls::{Material, Source, Store};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::args::{Certificates, secret};
use crate::Result;
use crate::failure::Failure;

/// The TLS that files of certificates stand for; none without any.
pub fn tls(certificates: &Certificates) -> Result<Option<ClientConfig>> {
    let place = &certificates.place;
    let stores = (&place.keystore_path, &place.truststore_path);
    let pem = (&place.tls_cert, &place.tls_key, &place.tls_ca);
    let source = match (stores, pem) {
        ((None, None), (None, None, None)) => return Ok(None),
        ((None, None), (None, None, Some(authority))) => {
            let text = std::fs::read(authority)
                .map_err(|error| Failure::new(format!("failed to read {}: {error}", authority.display())))?;
            let found = certificates_of(&text).filter(|found| !found.is_empty());
            let found = found.ok_or_else(|| {
                Failure::new(format!("failed to use {}: it holds no certificate in PEM format", authority.display()))
            })?;
            return build(found, None).map(Some);
        }
        ((None, None), (Some(certificate), Some(key), Some(authority))) => {
            Source::Pem { certificate: certificate.clone(), key: key.clone(), authority: authority.clone() }
        }
        ((Some(own), Some(trusted)), (None, None, None)) => {
            let password = |said: &Option<kit::tls::Password>, file: &Option<std::path::PathBuf>| match (said, file) {
                (Some(said), _) => Ok(said.clone()),
                (None, Some(file)) => secret(file),
                (None, None) => Ok(kit::tls::Password::default()),
            };
            Source::Stores {
                own: Store {
                    path: own.clone(),
                    password: password(&certificates.keystore_secret, &place.keystore_secret_file)?,
                },
                trusted: Store {
                    path: trusted.clone(),
                    password: password(&certificates.truststore_secret, &place.truststore_secret_file)?,
                },
            }
        }
        ((None, None), _) => {
            return Err(Failure::usage("PEM files are given in part")
                .hint("give --tls-cert, --tls-key and --tls-ca, or --tls-ca alone with a token"));
        }
        (_, (None, None, None)) => {
            return Err(Failure::usage("one store is given without the other")
                .hint("give --keystore-path and --truststore-path, with their passwords"));
        }
        _ => return Err(Failure::usage("key stores and PEM files are given; give one kind")),
    };
    let material = Material::load(&source, jiff::Timestamp::now()).map_err(|error| Failure::to(&error))?;
    material.client().map(Some).map_err(|error| Failure::to(&error))
}

/// Certificates in a PEM text; none if it is damaged.
pub fn certificates_of(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem).collect::<std::result::Result<_, _>>().ok()
}

/// A certificate with its key.
pub type Own = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The TLS of a client that trusts these authorities, and shows a certificate if it has one.
pub fn build(authorities: Vec<CertificateDer<'static>>, own: Option<Own>) -> Result<ClientConfig> {
    let failed = |error: rustls::Error| Failure::new(format!("failed to use the certificates: {error}"));
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(failed)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(failed),
        None => Ok(builder.with_no_client_auth()),
    }
}
