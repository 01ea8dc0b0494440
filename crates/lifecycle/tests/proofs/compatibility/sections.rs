//! Which sections of a spec restart a cluster or a job, read from whole resources.

use api::{FlinkCluster, FlinkJob};
use lifecycle::desired;
use serde_json::{Value, json};

fn cluster(change: impl FnOnce(&mut Value)) -> String {
    let mut spec = json!({
        "taskManagers": 1, "runtime": { "image": "flink:1.20" }, "jobManager": { "serviceMode": "ClusterIP" },
        "taskManager": { "taskSlots": 2 }, "supervisor": { "image": "flinkctl", "rescaleDelay": 60 },
    });
    change(&mut spec);
    let object = json!({ "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster", "metadata": { "name": "c" }, "spec": spec });
    desired::cluster(&serde_json::from_value::<FlinkCluster>(object).expect("a cluster")).digest
}

fn job(change: impl FnOnce(&mut Value)) -> lifecycle::job::Desired {
    let mut spec = json!({
        "jobParallelism": 1,
        "bootstrap": { "image": "jobs:1", "className": "a.B", "jarPath": "/a.jar", "arguments": ["x"] },
        "savepoint": { "savepointMode": "Automatic", "savepointInterval": 0, "savepointTargetPath": "file:///s" },
        "restart": { "restartPolicy": "Never" },
    });
    change(&mut spec);
    let object = json!({ "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob", "metadata": { "name": "c-j" }, "spec": spec });
    desired::job(&serde_json::from_value::<FlinkJob>(object).expect("a job"))
}

/// SC-044, SC-045, SC-179, SC-180, SC-181, SC-235, SC-236, SC-237, SC-238
#[test]
fn three_sections_restart_a_cluster() {
    let before = cluster(|_| ());
    assert_eq!(before, cluster(|_| ()));
    assert_ne!(before, cluster(|spec| spec["runtime"]["image"] = json!("flink:2.1")));
    assert_ne!(before, cluster(|spec| spec["jobManager"]["serviceMode"] = json!("NodePort")));
    assert_ne!(before, cluster(|spec| spec["taskManager"]["taskSlots"] = json!(4)));
}

/// SC-175, SC-176, SC-227, SC-290, SC-387
#[test]
fn what_has_a_deletion_timestamp_is_deleted() {
    let object = |time: Option<&str>| {
        json!({
            "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster",
            "metadata": { "name": "c", "deletionTimestamp": time },
            "spec": { "runtime": { "image": "f" }, "jobManager": {}, "taskManager": {}, "supervisor": { "image": "s" } },
        })
    };
    for (time, deleting) in [(None, false), (Some("2026-01-01T00:00:00Z"), true)] {
        let cluster: FlinkCluster = serde_json::from_value(object(time)).expect("a cluster");
        assert_eq!(desired::cluster(&cluster).deleting, deleting);
        let mut job = object(time);
        job["kind"] = json!("FlinkJob");
        job["spec"] = json!({
            "bootstrap": { "image": "i", "className": "C", "jarPath": "/j" }, "restart": {},
            "savepoint": { "savepointInterval": 0, "savepointTargetPath": "" },
        });
        let job: FlinkJob = serde_json::from_value(job).expect("a job");
        assert_eq!(desired::job(&job).deleting, deleting);
    }
}

/// SC-046
#[test]
fn numbers_and_the_supervisor_do_not_restart_a_cluster() {
    let before = cluster(|_| ());
    for (field, value) in [("taskManagers", 7), ("minTaskManagers", 1), ("maxTaskManagers", 9)] {
        assert_eq!(before, cluster(|spec| spec[field] = json!(value)), "{field}");
    }
    assert_eq!(before, cluster(|spec| spec["supervisor"]["rescaleDelay"] = json!(90)));
}

/// SC-298, SC-299, SC-013
#[test]
fn only_the_bootstrap_section_restarts_a_job() {
    let before = job(|_| ());
    assert_ne!(before.digest, job(|spec| spec["bootstrap"]["className"] = json!("a.C")).digest);
    assert_eq!(before.digest, job(|_| ()).digest);
    let hot = job(|spec| {
        spec["savepoint"]["savepointInterval"] = json!(20);
        spec["restart"]["restartPolicy"] = json!("Always");
    });
    assert_eq!(hot.digest, before.digest);
    assert_eq!(hot.savepoint_interval.map(|interval| interval.as_secs()), Some(20));
}

/// SC-320, SC-321, SC-322, SC-450 to SC-454
#[test]
fn what_the_savepoint_and_restart_sections_say_is_what_counts() {
    let job = job(|spec| {
        spec["savepoint"] = json!({
            "savepointMode": "Manual", "savepointPath": "file:///old", "savepointInterval": 60,
            "savepointTargetPath": " file:///new ",
        });
        spec["restart"] = json!({ "restartPolicy": "Always", "restartDelay": 5, "restartTimeout": 7 });
    });
    assert!(!job.savepoint_automatic);
    assert_eq!(job.savepoint_path.as_deref(), Some("file:///old"));
    assert_eq!(job.savepoint_interval.map(|interval| interval.as_secs()), Some(60));
    assert_eq!(job.savepoint_target, "file:///new");
    assert_eq!(job.restart_policy, api::RestartPolicy::Always);
    assert_eq!((job.restart_delay.as_secs(), job.restart_timeout.as_secs()), (5, 7));
}

/// SC-329, SC-330, SC-331, SC-332, SC-581
#[test]
fn the_parallelism_is_the_declared_one_within_its_limits() {
    assert_eq!(job(|spec| spec["jobParallelism"] = json!(0)).parallelism, 0);
    assert_eq!(job(|spec| spec["jobParallelism"] = json!(8)).parallelism, 8);
    let limited = job(|spec| {
        spec["jobParallelism"] = json!(9);
        spec["maxJobParallelism"] = json!(4);
    });
    assert_eq!(limited.parallelism, 4);
}
