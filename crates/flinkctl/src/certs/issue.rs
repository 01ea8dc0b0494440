//! Makes the certificates and puts them into PEM and key stores.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use kit::tls::Password;
use p12_keystore::{Certificate as StoredCertificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use pkcs8::pkcs5::pbes2;
use pkcs8::{LineEnding, PrivateKeyInfoRef};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SanType, date_time_ymd,
};

use super::Host;

/// How often passwords are hashed, as `openssl` does not by far: whoever has the file has all the time to guess.
const ROUNDS: u32 = 100_000;
/// Of the letters and digits that are not mistaken for each other; their number divides 256.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Why a certificate or a store could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("make a key store")]
    Store(#[from] p12_keystore::error::Error),
    #[error("encrypt the authority's private key: {0}")]
    Key(String),
    #[error("get random numbers from the system")]
    Random,
}

/// An authority with its private key.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    days: u16,
}

/// What a certificate is for.
pub(super) struct Leaf {
    file: &'static str,
    subject: String,
    names: Vec<SanType>,
    purpose: ExtendedKeyUsagePurpose,
    usages: Vec<KeyUsagePurpose>,
}

/// A certificate with its private key.
pub(super) struct Issued {
    certificate: rcgen::Certificate,
    request: String,
    key: KeyPair,
}

impl Authority {
    pub fn new(subject: &str, days: u16) -> Result<Self, Error> {
        let mut params = params(subject, days);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_3072)?;
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, key)?, days })
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The private key, encrypted, in a form that every openssl reads.
    pub fn encrypted_key(&self, password: &Password) -> Result<String, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Key(error.to_string());
        let der = self.issuer.key().serialize_der();
        let key = PrivateKeyInfoRef::try_from(der.as_slice()).map_err(|error| failed(&error))?;
        let (salt, iv): ([u8; 16], [u8; 16]) = (random()?, random()?);
        let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(ROUNDS, &salt, iv);
        let parameters = parameters.map_err(|error| failed(&error))?;
        let document = key.encrypt_with_params(parameters, password.reveal()).map_err(|error| failed(&error))?;
        let pem = document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).map_err(|error| failed(&error))?;
        Ok(pem.to_string())
    }

    pub fn issue(&self, leaf: &Leaf) -> Result<Issued, Error> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let mut params = params(&leaf.subject, self.days);
        params.subject_alt_names.clone_from(&leaf.names);
        // A request cannot hold what the authority decides.
        let request = params.serialize_request(&key)?.pem()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages.clone_from(&leaf.usages);
        params.extended_key_usages = vec![leaf.purpose.clone()];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate, request, key })
    }

    /// A PKCS#12 key store with the names that flink-k8s-toolbox uses.
    pub fn key_store(&self, issued: &Issued, password: &Password) -> Result<Vec<u8>, Error> {
        let key = PrivateKey::from_der(&issued.key.serialize_der())?;
        let chain = [stored(issued.certificate.der())?, self.stored()?];
        let chain = PrivateKeyChain::new("selfsigned", key, chain);
        let mut store = KeyStore::new();
        store.add_entry("selfsigned", KeyStoreEntry::PrivateKeyChain(chain));
        store.add_entry("CARoot", KeyStoreEntry::Certificate(self.stored()?));
        Ok(store.writer(password.reveal()).write()?)
    }

    /// A PKCS#12 trust store with the authority alone.
    pub fn trust_store(&self, password: &Password) -> Result<Vec<u8>, Error> {
        let mut store = KeyStore::new();
        store.add_entry("CARoot", KeyStoreEntry::Certificate(self.stored()?));
        Ok(store.writer(password.reveal()).write()?)
    }

    fn stored(&self) -> Result<StoredCertificate, Error> {
        stored(self.issuer.der())
    }
}

impl Leaf {
    pub fn server(subject: String, names: &[Host]) -> Self {
        let name = |host: &Host| match host {
            Host::Name(name) => name.as_str().try_into().ok().map(SanType::DnsName),
            Host::Address(address) => Some(SanType::IpAddress(*address)),
        };
        Self {
            file: "operator-api",
            subject,
            names: names.iter().filter_map(name).collect(),
            purpose: ExtendedKeyUsagePurpose::ServerAuth,
            usages: vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment],
        }
    }

    pub fn client(subject: &str) -> Self {
        Self {
            file: "operator-cli",
            subject: subject.to_owned(),
            names: Vec::new(),
            purpose: ExtendedKeyUsagePurpose::ClientAuth,
            usages: vec![KeyUsagePurpose::DigitalSignature],
        }
    }

    /// How its files begin.
    pub fn file(&self) -> &'static str {
        self.file
    }
}

impl Issued {
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub fn request_pem(&self) -> &str {
        &self.request
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

fn stored(der: &[u8]) -> Result<StoredCertificate, Error> {
    Ok(StoredCertificate::from_der(der)?)
}

/// A subject and a validity. It begins a day ago, so that a clock that is behind does no harm.
fn params(subject: &str, days: u16) -> CertificateParams {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let at = |date: Date| {
        let part = |value: i8| u8::try_from(value).expect("months and days are positive");
        date_time_ymd(date.year().into(), part(date.month()), part(date.day()))
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = at(today.saturating_sub(1.day()));
    params.not_after = at(today.saturating_add(i64::from(days).days()));
    params
}

/// Twenty-four letters and digits, which are 120 bits.
pub(super) fn random_password() -> Result<Password, Error> {
    let bytes: [u8; 24] = random()?;
    let text: String = bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    Ok(Password::from(text))
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}
