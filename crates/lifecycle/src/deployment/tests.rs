use api::conditions::{self, READY, STALLED};
use api::{FlinkCluster, FlinkDeployment, FlinkJob, ResourceStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Effect, Observed, Plan, plan};

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn cluster_spec(image: &str) -> Value {
    json!({
        "taskManagers": 1,
        "runtime": {"image": image},
        "jobManager": {"args": ["jobmanager"]},
        "taskManager": {"taskSlots": 2},
        "supervisor": {"image": "flinkctl"},
    })
}

fn job_spec(class: &str) -> Value {
    json!({
        "jobParallelism": 1,
        "bootstrap": {"image": "jobs", "className": class, "jarPath": "/jobs.jar", "arguments": ["--a"]},
        "savepoint": {"savepointInterval": 60, "savepointTargetPath": "file:///s"},
        "restart": {"restartPolicy": "Always"},
    })
}

/// A deployment `demo` with these jobs, which the operator has already accepted.
fn deployment(jobs: &[(&str, &str)]) -> FlinkDeployment {
    let jobs: Vec<Value> = jobs.iter().map(|(name, class)| json!({"name": name, "spec": job_spec(class)})).collect();
    serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkDeployment",
        "metadata": {
            "name": "demo", "namespace": "flink", "uid": "d-1", "generation": 1, "resourceVersion": "10",
            "finalizers": ["operator.nextbreakpoint.com"],
        },
        "spec": {"cluster": cluster_spec("flink:2.1"), "jobs": jobs},
    }))
    .expect("a deployment")
}

/// What the API server holds after the plan's creations and replacements.
fn deployed(plan: &Plan) -> (Option<FlinkCluster>, Vec<FlinkJob>) {
    let (mut cluster, mut jobs) = (None, Vec::new());
    for effect in &plan.effects {
        match effect {
            Effect::CreateCluster(new) | Effect::ReplaceCluster { cluster: new, .. } => {
                let mut new = new.as_ref().clone();
                new.metadata.uid = Some("c-1".into());
                new.metadata.resource_version = Some("20".into());
                cluster = Some(new);
            }
            Effect::CreateJob(new) | Effect::ReplaceJob { job: new, .. } => {
                let mut new = new.as_ref().clone();
                new.metadata.uid = Some(format!("{}-uid", new.metadata.name.as_deref().unwrap_or_default()));
                new.metadata.resource_version = Some("30".into());
                jobs.push(new);
            }
            _ => {}
        }
    }
    (cluster, jobs)
}

fn run(deployment: &FlinkDeployment, cluster: Option<&FlinkCluster>, jobs: &[FlinkJob]) -> Plan {
    plan(&Observed { deployment, cluster, jobs: jobs.iter().collect() }, now())
}

fn brief(plan: &Plan) -> Vec<String> {
    plan.effects.iter().map(|effect| effect.notice().message).collect()
}

fn settled(jobs: &[(&str, &str)]) -> (FlinkDeployment, FlinkCluster, Vec<FlinkJob>) {
    let mut deployment = deployment(jobs);
    let first = run(&deployment, None, &[]);
    let (cluster, jobs) = deployed(&first);
    let cluster = cluster.expect("created");
    let second = run(&deployment, Some(&cluster), &jobs);
    assert_eq!(brief(&second), Vec::<String>::new());
    deployment.status = Some(second.status);
    (deployment, cluster, jobs)
}

fn change(resource: &FlinkDeployment, pointer: &str, value: Value) -> FlinkDeployment {
    let mut json = serde_json::to_value(resource).unwrap();
    *json.pointer_mut(pointer).expect("a member") = value;
    json["metadata"]["generation"] = json!(2);
    serde_json::from_value(json).expect("a deployment")
}

/// SC-572, D-06
#[test]
fn a_new_deployment_gets_its_finalizer_first_and_then_all_children_at_once() {
    let mut deployment = deployment(&[("a", "A"), ("b", "B")]);
    deployment.metadata.finalizers = None;
    let plan = run(&deployment, None, &[]);
    assert_eq!(plan.effects[0], Effect::AddFinalizer);
    assert_eq!(brief(&plan)[1..], ["created FlinkCluster demo", "created FlinkJob demo-a", "created FlinkJob demo-b"]);
    let (cluster, jobs) = deployed(&plan);
    let cluster = cluster.unwrap();
    assert_eq!(cluster.spec.task_managers, Some(1));
    assert_eq!(jobs[0].spec.job_parallelism, Some(1));
    for meta in [&cluster.metadata, &jobs[0].metadata, &jobs[1].metadata] {
        let owner = &meta.owner_references.as_ref().unwrap()[0];
        assert_eq!((owner.uid.as_str(), owner.controller), ("d-1", Some(true)));
    }
    assert_eq!(jobs[1].metadata.labels.as_ref().unwrap()["clusterName"], "demo");
    assert_eq!(jobs[1].metadata.labels.as_ref().unwrap()["jobName"], "b");
    assert_eq!(plan.status.resource_status, Some(ResourceStatus::Updating));
    assert_eq!(plan.status.digest, None);
}

#[test]
fn nothing_is_done_or_written_when_all_is_as_declared() {
    let (deployment, cluster, jobs) = settled(&[("a", "A")]);
    let again = run(&deployment, Some(&cluster), &jobs);
    assert!(again.effects.is_empty());
    assert_eq!(Some(&again.status), deployment.status.as_ref());
    assert_eq!(again.status.resource_status, Some(ResourceStatus::Updated));
    assert_eq!(again.status.digest.unwrap().jobs.unwrap()[0].name, "a");
}

/// F-06
#[test]
fn an_edit_of_cluster_and_job_in_one_update_reaches_both() {
    let (deployment, cluster, jobs) = settled(&[("a", "A")]);
    let edited = change(&deployment, "/spec/cluster/runtime/image", json!("flink:2.3"));
    let edited = change(&edited, "/spec/jobs/0/spec/bootstrap/className", json!("Z"));
    let plan = run(&edited, Some(&cluster), &jobs);
    assert_eq!(brief(&plan), ["updated FlinkCluster demo: runtime", "updated FlinkJob demo-a: bootstrap"]);
    let (cluster, jobs) = deployed(&plan);
    assert_eq!(cluster.unwrap().spec.runtime.image, "flink:2.3");
    assert_eq!(jobs[0].spec.bootstrap.class_name, "Z");
}

///
#[test]
fn an_update_carries_the_observed_version_and_all_that_is_not_ours() {
    let (deployment, mut cluster, jobs) = settled(&[]);
    cluster.metadata.finalizers = Some(vec!["supervisor.nextbreakpoint.com".into()]);
    let edited = change(&deployment, "/spec/cluster/runtime/image", json!("flink:2.3"));
    let plan = run(&edited, Some(&cluster), &jobs);
    let Effect::ReplaceCluster { cluster: replaced, .. } = &plan.effects[0] else { panic!("{:?}", plan.effects) };
    assert_eq!(replaced.metadata, cluster.metadata);
}

/// F-11
#[test]
fn a_removed_field_is_removed_from_the_child() {
    let (deployment, cluster, jobs) = settled(&[("a", "A")]);
    let edited = change(&deployment, "/spec/cluster/jobManager", json!({}));
    let edited = change(&edited, "/spec/jobs/0/spec/bootstrap/arguments", Value::Null);
    let (cluster, jobs) = deployed(&run(&edited, Some(&cluster), &jobs));
    assert_eq!(cluster.unwrap().spec.job_manager.pod.args, None);
    assert_eq!(jobs[0].spec.bootstrap.arguments, None);
}

#[test]
fn scale_is_not_propagated_after_creation() {
    let (deployment, mut cluster, mut jobs) = settled(&[("a", "A")]);
    cluster.spec.task_managers = Some(7);
    jobs[0].spec.job_parallelism = Some(5);
    assert!(run(&deployment, Some(&cluster), &jobs).effects.is_empty());
    let edited = change(&deployment, "/spec/cluster/taskManagers", json!(3));
    let edited = change(&edited, "/spec/jobs/0/spec/jobParallelism", json!(3));
    assert!(run(&edited, Some(&cluster), &jobs).effects.is_empty());
    let edited = change(&edited, "/spec/cluster/taskManager/taskSlots", json!(4));
    let (cluster, _) = deployed(&run(&edited, Some(&cluster), &jobs));
    assert_eq!(cluster.unwrap().spec.task_managers, Some(7));
}

/// SC-028, F-07
#[test]
fn jobs_are_added_removed_and_made_again() {
    let (deployment, cluster, jobs) = settled(&[("a", "A"), ("b", "B")]);
    let edited = change(&deployment, "/spec/jobs/0/name", json!("c"));
    let plan = run(&edited, Some(&cluster), &jobs);
    assert_eq!(brief(&plan), ["created FlinkJob demo-c", "deleting FlinkJob demo-a"]);
    assert_eq!(plan.effects[1], Effect::DeleteJob { name: "demo-a".into(), uid: "demo-a-uid".into() });
    let missing = run(&deployment, Some(&cluster), &jobs[..1]);
    assert_eq!(brief(&missing), ["created FlinkJob demo-b"]);
}

/// SC-029
#[test]
fn a_cluster_that_somebody_deleted_is_made_again() {
    let (deployment, _, jobs) = settled(&[("a", "A")]);
    assert_eq!(brief(&run(&deployment, None, &jobs)), ["created FlinkCluster demo"]);
}

/// F-07
#[test]
fn what_failed_is_planned_again_until_it_is_there() {
    let (deployment, cluster, jobs) = settled(&[("a", "A")]);
    let mut edited = change(
        &deployment,
        "/spec/jobs",
        json!([{"name": "a", "spec": job_spec("Z")}, {"name": "b", "spec": job_spec("B")}]),
    );
    let first = run(&edited, Some(&cluster), &jobs);
    assert_eq!(brief(&first), ["updated FlinkJob demo-a: bootstrap", "created FlinkJob demo-b"]);
    // Its status is stored, and nothing else came through.
    edited.status = Some(first.status.clone());
    assert_eq!(brief(&run(&edited, Some(&cluster), &jobs)), brief(&first));
}

#[test]
fn a_job_that_is_being_deleted_is_waited_for() {
    let (deployment, cluster, mut jobs) = settled(&[("a", "A")]);
    let time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    jobs[0].metadata.deletion_timestamp = Some(time);
    let plan = run(&deployment, Some(&cluster), &jobs);
    assert!(plan.effects.is_empty());
    assert_eq!(plan.waiting.as_deref(), Some("FlinkJob demo-a is being deleted"));
}

#[test]
fn what_belongs_to_others_is_left_alone() {
    let (deployment, mut cluster, mut jobs) = settled(&[("a", "A")]);
    let foreign = json!([{"apiVersion": "x/v1", "kind": "Other", "name": "o", "uid": "o-1", "controller": true}]);
    cluster.metadata.owner_references = serde_json::from_value(foreign.clone()).unwrap();
    jobs[0].metadata.owner_references = serde_json::from_value(foreign).unwrap();
    let edited = change(&deployment, "/spec/cluster/runtime/image", json!("flink:2.3"));
    let plan = run(&edited, Some(&cluster), &jobs);
    assert!(plan.effects.is_empty());
    assert_eq!(plan.notices.len(), 2);
    assert_eq!(conditions::condition(&plan.status.conditions, STALLED).unwrap().reason, "NameTaken");
    let emptied = change(&deployment, "/spec/jobs", json!([]));
    assert!(run(&emptied, Some(&cluster), &jobs).effects.is_empty());
}

#[test]
fn children_without_owner_are_taken_over_and_hand_made_jobs_are_not() {
    let (mut deployment, mut cluster, mut jobs) = settled(&[("a", "A"), ("b", "B")]);
    cluster.metadata.owner_references = None;
    for job in &mut jobs {
        job.metadata.owner_references = None;
    }
    let mut by_hand = jobs[0].clone();
    by_hand.metadata.name = Some("demo-hand".into());
    jobs.push(by_hand);
    deployment = change(&deployment, "/spec/jobs", json!([{"name": "a", "spec": job_spec("A")}]));
    let plan = run(&deployment, Some(&cluster), &jobs);
    assert_eq!(
        brief(&plan),
        [
            "updated FlinkCluster demo: ownerReferences",
            "updated FlinkJob demo-a: ownerReferences",
            "deleting FlinkJob demo-b",
        ]
    );
}

/// SC-023, SC-053
#[test]
fn deletion_waits_for_the_children_and_then_lets_go_at_once() {
    let (mut deployment, mut cluster, mut jobs) = settled(&[("a", "A")]);
    let time: Option<_> = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    deployment.metadata.deletion_timestamp.clone_from(&time);
    let plan = run(&deployment, Some(&cluster), &jobs);
    assert_eq!(brief(&plan), ["deleting FlinkCluster demo", "deleting FlinkJob demo-a"]);
    cluster.metadata.deletion_timestamp.clone_from(&time);
    jobs[0].metadata.deletion_timestamp = time;
    let plan = run(&deployment, Some(&cluster), &jobs);
    assert!(plan.effects.is_empty());
    assert_eq!(plan.waiting.as_deref(), Some("waiting until these are gone: FlinkCluster demo, FlinkJob demo-a"));
    assert_eq!(run(&deployment, None, &[]).effects, [Effect::RemoveFinalizer]);
    deployment.metadata.finalizers = Some(vec!["another".into()]);
    assert!(run(&deployment, None, &[]).effects.is_empty());
}

#[test]
fn a_deployment_is_ready_when_its_children_are() {
    let (deployment, mut cluster, mut jobs) = settled(&[("a", "A"), ("batch", "B")]);
    let ready = |plan: &Plan| {
        let condition = conditions::condition(&plan.status.conditions, READY).unwrap();
        (condition.status.clone(), condition.reason.clone())
    };
    assert_eq!(ready(&run(&deployment, Some(&cluster), &jobs)), ("False".into(), "Starting".into()));
    let condition = |status: &str, reason: &str| {
        json!({"conditions": [{
            "type": "Ready", "status": status, "reason": reason, "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]})
    };
    cluster.status = serde_json::from_value(condition("True", "Running")).unwrap();
    jobs[0].status = serde_json::from_value(condition("True", "Running")).unwrap();
    jobs[1].status = serde_json::from_value(condition("False", "Finished")).unwrap();
    assert_eq!(ready(&run(&deployment, Some(&cluster), &jobs)), ("True".into(), "Running".into()));
    jobs[1].status = serde_json::from_value(condition("False", "Failed")).unwrap();
    assert_eq!(ready(&run(&deployment, Some(&cluster), &jobs)), ("False".into(), "Failed".into()));
    jobs[0].metadata.generation = Some(2);
    assert_eq!(ready(&run(&deployment, Some(&cluster), &jobs)), ("False".into(), "Updating".into()));
}
