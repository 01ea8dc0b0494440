//! The API server in this process, asked by a `kube` client over HTTPS and by the real `kubectl`.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use futures::{AsyncReadExt as _, StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenReview};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use local::instance::{Instance, Options};
use local::kubeconfig;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(20);

fn start(directory: &Path) -> Instance {
    let options = Options { data_dir: directory.to_owned(), namespace: "default".to_owned(), port: 6443 };
    Instance::start(&options, CancellationToken::new()).unwrap()
}

async fn config(directory: &Path) -> Config {
    let kubeconfig = Kubeconfig::read_from(kubeconfig::path(directory)).unwrap();
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap()
}

async fn client(directory: &Path) -> Client {
    Client::try_from(config(directory).await).unwrap()
}

async fn make_default_namespace(client: &Client) {
    let namespace = serde_json::from_value(json!({"metadata": {"name": "default"}})).unwrap();
    Api::<Namespace>::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"key": value}})).unwrap()
}

fn kubectl(directory: &Path, arguments: &[&str]) -> Output {
    Command::new("kubectl")
        .env("KUBECONFIG", kubeconfig::path(directory))
        .env("HOME", directory)
        .args(["--request-timeout=20s"])
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs `kubectl` beside the server and wants it to succeed.
async fn kubectl_ok(directory: &Path, arguments: &'static [&'static str]) -> String {
    let path = directory.to_owned();
    let output = tokio::task::spawn_blocking(move || kubectl(&path, arguments)).await.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "kubectl {arguments:?}: {stdout}{stderr}");
    stdout.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_creates_patches_and_watches() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    let client = client(directory.path()).await;
    make_default_namespace(&client).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client);

    let params = WatchParams::default().timeout(60);
    let mut events = maps.watch(&params, "0").await.unwrap().boxed();
    let created = maps.create(&PostParams::default(), &config_map("m", "1")).await.unwrap();
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    maps.patch("m", &PatchParams::default(), &patch).await.unwrap();
    let stale = maps.replace("m", &PostParams::default(), &created).await.unwrap_err();
    assert!(matches!(&stale, kube::Error::Api(status) if status.is_conflict()), "{stale}");

    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = tokio::time::timeout(DEADLINE, events.try_next()).await.unwrap().unwrap().unwrap();
        match event {
            WatchEvent::Added(map) => seen.push(("added", map.data.unwrap()["key"].clone())),
            WatchEvent::Modified(map) => seen.push(("modified", map.data.unwrap()["key"].clone())),
            _ => {}
        }
    }
    assert_eq!(seen, [("added", "1".to_owned()), ("modified", "2".to_owned())]);

    // The end of the server ends the watch.
    instance.shutdown().await;
    let rest = tokio::time::timeout(DEADLINE, events.collect::<Vec<_>>()).await.unwrap();
    assert!(rest.len() <= 1, "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_are_served_once_they_are_defined() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    let client = client(directory.path()).await;
    make_default_namespace(&client).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in api::crds() {
        definitions.create(&PostParams::default(), &definition).await.unwrap();
    }
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("nextbreakpoint.com", "v1", "FlinkJob"));
    let jobs: Api<DynamicObject> = Api::default_namespaced_with(client, &kind);
    assert!(jobs.list(&kube::api::ListParams::default()).await.unwrap().items.is_empty());
    instance.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn state_and_certificates_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    let subnet = instance.subnet();
    let old = client(directory.path()).await;
    make_default_namespace(&old).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(old.clone());
    let before = maps.create(&PostParams::default(), &config_map("m", "1")).await.unwrap();
    maps.create(&PostParams::default(), &config_map("gone", "1")).await.unwrap();
    maps.delete("gone", &kube::api::DeleteParams::default()).await.unwrap();
    instance.shutdown().await;

    let instance = start(directory.path());
    assert_eq!(instance.subnet(), subnet, "the address stays, and with it a copied kubeconfig");
    let maps: Api<ConfigMap> = Api::default_namespaced(client(directory.path()).await);
    assert_eq!(maps.get("m").await.unwrap(), before);
    assert!(maps.get_opt("gone").await.unwrap().is_none());
    let after = maps.create(&PostParams::default(), &config_map("n", "1")).await.unwrap();
    let version = |map: &ConfigMap| map.metadata.resource_version.as_deref().unwrap().parse::<u64>().unwrap();
    assert!(version(&after) > version(&before) + 2, "the revision goes on behind the deletion");
    instance.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_stands_for_its_service_account_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    let admin = client(directory.path()).await;
    make_default_namespace(&admin).await;
    let accounts: Api<ServiceAccount> = Api::default_namespaced(admin.clone());
    let account = serde_json::from_value(json!({"metadata": {"name": "robot"}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let request: TokenRequest = serde_json::from_value(json!({"metadata": {}, "spec": {"audiences": []}})).unwrap();
    let answer = accounts.create_token_request("robot", &PostParams::default(), &request).await.unwrap();
    let token = answer.status.unwrap().token;
    instance.shutdown().await;

    let instance = start(directory.path());
    let mut by_token = config(directory.path()).await;
    by_token.auth_info = kube::config::AuthInfo::default();
    let nobody = Client::try_from(by_token.clone()).unwrap();
    let refused = Api::<ConfigMap>::default_namespaced(nobody).get_opt("m").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused}");

    by_token.auth_info.token = Some(token.clone().into());
    let robot = Client::try_from(by_token).unwrap();
    assert!(Api::<ConfigMap>::default_namespaced(robot.clone()).get_opt("m").await.unwrap().is_none());
    let review: TokenReview = serde_json::from_value(json!({"metadata": {}, "spec": {"token": token}})).unwrap();
    let reviews: Api<TokenReview> = Api::all(client(directory.path()).await);
    let status = reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap();
    assert_eq!(status.user.unwrap().username.as_deref(), Some("system:serviceaccount:default:robot"));

    let accounts: Api<ServiceAccount> = Api::default_namespaced(client(directory.path()).await);
    accounts.delete("robot", &kube::api::DeleteParams::default()).await.unwrap();
    let refused = Api::<ConfigMap>::default_namespaced(robot).get_opt("m").await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 401), "{refused}");
    instance.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_run_side_by_side_and_one_directory_takes_one() {
    let (first_directory, second_directory) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = start(first_directory.path());
    let second = start(second_directory.path());
    assert_ne!(first.url(), second.url());
    let options = Options { data_dir: first_directory.path().to_owned(), namespace: "default".to_owned(), port: 6443 };
    let Err(refused) = Instance::start(&options, CancellationToken::new()) else { panic!("two on one directory") };
    assert!(refused.to_string().contains(&format!("pid {}", std::process::id())), "{refused}");
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_applies_reads_and_waits() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    make_default_namespace(&client(directory.path()).await).await;
    let path = directory.path();
    std::fs::write(
        path.join("map.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\n  labels: {a: b}\ndata:\n  key: one\n",
    )
    .unwrap();
    let file = path.join("map.yaml").to_str().unwrap().to_owned().leak();
    let apply: &'static [&'static str] = vec!["apply", "-f", file].leak();
    assert_eq!(kubectl_ok(path, apply).await.trim(), "configmap/m created");
    assert_eq!(kubectl_ok(path, apply).await.trim(), "configmap/m unchanged");
    let table = kubectl_ok(path, &["get", "cm", "-l", "a=b"]).await;
    assert!(table.starts_with("NAME") && table.contains('m'), "{table}");
    let value = kubectl_ok(path, &["get", "cm", "m", "-o", "jsonpath={.data.key}"]).await;
    assert_eq!(value, "one");
    kubectl_ok(path, &["annotate", "cm", "m", "x=y"]).await;
    kubectl_ok(path, &["wait", "--for=jsonpath={.metadata.annotations.x}=y", "cm/m", "--timeout=10s"]).await;
    kubectl_ok(path, &["delete", "cm", "m", "--wait"]).await;
    assert_eq!(kubectl_ok(path, &["get", "cm", "-o", "name"]).await, "");
    kubectl_ok(path, &["version"]).await;
    instance.shutdown().await;
}

/// What kubectl makes itself it sends in the binary form.
#[tokio::test(flavor = "multi_thread")]
async fn kubectl_creates_what_it_makes_itself() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    make_default_namespace(&client(directory.path()).await).await;
    let path = directory.path();
    let commands: [&'static [&'static str]; 9] = [
        &["create", "namespace", "n"],
        &["create", "configmap", "m", "--from-literal=key=value"],
        &["create", "secret", "generic", "s", "--from-literal=key=value"],
        &["create", "serviceaccount", "a"],
        &["create", "deployment", "d", "--image=i:1", "--replicas=2", "--port=80", "--", "sleep", "1"],
        &["create", "job", "j", "--image=i:1", "--", "true"],
        &["create", "service", "clusterip", "v", "--tcp=80:8080"],
        &["create", "role", "r", "--verb=get", "--resource=pods"],
        &["create", "rolebinding", "b", "--role=r", "--serviceaccount=default:a"],
    ];
    for command in commands {
        kubectl_ok(path, command).await;
    }
    let read: [(&'static [&'static str], &str); 6] = [
        (&["get", "cm", "m", "-o", "jsonpath={.data}"], r#"{"key":"value"}"#),
        (&["get", "secret", "s", "-o", "jsonpath={.data.key}"], "dmFsdWU="),
        (
            &["get", "deployment", "d", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].command}"],
            r#"2 ["sleep","1"]"#,
        ),
        (&["get", "job", "j", "-o", "jsonpath={.spec.template.spec.restartPolicy}"], "Never"),
        (&["get", "service", "v", "-o", "jsonpath={.spec.ports[0].targetPort}"], "8080"),
        (&["get", "rolebinding", "b", "-o", "jsonpath={.subjects[0].name} {.roleRef.name}"], "a r"),
    ];
    for (command, expected) in read {
        assert_eq!(kubectl_ok(path, command).await, expected, "{command:?}");
    }
    assert!(!kubectl_ok(path, &["create", "token", "a"]).await.trim().is_empty());
    assert!(kubectl_ok(path, &["auth", "whoami"]).await.contains("flinkctl-local-admin"));
    instance.shutdown().await;
}

/// The log file that the node writes for the first run of a container.
fn log_file(directory: &Path, pod: &Pod) -> PathBuf {
    let uid = pod.metadata.uid.as_deref().unwrap();
    let container = directory.join("pods").join(format!("default_p_{uid}")).join("main");
    std::fs::create_dir_all(&container).unwrap();
    container.join("0.log")
}

async fn make_running_pod(pods: &Api<Pod>) -> Pod {
    let pod =
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n", "containers": [{"name": "main", "image": "i"}]}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap()
}

async fn set_state(pods: &Api<Pod>, phase: &str, state: serde_json::Value) {
    let container =
        json!({"name": "main", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let patch = Patch::Merge(json!({"status": {"phase": phase, "containerStatuses": [container]}}));
    pods.patch_status("p", &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_read_from_the_end_and_followed_to_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    let client = client(directory.path()).await;
    make_default_namespace(&client).await;
    let pods: Api<Pod> = Api::default_namespaced(client);
    let pod = make_running_pod(&pods).await;
    let waiting = pods.logs("p", &LogParams::default()).await.unwrap_err().to_string();
    assert!(waiting.contains("is waiting to start: ContainerCreating"), "{waiting}");

    let path = log_file(directory.path(), &pod);
    let long = "x".repeat(50_000);
    std::fs::write(&path, format!("one\n{long}\nthree\n")).unwrap();
    set_state(&pods, "Running", json!({"running": {}})).await;
    let read = |tail: Option<i64>, limit: Option<i64>| {
        let params = LogParams { tail_lines: tail, limit_bytes: limit, ..LogParams::default() };
        let pods = pods.clone();
        async move { pods.logs("p", &params).await.unwrap() }
    };
    assert_eq!(read(Some(1), None).await, "three\n");
    assert_eq!(read(Some(2), None).await, format!("{long}\nthree\n"));
    assert_eq!(read(Some(9), Some(5)).await, "one\nx");
    assert_eq!(read(Some(0), None).await, "");
    assert_eq!(read(None, None).await.len(), 50_011);

    let params = LogParams { follow: true, tail_lines: Some(1), ..LogParams::default() };
    let mut followed = pods.log_stream("p", &params).await.unwrap();
    let mut first = [0; 6];
    followed.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"three\n");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"the end").unwrap();
    set_state(&pods, "Succeeded", json!({"terminated": {"exitCode": 0}})).await;
    let mut rest = String::new();
    tokio::time::timeout(DEADLINE, followed.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, "the end");
    instance.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let instance = start(directory.path());
    let client = client(directory.path()).await;
    make_default_namespace(&client).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let large = config_map("m", &"x".repeat(4 * 1024 * 1024));
    let refused = maps.create(&PostParams::default(), &large).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 413), "{refused}");
    instance.shutdown().await;
}
