//! `flinkctl certs`: what mutual TLS of the control API needs, without openssl. `secrets.sh` makes the same where there is one.
//!
//! Invariant: the directory appears whole or not at all, and only its owner may read it.

mod issue;
mod write;

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kit::tls::Password;

pub use issue::Error as IssueError;
use issue::{Authority, Leaf};
use write::Directory;

/// Certificates of the control API
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    Generate(Box<Generate>),
}

/// Make an authority, a certificate for the operator and one for its clients, as PEM files and as key stores
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  flinkctl certs generate flink-operator --namespace flink-operator --out secrets")]
pub struct Generate {
    /// Name or address by which clients reach the operator
    #[arg(default_value = "flink-operator")]
    host: Host,

    /// Directory to make
    #[arg(long, value_name = "DIR", default_value = "secrets")]
    out: PathBuf,

    /// Namespace of the operator's Service
    #[arg(long, default_value = "flink-operator")]
    namespace: String,

    /// One more name or address of the operator; may be given more than once
    #[arg(long, value_name = "HOST")]
    also: Vec<Host>,

    /// Days until the certificates expire
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,

    #[command(flatten)]
    passwords: Passwords,
}

/// Passwords that are not given are made, and written beside what they protect.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
struct Passwords {
    /// Password of the authority's private key; made and written into a file if there is none
    #[arg(long, value_name = "PASSWORD", env = "KEY_SECRET", hide_env_values = true)]
    key_secret: Option<Password>,

    /// File with it
    #[arg(long, value_name = "FILE", conflicts_with = "key_secret")]
    key_secret_file: Option<PathBuf>,

    /// Password of the key stores; made and written into a file if there is none
    #[arg(long, value_name = "PASSWORD", env = "KEYSTORE_SECRET", hide_env_values = true)]
    keystore_secret: Option<Password>,

    /// File with it
    #[arg(long, value_name = "FILE", conflicts_with = "keystore_secret")]
    keystore_secret_file: Option<PathBuf>,

    /// Password of the trust stores; made and written into a file if there is none
    #[arg(long, value_name = "PASSWORD", env = "TRUSTSTORE_SECRET", hide_env_values = true)]
    truststore_secret: Option<Password>,

    /// File with it
    #[arg(long, value_name = "FILE", conflicts_with = "truststore_secret")]
    truststore_secret_file: Option<PathBuf>,
}

/// A name or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Name(String),
    Address(IpAddr),
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("make {}: it exists already; move it away, or give another --out", .0.display())]
    Exists(PathBuf),
    #[error("write {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("read the password in {}", path.display())]
    Password { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Runs a command.
pub fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Generate(args) => args.run(),
    }
}

impl Generate {
    fn run(&self) -> Result<(), Error> {
        let directory = Directory::make(&self.out)?;
        let passwords = &self.passwords;
        let key = password(&directory, "key", passwords.key_secret.as_ref(), passwords.key_secret_file.as_deref())?;
        let keystore = (passwords.keystore_secret.as_ref(), passwords.keystore_secret_file.as_deref());
        let keystore = password(&directory, "keystore", keystore.0, keystore.1)?;
        let truststore = (passwords.truststore_secret.as_ref(), passwords.truststore_secret_file.as_deref());
        let truststore = password(&directory, "truststore", truststore.0, truststore.1)?;

        let authority = Authority::new(&format!("{} authority", self.host.text()), self.days)?;
        directory.write("ca_cert.pem", authority.pem().as_bytes())?;
        directory.write("ca_key.pem", authority.encrypted_key(&key)?.as_bytes())?;
        let names = self.names();
        for leaf in [Leaf::server(self.host.text(), &names), Leaf::client("flinkctl")] {
            let name = leaf.file();
            let issued = authority.issue(&leaf)?;
            directory.write(&format!("{name}_key.pem"), issued.key_pem().as_bytes())?;
            directory.write(&format!("{name}_csr.pem"), issued.request_pem().as_bytes())?;
            directory.write(&format!("{name}_cert.pem"), issued.pem().as_bytes())?;
            directory.write(&format!("keystore-{name}.jks"), &authority.key_store(&issued, &keystore)?)?;
            directory.write(&format!("truststore-{name}.jks"), &authority.trust_store(&truststore)?)?;
        }
        directory.finish()?;
        self.tell();
        Ok(())
    }

    /// Everything by which the operator may be called.
    fn names(&self) -> Vec<Host> {
        let name = |text: &str| Host::Name(text.to_owned());
        let mut names = vec![
            name("localhost"),
            Host::Address([127, 0, 0, 1].into()),
            Host::Address([0, 0, 0, 0, 0, 0, 0, 1].into()),
            name("host.docker.internal"),
            name("minikube"),
        ];
        for host in std::iter::once(&self.host).chain(&self.also) {
            names.push(host.clone());
            if let Host::Name(host) = host
                && !host.contains('.')
            {
                let namespace = &self.namespace;
                names.extend(
                    ["", ".svc", ".svc.cluster.local"].map(|end| Host::Name(format!("{host}.{namespace}{end}"))),
                );
            }
        }
        let mut seen = Vec::new();
        names.retain(|name| {
            !seen.contains(name) && {
                seen.push(name.clone());
                true
            }
        });
        names
    }

    fn tell(&self) {
        let (directory, namespace) = (self.out.display(), &self.namespace);
        println!("{directory}");
        eprintln!(
            "{directory} has the files for the operator (operator-api) and its clients (operator-cli), valid for {} days:

  kubectl -n {namespace} create secret generic flink-operator-ssl \\
    --from-file=keystore.jks={directory}/keystore-operator-api.jks --from-file=truststore.jks={directory}/truststore-operator-api.jks \\
    --from-file=keystore-secret={directory}/keystore-secret --from-file=truststore-secret={directory}/truststore-secret

Keep {directory}/ca_key.pem away from the cluster: whoever has it makes certificates that the operator accepts.",
            self.days,
        );
    }
}

/// The password that was given, or a new one, which a file is made for.
fn password(
    directory: &Directory,
    what: &str,
    text: Option<&Password>,
    file: Option<&Path>,
) -> Result<Password, Error> {
    if let Some(path) = file {
        return Password::from_file(path).map_err(|source| Error::Password { path: path.to_owned(), source });
    }
    if let Some(text) = text {
        return Ok(text.clone());
    }
    let made = issue::random_password()?;
    directory.write(&format!("{what}-secret"), made.reveal().as_bytes())?;
    Ok(made)
}

impl Host {
    fn text(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

impl std::str::FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let valid = |part: &str| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !part.is_empty()
                && part.len() <= 63
                && part.bytes().all(inner)
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        if text.len() <= 253 && text.split('.').all(valid) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err("it is neither a name nor an address".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for text in ["flink-operator", "a.b.c", "localhost"] {
            assert_eq!(text.parse(), Ok(Host::Name(text.to_owned())));
        }
        for text in ["10.1.2.3", "::1"] {
            assert!(matches!(text.parse(), Ok(Host::Address(_))), "{text}");
        }
        for text in ["", "a_b", "a..b", "-a", "a,DNS:b", "a b"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}
