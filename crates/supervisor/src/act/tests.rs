//! Effects on an API server, while others write too.

use api::annotations::Action;
use api::record::Command;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use lifecycle::command::{Inbox, inbox};
use local::instance::{Instance, Options};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::edge::Production;
use crate::observe;

const NAMESPACE: &str = "flink";
const JOB: &str = "demo-job";

/// An API server with one job, and a supervisor's hands.
struct Stage {
    _directory: tempfile::TempDir,
    instance: Instance,
    jobs: Api<FlinkJob>,
    actor: Actor<Production>,
}

impl Stage {
    async fn new(annotations: Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { data_dir: directory.path().to_owned(), namespace: NAMESPACE.into(), port: 6443 };
        let instance = Instance::start(&options, CancellationToken::new()).unwrap();
        let client = instance.client("test", NAMESPACE);
        let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
        Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        for crd in api::crds() {
            definitions.create(&PostParams::default(), &crd).await.unwrap();
        }
        let jobs = Api::<FlinkJob>::namespaced(client.clone(), NAMESPACE);
        let bootstrap = json!({"image": "jobs", "className": "Job", "jarPath": "/jobs.jar"});
        let savepoint =
            json!({"savepointMode": "Automatic", "savepointInterval": 60, "savepointTargetPath": "file:///s"});
        let restart = json!({"restartPolicy": "Always"});
        let spec = json!({"bootstrap": bootstrap, "savepoint": savepoint, "restart": restart});
        let job = json!({"metadata": {"name": JOB, "annotations": annotations}, "spec": spec});
        jobs.create(&PostParams::default(), &serde_json::from_value(job).unwrap()).await.unwrap();
        let settings = Settings { image: "flinkctl".into(), dry_run: false };
        let caches = Caches::start(&client, NAMESPACE, "demo", &Arc::default(), &CancellationToken::new());
        let actor = Actor {
            edge: Production::new(client, NAMESPACE),
            caches,
            cluster: "demo".into(),
            settings,
            unseen: Mutex::default(),
        };
        Self { _directory: directory, instance, jobs, actor }
    }

    async fn observe(&self) -> FlinkJob {
        self.jobs.get(JOB).await.unwrap()
    }

    async fn annotate(&self, annotations: Value) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        self.jobs.patch(JOB, &PatchParams::default(), &patch).await.unwrap();
    }

    async fn reset(&self, seen: &FlinkJob, action: &str) {
        let effect = job::Effect::ResetAction { action: action.into() };
        self.actor.on_job(seen, &effect, None, None).await.unwrap();
    }

    /// Everything that was written since an object was seen.
    async fn written_since(&self, seen: &FlinkJob) -> Vec<FlinkJob> {
        let last = self.observe().await.resource_version();
        let version = seen.resource_version().unwrap();
        let mut events = self.jobs.watch(&WatchParams::default(), &version).await.unwrap().boxed();
        let mut written = vec![];
        while seen.resource_version() != last && written.last().map(FlinkJob::resource_version) != Some(last.clone()) {
            match events.try_next().await.unwrap() {
                Some(WatchEvent::Modified(job)) => written.push(job),
                other => panic!("{other:?}"),
            }
        }
        written
    }
}

fn annotation<'a>(job: &'a FlinkJob, key: &str) -> Option<&'a str> {
    job.annotations().get(key).map(String::as_str)
}

/// What a supervisor that has carried out `first` makes of the annotations now.
fn inbox_after(first: &FlinkJob, now: &FlinkJob) -> Inbox {
    let id = lifecycle::desired::job(first).request.unwrap().id;
    let done = Command { id, action: Action::Stop, done: true, without_savepoint: false };
    inbox(Some(&done), lifecycle::desired::job(now).request.as_ref())
}

/// SC-243, SC-304, F-05
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_takes_back_what_was_asked_in_one_write() {
    let stage = Stage::new(json!({REQUESTED_ACTION: "stop", WITHOUT_SAVEPOINT: "true", "mine": "kept"})).await;
    let seen = stage.observe().await;
    stage.reset(&seen, "STOP").await;
    let written = stage.written_since(&seen).await;
    let [job] = &written[..] else { panic!("{} writes", written.len()) };
    assert_eq!(annotation(job, REQUESTED_ACTION), Some(NONE));
    assert_eq!(annotation(job, WITHOUT_SAVEPOINT), Some("false"));
    assert_eq!(annotation(job, "mine"), Some("kept"));
    assert!(annotation(job, ACTION_TIMESTAMP).is_some_and(|stamp| stamp.parse::<i64>().is_ok()));
    assert_eq!(inbox_after(&seen, job), Inbox::Forget);
    stage.instance.shutdown().await;
}

///
#[tokio::test(flavor = "multi_thread")]
async fn a_second_stop_between_look_and_reset_is_not_wiped() {
    for second in [
        json!({REQUESTED_ACTION: "STOP", ACTION_TIMESTAMP: "2"}),
        json!({REQUESTED_ACTION: "START"}),
        json!({REQUESTED_ACTION: "STOP", WITHOUT_SAVEPOINT: "true"}),
    ] {
        let stage = Stage::new(json!({REQUESTED_ACTION: "STOP"})).await;
        let seen = stage.observe().await;
        stage.annotate(second.clone()).await;
        let asked = stage.observe().await;
        stage.reset(&seen, "STOP").await;
        assert!(stage.written_since(&asked).await.is_empty(), "{second}");
        stage.instance.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stop_in_the_same_words_right_after_the_reset_is_another_command() {
    let stage = Stage::new(json!({REQUESTED_ACTION: "STOP"})).await;
    let seen = stage.observe().await;
    stage.reset(&seen, "STOP").await;
    stage.annotate(json!({REQUESTED_ACTION: "STOP"})).await;
    let asked = stage.observe().await;
    assert!(matches!(inbox_after(&seen, &asked), Inbox::New(_)), "{:?}", asked.annotations());
    // The reset may be carried out once more, by one that still believes what it saw first.
    stage.reset(&seen, "STOP").await;
    assert!(stage.written_since(&asked).await.is_empty());
    stage.instance.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_command_was_to_do_without_does_not_count_for_the_next_one() {
    let stage = Stage::new(json!({REQUESTED_ACTION: "NONE", WITHOUT_SAVEPOINT: "true"})).await;
    let seen = stage.observe().await;
    assert!(observe::has_leftover(&seen.metadata, false) && !observe::has_leftover(&seen.metadata, true));
    stage.actor.forget_leftover(&seen).await.unwrap();
    let now = stage.observe().await;
    assert_eq!(annotation(&now, WITHOUT_SAVEPOINT), Some("false"));
    assert_eq!(annotation(&now, REQUESTED_ACTION), Some(NONE));
    assert!(!observe::has_leftover(&now.metadata, false));
    stage.instance.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_pod_that_was_seen_is_adopted() {
    let stage = Stage::new(json!({})).await;
    let pods = Api::<Pod>::namespaced(stage.jobs.clone().into_client(), NAMESPACE);
    let made = json!({"metadata": {"generateName": "jobmanager-demo-", "labels": {"mine": "kept"}}, "spec": {"containers": [{"name": "jobmanager", "image": "flink"}]}});
    let pod = pods.create(&PostParams::default(), &serde_json::from_value(made).unwrap()).await.unwrap();
    let cluster: FlinkCluster = serde_json::from_value(json!({
        "metadata": {"name": "demo", "namespace": NAMESPACE, "uid": "cluster-uid"},
        "spec": {"runtime": {"image": "flink"}, "jobManager": {}, "taskManager": {}, "supervisor": {"image": "flinkctl"}},
    }))
    .unwrap();
    let (name, uid) = (pod.name_any(), pod.uid().unwrap());
    let adopt = |uid: &str| cluster::Effect::AdoptPod {
        name: name.clone(),
        uid: uid.to_owned(),
        incarnation: 1,
        job_manager: "jm".into(),
    };
    // Whether that is an error or not, the other pod stays nobody's.
    let _ = stage.actor.on_cluster(&cluster, &adopt("another"), None).await;
    assert_eq!(pods.get(&name).await.unwrap().metadata.owner_references, None);
    stage.actor.on_cluster(&cluster, &adopt(&uid), None).await.unwrap();
    let adopted = pods.get(&name).await.unwrap();
    let [owner] = &adopted.metadata.owner_references.clone().unwrap()[..] else { panic!("one owner") };
    assert_eq!((owner.uid.as_str(), owner.controller), ("cluster-uid", Some(true)));
    assert_eq!(adopted.labels()["mine"], "kept");
    assert_eq!(adopted.labels()[labels::INCARNATION], "1");
    assert_eq!(adopted.annotations()[labels::INCARNATION_UID], "jm");
    assert_eq!(adopted.annotations()[labels::ADOPTED_RESTARTS], "0");
    stage.instance.shutdown().await;
}

/// A pod of that name that is no part of the cluster, as no watch of a supervisor would tell.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_somebody_else_has_taken_is_told() {
    let stage = Stage::new(json!({})).await;
    let pods: Api<Pod> = Api::namespaced(stage.instance.client("test", NAMESPACE), NAMESPACE);
    let spec = json!({"containers": [{"name": "main", "image": "somebody"}]});
    let pod = json!({"metadata": {"name": "taken"}, "spec": spec});
    pods.create(&PostParams::default(), &serde_json::from_value(pod.clone()).unwrap()).await.unwrap();
    let create = || stage.actor.create::<Pod, _>(&stage.actor.caches.pods, &pod);
    create().await.expect("its event may be under way");
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    let error = loop {
        match create().await {
            Err(error) => break error,
            Ok(()) => assert!(std::time::Instant::now() < patience, "nobody is told"),
        }
        tokio::time::sleep(LAG / 20).await;
    };
    assert_eq!(error.reason(), "NameTaken");
    assert!(error.to_string().contains("there is a Pod taken already"), "{error}");
    assert!(error.refusal().is_some(), "the status tells, too");
    stage.instance.shutdown().await;
}
