use api::record::{Attempt, Checkpoints, ClusterPhase, ClusterRecord, Incarnation, JobPhase, JobRecord, Restore};

use super::*;
use crate::print::Look;

const LOOK: Look = Look { width: None, color: false, wide: false };

fn cluster() -> FlinkCluster {
    let resources = json!({ "requests": { "cpu": "1", "memory": "2Gi" }, "limits": { "memory": "2Gi" } });
    let mut cluster: FlinkCluster = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster",
        "metadata": { "name": "demo", "namespace": "flink", "uid": "c" },
        "spec": {
            "taskManagers": 1, "runtime": { "image": "flink:2.1" }, "supervisor": { "image": "flinkctl:1" },
            "jobManager": { "resources": resources }, "taskManager": { "taskSlots": 2, "resources": resources },
        },
    }))
    .unwrap();
    let digest = lifecycle::desired::cluster(&cluster).digest;
    let record =
        ClusterRecord { phase: ClusterPhase::Started { uid: "jm".into() }, digest, ..ClusterRecord::default() };
    cluster.status = serde_json::from_value(json!({ "record": record, "taskManagerReplicas": 1 })).unwrap();
    cluster
}

fn job(parallelism: u32) -> FlinkJob {
    let mut job: FlinkJob = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob", "metadata": { "name": "demo-a", "uid": "j" },
        "spec": {
            "jobParallelism": parallelism, "bootstrap": { "image": "jobs:1", "className": "A", "jarPath": "/a.jar" },
            "savepoint": { "savepointInterval": 0, "savepointTargetPath": "s3://b" }, "restart": {},
        },
    }))
    .unwrap();
    let desired = lifecycle::desired::job(&job);
    let attempt = Attempt {
        number: 1,
        job_id: "0".repeat(32),
        incarnation: Incarnation { number: 1, uid: "jm".into() },
        restore: Restore::Empty,
        parallelism,
        digest: desired.digest,
        checkpoints: Checkpoints::Unknown,
        savepoint: None,
        stop_directory: None,
        forgotten: None,
    };
    let record = JobRecord { phase: JobPhase::Running, attempt: Some(attempt), ..JobRecord::default() };
    job.status = serde_json::from_value(json!({ "record": record })).unwrap();
    job
}

fn present(quota: &Value, used: &Value) -> Present {
    let quota = json!({ "metadata": { "name": "few" }, "spec": { "hard": quota }, "status": { "used": used } });
    Present { cluster: Some(cluster()), jobs: vec![job(2)], quotas: vec![Quota::of(&quota)], ..Present::default() }
}

fn ahead(present: &Present, wanted: &Wanted) -> Preview {
    preview(present, wanted, Timestamp::UNIX_EPOCH)
}

#[test]
fn a_job_that_grows_restarts_and_brings_taskmanagers() {
    let present = present(
        &json!({ "pods": "8", "requests.cpu": "4", "limits.memory": "32Gi" }),
        &json!({ "pods": "3", "requests.cpu": "2100m", "limits.memory": "4352Mi" }),
    );
    let mut grown = job(2);
    grown.spec.job_parallelism = Some(6);
    let preview = ahead(&present, &Wanted::Job { cluster: "demo".into(), job: Box::new(grown) });
    assert!(!preview.fits());
    assert_eq!(preview.shortage(), ["ResourceQuota few has 1900m of requests.cpu free, and 2100m is needed"]);
    insta::assert_snapshot!(render(&preview, &LOOK));
}

#[test]
fn a_number_of_taskmanagers_that_jobs_decide_on_changes_nothing() {
    let present = present(&json!({ "pods": "4" }), &json!({ "pods": "3" }));
    let mut scaled = cluster();
    scaled.spec.task_managers = Some(6);
    let preview = ahead(&present, &Wanted::Cluster(Box::new(scaled)));
    assert!(preview.fits(), "{:?}", preview.shortage());
    assert!(preview.notes[0].contains("follows the jobs"), "{:?}", preview.notes);
}

#[test]
fn taskmanagers_of_a_bare_cluster_must_fit() {
    let mut present = present(&json!({ "pods": "4" }), &json!({ "pods": "3" }));
    present.jobs.clear();
    let mut scaled = cluster();
    scaled.spec.task_managers = Some(6);
    let preview = ahead(&present, &Wanted::Cluster(Box::new(scaled)));
    assert_eq!(preview.shortage(), ["ResourceQuota few has 1 of pods free, and 5 is needed"]);
    assert_eq!(preview.json()["fits"], false);
    assert!(preview.changes.iter().all(|change| change.consequence == Consequence::Nothing), "nothing restarts");
}

#[test]
fn a_changed_section_restarts_the_cluster_with_its_jobs_and_larger_pods() {
    let present = present(&json!({}), &json!({}));
    let mut changed = cluster();
    changed.spec.task_manager.pod.resources =
        Some(api::Embedded::new(json!({ "requests": { "cpu": "2", "memory": "4Gi" } })));
    changed.spec.supervisor.task_timeout = Some(60);
    insta::assert_snapshot!(render(&ahead(&present, &Wanted::Cluster(Box::new(changed))), &LOOK));
}

#[test]
fn a_new_deployment_is_created_with_all_its_pods() {
    let deployment: FlinkDeployment = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment", "metadata": { "name": "new" },
        "spec": { "cluster": cluster().spec, "jobs": [{ "name": "a", "spec": job(3).spec }] },
    }))
    .unwrap();
    insta::assert_snapshot!(render(&ahead(&Present::default(), &Wanted::Deployment(Box::new(deployment))), &LOOK));
}

#[test]
fn what_a_deployment_declares_is_put_back() {
    let mut present = present(&json!({}), &json!({}));
    let owner = json!([{ "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment", "name": "demo", "uid": "d", "controller": true }]);
    present.jobs[0].metadata.owner_references = serde_json::from_value(owner).unwrap();
    let mut changed = present.jobs[0].clone();
    changed.spec.bootstrap.class_name = "B".into();
    let preview = ahead(&present, &Wanted::Job { cluster: "demo".into(), job: Box::new(changed) });
    assert!(preview.notes[0].contains("belongs to FlinkDeployment demo"), "{:?}", preview.notes);
    assert_eq!(preview.changes[0].consequence, Consequence::Restarts);
}
