use api::{FlinkJob, SupervisorStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Effect, Observed, Plan, plan};

fn job(name: &str, labels: &[(&str, &str)], state: &str, metadata: &Value) -> FlinkJob {
    let labels: serde_json::Map<String, Value> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    let mut object = json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob",
        "metadata": {"name": name, "uid": "j-1", "generation": 1, "labels": labels},
        "spec": {
            "bootstrap": {"image": "i", "className": "C", "jarPath": "/j"},
            "savepoint": {"savepointInterval": 0, "savepointTargetPath": "file:///s"},
            "restart": {},
        },
        "status": {"supervisorStatus": state, "savepointPath": "file:///s/1", "jobId": "ff", "record": {"phase": {"name": "Running"}}},
    });
    for (key, value) in metadata.as_object().into_iter().flatten() {
        object["metadata"][key] = value.clone();
    }
    serde_json::from_value(object).expect("a job")
}

fn run(job: &FlinkJob, clusters: &[&str], supervised: &[&str]) -> Plan {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let observed = Observed { job, clusters: &owned(clusters), supervised: &owned(supervised), failing: false };
    plan(&observed, Timestamp::from_second(1_700_000_000).unwrap())
}

#[test]
fn a_job_is_let_go_by_force_where_its_supervisor_does_not_do_it() {
    let deleted = |seconds: i64, forced: &str| {
        job(
            "demo-x",
            &[("clusterName", "demo"), ("jobName", "x")],
            "Stopping",
            &json!({
                "deletionTimestamp": (Timestamp::from_second(1_700_000_000 - seconds).unwrap()),
                "finalizers": ["supervisor.nextbreakpoint.com"],
                "annotations": {"operator.nextbreakpoint.com/force-delete": forced},
            }),
        )
    };
    let plan = |job: &FlinkJob, failing: bool| {
        let (clusters, supervised) = (["demo".to_owned()], ["demo".to_owned()]);
        let observed = Observed { job, clusters: &clusters, supervised: &supervised, failing };
        plan(&observed, Timestamp::from_second(1_700_000_000).unwrap())
    };
    let let_go = Plan { effect: Some(Effect::RemoveFinalizer), ..Plan::default() };
    assert_eq!(plan(&deleted(1, "true"), true), let_go, "its supervisor does not work");
    assert_eq!(plan(&deleted(120, "true"), false), let_go, "its supervisor had time enough");
    let later = Plan { wake: Some(std::time::Duration::from_secs(1)), ..Plan::default() };
    assert_eq!(plan(&deleted(119, "true"), false), later);
    assert_eq!(plan(&deleted(1000, "false"), true), Plan::default(), "nobody wants it");
}

fn label(cluster: &str, job: &str) -> Effect {
    Effect::Label { cluster: cluster.into(), job: job.into() }
}

/// F-09
#[test]
fn the_longest_cluster_name_decides_while_nothing_runs() {
    let both = ["demo", "demo-2"];
    let on_demo = [("clusterName", "demo"), ("jobName", "2-x")];
    for (state, labels, clusters, expected) in [
        ("Unknown", &[][..], &["demo"][..], Some(label("demo", "2-x"))),
        ("Unknown", &[], &both, Some(label("demo-2", "x"))),
        ("Stopped", &on_demo, &both, Some(label("demo-2", "x"))),
        ("Started", &on_demo, &both, None),
        ("Starting", &on_demo, &both, None),
        ("Stopping", &on_demo, &both, None),
        ("Started", &[("clusterName", "other")], &both, Some(label("demo-2", "x"))),
        ("Started", &[("clusterName", "demo")], &both, Some(label("demo", "2-x"))),
    ] {
        let job = job("demo-2-x", labels, state, &json!({}));
        assert_eq!(run(&job, clusters, &[]).effect, expected, "{state} {labels:?} {clusters:?}");
    }
}

#[test]
fn a_job_of_a_deployment_belongs_to_the_deployments_cluster() {
    let owner = json!({"ownerReferences": [
        {"apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment", "name": "demo", "uid": "d", "controller": true},
    ]});
    let job = job("demo-2-x", &[], "Unknown", &owner);
    assert_eq!(run(&job, &["demo", "demo-2"], &[]).effect, Some(label("demo", "2-x")));
    assert_eq!(run(&job, &["demo-2"], &[]).effect, None);
}

#[test]
fn an_orphan_is_marked_once_and_keeps_what_it_resumes_from() {
    let mut job = job("demo-x", &[("clusterName", "demo")], "Started", &json!({}));
    let Some(Effect::Status(status)) = run(&job, &["other"], &[]).effect else { panic!("no status") };
    assert_eq!(status.supervisor_status, Some(SupervisorStatus::Unknown));
    assert_eq!((status.job_parallelism, status.job_id.as_deref()), (Some(0), Some("")));
    assert_eq!(status.savepoint_path.as_deref(), Some("file:///s/1"));
    assert_eq!(status.record, job.status.as_ref().unwrap().record);
    job.status = Some(*status);
    assert_eq!(run(&job, &["other"], &[]).effect, None);
}

/// SC-572, F-27, R-04
#[test]
fn nothing_is_written_while_a_supervisor_may_write() {
    let finalizer =
        json!({"finalizers": ["supervisor.nextbreakpoint.com"], "deletionTimestamp": "2026-01-01T00:00:00Z"});
    let job = job("demo-x", &[("clusterName", "demo")], "Started", &finalizer);
    let plan = run(&job, &[], &["demo"]);
    assert_eq!(plan.effect, None);
    assert_eq!(plan.waiting.as_deref(), Some("the supervisor of demo has not ended yet"));
    assert_eq!(run(&job, &[], &[]).effect, Some(Effect::RemoveFinalizer));
    assert_eq!(run(&job, &["demo"], &[]).effect, Some(label("demo", "x")));
}
