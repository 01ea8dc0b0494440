//! The namespace goes, with everything in it.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::json;

use crate::stage::{NAMESPACE, SUPERVISOR, Stage, deployment, is_updated, soon};

const OURS: [(&str, &str); 3] = [("fd", "demo"), ("fc", "demo"), ("fj", "demo-a")];

/// A deployment that a supervisor has taken up.
async fn supervised() -> Result<Stage> {
    let stage = Stage::new().await?;
    stage.create("fd", &deployment("demo", &[("a", "A")])).await?;
    stage.expect("fd", "demo", is_updated).await?;
    stage.expect("deployment", "supervisor-demo", |_| true).await?;
    for (kind, name) in &OURS[1..] {
        stage.supervise(kind, name).await?;
    }
    Ok(stage)
}

fn namespaces(stage: &Stage) -> Api<Namespace> {
    Api::all(stage.client.clone())
}

async fn is_gone(stage: &Stage) -> Result<()> {
    let namespaces = namespaces(stage);
    soon(async || Ok(namespaces.get_opt(NAMESPACE).await?.is_none().then_some(()))).await
}

#[tokio::test]
async fn an_operator_that_ends_with_its_namespace_releases_what_is_in_it_when_the_pods_are_gone() -> Result<()> {
    let mut stage = supervised().await?;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "jobmanager-demo", "finalizers": ["example.org/held"],
            "labels": {"owner": "flink-operator", "component": "flink", "clusterName": "demo", "role": "jobmanager"},
        },
        "spec": {"containers": [{"name": "jobmanager", "image": "flink"}]},
    });
    soon(async || Ok(stage.create("pod", &pod).await.ok())).await?;
    namespaces(&stage).delete(NAMESPACE, &DeleteParams::default()).await?;
    stage.expect("pod", "jobmanager-demo", |pod| pod["metadata"]["deletionTimestamp"].is_string()).await?;

    let mut operator = stage.end_operator();
    let early = tokio::time::timeout(Duration::from_secs(2), &mut operator).await;
    ensure!(early.is_err(), "the operator has ended while a pod of the cluster was there");
    for (kind, name) in OURS {
        let object = stage.expect(kind, name, |_| true).await?;
        ensure!(object["metadata"]["deletionTimestamp"].is_null(), "pods go before all else: {object}");
        ensure!(!object["metadata"]["finalizers"].is_null(), "nothing is released yet: {object}");
    }
    stage.patch("pod", "jobmanager-demo", &json!({ "metadata": { "finalizers": null } })).await?;
    operator.await??;
    is_gone(&stage).await?;
    stage.close().await
}

#[tokio::test]
async fn an_operator_that_ends_in_a_namespace_that_stays_releases_nothing() -> Result<()> {
    let mut stage = supervised().await?;
    stage.end_operator().await??;
    for (kind, name) in OURS {
        let object = stage.expect(kind, name, |_| true).await?;
        ensure!(!object["metadata"]["finalizers"].is_null(), "{object}");
    }
    stage.close().await
}

#[tokio::test]
async fn an_operator_elsewhere_lets_a_namespace_go() -> Result<()> {
    let stage = supervised().await?;
    // Roles in the namespace go with it, at any time; an operator elsewhere has its rights from elsewhere.
    let everything = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "operator-elsewhere"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "flink-operator", "namespace": NAMESPACE}],
    });
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"));
    let bindings: Api<DynamicObject> = Api::all_with(stage.client.clone(), &kind);
    bindings.create(&PostParams::default(), &serde_json::from_value(everything)?).await?;

    namespaces(&stage).delete(NAMESPACE, &DeleteParams::default()).await?;
    is_gone(&stage).await?;
    ensure!(stage.get("fc", "demo").await?.is_none(), "{SUPERVISOR} is off");
    stage.end().await
}
