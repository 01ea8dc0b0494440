//! Every form of manifest that the original took is read, and comes out as it went in.

use api::{
    FlinkCluster, FlinkDeployment, FlinkJob, FlinkJobSpec, PullPolicy, RescalePolicy, RestartPolicy, SavepointMode,
    ServiceMode, SupervisorStatus, UnmanagedJobs, digest,
};
use serde_json::{Value, json};
use std::time::Duration;

const DEPLOYMENT: &str = r#"
apiVersion: nextbreakpoint.com/v1
kind: FlinkDeployment
metadata: {name: demo}
spec:
  cluster:
    supervisor: {image: nextbreakpoint/flinkctl:1.4.4-beta, serviceAccount: flink-supervisor}
    runtime: {image: "apache/flink:1.12.1-scala_2.12-java11"}
    jobManager: {serviceMode: ClusterIP}
    taskManager: {taskSlots: 1}
  jobs:
    - name: job
      spec:
        jobParallelism: 1
        savepoint: {savepointMode: Automatic, savepointInterval: 600, savepointTargetPath: "s3p://bucket/savepoints"}
        restart: {restartPolicy: Always, restartDelay: 30, restartTimeout: 120}
        bootstrap: {serviceAccount: flink-bootstrap, image: my/jobs, jarPath: /flink-jobs.jar, className: a.b.C}
"#;

const FULL_CLUSTER: &str = r#"
apiVersion: nextbreakpoint.com/v1
kind: FlinkCluster
metadata: {name: demo}
spec:
  taskManagers: null
  runtime: {image: flink, pullPolicy: null, pullSecrets: null}
  jobManager:
    serviceMode: NodePort
    annotations: {managed: true, port: 8080, name: text, none: null}
    environment:
    - {name: A, value: b}
    - {name: C, valueFrom: {fileKeyRef: {path: /x, key: k, volumeName: v}}}
    initContainers:
    - {name: init, image: busybox, resizePolicy: [], livenessProbe: {httpGet: {port: 8080, path: /}}}
    resources: {limits: {cpu: 1, memory: 300Mi}, claims: [{name: gpu}]}
    affinity: {podAntiAffinity: {futureField: 1}}
  taskManager: {taskSlots: null, sideContainers: null, tolerations: [{operator: Exists}]}
  supervisor: {image: flinkctl, pollingInterval: 1, taskTimeout: -5, replicas: 2}
  flinkConfiguration: {taskmanager.numberOfTaskSlots: 2, web.submit.enable: false, state.backend: rocksdb}
status: {supervisorStatus: "", resourceStatus: Odd, serviceMode: "", digest: {runtime: "1B2M2Y8AsgTpgAmY7PhCfg=="}, conditions: null}
"#;

fn yaml<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_yaml::from_str(text).expect("a manifest")
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, without_nulls(v))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[test]
fn the_manual_s_deployment_is_read() {
    let deployment: FlinkDeployment = yaml(DEPLOYMENT);
    let job = &deployment.spec.jobs()[0].spec;
    assert_eq!(job.parallelism(), 1);
    assert_eq!(job.savepoint.interval(), Some(Duration::from_mins(10)));
    assert_eq!(job.restart.policy(), RestartPolicy::Always);
    assert_eq!(job.restart.delay(), Duration::from_secs(30));
    let round: Value = serde_json::to_value(&deployment).unwrap();
    assert_eq!(round, yaml::<Value>(DEPLOYMENT));
}

/// F-01, F-28
#[test]
fn a_cluster_with_everything_comes_out_as_it_went_in() {
    let cluster: FlinkCluster = yaml(FULL_CLUSTER);
    let mut expected = without_nulls(yaml(FULL_CLUSTER));
    // Quantities become text; a null annotation is kept, as it is the value of a key and not a field.
    expected["spec"]["jobManager"]["resources"]["limits"]["cpu"] = json!("1");
    expected["spec"]["jobManager"]["annotations"]["none"] = Value::Null;
    assert_eq!(serde_json::to_value(&cluster).unwrap()["spec"], expected["spec"]);

    let annotations = cluster.spec.job_manager.pod.annotations();
    assert_eq!(annotations["managed"], "true");
    assert_eq!(annotations["port"], "8080");
    assert!(!annotations.contains_key("none"));
    assert_eq!(cluster.spec.flink_configuration()["web.submit.enable"], "false");
    assert_eq!(cluster.spec.job_manager.service_mode(), ServiceMode::NodePort);
    assert_eq!(cluster.spec.supervisor.polling_interval(), Duration::from_secs(5));
    assert_eq!(cluster.spec.supervisor.task_timeout(), Duration::ZERO);
    cluster.spec.job_manager.pod.init_containers.unwrap()[0].typed().unwrap();
    let status = cluster.status.unwrap();
    assert_eq!((status.supervisor_status, status.resource_status, status.service_mode), (None, None, None));
    assert!(digest::is_foreign(&status.digest.unwrap().runtime.unwrap()));
}

/// SC-057, SC-319, SC-330, SC-445, SC-446, SC-448, SC-449, SC-462, SC-463, F-08, S-06, C-13
#[test]
fn absent_fields_have_the_documented_defaults() {
    let cluster: FlinkCluster = yaml(
        "{apiVersion: nextbreakpoint.com/v1, kind: FlinkCluster, metadata: {name: d},
          spec: {runtime: {image: f}, jobManager: {}, taskManager: {}, supervisor: {image: s}}}",
    );
    let spec = &cluster.spec;
    assert_eq!((spec.task_managers(), spec.task_manager_limits(), spec.task_manager.slots()), (0, (0, 32), 1));
    assert_eq!(spec.runtime.pull_policy(), PullPolicy::IfNotPresent);
    assert_eq!(spec.job_manager.service_mode(), ServiceMode::ClusterIP);
    assert_eq!(spec.job_manager.pod.service_account(), "default");
    let supervisor = &spec.supervisor;
    assert_eq!((supervisor.service_account(), supervisor.replicas()), ("flink-supervisor", 1));
    assert_eq!(supervisor.task_timeout(), Duration::from_mins(5));
    assert_eq!(
        (supervisor.rescale_delay(), supervisor.rescale_policy()),
        (Duration::from_mins(1), RescalePolicy::JobParallelism)
    );
    assert_eq!(supervisor.unmanaged_jobs(), UnmanagedJobs::Keep);

    let job: FlinkJob = yaml(
        "{apiVersion: nextbreakpoint.com/v1, kind: FlinkJob, FlinkJobSpec, metadata: {name: d-j}, spec: {restart: {}, bootstrap:
          {image: i, jarPath: /j, className: c}, savepoint: {savepointInterval: 0, savepointTargetPath: ' '}}}",
    );
    let spec = &job.spec;
    let limited = |wanted, min_job_parallelism, max_job_parallelism| {
        let job_parallelism = Some(wanted);
        FlinkJobSpec { job_parallelism, min_job_parallelism, max_job_parallelism, ..spec.clone() }.parallelism()
    };
    assert_eq!((spec.parallelism(), limited(99, None, None), limited(0, Some(2), None)), (0, 32, 2));
    assert_eq!(limited(9, Some(4), Some(3)), 3);
    assert_eq!(spec.restart.policy(), RestartPolicy::Never);
    assert_eq!((spec.restart.delay(), spec.restart.timeout()), (Duration::from_mins(1), Duration::from_mins(3)));
    assert_eq!((spec.savepoint.mode(), spec.savepoint.interval()), (SavepointMode::Automatic, None));
    assert_eq!((spec.savepoint.path(), spec.savepoint.target_path()), (None, None));
    assert_eq!(spec.bootstrap.service_account(), "flink-bootstrap");
}

#[test]
fn a_faulty_part_is_named_and_does_not_make_the_object_unreadable() {
    let cluster: FlinkCluster = yaml(
        "{apiVersion: nextbreakpoint.com/v1, kind: FlinkCluster, metadata: {name: d}, spec: {runtime: {image: f},
          jobManager: {}, taskManager: {sideContainers: [{name: x, stdin: maybe}]}, supervisor: {image: s}}}",
    );
    let error = cluster.spec.task_manager.pod.side_containers.unwrap()[0].typed().unwrap_err().to_string();
    assert!(error.contains("Container") && error.contains("maybe"), "{error}");
}

#[test]
fn digests_do_not_see_order_nulls_and_spelled_out_defaults() {
    let parse = |section: Value| serde_json::from_value::<api::FlinkClusterSpec>(section).unwrap();
    let base =
        json!({ "runtime": { "image": "f" }, "jobManager": {}, "taskManager": {}, "supervisor": { "image": "s" } });
    let mut same = base.clone();
    same["runtime"]["pullPolicy"] = json!("IfNotPresent");
    same["taskManager"]["taskSlots"] = Value::Null;
    same["supervisor"]["serviceAccount"] = json!("flink-supervisor");
    assert_eq!(digest::cluster(&parse(base.clone())), digest::cluster(&parse(same)));
    let mut other = base.clone();
    other["flinkConfiguration"] = json!({ "a": 1 });
    other["taskManager"]["taskSlots"] = json!(2);
    let (before, after) = (digest::cluster(&parse(base)), digest::cluster(&parse(other)));
    assert_eq!(before.runtime, after.runtime);
    assert_ne!(before.task_manager, after.task_manager);
    assert_ne!(before.flink_configuration, after.flink_configuration);
    assert!(digest::changed(before.task_manager.as_deref(), after.task_manager.as_deref()));
    assert!(!digest::changed(Some("1B2M2Y8AsgTpgAmY7PhCfg=="), after.task_manager.as_deref()));
    // Were this to change, every cluster would restart on an upgrade.
    assert_eq!(before.runtime.unwrap(), "sha256-JKu7SSvIPqV7/VrJfsfiUU3UiAbrd3rdNNXkWVzdJbU");
}

/// SC-231, SC-294, SC-443, D-10
#[test]
fn a_scale_counts_taskmanagers_alone() {
    let selector = api::labels::scale_selector("demo");
    assert_eq!(selector, "clusterName=demo,owner=flink-operator,component=flink,role=taskmanager");
}

#[test]
fn timestamps_have_milliseconds_and_a_zone() {
    assert_eq!(api::timestamp("2021-01-15T15:33:25.1239Z".parse().unwrap()), "2021-01-15T15:33:25.123Z");
    assert_eq!(SupervisorStatus::default().to_string(), "Unknown");
}
