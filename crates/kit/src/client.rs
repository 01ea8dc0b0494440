//! The Kubernetes client: no retries of its own, and a deadline for every call.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{InferConfigError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// How long one call to the API server may take.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("read the kubeconfig {path}")]
    Kubeconfig { path: PathBuf, source: Box<KubeconfigError> },
    #[error("find a cluster to talk to (give --kube-config, set KUBECONFIG, or run in a pod)")]
    Infer(#[source] Box<InferConfigError>),
    #[error("make a Kubernetes client")]
    Client(#[source] kube::Error),
}

/// Why a call has no answer that can be used. After a write, `Timeout` means that nothing is known of its effect.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("no answer from the Kubernetes API within {0:?}")]
    Timeout(Duration),
    #[error(transparent)]
    Kube(#[from] kube::Error),
}

impl CallError {
    /// The answer was that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_not_found)
    }

    /// The answer was that an object of that name exists.
    pub fn is_already_exists(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_already_exists)
    }

    /// The object has changed since it was read, or a precondition did not hold.
    pub fn is_conflict(&self) -> bool {
        self.status().is_some_and(kube::core::Status::is_conflict)
    }

    /// The API server refuses the content; the same request will fail again.
    pub fn is_invalid(&self) -> bool {
        self.status().is_some_and(|status| status.is_invalid() || status.code == 400)
    }

    /// The namespace is being terminated, and takes no new objects.
    pub fn is_terminating(&self) -> bool {
        let causes = self.status().and_then(|status| status.details.as_ref()).map(|details| details.causes.as_slice());
        causes.unwrap_or_default().iter().any(|cause| cause.reason == "NamespaceTerminating")
    }

    /// The API server's own answer, when there is one.
    pub fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Kube(kube::Error::Api(status)) => Some(status),
            Self::Kube(_) | Self::Timeout(_) => None,
        }
    }
}

/// A client from the given kubeconfig, else from the environment (KUBECONFIG, ~/.kube/config, the pod's service account).
///
/// The client does not retry: who calls knows whether a second try is safe, and a work queue with back-off does it better.
pub async fn connect(kube_config: Option<&Path>) -> Result<Client, ConnectError> {
    let mut config = match kube_config {
        Some(path) => from_file(path).await?,
        None => Config::infer().await.map_err(|why| ConnectError::Infer(Box::new(why)))?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(Duration::from_secs(5));
    Client::try_from(config).map_err(ConnectError::Client)
}

async fn from_file(path: &Path) -> Result<Config, ConnectError> {
    let path = &at_home(path);
    let failed = |why| ConnectError::Kubeconfig { path: path.clone(), source: Box::new(why) };
    let kubeconfig = Kubeconfig::read_from(path).map_err(failed)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(failed)
}

/// The path with `~` replaced by the home directory: shells do not do that within `--kube-config=~/.kube/config`.
fn at_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(below), Some(home)) => home.join(below),
        _ => path.to_owned(),
    }
}

/// Waits for a call at most `deadline`.
pub async fn call<T, F>(deadline: Duration, future: F) -> Result<T, CallError>
where
    F: Future<Output = kube::Result<T>>,
{
    match tokio::time::timeout(deadline, future).await {
        Ok(answer) => answer.map_err(CallError::Kube),
        Err(_) => Err(CallError::Timeout(deadline)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CallError, at_home, call};

    #[test]
    fn a_tilde_is_the_home_directory() {
        let home = std::env::home_dir().expect("tests run as somebody");
        assert_eq!(at_home("~/.kube/config".as_ref()), home.join(".kube/config"));
        assert_eq!(at_home("/etc/~/a".as_ref()), std::path::Path::new("/etc/~/a"));
        assert_eq!(at_home("~other/a".as_ref()), std::path::Path::new("~other/a"));
    }

    /// SC-575, D-12
    #[tokio::test(start_paused = true)]
    async fn a_call_without_answer_ends_at_its_deadline() {
        let answer = call(Duration::from_secs(3), std::future::pending::<kube::Result<()>>()).await;
        assert!(matches!(answer, Err(CallError::Timeout(after)) if after == Duration::from_secs(3)));
    }

    #[test]
    fn answers_are_told_apart() {
        let status = kube::core::Status::failure("exists", "AlreadyExists").with_code(409);
        let error = CallError::from(kube::Error::Api(status.boxed()));
        assert!(error.is_already_exists());
        assert!(!error.is_conflict());
    }
}
