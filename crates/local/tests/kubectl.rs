//! The real `kubectl` against the API machinery behind its server: what each command prints.

use std::path::Path;
use std::process::{Command, Stdio};

use local::instance::{Instance, Options};
use local::kubeconfig;
use tokio_util::sync::CancellationToken;

/// Runs `kubectl` and returns what it printed, or the failure.
fn run(directory: &Path, arguments: &[&str], input: &str) -> Result<String, String> {
    use std::io::Write as _;
    let mut child = Command::new("kubectl")
        .env("KUBECONFIG", kubeconfig::path(directory))
        .env("HOME", directory)
        .arg("--request-timeout=20s")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is installed");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A program of commands against a fresh server.
async fn program(
    body: impl FnOnce(&dyn Fn(&str) -> Result<String, String>, &dyn Fn(&str, &str) -> String) + Send + 'static,
) {
    let directory = tempfile::tempdir().expect("a directory");
    let options = Options { data_dir: directory.path().to_owned(), namespace: "default".to_owned(), port: 6443 };
    let instance = Instance::start(&options, CancellationToken::new()).expect("a server");
    let path = directory.path().to_owned();
    tokio::task::spawn_blocking(move || {
        let split = |line: &str| -> Vec<String> { line.split(' ').map(|word| word.replace('~', " ")).collect() };
        let with = |line: &str, input: &str| {
            let words = split(line);
            run(&path, &words.iter().map(String::as_str).collect::<Vec<_>>(), input)
        };
        with("create namespace default", "").expect("a namespace");
        body(&|line| with(line, ""), &|line, input| with(line, input).expect(line));
    })
    .await
    .expect("the program ends");
    instance.shutdown().await;
}

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: a, image: "a:1"}, {name: b, image: "b:1", env: [{name: E, value: "1"}]}]}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_created_changed_and_deleted() {
    program(|kubectl, feed| {
        assert_eq!(feed("apply -f -", DEPLOYMENT), "deployment.apps/web created");
        assert_eq!(feed("apply -f -", DEPLOYMENT), "deployment.apps/web unchanged");
        // What an apply leaves out goes, and what it does not name stays.
        let changed = DEPLOYMENT.replace(", env: [{name: E, value: \"1\"}]", "").replace("a:1", "a:2");
        feed("apply -f -", &changed);
        let shown = kubectl("get deploy web -o jsonpath={range~.spec.template.spec.containers[*]}{.image}{.env}~{end}")
            .unwrap();
        assert_eq!(shown, "a:2 b:1");
        assert_eq!(kubectl("get deploy web -o jsonpath={.metadata.generation}").unwrap(), "2");
        assert_eq!(feed("diff -f -", &changed), "");
        for (line, expected) in [
            ("scale deploy web --replicas=3", "deployment.apps/web scaled"),
            ("annotate deploy web x=y", "deployment.apps/web annotated"),
            ("label deploy web l=m", "deployment.apps/web labeled"),
            (r#"patch deploy web -p {"spec":{"replicas":4}}"#, "deployment.apps/web patched"),
            (r#"patch deploy web --type=merge -p {"spec":{"replicas":5}}"#, "deployment.apps/web patched"),
            (
                r#"patch deploy web --type=json -p [{"op":"replace","path":"/spec/replicas","value":6}]"#,
                "deployment.apps/web patched",
            ),
            ("set image deploy/web b=b:2", "deployment.apps/web image updated"),
            ("get deploy -l l=m -o name", "deployment.apps/web"),
            ("get deploy web -o jsonpath={.spec.replicas}{.spec.template.spec.containers[1].image}", "6b:2"),
            ("create configmap m --from-literal=k=v", "configmap/m created"),
            ("create secret generic s --from-literal=k=v", "secret/s created"),
            ("get secret s -o jsonpath={.data.k}", "dg=="),
            ("create job j --image=i -- true", "job.batch/j created"),
            ("expose deploy web --port=80", "service/web exposed"),
            ("run p --image=i", "pod/p created"),
            ("wait --for=jsonpath={.status.phase}=Pending pod/p --timeout=10s", "pod/p condition met"),
            ("auth can-i create pods", "yes"),
            // By name: newer ones also say from which namespace.
            ("delete pods --all --wait -o name", "pod/p"),
            ("delete deploy web --wait -o name", "deployment.apps/web"),
            ("get deploy", ""),
        ] {
            assert_eq!(kubectl(line).as_deref(), Ok(expected), "{line}");
        }
        assert!(kubectl("describe job j").unwrap().contains("Completion Mode:  NonIndexed"));
        let refused =
            kubectl(r#"patch svc web --type=json -p [{"op":"test","path":"/spec/type","value":"x"}]"#).unwrap_err();
        assert!(refused.starts_with("The request is invalid"), "{refused}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_resources_are_explained_checked_and_shown() {
    program(|kubectl, feed| {
        for definition in api::crds() {
            feed("create -f -", &serde_json::to_string(&definition).unwrap());
        }
        kubectl("wait --for=condition=Established crd --all --timeout=10s").unwrap();
        assert!(kubectl("api-resources").unwrap().contains("flinkjobs"));
        assert!(kubectl("explain fd.spec.jobs").unwrap().contains("FIELD: jobs <[]Object>"));
        assert!(kubectl("explain pod.spec.containers.image").unwrap().contains("Container image name"));
        let example = include_str!("../../../examples/deployment.yaml");
        feed("apply -f -", example);
        assert_eq!(feed("apply -f -", example).matches("unchanged").count(), 1);
        assert!(feed("apply --server-side -f -", example).contains("serverside-applied"));
        assert!(kubectl("get fd").unwrap().starts_with("NAME   RESOURCE-STATUS"));
        assert!(kubectl("describe fd").unwrap().contains("Kind:         FlinkDeployment"));

        let wrong = kubectl(r#"patch fd demo --type=merge -p {"spec":{"cluster":{"taskManager":{"taskSlots":-1}}}}"#);
        assert!(wrong.unwrap_err().contains("spec.cluster.taskManager.taskSlots: Invalid value: -1"));
        assert_eq!(kubectl("delete fd --all --wait").unwrap().matches("deleted").count(), 1);
    })
    .await;
}
