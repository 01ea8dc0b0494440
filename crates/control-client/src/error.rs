//! Why there is no answer that can be used.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use control_api::Problem;
use rustls::{AlertDescription as Alert, CertificateError};

/// Why a request has no useful answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("reach the operator at {address}: {why}")]
    Unreachable { address: String, why: Unreachable },
    #[error("get an answer from the operator at {address} within {deadline:?}")]
    Timeout { address: String, deadline: Duration },
    /// The operator was reached, and refused.
    #[error(transparent)]
    Refused(Problem),
    #[error("use `{address}` as the address of the operator: {why}")]
    Address { address: String, why: String },
    #[error("make a client")]
    Setup(#[source] reqwest::Error),
}

/// Why the operator was not reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// Nobody listens at the port.
    NobodyListens,
    NoSuchHost,
    /// Nothing comes back, not even a refusal.
    Silence,
    /// The certificate of the operator is not trusted.
    ServerCertificate(String),
    /// The operator does not trust our certificate, or wants one.
    ClientCertificate(String),
    /// TLS was spoken to a port that speaks plain HTTP.
    SpeaksPlain,
    /// Plain HTTP was spoken to a port that speaks TLS.
    SpeaksTls,
    /// The connection ended before there was an answer.
    Closed,
    Other(String),
}

impl fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyListens => formatter.write_str("nobody listens there"),
            Self::NoSuchHost => formatter.write_str("there is no such host"),
            Self::Silence => formatter.write_str("there is no sign of life"),
            Self::ServerCertificate(why) => write!(formatter, "its certificate is not trusted: {why}"),
            Self::ClientCertificate(why) => write!(formatter, "it does not accept the client certificate: {why}"),
            Self::SpeaksPlain => formatter.write_str("it does not speak TLS"),
            Self::SpeaksTls => formatter.write_str("it does not speak plain HTTP"),
            Self::Closed => formatter.write_str("it closed the connection"),
            Self::Other(why) => formatter.write_str(why),
        }
    }
}

impl Unreachable {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NobodyListens => {
                "is the operator running, does it serve the control API (it needs certificates or --insecure), and is this the right port? \
                 Without --host and --port, flinkctl finds the operator through the kubeconfig"
            }
            Self::NoSuchHost => "check --host; inside of Kubernetes it is SERVICE.NAMESPACE.svc",
            Self::Silence => "check --host and --port; a firewall or a network policy may keep the answer away",
            Self::ServerCertificate(_) => {
                "give the authority that signed the operator's certificate (--tls-ca or --truststore-path), and the name that the certificate is for \
                 (--host or --tls-server-name)"
            }
            Self::ClientCertificate(_) => {
                "give a certificate that the operator's authority signed (--tls-cert and --tls-key, or --keystore-path)"
            }
            Self::SpeaksPlain => "leave the certificates away if plain HTTP is meant, or check the port",
            Self::SpeaksTls => {
                "give certificates (--tls-cert, --tls-key, --tls-ca, or --keystore-path and --truststore-path), or check the port"
            }
            Self::Closed => "does the port belong to the operator? If it does, its log says more",
            Self::Other(_) => "check --host and --port",
        }
    }
}

impl Error {
    /// Sorts a failed exchange. `tls` says what we spoke.
    pub(crate) fn of(error: &reqwest::Error, address: &str, tls: bool, deadline: Duration) -> Self {
        let address = address.to_owned();
        let unreachable = |why| Self::Unreachable { address: address.clone(), why };
        if error.is_timeout() {
            return if error.is_connect() {
                unreachable(Unreachable::Silence)
            } else {
                Self::Timeout { address, deadline }
            };
        }
        for cause in causes(error) {
            if let Some(why) = cause.downcast_ref::<rustls::Error>().map(of_tls) {
                return unreachable(why);
            }
            if let Some(error) = cause.downcast_ref::<hyper::Error>()
                && (error.is_parse() || (!tls && error.is_incomplete_message()))
            {
                let why =
                    if tls || error.is_incomplete_message() { Unreachable::Closed } else { Unreachable::SpeaksTls };
                return unreachable(why);
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => return unreachable(Unreachable::NobodyListens),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
                        return unreachable(Unreachable::Closed);
                    }
                    io::ErrorKind::TimedOut | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                        return unreachable(Unreachable::Silence);
                    }
                    _ => {}
                }
            }
            if cause.to_string().starts_with("dns error") {
                return unreachable(Unreachable::NoSuchHost);
            }
        }
        unreachable(Unreachable::Other(causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)))
    }

    /// What to do about it, where something helps.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { why, .. } => Some(why.hint()),
            Self::Timeout { .. } => Some("the operator may be busy or cut off from Kubernetes; its log says more"),
            Self::Address { .. } => Some("give a host name or an IP address (--host) and a port (--port)"),
            Self::Refused(_) | Self::Setup(_) => None,
        }
    }
}

fn of_tls(error: &rustls::Error) -> Unreachable {
    match error {
        rustls::Error::InvalidCertificate(why) => Unreachable::ServerCertificate(distrust(why)),
        rustls::Error::InvalidMessage(_) => Unreachable::SpeaksPlain,
        rustls::Error::AlertReceived(Alert::CertificateRequired) => {
            Unreachable::ClientCertificate("none was given".to_owned())
        }
        rustls::Error::AlertReceived(alert) => match alert {
            Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError => Unreachable::ClientCertificate(format!("{alert:?}")),
            alert => Unreachable::Other(format!("it refuses the handshake: {alert:?}")),
        },
        other => Unreachable::Other(other.to_string()),
    }
}

fn distrust(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "another authority has signed it".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet; is the clock right?".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("it is not for {}, but for {}", expected.to_str(), presented.join(", "))
        }
        other => other.to_string(),
    }
}

/// The error and what is behind it. What an I/O error wraps is not among the sources of the standard library, so it is taken out.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source())
    })
}
