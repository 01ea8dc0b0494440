//! Kubeconfigs that stand by themselves: certificates and keys are inside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::certificates::Pair;

const CLUSTER: &str = "flinkctl-control-plane";

/// A kubeconfig for `user`. JSON is YAML, too.
pub(super) fn content(server: &str, authority: &str, user: &str, pair: &Pair) -> String {
    let base64 = |text: &str| STANDARD.encode(text);
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CLUSTER,
        "clusters": [{
            "name": CLUSTER,
            "cluster": { "server": server, "certificate-authority-data": base64(authority) },
        }],
        "contexts": [{ "name": CLUSTER, "context": { "cluster": CLUSTER, "user": user } }],
        "users": [{
            "name": user,
            "user": {
                "client-certificate-data": base64(&pair.certificate),
                "client-key-data": base64(&pair.key),
            },
        }],
    });
    format!("{config:#}\n")
}
