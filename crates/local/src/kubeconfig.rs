//! The kubeconfig of one instance, for `kubectl`, `helm` and every Kubernetes library.
//!
//! Invariant: it stands by itself (certificates inline) and only its owner may read it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::files;
use crate::pki::Pki;

/// The name of the context, the cluster and the user.
pub const CONTEXT: &str = "flinkctl-local";

/// Where the kubeconfig of a data directory is.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("kubeconfig")
}

/// The content of a kubeconfig for the API server at `server`.
pub fn content(server: &str, namespace: &str, pki: &Pki) -> Value {
    let base64 = |text: &str| STANDARD.encode(text);
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "preferences": {},
        "clusters": [{
            "name": CONTEXT,
            "cluster": {"server": server, "certificate-authority-data": base64(pki.authority_pem())},
        }],
        "contexts": [{
            "name": CONTEXT,
            "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace},
        }],
        "users": [{
            "name": CONTEXT,
            "user": {
                "client-certificate-data": base64(&pki.admin().certificate),
                "client-key-data": base64(&pki.admin().key),
            },
        }],
    })
}

/// Writes the kubeconfig of a data directory.
pub fn write(data_dir: &Path, server: &str, namespace: &str, pki: &Pki) -> std::io::Result<()> {
    let text = serde_yaml::to_string(&content(server, namespace, pki)).map_err(std::io::Error::other)?;
    files::write_private(&path(data_dir), text.as_bytes())
}
