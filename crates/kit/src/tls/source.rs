//! Where certificates come from: PEM files, or the key stores that flink-k8s-toolbox used (PKCS#12, whatever their file name).

use std::io;
use std::path::{Path, PathBuf};

use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12Archive, Pkcs12ImportPolicy};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Password;

/// A key store and what opens it.
#[derive(Clone, Debug)]
pub struct Store {
    pub path: PathBuf,
    pub password: Password,
}

/// Where a process has its own certificate from, and the authorities that it trusts.
#[derive(Clone, Debug)]
pub enum Source {
    Pem { certificate: PathBuf, key: PathBuf, authority: PathBuf },
    Stores { own: Store, trusted: Store },
}

/// Why certificates cannot be used. Each says which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("read {}: it holds no {what} in PEM format", path.display())]
    NoPem { path: PathBuf, what: &'static str, source: pem::Error },
    #[error(
        "read {0}: it is a Java key store of the old format (JKS); convert it: \
         keytool -importkeystore -srckeystore {0} -destkeystore {0}.p12 -deststoretype PKCS12",
        path.display()
    )]
    Jks { path: PathBuf },
    #[error("open {}: the password is wrong, or the file is damaged", path.display())]
    Password { path: PathBuf, source: p12_keystore::error::Error },
    #[error("read {}: it is no PKCS#12 key store", path.display())]
    NoStore { path: PathBuf, source: p12_keystore::error::Error },
    #[error("read {}: the key store has no private key with a certificate", path.display())]
    NoKey { path: PathBuf },
    #[error("read {}: the trust store has no certificate of an authority", path.display())]
    NoAuthority { path: PathBuf },
    #[error("use the certificate in {}: {why}", path.display())]
    Certificate { path: PathBuf, why: String },
    #[error("use the certificate in {}: the private key does not belong to it: {why}", path.display())]
    Mismatch { path: PathBuf, why: String },
}

/// What was read, before it is looked at.
#[derive(Debug)]
pub(super) struct Parts {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Source {
    /// The files that are read.
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::Pem { certificate, key, authority } => vec![certificate, key, authority],
            Self::Stores { own, trusted } => vec![&own.path, &trusted.path],
        }
    }

    /// The file with the own certificate.
    pub fn own(&self) -> &Path {
        match self {
            Self::Pem { certificate, .. } => certificate,
            Self::Stores { own, .. } => &own.path,
        }
    }

    /// The file with the authorities.
    pub(super) fn trusted(&self) -> &Path {
        match self {
            Self::Pem { authority, .. } => authority,
            Self::Stores { trusted, .. } => &trusted.path,
        }
    }

    /// Reads all files. Opening a key store takes a part of a second, as its password is stretched: call it where that does no harm.
    pub(super) fn read(&self) -> Result<Parts, Error> {
        match self {
            Self::Pem { certificate, key, authority } => Ok(Parts {
                chain: certificates(certificate)?,
                key: private_key(key)?,
                authorities: certificates(authority)?,
            }),
            Self::Stores { own, trusted } => {
                let (chain, key) = own.key()?;
                Ok(Parts { chain, key, authorities: trusted.authorities()? })
            }
        }
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let none = |source| Error::NoPem { path: path.to_owned(), what: "certificate", source };
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes(path)?).collect::<Result<_, _>>().map_err(none)?;
    if found.is_empty() { Err(none(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_slice(&bytes(path)?).map_err(|source| Error::NoPem {
        path: path.to_owned(),
        what: "private key without a password",
        source,
    })
}

impl Store {
    /// Opens it in one of the two ways in which it can be looked at.
    fn open<T>(&self, way: impl FnOnce(&[u8], &str) -> p12_keystore::Result<T>) -> Result<T, Error> {
        const JKS: [u8; 4] = [0xFE, 0xED, 0xFE, 0xED];
        let content = bytes(&self.path)?;
        let path = self.path.clone();
        if content.starts_with(&JKS) {
            return Err(Error::Jks { path });
        }
        way(&content, self.password.reveal()).map_err(|source| match source {
            p12_keystore::error::Error::MacError(_) => Error::Password { path, source },
            source => Error::NoStore { path, source },
        })
    }

    fn key(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
        let store =
            self.open(|content, password| KeyStore::from_pkcs12(content, password, Pkcs12ImportPolicy::Relaxed))?;
        let chain = store.entries().find_map(|(_, entry)| match entry {
            KeyStoreEntry::PrivateKeyChain(chain) if !chain.certs().is_empty() => Some(chain),
            _ => None,
        });
        let chain = chain.ok_or_else(|| Error::NoKey { path: self.path.clone() })?;
        let certificates = chain.certs().iter().map(|found| CertificateDer::from(found.as_der().to_vec())).collect();
        Ok((certificates, PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into()))
    }

    /// The certificates that are marked as trusted, as Java does it. Older versions of openssl cannot mark any: then it is all but those of
    /// private keys.
    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let found = self.open(Pkcs12Archive::from_pkcs12)?.certs;
        let marked = found.iter().any(|one| one.trusted);
        let found: Vec<_> = found
            .iter()
            .filter(|one| if marked { one.trusted } else { one.local_key_id.is_none() })
            .map(|one| CertificateDer::from(one.cert.as_der().to_vec()))
            .collect();
        if found.is_empty() { Err(Error::NoAuthority { path: self.path.clone() }) } else { Ok(found) }
    }
}
