//! On which control plane a suite runs, and how flinkctl gets onto one that is not its own.
//!
//! Installed is what a user installs, with kubectl and from manifests: definitions, service accounts with roles, the operator.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::Api;

use crate::control_plane::program;
use crate::local::Local;
use crate::wait::until;

/// Names the cluster: `local`, `real` or `kubeconfig`.
pub const CLUSTER: &str = "FLINKCTL_CLUSTER";
/// Names the kubeconfig of a cluster that runs already.
pub const KUBECONFIG: &str = "FLINKCTL_KUBECONFIG";
/// A command that brings an image to such a cluster; the image's name is added to it.
pub const LOAD_IMAGE: &str = "FLINKCTL_LOAD_IMAGE";
/// A directory that has the same path on this machine and on the nodes of such a cluster.
pub const STATE: &str = "FLINKCTL_STATE";

const ROLES: &str = include_str!("../manifests/roles.yaml");
const OPERATOR: &str = include_str!("../manifests/operator.yaml");
/// What the manifests say for the namespace.
const NAMESPACE: &str = "NAMESPACE";
const IMAGES: [&str; 3] = ["flinkctl:local", "flink:local", crate::objects::EXAMPLES_IMAGE];
const NODE_READY: Duration = Duration::from_mins(1);

/// A control plane to run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// `flinkctl local up`: everything is ours.
    Local,
    /// A genuine control plane made of this program, with the node of `flinkctl local`.
    Real { program: PathBuf },
    /// A cluster that a person has, with its own nodes.
    Kubeconfig { file: PathBuf, load_image: Option<String>, state: PathBuf },
}

impl Cluster {
    /// What the environment asks for; `flinkctl local` if it asks for nothing.
    pub fn from_environment() -> Result<Self> {
        let text = |name: &str| env::var(name).ok().filter(|text| !text.is_empty());
        match text(CLUSTER).as_deref().unwrap_or("local") {
            "local" => Ok(Self::Local),
            "real" => {
                let program =
                    program::built()?.context("the control plane is not built; run `cargo xtask kube --build-only`")?;
                Ok(Self::Real { program })
            }
            "kubeconfig" => Ok(Self::Kubeconfig {
                file: text(KUBECONFIG).with_context(|| format!("{KUBECONFIG} names no kubeconfig"))?.into(),
                load_image: text(LOAD_IMAGE),
                state: text(STATE)
                    .with_context(|| format!("{STATE} names no directory that is the same on the nodes"))?
                    .into(),
            }),
            other => bail!("{CLUSTER} is `{other}`; it may be local, real or kubeconfig"),
        }
    }
}

/// The manifest of service accounts and roles in a namespace.
pub fn roles(namespace: &str) -> String {
    ROLES.replace(NAMESPACE, namespace)
}

/// Puts everything but the operator onto a cluster.
pub async fn install_basics(local: &Local) -> Result<()> {
    let definitions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/api/crds");
    local.kubectl(&["apply", "--server-side", "-f", &definitions.to_string_lossy()]).await?;
    local
        .kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "-f", &definitions.to_string_lossy()])
        .await?;
    let name = local.namespace();
    local
        .apply(&[serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })])
        .await?;
    // Pods are refused until their account is there, which a controller makes.
    local.kubectl(&["wait", "--for=create", "--timeout=60s", "serviceaccount/default"]).await?;
    local.apply_text(roles(name)).await.map(drop)
}

/// Puts the operator onto a cluster and waits until it runs.
pub async fn install_operator(local: &Local) -> Result<()> {
    local.apply_text(OPERATOR.replace(NAMESPACE, local.namespace())).await?;
    local.kubectl(&["rollout", "status", "deployment/flink-operator", "--timeout=90s"]).await.map(drop)
}

/// Takes everything off a cluster but the definitions, which others may use: while the operator still runs, what it has to clean up.
pub async fn uninstall(local: &Local) -> Result<()> {
    local.kubectl(&["delete", "fd,fc,fj", "--all", "--wait=true", "--timeout=90s"]).await?;
    local.kubectl(&["delete", "namespace", local.namespace(), "--wait=true", "--timeout=90s"]).await.map(drop)
}

/// Waits until a node takes pods.
pub async fn node_ready(client: &kube::Client, name: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    until(&format!("node {name} is ready"), NODE_READY, async || {
        let node = nodes.get(name).await?;
        let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
        let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
        let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
        Ok((ready && taints.is_empty()).then_some(()))
    })
    .await
}

/// Brings the images to a cluster with a person's own command.
pub fn load_images(command: &str) -> Result<()> {
    for image in IMAGES {
        let line = format!("{command} {image}");
        let status =
            Command::new("sh").args(["-c", &line]).status().with_context(|| format!("cannot start `{line}`"))?;
        ensure!(status.success(), "`{line}` ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_are_whole_objects_with_a_place_for_the_namespace() {
        for (text, count) in [(ROLES, 9), (OPERATOR, 1)] {
            let text = text.replace(NAMESPACE, "ns");
            let documents: Vec<serde_yaml::Value> =
                text.split("\n---\n").map(|document| serde_yaml::from_str(document).expect("it is YAML")).collect();
            assert_eq!(documents.len(), count);
            assert!(documents.iter().all(|document| document["kind"].is_string()));
            assert!(text.contains("ns"));
        }
    }
}
