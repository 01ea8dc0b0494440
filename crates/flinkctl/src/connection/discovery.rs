//! The operator by way of the kubeconfig: its Service is found, a port of its pod is forwarded, and the kubeconfig's own identity is shown.

use std::path::PathBuf;

use base64::Engine as _;
use control_client::{Client, Endpoint};
use k8s_openapi::api::core::v1::Service;
use kit::client::call;
use kit::forward::{Forward, Target};
use kit::tls::Password;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Config, ResourceExt};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};

use super::args::{KubeArgs, Place};
use super::identity::{self, Own};
use super::{Connection, Peer};
use crate::failure::Failure;
use crate::{ExitStatus, Result};

/// Name of the operator's Service, and its label in charts.
pub const OPERATOR: &str = "flink-operator";
const LABEL: &str = "app.kubernetes.io/name";

/// A Kubernetes to talk to.
pub struct Kubernetes {
    pub client: kube::Client,
    pub config: Config,
    /// The namespace that was said; the kubeconfig's own is in the configuration.
    pub said: Option<String>,
}

impl Kubernetes {
    /// Reads the kubeconfig.
    pub async fn open(args: &KubeArgs) -> Result<Self> {
        let options = KubeConfigOptions { context: args.kube_context.clone(), ..KubeConfigOptions::default() };
        let mut config = read(args, options).await?;
        config.default_retry = false;
        config.connect_timeout = Some(std::time::Duration::from_secs(5));
        let client = kube::Client::try_from(config.clone())
            .map_err(|error| Failure::new(format!("failed to use the kubeconfig: {}", kit::chain(&error))))?;
        Ok(Self { client, config, said: args.namespace.clone() })
    }

    /// The namespace to look in.
    pub fn namespace(&self) -> &str {
        self.said.as_deref().unwrap_or(&self.config.default_namespace)
    }

    /// Namespace of the clusters: the one that was said, else that of the operator, else the kubeconfig's.
    pub async fn clusters(&self) -> Result<String> {
        match &self.said {
            Some(namespace) => Ok(namespace.clone()),
            None => Ok(self.operator().await.unwrap_or_else(|_| self.namespace().to_owned())),
        }
    }

    /// Namespace of the operator's Service: the one that was said; else the kubeconfig's, and then any.
    pub async fn operator(&self) -> Result<String> {
        let inside: Api<Service> = Api::namespaced(self.client.clone(), self.namespace());
        if let Some(service) = call(kit::client::DEADLINE, inside.get_opt(OPERATOR)).await? {
            return Ok(service.namespace().unwrap_or_else(|| self.namespace().to_owned()));
        }
        let hint = "is the operator installed? Give --namespace, or --host and --port; `flinkctl local up` brings one to this machine";
        if self.said.is_some() {
            let message = format!("there is no service {OPERATOR} in namespace {}", self.namespace());
            return Err(Failure::new(message).with(ExitStatus::Unreachable).hint(hint));
        }
        let everywhere: Api<Service> = Api::all(self.client.clone());
        let named = ListParams::default().fields(&format!("metadata.name={OPERATOR}"));
        let found = match call(kit::client::DEADLINE, everywhere.list(&named)).await {
            Ok(list) => list.items,
            // Who may not look everywhere is told of the own namespace.
            Err(error) if error.status().is_some_and(kube::core::Status::is_forbidden) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let namespaces: Vec<String> = found.iter().filter_map(ResourceExt::namespace).collect();
        match namespaces.as_slice() {
            [one] => Ok(one.clone()),
            [] => {
                let message =
                    format!("there is no service {OPERATOR} in namespace {}, nor elsewhere", self.namespace());
                Err(Failure::new(message).with(ExitStatus::Unreachable).hint(hint))
            }
            many => Err(Failure::usage(format!("there are operators in namespaces {}", many.join(", ")))
                .hint("give --namespace")),
        }
    }
}

/// Whether anything says where Kubernetes is: a flag, a kubeconfig, or a pod's service account.
pub fn is_configured(args: &KubeArgs) -> bool {
    let named = args.kube_config.is_some() || args.kube_context.is_some() || std::env::var_os("KUBECONFIG").is_some();
    let usual = || std::env::home_dir().is_some_and(|home| home.join(".kube/config").exists());
    named || usual() || Config::incluster().is_ok()
}

async fn read(args: &KubeArgs, options: KubeConfigOptions) -> Result<Config> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        Failure::new(format!("found no way to the operator: failed to use the kubeconfig: {}", kit::chain(error)))
            .with(ExitStatus::Unreachable)
    };
    if let Some(path) = &args.kube_config {
        let kubeconfig = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
        return Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error));
    }
    let found = match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok(config),
        Err(error) => Config::incluster().map_err(|_| failed(&error)),
    };
    found.map_err(|failure| {
        failure.hint("give --host and --port of the operator, or --kube-config; `flinkctl local up` brings an operator to this machine")
    })
}

/// Forwards a port and says who asks.
pub async fn open(place: &Place, kube: &KubeArgs) -> Result<Connection> {
    let kubernetes = Kubernetes::open(kube).await?;
    let namespace = kubernetes.operator().await?;
    let target = Target::Service { name: OPERATOR.to_owned(), port: control_api::PORT };
    let forward = Forward::start(kubernetes.client.clone(), &namespace, target, 0).await.map_err(|error| {
        Failure::from(error).hint(format!("look at it: kubectl get pods --namespace {namespace} -l {LABEL}={OPERATOR}"))
    })?;
    let mut endpoint = Endpoint {
        host: forward.address().ip().to_string(),
        port: forward.address().port(),
        tls: identity::tls(&place.certificates)?,
        server_name: Some(place.server_name.clone().unwrap_or_else(|| format!("{OPERATOR}.{namespace}.svc"))),
        token: place.token.clone(),
    };
    if endpoint.tls.is_none() {
        let own = own(&kubernetes.config)?;
        if own.is_none() && endpoint.token.is_none() {
            endpoint.token = token(&kubernetes.config)?;
        }
        let authorities = kubernetes.config.root_cert.clone().unwrap_or_default();
        endpoint.tls = Some(identity::build(authorities.into_iter().map(CertificateDer::from).collect(), own)?);
        if !endpoint.speaks_tls().await {
            // An operator that was told to speak plain HTTP asks nobody who he is: no secret goes there.
            (endpoint.tls, endpoint.token, endpoint.server_name) = (None, None, None);
        }
    }
    let by = format!("service {namespace}/{OPERATOR}");
    let peer = Peer::of(&endpoint);
    Ok(Connection { client: Client::new(&endpoint).await?, forward: Some(forward), by, peer })
}

/// The client certificate of a kubeconfig.
fn own(config: &Config) -> Result<Option<Own>> {
    let auth = &config.auth_info;
    let certificate = data(auth.client_certificate_data.as_deref(), auth.client_certificate.as_deref())?;
    let key = data(auth.client_key_data.as_ref().map(reveal), auth.client_key.as_deref())?;
    let (Some(certificate), Some(key)) = (certificate, key) else {
        return Ok(None);
    };
    let damaged = || Failure::new("failed to use the client certificate of the kubeconfig: it is not in PEM format");
    let chain = identity::certificates_of(&certificate).filter(|chain| !chain.is_empty()).ok_or_else(damaged)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| damaged())?;
    Ok(Some((chain, key)))
}

/// The bearer token of a kubeconfig, or of a pod.
fn token(config: &Config) -> Result<Option<Password>> {
    let auth = &config.auth_info;
    match (&auth.token, &auth.token_file) {
        (Some(token), _) => Ok(Some(Password::from(reveal(token).to_owned()))),
        (None, Some(file)) => super::args::secret(&PathBuf::from(file)).map(Some),
        (None, None) => Ok(None),
    }
}

fn reveal(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// What a kubeconfig has in itself, or in a file.
fn data(within: Option<&str>, file: Option<&str>) -> Result<Option<Vec<u8>>> {
    match (within, file) {
        (Some(text), _) => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim());
            decoded.map(Some).map_err(|error| Failure::new(format!("failed to read the kubeconfig: {error}")))
        }
        (None, Some(file)) => {
            std::fs::read(file).map(Some).map_err(|error| Failure::new(format!("failed to read {file}: {error}")))
        }
        (None, None) => Ok(None),
    }
}
