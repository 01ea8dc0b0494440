//! Every object as YAML, as it goes to the API server.

use api::{FlinkCluster, FlinkJob};
use manifests::{
    Launch, Settings, bootstrap_job, job_manager_pod, job_manager_service, supervisor_deployment, task_manager_pod,
};
use serde_json::Value;

const MINIMAL: &str = r#"
apiVersion: nextbreakpoint.com/v1
kind: FlinkCluster
metadata: {name: demo, namespace: flink-jobs, uid: 6c5ff2b0-0001}
spec:
  supervisor: {image: nextbreakpoint/flinkctl:1.4.4-beta}
  runtime: {image: "apache/flink:1.20.1"}
  jobManager: {serviceMode: ClusterIP}
  taskManager: {taskSlots: 1}
"#;

const FULL: &str = r#"
apiVersion: nextbreakpoint.com/v1
kind: FlinkCluster
metadata: {name: demo, namespace: flink-jobs, uid: 6c5ff2b0-0001}
spec:
  supervisor:
    image: my/flinkctl:2.0.0
    pullPolicy: Always
    pullSecrets: registry
    serviceAccount: watcher
    pollingInterval: 30
    taskTimeout: 120
    replicas: 2
    resources: {limits: {cpu: 2, memory: 64Mi}}
    securityContext: {runAsUser: 1000}
  runtime: {image: my/flink:2.1, pullPolicy: Always, pullSecrets: registry}
  flinkConfiguration: {state.backend.type: rocksdb, heartbeat.timeout: 60000, env.java.opts.all: -Xss1m -Da=b}
  jobManager:
    serviceMode: NodePort
    serviceAccount: flink
    annotations: {managed: true, team: a}
    environment:
    - {name: FIRST, value: "1"}
    - name: FLINK_PROPERTIES
      value: |
        jobmanager.memory.process.size: 600m
        heartbeat.timeout: 5000
        heartbeat.interval: 1000
    - {name: LAST, valueFrom: {secretKeyRef: {name: s, key: k}}}
    environmentFrom: [{configMapRef: {name: more}}]
    volumes: [{name: conf, configMap: {name: conf}}, {name: new, image: {reference: a}}]
    volumeMounts: [{name: conf, mountPath: /conf, recursiveReadOnly: Enabled}]
    extraPorts: [{name: prometheus, containerPort: 9250, protocol: TCP}]
    initContainers: [{name: init, image: busybox, command: [sh, -c, "exit 0"]}]
    sideContainers: [{name: side, image: busybox, livenessProbe: {httpGet: {port: 8080, path: /}}}]
    resources: {limits: {cpu: 1, memory: 600Mi}, requests: {cpu: "0.1", memory: 600Mi}}
    securityContext: {runAsUser: 9999, seccompProfile: {type: RuntimeDefault}}
    affinity: {nodeAffinity: {}}
    tolerations: [{key: flink, operator: Exists}]
    topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  taskManager:
    taskSlots: 4
    args: [taskmanager, -Dweb.timeout=1]
    resources: {limits: {cpu: 1, memory: 2Gi}}
"#;

const JOB: &str = r#"
apiVersion: nextbreakpoint.com/v1
kind: FlinkJob
metadata: {name: demo-orders, namespace: flink-jobs, uid: 6c5ff2b0-0002}
spec:
  jobParallelism: 2
  savepoint: {savepointInterval: 0, savepointTargetPath: "file:///savepoints"}
  restart: {}
  bootstrap:
    image: my/jobs:1
    jarPath: /jobs.jar
    className: a.b.C
    pullSecrets: registry
    arguments: [--rate, "10 20", --quote='a']
"#;

fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_yaml::from_str(text).expect("a manifest")
}

fn settings() -> Settings {
    Settings { image: "flinkctl:local".into(), dry_run: false }
}

fn launch() -> Launch {
    Launch {
        attempt: 3,
        job_id: "0123456789abcdef0123456789abcdef".into(),
        address: "10.1.2.3".into(),
        port: 8081,
        parallelism: 2,
        savepoint_path: Some("file:///savepoints/savepoint-1".into()),
    }
}

macro_rules! golden {
    ($name:literal, $object:expr) => {
        let object: Value = $object.expect("an object");
        insta::assert_snapshot!($name, serde_yaml::to_string(&object).expect("YAML"));
    };
}

/// SC-252, SC-466, SC-576, F-38, D-06, D-07
#[test]
fn minimal_cluster() {
    let cluster: FlinkCluster = yaml(MINIMAL);
    golden!("minimal-jobmanager", job_manager_pod(&cluster, 1));
    golden!("minimal-taskmanager", task_manager_pod(&cluster, 1, "jm-uid", 0));
    golden!("minimal-service", job_manager_service(&cluster));
    golden!("minimal-supervisor", supervisor_deployment(&cluster, &settings()));
}

/// SC-464 to SC-466, F-01, F-13
#[test]
fn full_cluster() {
    let cluster: FlinkCluster = yaml(FULL);
    golden!("full-jobmanager", job_manager_pod(&cluster, 7));
    golden!("full-taskmanager", task_manager_pod(&cluster, 7, "jm-uid", 12));
    golden!("full-service", job_manager_service(&cluster));
    golden!("full-supervisor", supervisor_deployment(&cluster, &settings()));
}

/// SC-467, F-12, S-08
#[test]
fn job() {
    let job: FlinkJob = yaml(JOB);
    golden!("bootstrap", bootstrap_job(&job, "demo", &launch(), &settings()));
}

#[test]
fn nothing_runs_in_a_dry_run() {
    let settings = Settings { dry_run: true, ..settings() };
    let supervisor = supervisor_deployment(&yaml(MINIMAL), &settings).expect("an object");
    assert_eq!(supervisor["spec"]["replicas"], 0);
    let job =
        bootstrap_job(&yaml(JOB), "demo", &Launch { savepoint_path: None, ..launch() }, &settings).expect("an object");
    assert_eq!(job["spec"]["completions"], 0);
    let args = job["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(args.contains("--dry-run") && !args.contains("--savepoint-path"), "{args}");
}

#[test]
fn objects_have_the_form_that_kubernetes_wants() {
    use k8s_openapi::api::{
        apps::v1::Deployment,
        batch::v1::Job,
        core::v1::{Pod, Service},
    };
    let cluster: FlinkCluster = yaml(FULL);
    serde_json::from_value::<Pod>(job_manager_pod(&cluster, 1).expect("a pod")).expect("a pod");
    serde_json::from_value::<Pod>(task_manager_pod(&cluster, 1, "u", 0).expect("a pod")).expect("a pod");
    serde_json::from_value::<Service>(job_manager_service(&cluster).expect("a service")).expect("a service");
    serde_json::from_value::<Deployment>(supervisor_deployment(&cluster, &settings()).expect("a deployment"))
        .expect("a deployment");
    serde_json::from_value::<Job>(bootstrap_job(&yaml(JOB), "demo", &launch(), &settings()).expect("a job"))
        .expect("a job");
}

#[test]
fn faults_are_named_by_their_field() {
    let mut cluster: FlinkCluster = yaml(FULL);
    cluster.metadata.uid = None;
    let error = job_manager_service(&cluster).expect_err("no uid").to_string();
    assert_eq!(error, r#"use FlinkCluster "demo": it has no metadata.uid, since it does not come from an API server"#);

    let cluster: FlinkCluster = yaml(&FULL.replace("{maxSkew: 1,", "{maxSkew: many,"));
    let error = job_manager_pod(&cluster, 1).expect_err("not a number").to_string();
    assert!(
        error.starts_with("use spec.jobManager.topologySpreadConstraints[0]: TopologySpreadConstraint is not valid"),
        "{error}"
    );
    task_manager_pod(&cluster, 1, "u", 0).expect("the fault is the JobManager's");

    let error = bootstrap_job(&yaml(JOB), "other", &launch(), &settings()).expect_err("not its cluster").to_string();
    assert!(error.contains("demo-orders") && error.contains("other"), "{error}");
}
