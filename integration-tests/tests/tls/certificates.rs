//! Certificates of every kind, right and wrong.

use std::path::Path;

use anyhow::Result;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// An authority, and the directory in which its certificates are.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: std::path::PathBuf,
}

impl Authority {
    /// Writes `NAME.pem`.
    pub fn new(directory: &Path, name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        std::fs::write(directory.join(format!("{name}.pem")), issuer.pem())?;
        Ok(Self { issuer, directory: directory.to_owned() })
    }

    /// Writes `NAME.pem` and `NAME-key.pem`: for 127.0.0.1, and valid for so many days from now, or not any more.
    pub fn server(&self, name: &str, days: i64) -> Result<()> {
        self.issue(name, name, "", ExtendedKeyUsagePurpose::ServerAuth, days)
    }

    /// The same for a client.
    pub fn client(&self, name: &str, organization: &str, days: i64) -> Result<()> {
        self.issue(name, name, organization, ExtendedKeyUsagePurpose::ClientAuth, days)
    }

    fn issue(
        &self,
        file: &str,
        common: &str,
        organization: &str,
        purpose: ExtendedKeyUsagePurpose,
        days: i64,
    ) -> Result<()> {
        let date = |days: i64| -> Result<_> {
            let date = Timestamp::now().to_zoned(TimeZone::UTC).date().checked_add(days.days())?;
            Ok(date_time_ymd(date.year().into(), date.month().try_into()?, date.day().try_into()?))
        };
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common);
        if !organization.is_empty() {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
        params.extended_key_usages = vec![purpose];
        params.not_before = date(-3)?;
        params.not_after = date(days)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        // The key first: whoever follows the files never finds a new certificate with an old key for long.
        std::fs::write(self.directory.join(format!("{file}-key.pem")), key.serialize_pem())?;
        std::fs::write(self.directory.join(format!("{file}.pem")), certificate.pem())?;
        Ok(())
    }
}

/// The flags of `curl` for a client of an authority, both files of the stage's directory.
pub fn as_client(authority: &str, client: &str) -> String {
    format!("--cacert {authority}.pem --cert {client}.pem --key {client}-key.pem")
}

/// The flags of an operator with PEM files.
pub fn pem(server: &str, authority: &str) -> String {
    format!("--tls-cert {server}.pem --tls-key {server}-key.pem --tls-client-ca {authority}.pem")
}
