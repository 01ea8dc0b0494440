//! The definitions as an API server sees them: what they accept and refuse, and what they show.

use std::fmt::Write as _;

use kube_cel::Validator;
use serde_json::{Value, json};

fn schema(plural: &str) -> Value {
    let crd = api::crds().into_iter().find(|crd| crd.spec.names.plural == plural).expect("a definition");
    let schema = crd.spec.versions[0].schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    serde_json::to_value(schema.expect("a schema")).expect("JSON")
}

#[track_caller]
fn at(schema: &Value, path: &str) -> Value {
    let pointer = path.split('.').fold(String::new(), |pointer, step| match step {
        "[]" => pointer + "/items",
        "{}" => pointer + "/additionalProperties",
        name => pointer + "/properties/" + name,
    });
    schema.pointer(&pointer).unwrap_or_else(|| panic!("{path} is not in the schema")).clone()
}

fn deployment(name: &str, jobs: &[&str]) -> Value {
    let jobs: Vec<_> = jobs.iter().map(|job| json!({ "name": job, "spec": {} })).collect();
    json!({ "metadata": { "name": name }, "spec": { "cluster": {}, "jobs": jobs } })
}

fn check(object: &Value, old: Option<&Value>) -> Result<(), String> {
    Validator::new().validate(&schema("flinkdeployments"), object, old).map_err(|errors| errors.to_string())
}

/// F-10, C-08
#[test]
fn the_polling_interval_is_a_number_wherever_a_cluster_is_declared() {
    let alone = at(&schema("flinkclusters"), "spec.supervisor.pollingInterval");
    let within = at(&schema("flinkdeployments"), "spec.cluster.supervisor.pollingInterval");
    assert_eq!((&alone["type"], &within["type"]), (&json!("integer"), &json!("integer")));
}

#[test]
fn definitions_stay_small() {
    for crd in api::crds() {
        let size = serde_json::to_string(&crd).unwrap().len();
        assert!(size < 120 * 1024, "{} has {size} bytes", crd.spec.names.kind);
    }
}

#[test]
fn names_columns_and_subresources_are_those_of_the_original() {
    let mut text = String::new();
    for crd in api::crds() {
        let names = &crd.spec.names;
        let version = &crd.spec.versions[0];
        let scale = version.subresources.as_ref().unwrap().scale.as_ref();
        let _ = writeln!(
            text,
            "{} {} {:?} {:?} {}",
            names.kind, names.plural, names.singular, names.short_names, crd.spec.scope
        );
        let _ = writeln!(text, "scale {}", serde_json::to_string(&scale).unwrap());
        for column in version.additional_printer_columns.iter().flatten() {
            let _ = writeln!(text, "  {} {} {} {:?}", column.name, column.type_, column.json_path, column.priority);
        }
    }
    insta::assert_snapshot!(text);
}

/// F-22, F-39
#[test]
fn values_that_could_never_run_are_refused_by_the_field() {
    let cluster = schema("flinkclusters");
    for (path, key, value) in [
        ("spec.taskManagers", "minimum", json!(0.0)),
        ("spec.taskManager.taskSlots", "minimum", json!(1.0)),
        ("spec.runtime.image", "minLength", json!(1)),
        ("spec.supervisor.image", "minLength", json!(1)),
        ("spec.supervisor.replicas", "minimum", json!(0.0)),
        ("spec.jobManager.environment", "maxItems", json!(1024)),
        ("spec.jobManager.extraPorts.[].containerPort", "maximum", json!(65535.0)),
        ("spec.jobManager.volumeMounts.[]", "required", json!(["mountPath", "name"])),
        ("spec.supervisor.rescalePolicy", "enum", json!(["None", "JobParallelism"])),
        ("spec.runtime.pullPolicy", "enum", json!(["Never", "Always", "IfNotPresent"])),
        ("metadata.name", "maxLength", json!(52)),
    ] {
        assert_eq!(at(&cluster, path)[key], value, "{path}");
    }
    let job = schema("flinkjobs");
    assert_eq!(at(&job, "spec.jobParallelism")["minimum"], json!(0.0));
    assert_eq!(at(&job, "spec.bootstrap.image")["minLength"], json!(1));
    assert_eq!(at(&job, "spec.bootstrap")["required"], json!(["className", "image", "jarPath"]));
    assert_eq!(at(&job, "spec.savepoint")["required"], json!(["savepointInterval", "savepointTargetPath"]));
    let deployment = schema("flinkdeployments");
    let jobs = at(&deployment, "spec.jobs");
    assert_eq!(jobs["x-kubernetes-list-type"], "map");
    assert_eq!(jobs["x-kubernetes-list-map-keys"], json!(["name"]));
}

/// F-01, C-13, C-14
#[test]
fn what_ran_with_the_original_is_accepted() {
    let cluster = schema("flinkclusters");
    for path in
        ["spec.minTaskManagers", "spec.maxTaskManagers", "spec.supervisor.taskTimeout", "spec.supervisor.rescaleDelay"]
    {
        assert_eq!(at(&cluster, path).get("minimum"), None, "{path}");
    }
    let anything = json!({ "x-kubernetes-preserve-unknown-fields": true });
    assert_eq!(at(&cluster, "spec.jobManager.annotations.{}"), anything);
    assert_eq!(at(&cluster, "spec.flinkConfiguration.{}"), anything);
    let quantity = json!({ "x-kubernetes-int-or-string": true });
    assert_eq!(at(&cluster, "spec.taskManager.resources.limits.{}"), quantity);
    assert_eq!(at(&cluster, "spec.taskManager.sideContainers.[].resources.requests.{}"), quantity);
    assert_eq!(at(&cluster, "spec.taskManager.sideContainers.[]")["x-kubernetes-preserve-unknown-fields"], true);
    assert_eq!(at(&cluster, "spec")["required"], json!(["jobManager", "runtime", "supervisor", "taskManager"]));
    assert_eq!(at(&cluster, "spec.jobManager").get("required"), None);
}

#[test]
fn a_null_is_kept_or_dropped_but_never_refused() {
    fn walk(path: &str, schema: &Value) {
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if let Some(values) = member["enum"].as_array() {
                assert!(!values.contains(&Value::Null), "{path}");
                assert_eq!(member.get("nullable"), None, "{path}");
            }
            walk(&path, member);
            walk(&path, &member["items"]);
        }
    }
    for plural in ["flinkdeployments", "flinkclusters", "flinkjobs"] {
        walk("", &schema(plural));
    }
    assert_eq!(at(&schema("flinkclusters"), "spec.taskManager.taskSlots")["nullable"], true);
}

#[test]
fn names_that_would_be_too_long_together_are_refused() {
    let (name, fits, long) = ("d".repeat(40), "j".repeat(12), "j".repeat(13));
    check(&deployment(&name, &[&fits, "x"]), None).unwrap();
    check(&deployment(&name, &[]), None).unwrap();
    check(&json!({ "metadata": { "name": name }, "spec": { "cluster": {} } }), None).unwrap();
    let message = check(&deployment(&name, &["x", &long]), None).unwrap_err();
    assert!(message.contains("spec.jobs[].name is too long"), "{message}");
    assert!(message.contains("metadata.name"), "{message}");
}

#[test]
fn a_stored_deployment_with_long_names_can_still_be_written() {
    let (name, long) = ("d".repeat(40), "j".repeat(13));
    let mut stored = deployment(&name, &[&long]);
    stored["status"] = json!({ "resourceStatus": "Updated" });
    let mut changed = stored.clone();
    changed["metadata"]["finalizers"] = json!([]);
    check(&changed, Some(&stored)).unwrap();
    changed["spec"]["jobs"].as_array_mut().unwrap().push(json!({ "name": "k".repeat(13), "spec": {} }));
    check(&changed, Some(&stored)).unwrap_err();
}
