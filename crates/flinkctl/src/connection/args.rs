//! The flags that say where the operator is and who asks, and what follows from them.

use std::path::PathBuf;

use kit::tls::Password;
use serde::{Deserialize, Serialize};

use super::contexts::{self, Contexts};
use crate::Result;
use crate::failure::Failure;

/// The address that the original took for granted.
pub(super) const HOST: &str = "localhost";

/// Where an operator is. The same members stand in the file of contexts, so secrets are in files of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlaceArgs {
    /// Host of the operator; `localhost` if only a port is given
    #[arg(long, value_name = "HOST", help_heading = "Connection")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,

    /// Port of the operator; 4444 if only a host is given
    #[arg(long, value_name = "PORT", help_heading = "Connection")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,

    /// Key store (PKCS#12) with the client's certificate
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keystore_path: Option<PathBuf>,

    /// File with the password of the key store
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keystore_secret_file: Option<PathBuf>,

    /// Trust store (PKCS#12) with the authority of the operator's certificate
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truststore_path: Option<PathBuf>,

    /// File with the password of the trust store
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truststore_secret_file: Option<PathBuf>,

    /// Certificate of the client (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_key: Option<PathBuf>,

    /// Authority of the operator's certificate (PEM)
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca: Option<PathBuf>,

    /// Name that the operator's certificate is for, where it is not the host
    #[arg(long, value_name = "NAME", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_server_name: Option<String>,

    /// File with a bearer token to show instead of a certificate
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,

    #[command(flatten)]
    #[serde(flatten)]
    pub kube: KubeArgs,
}

/// Which Kubernetes, and where in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KubeArgs {
    /// Kubeconfig through which the operator is found; the usual one unless given
    #[arg(long, value_name = "FILE", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<PathBuf>,

    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", help_heading = "Connection", hide_short_help = true)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_context: Option<String>,

    /// Namespace of the operator; that of the kubeconfig's context unless given
    #[arg(short, long, value_name = "NAMESPACE", help_heading = "Connection")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// How a client command reaches the operator.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ConnectionArgs {
    #[command(flatten)]
    pub place: PlaceArgs,

    /// Password of the key store; prefer --keystore-secret-file or the variable
    #[arg(long, value_name = "PASSWORD", hide_env_values = true, help_heading = "Connection", hide_short_help = true)]
    pub keystore_secret: Option<Password>,

    /// Password of the trust store; prefer --truststore-secret-file or the variable
    #[arg(long, value_name = "PASSWORD", hide_env_values = true, help_heading = "Connection", hide_short_help = true)]
    pub truststore_secret: Option<Password>,

    /// Bearer token to show instead of a certificate; prefer --token-file or the variable
    #[arg(long, value_name = "TOKEN", hide_env_values = true, help_heading = "Connection", hide_short_help = true)]
    pub token: Option<Password>,

    #[command(flatten)]
    pub contexts: contexts::ContextArgs,
}

/// The files of certificates.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    pub place: PlaceArgs,
    pub keystore_secret: Option<Password>,
    pub truststore_secret: Option<Password>,
}

/// Where the operator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    Direct {
        host: String,
        port: u16,
    },
    /// A Service to be found.
    Kubernetes,
}

/// What flags and context come to.
#[derive(Clone, Debug)]
pub struct Place {
    pub address: Address,
    pub certificates: Certificates,
    pub server_name: Option<String>,
    pub token: Option<Password>,
    pub kubernetes: KubeArgs,
    pub by: String,
}

impl ConnectionArgs {
    /// Flags first, then the context. The address of one is not mixed with the address of the other.
    pub fn place(&self) -> Result<Place> {
        let flags = &self.place;
        let says_host = flags.host.is_some() || flags.port.is_some();
        let context = if says_host && self.contexts.context.is_none() {
            None
        } else {
            Contexts::read(&self.contexts.file())?.chosen(self.contexts.context.as_deref())?
        };
        let (name, mut place) = context.map_or((None, PlaceArgs::default()), |one| (Some(one.name), one.place));
        merge(&mut place, flags);
        let by = match &name {
            Some(name) => format!("context {name}"),
            None => "the command line".to_owned(),
        };
        let address = match (&place.host, place.port) {
            (None, None) => Address::Kubernetes,
            (host, port) => Address::Direct {
                host: host.clone().unwrap_or_else(|| HOST.to_owned()),
                port: port.unwrap_or(control_api::PORT),
            },
        };
        let token = match (&self.token, &place.token_file) {
            (Some(token), _) => Some(token.clone()),
            (None, Some(file)) => Some(secret(file)?),
            (None, None) => None,
        };
        Ok(Place {
            address,
            server_name: place.tls_server_name.clone(),
            token,
            kubernetes: place.kube.clone(),
            certificates: Certificates {
                place,
                keystore_secret: self.keystore_secret.clone(),
                truststore_secret: self.truststore_secret.clone(),
            },
            by,
        })
    }
}

/// What flags say wins. A certificate of one form takes the place of one of the other.
fn merge(place: &mut PlaceArgs, flags: &PlaceArgs) {
    if flags.host.is_some() || flags.port.is_some() {
        (place.host, place.port) = (None, None);
    }
    let says_pem = flags.tls_cert.is_some() || flags.tls_key.is_some();
    let says_store = flags.keystore_path.is_some() || flags.truststore_path.is_some();
    if says_pem || says_store {
        (place.tls_cert, place.tls_key, place.tls_ca) = (None, None, None);
        (place.keystore_path, place.truststore_path) = (None, None);
    }
    place.lay(flags);
}

impl PlaceArgs {
    /// Takes over what the other says.
    fn lay(&mut self, other: &Self) {
        macro_rules! take {
            ($($($member:ident).+,)+) => {
                $(if other.$($member).+.is_some() {
                    self.$($member).+.clone_from(&other.$($member).+);
                })+
            };
        }
        take!(
            host,
            port,
            keystore_path,
            keystore_secret_file,
            truststore_path,
            truststore_secret_file,
            tls_cert,
            tls_key,
            tls_ca,
            tls_server_name,
            token_file,
            kube.kube_config,
            kube.kube_context,
            kube.namespace,
        );
    }

    /// Takes over what the other says; what is empty there is taken away. Files keep their place when the directory changes.
    pub fn take(&mut self, other: &Self) -> Result<()> {
        self.lay(other);
        for file in [
            &mut self.keystore_path,
            &mut self.keystore_secret_file,
            &mut self.truststore_path,
            &mut self.truststore_secret_file,
            &mut self.tls_cert,
            &mut self.tls_key,
            &mut self.tls_ca,
            &mut self.token_file,
            &mut self.kube.kube_config,
        ] {
            file.take_if(|path| path.as_os_str().is_empty());
            if let Some(path) = file {
                let whole = std::path::absolute(&path);
                *path = whole.map_err(|error| Failure::new(format!("failed to use {}: {error}", path.display())))?;
            }
        }
        for text in [&mut self.host, &mut self.tls_server_name, &mut self.kube.kube_context, &mut self.kube.namespace] {
            text.take_if(|text| text.is_empty());
        }
        Ok(())
    }
}

/// A secret from a file.
pub fn secret(file: &std::path::Path) -> Result<Password> {
    Password::from_file(file).map_err(|error| Failure::new(format!("failed to read {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_context_and_take_its_certificates_away() {
        let mut place = PlaceArgs {
            host: Some("prod".into()),
            port: Some(8443),
            keystore_path: Some("k".into()),
            truststore_path: Some("t".into()),
            ..PlaceArgs::default()
        };
        let flags = PlaceArgs {
            host: Some("other".into()),
            tls_cert: Some("c".into()),
            tls_key: Some("p".into()),
            tls_ca: Some("a".into()),
            ..PlaceArgs::default()
        };
        merge(&mut place, &flags);
        assert_eq!(place, flags);
    }
}
