use std::time::Duration;

use api::FlinkCluster;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{Correction, Effect, Observed, Plan, Seen, digest, plan};

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

const BOTH: [&str; 2] = ["operator.nextbreakpoint.com", "supervisor.nextbreakpoint.com"];

fn cluster(finalizers: &[&str], deleting: bool) -> FlinkCluster {
    serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster",
        "metadata": {
            "name": "demo", "uid": "c-1", "finalizers": finalizers,
            "deletionTimestamp": deleting.then_some("2026-01-01T00:00:00Z"),
        },
        "spec": {"runtime": {"image": "flink"}, "jobManager": {}, "taskManager": {}, "supervisor": {"image": "flinkctl"}},
    }))
    .expect("a cluster")
}

fn wanted(image: &str, section: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "supervisor-demo", "labels": {"role": "supervisor"}, "annotations": {"flink-operator/deployment-digest": section},
            "ownerReferences": [{"apiVersion": "nextbreakpoint.com/v1", "kind": "FlinkCluster", "name": "demo", "uid": "c-1", "controller": true}],
        },
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"role": "supervisor"}},
            "template": {"metadata": {"labels": {"role": "supervisor"}}, "spec": {"containers": [{"name": "supervisor", "image": image}]}},
        },
    })
}

/// What the API server holds of a manifest.
fn held(manifest: &Value, generation: i64) -> (ObjectMeta, Value) {
    let mut meta: ObjectMeta = serde_json::from_value(manifest["metadata"].clone()).unwrap();
    meta.uid = Some("s-1".into());
    meta.resource_version = Some("50".into());
    meta.generation = Some(generation);
    let mut spec = manifest["spec"].clone();
    spec["progressDeadlineSeconds"] = json!(600);
    (meta, spec)
}

fn run(
    cluster: &FlinkCluster,
    held: Option<&(ObjectMeta, Value)>,
    wanted: &Value,
    pods: usize,
    last: Option<&Correction>,
) -> Plan {
    let deployment = held.map(|(meta, spec)| Seen { meta, spec });
    plan(&Observed { cluster, deployment, pods, trouble: None, wanted: Ok(wanted), last }, now())
}

#[test]
fn a_cluster_is_let_go_by_force_where_its_supervisor_does_not_do_it() {
    let wanted = wanted("a", "1");
    let there = held(&wanted, 1);
    let told = |seconds: i64, forced: bool, trouble: Option<&str>| {
        let mut cluster = cluster(&BOTH, true);
        let since = Timestamp::from_second(1_700_000_000 - seconds).unwrap();
        cluster.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(since));
        let force = ("operator.nextbreakpoint.com/force-delete".to_owned(), forced.to_string());
        cluster.metadata.annotations = Some([force].into());
        let deployment = Some(Seen { meta: &there.0, spec: &there.1 });
        plan(&Observed { cluster: &cluster, deployment, pods: 1, trouble, wanted: Ok(&wanted), last: None }, now())
    };
    let released = |plan: &Plan| plan.effects == [Effect::Release];
    assert!(released(&told(1, true, Some("CrashLoopBackOff"))));
    assert!(released(&told(120, true, None)), "it had time enough");
    let early = told(100, true, None);
    assert_eq!((released(&early), early.wake), (false, Some(Duration::from_secs(20))));
    assert!(!released(&told(1000, false, Some("CrashLoopBackOff"))), "nobody wants it");
}

#[test]
fn a_cluster_gets_the_finalizer_and_a_supervisor_in_one_go() {
    let wanted = wanted("a", "1");
    assert_eq!(
        run(&cluster(&[], false), None, &wanted, 0, None).effects,
        [Effect::AddFinalizer, Effect::Create(wanted.clone())]
    );
    let there = held(&wanted, 1);
    assert_eq!(run(&cluster(&BOTH, false), Some(&there), &wanted, 1, None), Plan::default());
}

/// SC-572, D-08, D-09
#[test]
fn a_change_is_made_in_place_and_keeps_what_others_added() {
    let mut there = held(&wanted("a", "1"), 1);
    there.0.annotations.as_mut().unwrap().insert("deployment.kubernetes.io/revision".into(), "1".into());
    there.1["template"]["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": "now"});
    there.1["paused"] = json!(true);
    there.1["replicas"] = json!(0);
    let plan = run(&cluster(&BOTH, false), Some(&there), &wanted("b", "1"), 1, None);
    let [Effect::Replace { deployment, why }] = &plan.effects[..] else { panic!("{plan:?}") };
    assert_eq!(why, "spec.template.spec.containers.0.image");
    assert_eq!(deployment["metadata"]["resourceVersion"], "50");
    assert_eq!(deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    assert_eq!(deployment["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"], "now");
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "b");
    assert_eq!(deployment["spec"]["paused"], true);
    assert_eq!(deployment["spec"]["replicas"], 0);
    let plan = run(&cluster(&BOTH, false), Some(&there), &wanted("a", "2"), 1, None);
    let [Effect::Replace { deployment, .. }] = &plan.effects[..] else { panic!("{plan:?}") };
    assert_eq!(deployment["spec"]["replicas"], 1);
}

#[test]
fn the_number_of_replicas_is_left_to_people() {
    let wanted = wanted("a", "1");
    let mut there = held(&wanted, 1);
    there.1["replicas"] = json!(0);
    assert_eq!(run(&cluster(&BOTH, false), Some(&there), &wanted, 1, None), Plan::default());
}

/// D-08
#[test]
fn drift_is_corrected_without_a_fight() {
    let wanted = wanted("a", "1");
    let mut there = held(&wanted, 7);
    there.1["template"]["spec"]["containers"][0]["image"] = json!("x");
    let corrected = |generation, seconds_ago| Correction {
        generation: Some(generation),
        wanted: digest(&wanted),
        at: now() - Duration::from_secs(seconds_ago),
    };
    let cluster = cluster(&BOTH, false);
    let insisted = run(&cluster, Some(&there), &wanted, 1, Some(&corrected(7, 5)));
    assert_eq!(insisted, Plan::default());
    let contested = run(&cluster, Some(&there), &wanted, 1, Some(&corrected(6, 15)));
    assert!(contested.effects.is_empty());
    assert_eq!(contested.wake, Some(Duration::from_secs(45)));
    let later = run(&cluster, Some(&there), &wanted, 1, Some(&corrected(6, 61)));
    assert_eq!(later.effects.len(), 1);
}

#[test]
fn a_deployment_that_cannot_become_ours_is_replaced() {
    let wanted = wanted("a", "1");
    let delete = [Effect::Delete { name: "supervisor-demo".into(), uid: "s-1".into() }];
    let mut foreign = held(&wanted, 1);
    foreign.0.owner_references.as_mut().unwrap()[0].uid = "c-0".into();
    assert_eq!(run(&cluster(&BOTH, false), Some(&foreign), &wanted, 1, None).effects, delete);
    let mut selects = held(&wanted, 1);
    selects.1["selector"] = json!({"matchLabels": {"app": "x"}});
    assert_eq!(run(&cluster(&BOTH, false), Some(&selects), &wanted, 1, None).effects, delete);
    let mut unowned = held(&wanted, 1);
    unowned.0.owner_references = None;
    assert_eq!(run(&cluster(&BOTH, false), Some(&unowned), &wanted, 1, None).effects, delete);
}

#[test]
fn no_supervisor_comes_while_pods_of_another_one_are_there() {
    let wanted = wanted("a", "1");
    let plan = run(&cluster(&BOTH, false), None, &wanted, 1, None);
    assert!(plan.effects.is_empty() && plan.waiting.is_some(), "{plan:?}");
    assert_eq!(run(&cluster(&BOTH, false), None, &wanted, 0, None).effects, [Effect::Create(wanted)]);
}

#[test]
fn the_supervisor_outlives_its_finalizer_and_the_cluster_the_supervisor() {
    let wanted = wanted("a", "1");
    let there = held(&wanted, 1);
    let going = cluster(&BOTH, true);
    assert_eq!(run(&going, Some(&there), &wanted, 1, None).waiting.as_deref(), Some("the supervisor is cleaning up"));
    assert_eq!(run(&going, None, &wanted, 0, None).effects, [Effect::Create(wanted.clone())]);
    let cleaned = cluster(&BOTH[..1], true);
    assert_eq!(
        run(&cleaned, Some(&there), &wanted, 1, None).effects,
        [Effect::Delete { name: "supervisor-demo".into(), uid: "s-1".into() }]
    );
    let pods_left = run(&cleaned, None, &wanted, 1, None);
    assert!(pods_left.effects.is_empty());
    assert_eq!(pods_left.waiting.as_deref(), Some("1 supervisor pods are ending"));
    assert_eq!(run(&cleaned, None, &wanted, 0, None).effects, [Effect::RemoveFinalizer]);
    assert!(run(&cluster(&[], true), None, &wanted, 0, None).effects.is_empty());
}

#[test]
fn a_cluster_without_manifest_says_why() {
    let there = cluster(&BOTH, false);
    let observed = Observed {
        cluster: &there,
        deployment: None,
        pods: 0,
        trouble: None,
        wanted: Err("supervisor.resources is not valid"),
        last: None,
    };
    let plan = plan(&observed, now());
    assert_eq!(told(&plan), ("Invalid".into(), "supervisor.resources is not valid".into()));
    assert_eq!(plan.notices[0].message, "supervisor.resources is not valid");
}

#[test]
fn a_supervisor_that_does_not_run_is_told_about() {
    let wanted = wanted("a", "1");
    let (meta, spec) = held(&wanted, 1);
    let there = cluster(&BOTH, true);
    let observed = Observed {
        cluster: &there,
        deployment: Some(Seen { meta: &meta, spec: &spec }),
        pods: 1,
        trouble: Some("pod supervisor-demo-x: ErrImagePull: no such image"),
        wanted: Ok(&wanted),
        last: None,
    };
    let plan = plan(&observed, now());
    assert_eq!(plan.notices[0].reason, "SupervisorFailing");
    let (reason, message) = told(&plan);
    assert_eq!(reason, "SupervisorFailing");
    assert!(message.contains("ErrImagePull: no such image"), "{message}");
    let [Effect::Status(status)] = plan.effects.as_slice() else { panic!("{:?}", plan.effects) };
    let mut known = there.clone();
    known.status = Some(status.as_ref().clone());
    assert_eq!(super::plan(&Observed { cluster: &known, ..observed }, now()).effects, [], "it is told once");
}

/// What the status of a plan says: that nobody knows whether the cluster is ready, and why.
fn told(plan: &Plan) -> (String, String) {
    let [Effect::Status(status)] = plan.effects.as_slice() else { panic!("{:?}", plan.effects) };
    let ready = api::conditions::condition(&status.conditions, api::conditions::READY).unwrap();
    assert_eq!(ready.status, "Unknown");
    (ready.reason.clone(), ready.message.clone())
}
