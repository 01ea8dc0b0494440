use api::record::{Attempt, Checkpoints, ClusterRecord, End, Incarnation, JobRecord, Restore};
use serde_json::{Value, json};

use super::*;

fn running_cluster() -> FlinkCluster {
    let mut cluster: FlinkCluster = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster",
        "metadata": {"name": "demo", "uid": "c", "finalizers": ["supervisor.nextbreakpoint.com"]},
        "spec": {"runtime": {"image": "flink:2.1"}, "jobManager": {}, "taskManager": {}, "supervisor": {"image": "flinkctl:1"}},
    }))
    .unwrap();
    let digest = desired::cluster(&cluster).digest;
    let record =
        ClusterRecord { phase: ClusterPhase::Started { uid: "jm".into() }, digest, ..ClusterRecord::default() };
    cluster.status = serde_json::from_value(json!({ "record": record })).unwrap();
    cluster
}

fn job_in(phase: JobPhase) -> FlinkJob {
    let mut job: FlinkJob = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob", "metadata": {"name": "demo-a", "uid": "j"},
        "spec": {
            "jobParallelism": 2, "bootstrap": {"image": "jobs:1", "className": "A", "jarPath": "/a.jar"},
            "savepoint": {"savepointInterval": 0, "savepointTargetPath": ""}, "restart": {},
        },
    }))
    .unwrap();
    let desired = desired::job(&job);
    let attempt = Attempt {
        number: 1,
        job_id: "0".repeat(32),
        incarnation: Incarnation { number: 1, uid: "jm".into() },
        restore: Restore::Empty,
        parallelism: desired.parallelism,
        digest: desired.digest,
        checkpoints: Checkpoints::Unknown,
        savepoint: None,
        stop_directory: None,
        forgotten: None,
    };
    let record = JobRecord { phase, attempt: Some(attempt), ..JobRecord::default() };
    job.status = serde_json::from_value(json!({ "record": record })).unwrap();
    job
}

fn ended(end: End) -> FlinkJob {
    job_in(JobPhase::Ended { end, at: Timestamp::UNIX_EPOCH })
}

fn edited<T: serde::Serialize + serde::de::DeserializeOwned>(spec: &T, pointer: &str, value: Value) -> T {
    let mut edited = serde_json::to_value(spec).unwrap();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    edited.pointer_mut(parent).unwrap()[member] = value;
    serde_json::from_value(edited).unwrap()
}

#[test]
fn what_a_cluster_does() {
    use Consequence::{Later, Nothing, Restarts};
    for (pointer, value, consequence, supervisor) in [
        ("/runtime/image", json!("flink:2.2"), Restarts, false),
        ("/taskManager/taskSlots", json!(4), Restarts, false),
        ("/flinkConfiguration", json!({ "a": "b" }), Restarts, false),
        ("/supervisor/taskTimeout", json!(7), Nothing, true),
        ("/maxTaskManagers", json!(7), Nothing, false),
        ("/taskManagers", json!(3), Nothing, false),
        ("/taskManager/taskSlots", json!(1), Nothing, false),
    ] {
        let mut present = running_cluster();
        let change = cluster(&present, &edited(&present.spec, pointer, value.clone()));
        assert_eq!((change.consequence, change.supervisor), (consequence, supervisor), "{pointer}");
        present.status = serde_json::from_value(json!({ "record": ClusterRecord {
            phase: ClusterPhase::Stopped, ..ClusterRecord::default()
        } }))
        .unwrap();
        let stopped = cluster(&present, &edited(&present.spec, pointer, value));
        assert_eq!(stopped.consequence == Later, consequence == Restarts, "{pointer}");
    }
}

#[test]
fn what_a_job_does() {
    use Consequence::{Later, Nothing, Restarts, Starts, Stops};
    let broken = || End::NotStarted { reason: "WrongClass".into(), message: String::new() };
    let rows = [
        (job_in(JobPhase::Running), "/bootstrap/arguments", json!(["-x"]), Restarts),
        (job_in(JobPhase::Running), "/jobParallelism", json!(3), Restarts),
        (job_in(JobPhase::Running), "/jobParallelism", json!(0), Stops),
        (job_in(JobPhase::Running), "/maxJobParallelism", json!(1), Restarts),
        (job_in(JobPhase::Running), "/savepoint/savepointInterval", json!(60), Nothing),
        (job_in(JobPhase::Running), "/bootstrap/pullPolicy", json!("IfNotPresent"), Nothing),
        (job_in(JobPhase::Waiting { since: Timestamp::UNIX_EPOCH }), "/bootstrap/className", json!("B"), Later),
        (ended(broken()), "/bootstrap/className", json!("B"), Starts),
        (ended(End::Stopped), "/bootstrap/className", json!("B"), Later),
        (ended(End::Finished), "/restart/restartPolicy", json!("Always"), Nothing),
    ];
    for (present, pointer, value, consequence) in rows {
        let change = job(&present, &edited(&present.spec, pointer, value.clone()), Some(&running_cluster()));
        assert_eq!(change.consequence, consequence, "{pointer} {value}");
    }
}

#[test]
fn with_the_adaptive_scheduler_a_parallelism_is_changed_while_the_job_runs() {
    let mut cluster = running_cluster();
    cluster.spec = edited(&cluster.spec, "/flinkConfiguration", json!({ "jobmanager.scheduler": "adaptive" }));
    let with = |parallelism: u32, checkpoints: Checkpoints| {
        let mut job = job_in(JobPhase::Running);
        let mut record = jobs::status::record(&job).unwrap();
        let attempt = record.attempt.as_mut().unwrap();
        (attempt.parallelism, attempt.checkpoints) = (parallelism, checkpoints);
        job.status = serde_json::from_value(json!({ "record": record })).unwrap();
        job
    };
    let told = |present: &FlinkJob, pointer: &str, value: Value, cluster: &FlinkCluster| {
        job(present, &edited(&present.spec, pointer, value), Some(cluster)).consequence
    };
    let stored = || Checkpoints::Directory { path: "ck".into(), retained: true };
    let three = || json!(3);
    assert_eq!(told(&with(2, stored()), "/jobParallelism", three(), &cluster), Consequence::Rescales);
    assert_eq!(told(&with(2, stored()), "/jobParallelism", three(), &running_cluster()), Consequence::Restarts);
    assert_eq!(told(&with(2, Checkpoints::Disabled), "/jobParallelism", three(), &cluster), Consequence::Restarts);
    assert_eq!(told(&with(1, stored()), "/jobParallelism", three(), &cluster), Consequence::Restarts);
    assert_eq!(told(&with(2, stored()), "/jobParallelism", json!(0), &cluster), Consequence::Stops);
    assert_eq!(told(&with(2, stored()), "/bootstrap/className", json!("B"), &cluster), Consequence::Restarts);
}

#[test]
fn a_deployment_tells_of_each_part_and_of_jobs_that_restart_with_their_cluster() {
    let mut cluster = running_cluster();
    let mut job = job_in(JobPhase::Running);
    let mut deployment: FlinkDeployment = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment",
        "metadata": {"name": "demo", "uid": "d", "finalizers": ["operator.nextbreakpoint.com"]},
        "spec": {"cluster": cluster.spec, "jobs": [{"name": "a", "spec": job.spec}]},
    }))
    .unwrap();
    let owner = json!([{"apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment", "name": "demo", "uid": "d", "controller": true}]);
    cluster.metadata.owner_references = serde_json::from_value(owner.clone()).unwrap();
    job.metadata.owner_references = serde_json::from_value(owner).unwrap();
    let told = |deployment: &FlinkDeployment| -> Vec<(String, Consequence)> {
        let changes = super::deployment(deployment, Some(&cluster), &[&job], Timestamp::UNIX_EPOCH);
        changes.into_iter().map(|change| (change.name, change.consequence)).collect()
    };
    assert_eq!(told(&deployment), []);
    deployment.spec = edited(&deployment.spec, "/cluster/runtime/image", json!("flink:2.2"));
    let both = [("demo".to_owned(), Consequence::Restarts), ("demo-a".to_owned(), Consequence::Restarts)];
    assert_eq!(told(&deployment), both);
    deployment.spec = edited(&deployment.spec, "/jobs/0/name", json!("b"));
    let names: Vec<_> =
        told(&deployment).into_iter().map(|(name, consequence)| format!("{name} {consequence:?}")).collect();
    assert_eq!(names, ["demo Restarts", "demo-b Created", "demo-a Deleted"]);
}
