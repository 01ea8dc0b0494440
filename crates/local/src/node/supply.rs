//! Reads from the control plane what a pod refers to: config maps, secrets, the token of its service account.

use super::environment::Sources;
use super::sandbox::{self, Sandbox, Supplies};
use super::volume::Account;
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, PodSpec, Secret, ServiceAccount};
use kube::api::PostParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Long enough for any development session: tokens are not renewed.
const LIFETIME: i64 = 365 * 24 * 3600;

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("MountVolume.SetUp failed: {0}")]
    Sandbox(#[from] sandbox::Error),
    #[error("MountVolume.SetUp failed: read {kind} {name:?}: {source}")]
    Read { kind: &'static str, name: String, source: Box<kube::Error> },
    #[error("MountVolume.SetUp failed: get a token of service account {name:?}: {source}")]
    Token { name: String, source: Box<kube::Error> },
}

/// Makes the pod's place and its volumes.
pub(super) async fn fetch(sandbox: &Sandbox) -> Result<Supplies, Error> {
    sandbox.make()?;
    let spec = sandbox.pod.spec.clone().unwrap_or_default();
    let references = references(&spec);
    let (client, namespace) = (&sandbox.machine.client, sandbox.namespace());
    let (config_maps, secrets, account) = tokio::try_join!(
        read::<ConfigMap>(client, &namespace, "configmap", references.config_maps),
        read::<Secret>(client, &namespace, "secret", references.secrets),
        account(sandbox, &spec),
    )?;
    let sources = Sources { config_maps, secrets };
    let volumes = sandbox.volumes(&sources, account.as_ref())?;
    Ok(Supplies { sources, account, volumes })
}

async fn read<K>(
    client: &Client,
    namespace: &str,
    kind: &'static str,
    names: BTreeSet<String>,
) -> Result<BTreeMap<String, K>, Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned + Clone + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut found = BTreeMap::new();
    for name in names {
        match api.get_opt(&name).await {
            Ok(Some(object)) => {
                found.insert(name, object);
            }
            Ok(None) => {}
            Err(source) => return Err(Error::Read { kind, name, source: Box::new(source) }),
        }
    }
    Ok(found)
}

async fn account(sandbox: &Sandbox, spec: &PodSpec) -> Result<Option<Account>, Error> {
    let name =
        spec.service_account_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "default".to_owned());
    let namespace = sandbox.namespace();
    let api: Api<ServiceAccount> = Api::namespaced(sandbox.machine.client.clone(), &namespace);
    let failed = |source| Error::Token { name: name.clone(), source: Box::new(source) };
    if !has_token_volume(spec) && !mounts_by_default(spec, &api, &name).await.map_err(failed)? {
        return Ok(None);
    }
    let pod = &sandbox.pod;
    let bound = BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(pod.name_any()),
        uid: pod.uid(),
    };
    let spec =
        TokenRequestSpec { audiences: Vec::new(), bound_object_ref: Some(bound), expiration_seconds: Some(LIFETIME) };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let answer: TokenRequest =
        api.create_token_request(&name, &PostParams::default(), &request).await.map_err(failed)?;
    let token = answer.status.map(|status| status.token).unwrap_or_default();
    Ok(Some(Account { token, certificate: sandbox.machine.certificate.clone(), namespace }))
}

/// Whether a pod without a word of its own gets a token all the same.
async fn mounts_by_default(spec: &PodSpec, api: &Api<ServiceAccount>, name: &str) -> kube::Result<bool> {
    if let Some(wanted) = spec.automount_service_account_token {
        return Ok(wanted);
    }
    match api.get_opt(name).await {
        Ok(account) => Ok(account.and_then(|account| account.automount_service_account_token).unwrap_or(true)),
        // A control plane that lets no node read accounts has put a volume into each pod that shall have a token.
        Err(kube::Error::Api(error)) if error.is_forbidden() => Ok(false),
        Err(error) => Err(error),
    }
}

fn has_token_volume(spec: &PodSpec) -> bool {
    let projected = spec.volumes.iter().flatten().filter_map(|volume| volume.projected.as_ref());
    projected
        .flat_map(|projected| projected.sources.iter().flatten())
        .any(|source| source.service_account_token.is_some())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct References {
    config_maps: BTreeSet<String>,
    secrets: BTreeSet<String>,
}

/// All config maps and secrets that a pod names.
fn references(spec: &PodSpec) -> References {
    let mut references = References::default();
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    containers.for_each(|container| of_container(container, &mut references));
    for volume in spec.volumes.iter().flatten() {
        references.config_maps.extend(volume.config_map.as_ref().map(|source| source.name.clone()));
        references.secrets.extend(volume.secret.as_ref().and_then(|source| source.secret_name.clone()));
        for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
            references.config_maps.extend(source.config_map.as_ref().map(|source| source.name.clone()));
            references.secrets.extend(source.secret.as_ref().map(|source| source.name.clone()));
        }
    }
    references
}

fn of_container(container: &Container, references: &mut References) {
    for from in container.env_from.iter().flatten() {
        references.config_maps.extend(from.config_map_ref.as_ref().map(|source| source.name.clone()));
        references.secrets.extend(from.secret_ref.as_ref().map(|source| source.name.clone()));
    }
    for source in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
        references.config_maps.extend(source.config_map_key_ref.as_ref().map(|source| source.name.clone()));
        references.secrets.extend(source.secret_key_ref.as_ref().map(|source| source.name.clone()));
    }
}

/// Whether the pod was given to a node that is not this one any more.
pub(super) fn belongs(pod: &Pod, node: &str) -> bool {
    pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_place_that_names_an_object_is_looked_at() {
        let spec: PodSpec = serde_json::from_value(json!({
            "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "x"}}]}],
            "initContainers": [{"name": "i", "env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "b", "key": "k"}}}]}],
            "volumes": [
                {"name": "v", "secret": {"secretName": "y"}},
                {"name": "w", "projected": {"sources": [{"configMap": {"name": "d"}}, {"serviceAccountToken": {"path": "token"}}]}},
            ],
        }))
        .unwrap();
        let found = references(&spec);
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!((names(&found.config_maps).as_str(), names(&found.secrets).as_str()), ("a b d", "x y"));
        assert!(has_token_volume(&spec));
    }
}
