//! The certificates of one instance: its own certificate authority, the server's certificate and the user's.
//!
//! The authority and the user's certificate live in the data directory, readable by their owner only, so that a copied
//! kubeconfig goes on working after a restart. The server's certificate is made anew at each start.
//!
//! Invariant: a private key is written with mode 0600 before anything refers to it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::files;
use crate::node::kubelet::Settings;

const AUTHORITY: &str = "flinkctl-local-ca";
/// The user of the kubeconfig.
pub const ADMIN: &str = "flinkctl-local-admin";
/// The group of the kubeconfig's user.
pub const ADMIN_GROUP: &str = "system:masters";
const YEARS: i32 = 10;

/// Why certificates could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("read or write {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// A file holds no certificate.
    #[error("read the certificate in {path}: {source}")]
    Pem {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
}

/// The authority and the user's certificate of one data directory.
#[derive(Debug)]
pub struct Pki {
    authority_pem: String,
    authority_key: KeyPair,
    admin: Pair,
}

/// A certificate with its private key, both PEM.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Pki {
    /// Reads the certificates below `directory`, or makes them.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let directory = directory.join("pki");
        files::private_directory(&directory).map_err(|source| file_error(&directory, source))?;
        let (authority_pem, authority_key) = open_authority(&directory)?;
        let params = authority_params();
        let issuer = Issuer::from_params(&params, &authority_key);
        let admin = open_admin(&directory, &issuer)?;
        Ok(Self { authority_pem, authority_key, admin })
    }

    /// The authority's certificate, PEM.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// The certificate of the kubeconfig's user.
    pub fn admin(&self) -> &Pair {
        &self.admin
    }

    /// The authority's certificate, DER.
    pub fn authority(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.authority_pem.as_bytes()).expect("read or made by us as PEM")
    }

    /// A new certificate for the server at `address`.
    pub fn server(&self, address: IpAddr) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), Error> {
        let (certificate, key) = self.serving(address)?;
        Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    /// A certificate for a Service at `address` under these names. None if the `present` one will do.
    pub fn service(&self, names: &[String], address: IpAddr, present: Option<&[u8]>) -> Result<Option<Pair>, Error> {
        if present.is_some_and(|present| covers(present, names, address).unwrap_or(false)) {
            return Ok(None);
        }
        let (certificate, key) = self.issue(names, &[address, Ipv4Addr::LOCALHOST.into()], &names[0])?;
        Ok(Some(Pair { certificate: certificate.pem(), key: key.serialize_pem() }))
    }

    /// A new certificate for the node at `address`, as files below `directory`.
    pub fn node(&self, directory: &Path, address: IpAddr) -> Result<Settings, Error> {
        let directory = directory.join("pki");
        let (certificate, key) = self.serving(address)?;
        let files = Settings {
            certificate: directory.join("node.crt"),
            key: directory.join("node.key"),
            clients: directory.join("ca.crt"),
        };
        write(&files.key, &key.serialize_pem())?;
        write(&files.certificate, &certificate.pem())?;
        Ok(files)
    }

    fn serving(&self, address: IpAddr) -> Result<(Certificate, KeyPair), Error> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(str::to_owned);
        self.issue(&names, &[address], "flinkctl-local")
    }

    fn issue(&self, names: &[String], addresses: &[IpAddr], common: &str) -> Result<(Certificate, KeyPair), Error> {
        let mut params = CertificateParams::new(names)?;
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        params.distinguished_name = name(common, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        set_validity(&mut params);
        let key = KeyPair::generate()?;
        let authority = authority_params();
        let issuer = Issuer::from_params(&authority, &self.authority_key);
        let certificate = params.signed_by(&key, &issuer)?;
        Ok((certificate, key))
    }
}

/// Whether a certificate has these names and this address, and stays valid for another month.
fn covers(pem: &[u8], names: &[String], address: IpAddr) -> Option<bool> {
    let der = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let found = &certificate.subject_alternative_name().ok()??.value.general_names;
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let has_address = found.iter().any(|name| matches!(name, GeneralName::IPAddress(bytes) if *bytes == octets));
    let has = |wanted: &String| found.iter().any(|name| matches!(name, GeneralName::DNSName(text) if text == wanted));
    let month = Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24);
    let lasts = certificate.validity().not_after.timestamp() > month.as_second();
    Some(has_address && lasts && names.iter().all(has))
}

fn open_authority(directory: &Path) -> Result<(String, KeyPair), Error> {
    let (certificate_path, key_path) = (directory.join("ca.crt"), directory.join("ca.key"));
    if certificate_path.exists() && key_path.exists() {
        let pem = read(&certificate_path)?;
        CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|source| Error::Pem { path: certificate_path.display().to_string(), source })?;
        return Ok((pem, KeyPair::from_pem(&read(&key_path)?)?));
    }
    let key = KeyPair::generate()?;
    let certificate = authority_params().self_signed(&key)?;
    write(&key_path, &key.serialize_pem())?;
    write(&certificate_path, &certificate.pem())?;
    Ok((certificate.pem(), key))
}

fn open_admin(directory: &Path, issuer: &Issuer<'_, &KeyPair>) -> Result<Pair, Error> {
    let (certificate_path, key_path) = (directory.join("admin.crt"), directory.join("admin.key"));
    if certificate_path.exists() && key_path.exists() {
        return Ok(Pair { certificate: read(&certificate_path)?, key: read(&key_path)? });
    }
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = name(ADMIN, Some(ADMIN_GROUP));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params);
    let key = KeyPair::generate()?;
    let pair = Pair { certificate: params.signed_by(&key, issuer)?.pem(), key: key.serialize_pem() };
    write(&key_path, &pair.key)?;
    write(&certificate_path, &pair.certificate)?;
    Ok(pair)
}

/// The authority's name and uses: the same at each start, since certificates are signed with these and the stored key.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(AUTHORITY, None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    set_validity(&mut params);
    params
}

fn name(common: &str, organisation: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organisation) = organisation {
        name.push(DnType::OrganizationName, organisation);
    }
    name.push(DnType::CommonName, common);
    name
}

/// From yesterday, so that a clock that is set back a little does no harm.
fn set_validity(params: &mut CertificateParams) {
    let yesterday = Timestamp::now().to_zoned(TimeZone::UTC).saturating_sub(1.day());
    let part = |value: i8| u8::try_from(value).unwrap_or(1);
    let (year, month) = (i32::from(yesterday.year()), part(yesterday.month()));
    // The 28th exists in each month of each year.
    let day = part(yesterday.day()).min(28);
    params.not_before = date_time_ymd(year, month, day);
    params.not_after = date_time_ymd(year + YEARS, month, day);
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| file_error(path, source))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    files::write_private(path, text.as_bytes()).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> Error {
    Error::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn certificates_stay_and_keys_are_private() {
        let directory = tempfile::tempdir().unwrap();
        let first = Pki::open(directory.path()).unwrap();
        let second = Pki::open(directory.path()).unwrap();
        assert_eq!(first.authority_pem(), second.authority_pem());
        assert_eq!(first.admin().certificate, second.admin().certificate);
        for file in ["ca.key", "admin.key"] {
            let mode = directory.path().join("pki").join(file).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_certificate_of_a_service_stays_while_it_fits() {
        let directory = tempfile::tempdir().unwrap();
        let pki = Pki::open(directory.path()).unwrap();
        let names = ["flink-operator".to_owned(), "localhost".to_owned()];
        let address: IpAddr = [127, 7, 128, 9].into();
        let pair = pki.service(&names, address, None).unwrap().expect("there was none");
        let present = Some(pair.certificate.as_bytes());
        assert!(pki.service(&names, address, present).unwrap().is_none());
        assert!(pki.service(&names, [127, 8, 128, 9].into(), present).unwrap().is_some(), "another address");
        assert!(pki.service(&["other".to_owned()], address, present).unwrap().is_some(), "another name");
        assert!(pki.service(&names, address, Some(b"nonsense")).unwrap().is_some());
    }
}
