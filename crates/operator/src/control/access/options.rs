//! The flags that say how the control API is served and who may use it, and what they come to.

use std::path::PathBuf;

use kit::https::Certificates;
use kit::tls::{self, Clients, Password, Protocols, Source, Store};
use prometheus_client::registry::Registry;

/// How the control API is served, and who may use it
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Access to the control API")]
#[group(skip)]
pub struct Options {
    /// Certificate of the control API with its chain, in PEM format
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,

    /// Its private key, in PEM format
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,

    /// Authorities whose client certificates are accepted, in PEM format
    #[arg(long, value_name = "FILE")]
    pub tls_client_ca: Option<PathBuf>,

    /// Key store (PKCS#12) with certificate and private key, instead of PEM files
    #[arg(long, value_name = "FILE")]
    pub keystore_path: Option<PathBuf>,

    /// Its password; the process list shows it, so better use the variable or a file
    #[arg(long, value_name = "PASSWORD", env = "KEYSTORE_SECRET", hide_env_values = true)]
    pub keystore_secret: Option<Password>,

    /// File with its password
    #[arg(long, value_name = "FILE", conflicts_with = "keystore_secret")]
    pub keystore_secret_file: Option<PathBuf>,

    /// Trust store (PKCS#12) with the authorities whose client certificates are accepted
    #[arg(long, value_name = "FILE")]
    pub truststore_path: Option<PathBuf>,

    /// Its password; the process list shows it, so better use the variable or a file
    #[arg(long, value_name = "PASSWORD", env = "TRUSTSTORE_SECRET", hide_env_values = true)]
    pub truststore_secret: Option<Password>,

    /// File with its password
    #[arg(long, value_name = "FILE", conflicts_with = "truststore_secret")]
    pub truststore_secret_file: Option<PathBuf>,

    /// Serve plain HTTP, where everybody who reaches the port may do everything
    #[arg(long)]
    pub insecure: bool,

    /// Roles for owners of client certificates (YAML); without it each of them may do everything
    #[arg(long, value_name = "FILE")]
    pub authorization: Option<PathBuf>,

    /// Accept bearer tokens of Kubernetes as well, whose owners may do what Kubernetes lets them
    #[arg(long)]
    pub token_authentication: bool,

    /// Audience that tokens must be for; may be given more than once
    #[arg(long, value_name = "AUDIENCE", requires = "token_authentication")]
    pub token_audience: Vec<String>,

    /// Requests a second of one client, and twice as many at once; 0 for no limit
    #[arg(long, value_name = "REQUESTS", default_value_t = 1000)]
    pub rate_limit: u32,
}

/// Why the control API cannot be served as the flags say.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("serve the control API: {given} needs {missing} too; give both, or neither to not serve it")]
    Half { given: &'static str, missing: &'static str },
    #[error("serve the control API: give either PEM files (--tls-cert) or key stores (--keystore-path), not both")]
    Both,
    #[error("serve the control API: --insecure means no certificates; leave one or the other out")]
    Contradiction,
    #[error("serve the control API: {path} has no password; give {secret}-file FILE, or set {variable}")]
    NoPassword { path: &'static str, secret: &'static str, variable: &'static str },
    #[error("serve the control API: --authorization is about client certificates, which --insecure does without")]
    NoSubjects,
    #[error("read the password in {}", path.display())]
    ReadPassword { path: PathBuf, source: std::io::Error },
    #[error("read the grants in {}", path.display())]
    ReadGrants { path: PathBuf, source: std::io::Error },
    #[error("use the grants in {}: {why}", path.display())]
    Grants { path: PathBuf, why: String },
    #[error("serve the control API")]
    Certificates(#[source] tls::Error),
}

/// How the API is served.
#[derive(Clone, Debug)]
pub enum Transport {
    /// Not at all.
    None,
    Plain,
    Tls(Certificates),
}

impl Transport {
    /// Shows when the certificate ends.
    pub fn register(&self, registry: &mut Registry) {
        if let Self::Tls(certificates) = self {
            registry.register(
                "flink_operator_api_certificate_expiry_timestamp_seconds",
                "When the certificate of the control API ends, in seconds since 1970",
                certificates.expiry(),
            );
        }
    }
}

impl Options {
    /// Loads the certificates and warns where there are none. It blocks for a part of a second where key stores are opened.
    pub fn transport(&self) -> Result<Transport, Error> {
        let Some(source) = self.source()? else {
            if self.insecure {
                tracing::warn!("the control API is served without TLS; everybody who reaches its port may use it");
                return Ok(Transport::Plain);
            }
            tracing::warn!(
                "the control API is not served: it has no certificates; give --tls-cert, --tls-key and --tls-client-ca, \
                 or --keystore-path and --truststore-path, or --insecure for plain HTTP"
            );
            return Ok(Transport::None);
        };
        let clients = if self.token_authentication { Clients::Optional } else { Clients::Required };
        Certificates::load(source, Protocols::Http1, clients).map(Transport::Tls).map_err(Error::Certificates)
    }

    /// Where the certificates are, once the flags make sense together.
    fn source(&self) -> Result<Option<Source>, Error> {
        let pem =
            [("--tls-cert", &self.tls_cert), ("--tls-key", &self.tls_key), ("--tls-client-ca", &self.tls_client_ca)];
        let stores = [("--keystore-path", &self.keystore_path), ("--truststore-path", &self.truststore_path)];
        whole(&pem)?;
        whole(&stores)?;
        let source =
            match (&self.tls_cert, &self.tls_key, &self.tls_client_ca, &self.keystore_path, &self.truststore_path) {
                (Some(_), _, _, Some(_), _) => return Err(Error::Both),
                (Some(certificate), Some(key), Some(authority), ..) => Some(Source::Pem {
                    certificate: certificate.clone(),
                    key: key.clone(),
                    authority: authority.clone(),
                }),
                (_, _, _, Some(own), Some(trusted)) => Some(Source::Stores {
                    own: Store { path: own.clone(), password: self.keystore_password()? },
                    trusted: Store { path: trusted.clone(), password: self.truststore_password()? },
                }),
                _ => None,
            };
        if self.insecure && source.is_some() {
            return Err(Error::Contradiction);
        }
        if self.insecure && self.authorization.is_some() {
            return Err(Error::NoSubjects);
        }
        Ok(source)
    }

    fn keystore_password(&self) -> Result<Password, Error> {
        let (path, secret, variable) = ("--keystore-path", "--keystore-secret", "KEYSTORE_SECRET");
        password(self.keystore_secret_file.as_ref(), self.keystore_secret.as_ref()).unwrap_or(Err(Error::NoPassword {
            path,
            secret,
            variable,
        }))
    }

    fn truststore_password(&self) -> Result<Password, Error> {
        let (path, secret, variable) = ("--truststore-path", "--truststore-secret", "TRUSTSTORE_SECRET");
        password(self.truststore_secret_file.as_ref(), self.truststore_secret.as_ref())
            .unwrap_or(Err(Error::NoPassword { path, secret, variable }))
    }
}

/// All flags of a set, or none.
fn whole(flags: &[(&'static str, &Option<PathBuf>)]) -> Result<(), Error> {
    let given = flags.iter().find(|(_, value)| value.is_some());
    let missing = flags.iter().find(|(_, value)| value.is_none());
    match (given, missing) {
        (Some((given, _)), Some((missing, _))) => Err(Error::Half { given, missing }),
        _ => Ok(()),
    }
}

fn password(file: Option<&PathBuf>, text: Option<&Password>) -> Option<Result<Password, Error>> {
    match (file, text) {
        (Some(path), _) => {
            Some(Password::from_file(path).map_err(|source| Error::ReadPassword { path: path.clone(), source }))
        }
        (None, Some(text)) => Some(Ok(text.clone())),
        (None, None) => None,
    }
}
