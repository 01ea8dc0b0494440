//! What `up` puts into the API server: namespaces, custom resource definitions, service accounts, the operator.
//!
//! Everything is applied, so that a later `up` brings an older state up to date, and writes nothing if there is nothing new.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node, Secret, Service, ServiceAccount};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};

use super::{Error, request};
use crate::instance::Instance;

const MANAGER: &str = "flinkctl-local";
pub const OPERATOR: &str = "flink-operator";
/// The image that the node takes for the running executable.
const IMAGE: &str = "flinkctl:local";
const ACCOUNTS: [&str; 3] = [OPERATOR, "flink-supervisor", "flink-bootstrap"];
/// Namespaces that are there on every cluster, and that tools look for.
const NAMESPACES: [&str; 2] = ["default", "kube-system"];
/// The Secret with the certificate of the control API, and where the operator has it.
const TLS: &str = "flink-operator-tls";
const TLS_DIRECTORY: &str = "/etc/flinkctl/tls";
/// The port of the control API.
const CONTROL: u16 = 4444;
const NODE_DEADLINE: Duration = Duration::from_secs(30);

/// Applies all but the operator.
pub async fn basics(client: &Client, namespace: &str) -> Result<usize, Error> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let mut wanted = NAMESPACES.to_vec();
    if !wanted.contains(&namespace) {
        wanted.push(namespace);
    }
    for name in wanted {
        let object: Namespace = typed(json!({"metadata": {"name": name}}));
        match namespaces.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => return Err(request(format!("create namespace {name}"))(error)),
        }
    }
    let definitions = api::crds();
    for definition in &definitions {
        let name = definition.name_any();
        let what = format!("apply custom resource definition {name}");
        let mut object = serde_json::to_value(definition).expect("a definition is plain data");
        object["apiVersion"] = "apiextensions.k8s.io/v1".into();
        object["kind"] = "CustomResourceDefinition".into();
        let api: Api<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition> =
            Api::all(client.clone());
        api.patch(&name, &params(), &Patch::Apply(object)).await.map_err(request(what))?;
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    for name in ACCOUNTS {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
        let applied = accounts.patch(name, &params(), &Patch::Apply(object)).await;
        applied.map_err(request(format!("apply service account {namespace}/{name}")))?;
    }
    Ok(definitions.len())
}

/// Waits until the node takes pods.
pub async fn node_ready(client: &Client, name: &str) -> Result<(), Error> {
    let nodes: Api<Node> = Api::all(client.clone());
    let ready = await_condition(nodes, name, |node: Option<&Node>| {
        let conditions = node.and_then(|node| node.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    match tokio::time::timeout(NODE_DEADLINE, ready).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Error::Timeout(format!("node {name} to become ready"))),
    }
}

/// Applies the operator, as an ordinary Deployment, with a Service and the certificate of its control API. Whoever has a client
/// certificate of this control plane, as the kubeconfig has, may use it.
pub async fn operator(client: &Client, instance: &Instance, namespace: &str) -> Result<(), Error> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let service = services.patch(OPERATOR, &params(), &Patch::Apply(operator_service(namespace))).await;
    let service = service.map_err(request(format!("apply service {namespace}/{OPERATOR}")))?;
    let address = service.spec.and_then(|spec| spec.cluster_ip?.parse().ok()).unwrap_or(Ipv4Addr::LOCALHOST.into());
    certificate(client, instance, namespace, address).await?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let applied = deployments.patch(OPERATOR, &params(), &Patch::Apply(operator_deployment(namespace))).await;
    applied.map(|_| ()).map_err(request(format!("apply deployment {namespace}/{OPERATOR}")))
}

/// Applies the certificate of the control API, unless there is one that will do.
async fn certificate(client: &Client, instance: &Instance, namespace: &str, address: IpAddr) -> Result<(), Error> {
    let what = || format!("apply secret {namespace}/{TLS}");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let present = secrets.get_opt(TLS).await.map_err(request(what()))?;
    let present = present.as_ref().and_then(|secret| secret.data.as_ref()?.get("tls.crt"));
    let names = ["", ".NAMESPACE", ".NAMESPACE.svc", ".NAMESPACE.svc.cluster.local"];
    let mut names: Vec<String> =
        names.iter().map(|end| format!("{OPERATOR}{}", end.replace("NAMESPACE", namespace))).collect();
    names.push("localhost".to_owned());
    let present = present.map(|bytes| bytes.0.as_slice());
    let Some(pair) = instance.service_certificate(&names, address, present)? else { return Ok(()) };
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TLS, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": instance.authority_pem()},
    });
    secrets.patch(TLS, &params(), &Patch::Apply(secret)).await.map_err(request(what())).map(|_| ())
}

/// Waits until the operator runs; whether it does so in time is the answer.
pub async fn operator_ready(client: &Client, namespace: &str, deadline: Duration) -> bool {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let ready = await_condition(deployments, OPERATOR, |deployment: Option<&Deployment>| {
        deployment.is_some_and(|deployment| {
            let status = deployment.status.as_ref();
            let observed = status.and_then(|status| status.observed_generation);
            let counts = status.map(|status| (status.updated_replicas, status.available_replicas));
            observed == deployment.metadata.generation && counts == Some((Some(1), Some(1)))
        })
    });
    matches!(tokio::time::timeout(deadline, ready).await, Ok(Ok(_)))
}

fn operator_labels() -> Value {
    json!({"app.kubernetes.io/name": OPERATOR, "component": OPERATOR})
}

fn operator_service(namespace: &str) -> Value {
    let port = |name: &str, port: u16| json!({"name": name, "port": port, "targetPort": port});
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": OPERATOR, "namespace": namespace, "labels": operator_labels()},
        "spec": {"selector": operator_labels(), "ports": [port("control", CONTROL), port("monitor", kit::monitoring::PORT)]},
    })
}

fn operator_deployment(namespace: &str) -> Value {
    let labels = operator_labels();
    let port = |name: &str, port: u16| json!({"name": name, "containerPort": port});
    let file = |flag: &str, name: &str| format!("--{flag}={TLS_DIRECTORY}/{name}");
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": OPERATOR, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": OPERATOR,
                    "containers": [{
                        "name": "operator",
                        "image": IMAGE,
                        "args": [
                            "operator",
                            "run",
                            format!("--namespace={namespace}"),
                            file("tls-cert", "tls.crt"),
                            file("tls-key", "tls.key"),
                            file("tls-client-ca", "ca.crt"),
                        ],
                        "ports": [port("control", CONTROL), port("monitor", kit::monitoring::PORT)],
                        "volumeMounts": [{"name": "tls", "mountPath": TLS_DIRECTORY, "readOnly": true}],
                        "env": [
                            {"name": "FLINKCTL_IMAGE", "value": IMAGE},
                            field("POD_NAME", "metadata.name"),
                            field("POD_NAMESPACE", "metadata.namespace"),
                            field("POD_IP", "status.podIP"),
                        ],
                        // Only until it is up: a probe that goes on would keep an idle machine busy.
                        "startupProbe": {
                            "httpGet": {"path": "/readyz", "port": 8080},
                            "periodSeconds": 1,
                            "failureThreshold": 300,
                        },
                    }],
                    "volumes": [{"name": "tls", "secret": {"secretName": TLS}}],
                },
            },
        },
    })
}

fn params() -> PatchParams {
    PatchParams::apply(MANAGER).force()
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("written above as the type wants it")
}
