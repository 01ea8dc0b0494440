//! The controllers on the API server, with a node that only says what a node says.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, ServiceAccount};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use local::instance::{Instance, Options};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(20);

struct Cluster {
    _directory: tempfile::TempDir,
    instance: Instance,
    client: Client,
    stop: CancellationToken,
}

impl Cluster {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let options = Options { data_dir: directory.path().to_owned(), namespace: "default".to_owned(), port: 6443 };
        let instance = Instance::start(&options, stop.clone()).unwrap();
        let client = instance.client("test", "default");
        let controllers = instance.client("controllers", "default");
        let authority = instance.authority_pem().to_owned();
        let token = stop.clone();
        tokio::spawn(async move { local::controllers::run(controllers, authority, token).await.unwrap() });
        let cluster = Self { _directory: directory, instance, client, stop };
        Api::<Namespace>::all(cluster.client.clone())
            .create(&PostParams::default(), &from(json!({"metadata": {"name": "default"}})))
            .await
            .unwrap();
        cluster
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::default_namespaced(self.client.clone())
    }

    /// A node that starts what is bound to it, and ends what is deleted. Jobs' pods it leaves alone.
    async fn start_node(&self) {
        let nodes: Api<Node> = Api::all(self.client.clone());
        nodes.create(&PostParams::default(), &from(json!({"metadata": {"name": "node"}}))).await.unwrap();
        let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        nodes.patch_status("node", &PatchParams::default(), &Patch::Merge(ready)).await.unwrap();
        let pods: Api<Pod> = Api::all(self.client.clone());
        let client = self.client.clone();
        tokio::spawn(async move {
            let mut changes = watcher(pods, watcher::Config::default()).touched_objects().boxed();
            while let Some(pod) = changes.try_next().await.unwrap() {
                serve(&client, &pod).await;
            }
        });
    }

    async fn stop(self) {
        self.stop.cancel();
        self.instance.shutdown().await;
    }
}

async fn serve(client: &Client, pod: &Pod) {
    let name = pod.metadata.name.as_deref().unwrap();
    let pods: Api<Pod> = Api::namespaced(client.clone(), pod.metadata.namespace.as_deref().unwrap());
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default();
    if pod.metadata.deletion_timestamp.is_some() {
        let _ = pods.delete(name, &DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() }).await;
    } else if phase == "Pending" && pod.spec.as_ref().unwrap().node_name.is_some() {
        let _ = set_phase(&pods, name, "Running").await;
    }
}

async fn set_phase(pods: &Api<Pod>, name: &str, phase: &str) -> Result<Pod, kube::Error> {
    let ready = if phase == "Running" { "True" } else { "False" };
    let conditions = json!([{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let patch = json!({"status": {"phase": phase, "conditions": conditions}});
    pods.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await
}

fn from<K: serde::de::DeserializeOwned>(value: Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn value<K: serde::Serialize>(object: &K) -> Value {
    serde_json::to_value(object).unwrap()
}

/// Looks until something is there, or fails with what it waited for.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "still waiting: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn names<K>(api: &Api<K>) -> Vec<String>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let list = api.list(&ListParams::default()).await.unwrap();
    list.items.into_iter().filter_map(|item| item.meta().name.clone()).collect()
}

fn deployment(name: &str, replicas: u32, strategy: &str, image: &str) -> Deployment {
    from(json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "strategy": {"type": strategy},
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }))
}

fn job(name: &str, spec: &Value) -> Job {
    let mut spec = spec.clone();
    spec["template"] = json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "i"}]}});
    from(json!({"metadata": {"name": name}, "spec": spec}))
}

async fn settled(deployments: &Api<Deployment>, name: &str, replicas: i64) -> Value {
    until("the deployment is settled", || async {
        let found = value(&deployments.get(name).await.unwrap());
        let status = &found["status"];
        let done = status["observedGeneration"] == found["metadata"]["generation"]
            && status["availableReplicas"] == replicas
            && status["updatedReplicas"] == replicas
            && status["replicas"] == replicas;
        done.then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_starts_rolls_scales_and_goes_without_a_trace() {
    let cluster = Cluster::start().await;
    cluster.start_node().await;
    let deployments: Api<Deployment> = cluster.api();
    let (sets, pods): (Api<ReplicaSet>, Api<Pod>) = (cluster.api(), cluster.api());
    for strategy in ["RollingUpdate", "Recreate"] {
        deployments.create(&PostParams::default(), &deployment("d", 2, strategy, "one")).await.unwrap();
        settled(&deployments, "d", 2).await;
        assert_eq!(names(&pods).await.len(), 2);

        let image = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "two"}]);
        let patch = Patch::<Value>::Json(from(image));
        deployments.patch("d", &PatchParams::default(), &patch).await.unwrap();
        let rolled = settled(&deployments, "d", 2).await;
        assert_eq!(rolled["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
        until("only pods of the new template are left", || async {
            let pods = pods.list(&ListParams::default()).await.unwrap().items;
            let image = |pod: &Pod| pod.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
            (pods.len() == 2 && pods.iter().all(|pod| image(pod) == "two")).then_some(())
        })
        .await;

        let scale = Patch::Merge(json!({"spec": {"replicas": 1}}));
        deployments.patch("d", &PatchParams::default(), &scale).await.unwrap();
        settled(&deployments, "d", 1).await;

        deployments.delete("d", &DeleteParams::default()).await.unwrap();
        until("nothing is left", || async {
            (names(&sets).await.is_empty() && names(&pods).await.is_empty()).then_some(())
        })
        .await;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_replaces_a_pod_that_was_deleted_and_then_rests() {
    let cluster = Cluster::start().await;
    cluster.start_node().await;
    let (deployments, pods): (Api<Deployment>, Api<Pod>) = (cluster.api(), cluster.api());
    deployments.create(&PostParams::default(), &deployment("d", 1, "RollingUpdate", "one")).await.unwrap();
    settled(&deployments, "d", 1).await;
    let first = names(&pods).await;
    pods.delete(&first[0], &DeleteParams::default()).await.unwrap();
    until("another pod runs", || async {
        let now = names(&pods).await;
        (now.len() == 1 && now != first).then_some(())
    })
    .await;
    settled(&deployments, "d", 1).await;
    let revision = || async {
        let list = pods.list(&ListParams::default()).await.unwrap();
        list.metadata.resource_version.unwrap()
    };
    // Quiet is when nothing was written for a second; it has to come.
    until("the cluster is quiet", || async {
        let before = revision().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        (revision().await == before).then_some(())
    })
    .await;
    cluster.stop().await;
}

async fn only_pod(pods: &Api<Pod>, besides: &[String]) -> String {
    until("the job has a pod", || async { names(pods).await.into_iter().find(|name| !besides.contains(name)) }).await
}

async fn condition(jobs: &Api<Job>, name: &str, kind: &str) -> Value {
    until(&format!("the job is {kind}"), || async {
        let job = value(&jobs.get(name).await.unwrap());
        let conditions = job["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let holds = |condition: &Value| condition["type"] == kind && condition["status"] == "True";
        conditions.iter().any(holds).then_some(job)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_completes_counts_and_expires() {
    let cluster = Cluster::start().await;
    let (jobs, pods): (Api<Job>, Api<Pod>) = (cluster.api(), cluster.api());
    let spec = json!({"completions": 2, "ttlSecondsAfterFinished": 1});
    jobs.create(&PostParams::default(), &job("j", &spec)).await.unwrap();
    let first = only_pod(&pods, &[]).await;
    set_phase(&pods, &first, "Succeeded").await.unwrap();
    let second = only_pod(&pods, std::slice::from_ref(&first)).await;
    set_phase(&pods, &second, "Succeeded").await.unwrap();
    let done = condition(&jobs, "j", "Complete").await;
    assert_eq!(done["status"]["succeeded"], 2);
    assert_eq!(done["status"]["uncountedTerminatedPods"], json!({}));
    assert!(done["status"]["completionTime"].is_string() && done["status"]["startTime"].is_string());
    until("job and pods are gone", || async {
        (names(&jobs).await.is_empty() && names(&pods).await.is_empty()).then_some(())
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_retries_fails_with_its_pod_and_leaves_nothing() {
    let cluster = Cluster::start().await;
    let (jobs, pods): (Api<Job>, Api<Pod>) = (cluster.api(), cluster.api());
    jobs.create(&PostParams::default(), &job("failed", &json!({"backoffLimit": 0}))).await.unwrap();
    let pod = only_pod(&pods, &[]).await;
    set_phase(&pods, &pod, "Failed").await.unwrap();
    let failed = condition(&jobs, "failed", "Failed").await;
    assert_eq!(failed["status"]["failed"], 1);
    assert_eq!(names(&pods).await, std::slice::from_ref(&pod), "the failed pod stays for its log, and no other comes");

    // A pod that somebody deletes is a failure too, and not a reason for another one.
    jobs.create(&PostParams::default(), &job("deleted", &json!({"backoffLimit": 0}))).await.unwrap();
    let victim = only_pod(&pods, std::slice::from_ref(&pod)).await;
    pods.delete(&victim, &DeleteParams::default()).await.unwrap();
    condition(&jobs, "deleted", "Failed").await;
    until("the deleted pod is gone", || async { (names(&pods).await == [pod.clone()]).then_some(()) }).await;

    for name in ["failed", "deleted"] {
        jobs.delete(name, &DeleteParams::background()).await.unwrap();
    }
    until("nothing is left", || async {
        (names(&jobs).await.is_empty() && names(&pods).await.is_empty()).then_some(())
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_take_their_dependents_along_unless_told_to_orphan_them() {
    let cluster = Cluster::start().await;
    let maps: Api<ConfigMap> = cluster.api();
    let map = |name: &str, owner: Option<&ConfigMap>| -> ConfigMap {
        let references: Vec<Value> = owner
            .map(|owner| {
                json!({"apiVersion": "v1", "kind": "ConfigMap", "name": owner.metadata.name, "uid": owner.metadata.uid,
                    "controller": true, "blockOwnerDeletion": true})
            })
            .into_iter()
            .collect();
        from(json!({"metadata": {"name": name, "ownerReferences": references}}))
    };
    for (params, survivors) in
        [(DeleteParams::background(), 0), (DeleteParams::foreground(), 0), (DeleteParams::orphan(), 2)]
    {
        let owner = maps.create(&PostParams::default(), &map("owner", None)).await.unwrap();
        let child = maps.create(&PostParams::default(), &map("child", Some(&owner))).await.unwrap();
        maps.create(&PostParams::default(), &map("grandchild", Some(&child))).await.unwrap();
        maps.delete("owner", &params).await.unwrap();
        until("what should go is gone", || async {
            let left: Vec<String> = names(&maps).await.into_iter().filter(|name| name != "kube-root-ca.crt").collect();
            (left.len() == survivors).then_some(())
        })
        .await;
    }
    let child = maps.get("child").await.unwrap();
    assert_eq!(child.metadata.owner_references.unwrap_or_default(), []);

    // An owner that never was is as good as gone.
    let ghost = from(json!({"metadata": {"name": "ghost", "uid": "00000000-0000-0000-0000-000000000000"}}));
    maps.create(&PostParams::default(), &map("haunted", Some(&ghost))).await.unwrap();
    until("the haunted map is gone", || async { maps.get_opt("haunted").await.unwrap().is_none().then_some(()) }).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_is_furnished_and_goes_with_its_content() {
    let cluster = Cluster::start().await;
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    namespaces.create(&PostParams::default(), &from(json!({"metadata": {"name": "n"}}))).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(cluster.client.clone(), "n");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "n");
    until("the namespace is furnished", || async {
        let account = accounts.get_opt("default").await.unwrap();
        account.and(maps.get_opt("kube-root-ca.crt").await.unwrap())
    })
    .await;
    maps.create(&PostParams::default(), &from(json!({"metadata": {"name": "m"}}))).await.unwrap();
    namespaces.delete("n", &DeleteParams::default()).await.unwrap();
    until("the namespace is gone", || async { namespaces.get_opt("n").await.unwrap().is_none().then_some(()) }).await;
    namespaces.create(&PostParams::default(), &from(json!({"metadata": {"name": "n"}}))).await.unwrap();
    assert!(maps.get_opt("m").await.unwrap().is_none());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_start_again_go_on_where_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let make = |path: &Path| {
        let options = Options { data_dir: path.to_owned(), namespace: "default".to_owned(), port: 6443 };
        Instance::start(&options, CancellationToken::new()).unwrap()
    };
    // Without controllers: everything waits.
    let instance = make(directory.path());
    let client = instance.client("test", "default");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    namespaces.create(&PostParams::default(), &from(json!({"metadata": {"name": "default"}}))).await.unwrap();
    let deployments: Api<Deployment> = Api::default_namespaced(client);
    deployments.create(&PostParams::default(), &deployment("d", 3, "RollingUpdate", "one")).await.unwrap();
    instance.shutdown().await;

    for _ in 0..2 {
        let instance = make(directory.path());
        let stop = CancellationToken::new();
        let (client, token) = (instance.client("controllers", "default"), stop.clone());
        let controllers = tokio::spawn(local::controllers::run(client, String::new(), token));
        let pods: Api<Pod> = Api::default_namespaced(instance.client("test", "default"));
        until("three pods exist", || async { (names(&pods).await.len() == 3).then_some(()) }).await;
        stop.cancel();
        controllers.await.unwrap().unwrap();
        assert_eq!(names(&pods).await.len(), 3);
        instance.shutdown().await;
    }
}
