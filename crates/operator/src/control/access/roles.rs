//! The file with the grants, and its changes. A file that cannot be used any more changes nothing: the grants of before stay.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use control_api::authorization::Policy;
use tokio_util::sync::CancellationToken;

use super::Error;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(10);

pub struct Roles {
    path: PathBuf,
    current: RwLock<Arc<Policy>>,
}

impl Roles {
    pub fn load(path: PathBuf) -> Result<Self, Error> {
        let policy = parse(&path, &read(&path)?)?;
        Ok(Self { path, current: RwLock::new(Arc::new(policy)) })
    }

    pub fn current(&self) -> Arc<Policy> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes up changes until the token is cancelled.
    pub async fn follow(&self, token: CancellationToken) {
        let mut seen = read(&self.path).ok();
        loop {
            tokio::select! {
                () = token.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            // It is small: reading it is the surest way to see whether it is another one.
            let text = read(&self.path);
            if text.as_ref().ok() == seen.as_ref() {
                continue;
            }
            match text
                .as_ref()
                .map_err(|error| kit::chain(error))
                .and_then(|text| parse(&self.path, text).map_err(|error| kit::chain(&error)))
            {
                Ok(policy) => {
                    tracing::info!(path = %self.path.display(), grants = policy.grants.len(), "new grants are in use");
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
                }
                Err(error) => tracing::warn!(error, "failed to take up new grants; the old ones stay in use"),
            }
            seen = text.ok();
        }
    }
}

fn read(path: &std::path::Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::ReadGrants { path: path.to_owned(), source })
}

fn parse(path: &std::path::Path, text: &str) -> Result<Policy, Error> {
    let wrong = |why: String| Error::Grants { path: path.to_owned(), why };
    let policy: Policy = serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    policy.validate().map_err(|error| wrong(error.to_string()))?;
    Ok(policy)
}
