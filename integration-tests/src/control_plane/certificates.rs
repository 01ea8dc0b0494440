//! The certificates of one control plane: an authority of its own, whose key is forgotten as soon as everything is signed.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use anyhow::Result;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

use super::private;

/// A certificate with its private key, both PEM.
pub(super) struct Pair {
    pub certificate: String,
    pub key: String,
}

pub(super) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Result<Self> {
        let mut params = parameters("flinkctl-control-plane-ca", "")?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Writes what the components find by file: the authority, the certificates of API server and node as servers, that of the API
    /// server as the node's client, and the keys that service account tokens are signed and checked with.
    pub fn write(&self, directory: &Path, address: Ipv4Addr) -> Result<()> {
        private(&directory.join("ca.crt"), &self.pem)?;
        let accounts = KeyPair::generate()?;
        private(&directory.join("service-accounts.key"), &accounts.serialize_pem())?;
        private(&directory.join("service-accounts.pub"), &accounts.public_key_pem())?;
        let pairs = [
            ("server", self.server("kube-apiserver", address)?),
            ("node", self.server("system:node", address)?),
            ("kubelet-client", self.client("kube-apiserver-kubelet-client", "")?),
        ];
        for (name, pair) in pairs {
            private(&directory.join(format!("{name}.crt")), &pair.certificate)?;
            private(&directory.join(format!("{name}.key")), &pair.key)?;
        }
        Ok(())
    }

    /// A certificate with which a client is `user` of `group`.
    pub fn client(&self, user: &str, group: &str) -> Result<Pair> {
        let mut params = parameters(user, group)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    fn server(&self, name: &str, address: Ipv4Addr) -> Result<Pair> {
        let mut params = parameters(name, "")?;
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(address))];
        for name in ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"] {
            params.subject_alt_names.push(SanType::DnsName(name.try_into()?));
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        Ok(Pair { certificate: params.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

/// Valid from yesterday, so that a clock that is set back a little does no harm, for a year.
fn parameters(common: &str, organisation: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut name = DistinguishedName::new();
    if !organisation.is_empty() {
        name.push(DnType::OrganizationName, organisation);
    }
    name.push(DnType::CommonName, common);
    params.distinguished_name = name;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let yesterday = Timestamp::now().to_zoned(TimeZone::UTC).saturating_sub(1.day());
    let (year, month) = (i32::from(yesterday.year()), u8::try_from(yesterday.month())?);
    // The 28th exists in each month of each year.
    let day = u8::try_from(yesterday.day())?.min(28);
    params.not_before = date_time_ymd(year, month, day);
    params.not_after = date_time_ymd(year + 1, month, day);
    Ok(params)
}
