use api::conditions::{PROGRESSING, set_condition};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

fn conditions(ready: bool, stalled: bool, reason: &str, message: &str) -> Vec<Condition> {
    let mut conditions = Vec::new();
    set_condition(&mut conditions, READY, ready, reason, message, Some(1), at(-95));
    set_condition(&mut conditions, PROGRESSING, !ready && !stalled, reason, message, Some(1), at(-95));
    set_condition(&mut conditions, STALLED, stalled, reason, message, Some(1), at(-95));
    conditions
}

fn cluster(conditions: Vec<Condition>, record: Value) -> FlinkCluster {
    let mut cluster: FlinkCluster = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster",
        "metadata": {"name": "demo", "namespace": "flink", "generation": 1},
        "spec": {
            "runtime": {"image": "flink:2.1"}, "jobManager": {}, "taskManager": {"taskSlots": 2},
            "supervisor": {"image": "flinkctl:1", "taskTimeout": 60},
        },
        "status": {"supervisorStatus": "Starting", "taskManagerReplicas": 1, "totalTaskSlots": 2, "record": record},
    }))
    .unwrap();
    cluster.status.as_mut().unwrap().conditions = conditions;
    cluster
}

fn job(conditions: Vec<Condition>, record: Value) -> FlinkJob {
    let mut job: FlinkJob = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkJob",
        "metadata": {"name": "demo-clicks", "namespace": "flink", "generation": 1},
        "spec": {
            "jobParallelism": 2,
            "bootstrap": {"image": "jobs:1", "className": "com.example.Nowhere", "jarPath": "/jobs.jar"},
            "savepoint": {"savepointInterval": 3600, "savepointTargetPath": "file:///state"},
            "restart": {"restartPolicy": "OnlyIfFailed", "restartDelay": 60},
        },
        "status": {
            "supervisorStatus": "Stopped", "jobStatus": "", "record": record,
            "lastAction": {"id": "7", "action": "START", "outcome": "Failed", "message": "not started: WrongClass"},
        },
    }))
    .unwrap();
    job.status.as_mut().unwrap().conditions = conditions;
    job
}

fn subject(what: What<'_>) -> Subject<'_> {
    Subject { what, events: Vec::new(), supervisor: None, now: at(0) }
}

fn event(reason: &str, message: &str, seconds: i64) -> Event {
    Event {
        time: Some(at(seconds)),
        warning: true,
        reason: reason.into(),
        message: message.into(),
        about: "Job bootstrap-demo-clicks".into(),
        count: 2,
    }
}

#[test]
fn a_wrong_class_is_told_with_what_to_do_and_when_it_is_tried_again() {
    let message = "not started: WrongClass: the JAR has no main class com.example.Nowhere";
    let record = json!({"phase": {"name": "Ended", "at": at(-20), "end": {
        "why": "NotStarted", "reason": "WrongClass", "message": "no such class",
    }}});
    let job = job(conditions(false, true, "WrongClass", message), record);
    let mut subject = subject(What::Job { job: &job, cluster: None });
    let started = Event { warning: false, about: "FlinkJob demo-clicks".into(), ..event("Starting", "attempt 1", -40) };
    let pulled = Event { warning: false, about: "Pod bootstrap".into(), ..event("Pulled", "image", -35) };
    subject.events = vec![event("NotStarted", message, -20), started, pulled];
    let explanation = explain(&subject);
    assert_eq!(explanation.verdict, Verdict::Stalled);
    assert_eq!(explanation.next[0].at, Some(at(40)));
    insta::assert_snapshot!(render(&explanation, at(0), 100));
}

#[test]
fn a_job_without_its_cluster_is_explained_by_the_cluster() {
    let why = "the last JobManager ended: exit code 1: IllegalConfigurationException";
    let record = json!({"phase": {"name": "Starting", "since": at(-5), "notBefore": at(27)}, "failures": 6});
    let cluster = cluster(conditions(false, false, "JobManagerFailing", why), record);
    let waiting = json!({"phase": {"name": "Waiting", "since": at(-95)}});
    let job = job(conditions(false, false, "WaitingForCluster", "the cluster is starting"), waiting);
    let of_job = explain(&subject(What::Job { job: &job, cluster: Some(&cluster) }));
    assert_eq!(of_job.verdict, Verdict::Blocked);
    assert_eq!(of_job.advice[0].commands[0], "kubectl edit fc demo -n flink");
    insta::assert_snapshot!(render(&of_job, at(0), 80));
    let of_cluster = explain(&subject(What::Cluster { cluster: &cluster, jobs: vec![&job] }));
    assert_eq!(of_cluster.next, [Next { what: "another JobManager is started".into(), at: Some(at(27)) }]);
    insta::assert_snapshot!(render(&of_cluster, at(0), 200));
}

#[test]
fn what_only_events_tell_is_a_cause_while_it_is_recent() {
    let record = json!({"phase": {"name": "Submitting", "since": at(-30), "tries": 1}});
    let job = job(conditions(false, false, "Starting", "the bootstrap is at work"), record);
    let mut subject = subject(What::Job { job: &job, cluster: None });
    let message = "Error creating: pods \"bootstrap-demo-clicks-x\" is forbidden: exceeded quota: pods";
    subject.events = vec![event("FailedCreate", message, -10)];
    let explanation = explain(&subject);
    assert_eq!((explanation.verdict, explanation.causes[0].reason.as_str()), (Verdict::Blocked, "QuotaExceeded"));
    assert!(explanation.advice[0].commands[0].contains("resourcequota -n flink"), "{:?}", explanation.advice);
    subject.events = vec![event("FailedCreate", message, -2000)];
    assert_eq!(explain(&subject).verdict, Verdict::Progressing);
}

#[test]
fn a_supervisor_that_fails_is_told_of_whatever_the_status_says() {
    let cluster = cluster(conditions(true, false, "Running", "all is well"), Value::Null);
    let mut subject = subject(What::Cluster { cluster: &cluster, jobs: Vec::new() });
    assert_eq!(explain(&subject).advice, []);
    subject.supervisor = Some("pod supervisor-demo-x: it may not list pods");
    let explanation = explain(&subject);
    assert_eq!(explanation.causes[0].reason, "SupervisorFailing");
    assert!(explanation.advice[0].commands.iter().any(|command| command.contains("deployment/supervisor-demo")));
}

#[test]
fn a_running_job_says_when_the_next_savepoint_is_due() {
    let record = json!({"phase": {"name": "Running"}, "savepointRequested": at(-600)});
    let job = job(conditions(true, false, "Running", "all tasks run"), record);
    let explanation = explain(&subject(What::Job { job: &job, cluster: None }));
    assert_eq!(explanation.verdict, Verdict::Ready);
    assert_eq!(explanation.next[0].at, Some(at(3000)));
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap());
}

#[test]
fn a_running_job_says_what_becomes_of_another_parallelism() {
    let told = |rescaling: &Value| {
        let record = json!({"phase": {"name": "Running"}, "savepointRequested": at(-600), "rescaling": rescaling});
        let job = job(conditions(false, false, "Updating", "Flink changes its parallelism from 2 to 3"), record);
        explain(&subject(What::Job { job: &job, cluster: None })).next[0].clone()
    };
    assert!(told(&json!({"parallelism": 3})).what.contains("as soon as there are task slots"));
    assert_eq!(told(&json!({"parallelism": 3, "asked": at(-30)})).at, Some(at(90)));
    assert!(told(&json!({"parallelism": 3, "asked": at(-300), "givenUp": true})).what.contains("restarted"));
}

#[test]
fn a_job_that_runs_on_after_its_savepoint_failed_is_explained() {
    let mut told = conditions(true, false, "Running", "all tasks run");
    let why = "the savepoint failed, the job runs on: no space left on device";
    set_condition(&mut told, api::conditions::SAVEPOINT_FAILED, true, "SavepointFailed", why, Some(1), at(-60));
    let job = job(told, json!({"phase": {"name": "Running"}}));
    let explanation = explain(&subject(What::Job { job: &job, cluster: None }));
    assert_eq!((explanation.verdict, explanation.causes[0].message.as_str()), (Verdict::Ready, why));
    assert!(explanation.advice[0].text.contains("savepointTargetPath"), "{:?}", explanation.advice);
}

#[test]
fn a_deletion_that_is_blocked_comes_with_what_to_do() {
    let mut job =
        job(conditions(false, false, "DeletionBlocked", "being deleted, and there is no JobManager"), Value::Null);
    job.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(-60)));
    let explanation = explain(&subject(What::Job { job: &job, cluster: None }));
    assert_eq!(explanation.verdict, Verdict::Deleting);
    assert!(explanation.advice[0].commands[0].contains("force-delete=true"), "{:?}", explanation.advice);
}

#[test]
fn a_deployment_points_at_the_part_that_is_not_ready() {
    let deployment: FlinkDeployment = serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment", "metadata": {"name": "demo", "namespace": "flink"},
        "spec": {"cluster": cluster(Vec::new(), Value::Null).spec, "jobs": []},
        "status": {"resourceStatus": "Updated"},
    }))
    .unwrap();
    let cluster = cluster(conditions(true, false, "Running", "all is well"), Value::Null);
    let job = job(conditions(false, false, "ImageError", "container bootstrap: ErrImagePull"), Value::Null);
    let what = What::Deployment { deployment: &deployment, cluster: Some(&cluster), jobs: vec![&job] };
    let explanation = explain(&subject(what));
    assert_eq!(explanation.verdict, Verdict::Blocked);
    assert_eq!(explanation.causes.len(), 1);
    assert!(
        explanation.advice[0].commands.contains(&"kubectl edit fj demo-clicks -n flink".to_owned()),
        "it is its job's"
    );
    insta::assert_snapshot!(render(&explanation, at(0), 100));
}

#[test]
fn a_new_generation_that_nobody_has_looked_at_is_not_ready() {
    let mut job = job(conditions(true, false, "Running", "all tasks run"), Value::Null);
    job.metadata.generation = Some(2);
    assert_eq!(explain(&subject(What::Job { job: &job, cluster: None })).verdict, Verdict::Progressing);
    job.status = None;
    assert_eq!(explain(&subject(What::Job { job: &job, cluster: None })).verdict, Verdict::Unknown);
}

#[test]
fn events_of_other_clusters_are_not_taken_for_ours() {
    let (cluster, job) = (cluster(Vec::new(), Value::Null), job(Vec::new(), Value::Null));
    let event = |kind: &str, name: &str| -> KubernetesEvent {
        serde_json::from_value(json!({ "metadata": {}, "involvedObject": { "kind": kind, "name": name } })).unwrap()
    };
    let of_cluster = What::Cluster { cluster: &cluster, jobs: Vec::new() };
    let of_job = What::Job { job: &job, cluster: Some(&cluster) };
    for (what, kind, name, wanted) in [
        (&of_cluster, "FlinkCluster", "demo", true),
        (&of_cluster, "FlinkCluster", "demo-2", false),
        (&of_cluster, "Pod", "jobmanager-demo-3", true),
        (&of_cluster, "Pod", "taskmanager-demo-3-0", true),
        (&of_cluster, "Pod", "taskmanager-demo-x-3-0", false),
        (&of_cluster, "Pod", "supervisor-demo-5f9c-abcde", true),
        (&of_cluster, "Pod", "supervisor-demo-2-5f9c-abcde", false),
        (&of_cluster, "Deployment", "supervisor-demo", true),
        (&of_cluster, "FlinkJob", "demo-clicks", false),
        (&of_job, "FlinkJob", "demo-clicks", true),
        (&of_job, "Job", "bootstrap-demo-clicks", true),
        (&of_job, "Pod", "bootstrap-demo-clicks-abcde", true),
        (&of_job, "Pod", "bootstrap-demo-clicks-2-abcde", false),
        (&of_job, "Pod", "jobmanager-demo-3", false),
    ] {
        assert_eq!(concerns(what, &event(kind, name)), wanted, "{kind} {name}");
    }
}

#[test]
fn what_a_deployment_declares_is_edited_there() {
    let mut job = job(conditions(false, true, "WrongClass", "no such class"), Value::Null);
    let commands = |job: &FlinkJob| explain(&subject(What::Job { job, cluster: None })).advice[0].commands.clone();
    assert_eq!(commands(&job), ["kubectl edit fj demo-clicks -n flink"]);
    job.metadata.owner_references = serde_json::from_value(json!([{
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment", "name": "demo", "uid": "d", "controller": true,
    }]))
    .unwrap();
    assert_eq!(commands(&job), ["kubectl edit fd demo -n flink"]);
}
