//! How options reach Flink, whatever the user has done to environment, command and arguments.

use api::FlinkCluster;
use manifests::{job_manager_pod, task_manager_pod};
use serde_json::{Value, json};

fn cluster(configuration: &Value, job_manager: &Value, task_manager: &Value) -> FlinkCluster {
    serde_json::from_value(json!({
        "apiVersion": "nextbreakpoint.com/v1",
        "kind": "FlinkCluster",
        "metadata": { "name": "demo", "namespace": "n", "uid": "u" },
        "spec": {
            "runtime": { "image": "flink" },
            "supervisor": { "image": "flinkctl" },
            "jobManager": job_manager,
            "taskManager": task_manager,
            "flinkConfiguration": configuration,
        },
    }))
    .expect("a cluster")
}

fn job_manager(configuration: &Value, section: &Value) -> Value {
    let pod = job_manager_pod(&cluster(configuration, section, &json!({})), 1).expect("a pod");
    pod["spec"]["containers"][0].clone()
}

fn refused(configuration: &Value, section: &Value) -> String {
    job_manager_pod(&cluster(configuration, section, &json!({})), 1).expect_err("a refusal").to_string()
}

fn value<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    container["env"].as_array().expect("variables").iter().find(|variable| variable["name"] == name)?["value"].as_str()
}

fn names(container: &Value) -> Vec<&str> {
    container["env"].as_array().expect("variables").iter().filter_map(|variable| variable["name"].as_str()).collect()
}

const OURS: &str = "heartbeat.interval: 2000\nheartbeat.timeout: 12000\nweb.refresh-interval: 250\n\
                    cluster.registration.error-delay: 300ms\n\
                    execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION\n";

#[test]
fn defaults_are_given_and_options_follow() {
    let container = job_manager(&json!({ "state.backend.type": "rocksdb", "parallelism.default": 2 }), &json!({}));
    let text = value(&container, "FLINK_PROPERTIES").expect("properties");
    assert_eq!(text, format!("{OURS}parallelism.default: 2\nstate.backend.type: rocksdb\n"));
    assert_eq!(container["args"], json!(["jobmanager"]));
    let expected = ["POD_NAME", "POD_NAMESPACE", "POD_IP", "JOB_MANAGER_RPC_ADDRESS", "FLINK_PROPERTIES"];
    assert_eq!(names(&container), expected);
}

#[test]
fn a_task_manager_is_called_like_its_pod() {
    let pod = task_manager_pod(&cluster(&json!({}), &json!({}), &json!({})), 1, "u", 0).expect("a pod");
    let container = &pod["spec"]["containers"][0];
    let text = value(container, "FLINK_PROPERTIES").expect("properties");
    assert_eq!(text, format!("{OURS}taskmanager.resource-id: $(POD_NAME)\n"));
    assert_eq!(value(container, "TASK_MANAGER_NUMBER_OF_TASK_SLOTS"), Some("1"));
}

#[test]
fn what_the_user_says_wins_over_defaults_and_options_win_over_both() {
    let user = "# mine\nheartbeat . timeout : 5000\nweb.refresh-interval: 9\n$(MORE)\n";
    let section = json!({ "environment": [
        { "name": "A", "value": "a" }, { "name": "FLINK_PROPERTIES", "value": user }, { "name": "B", "value": "b" },
    ] });
    let container = job_manager(&json!({ "web.refresh-interval": "1000" }), &section);
    let text = value(&container, "FLINK_PROPERTIES").expect("properties");
    assert_eq!(
        text,
        "heartbeat.interval: 2000\ncluster.registration.error-delay: 300ms\n\
         execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION\n\
         # mine\nheartbeat . timeout : 5000\n$(MORE)\nweb.refresh-interval: 1000\n"
    );
    assert_eq!(names(&container)[4..], ["A", "FLINK_PROPERTIES", "B"]);
}

#[test]
fn a_value_from_elsewhere_is_referred_to() {
    let source = json!({ "configMapKeyRef": { "name": "flink", "key": "properties" } });
    let section = json!({
        "environment": [{ "name": "FLINK_PROPERTIES", "valueFrom": source }],
        "command": ["bash"],
        "args": ["-c", "FLINK_PROPERTIES=\"$(FLINK_PROPERTIES)$(SECRET)\" /docker-entrypoint.sh jobmanager"],
    });
    let container = job_manager(&json!({ "a": "b" }), &section);
    assert_eq!(names(&container)[4..], ["FLINKCTL_USER_PROPERTIES", "FLINK_PROPERTIES"]);
    assert_eq!(container["env"][4]["valueFrom"], source);
    assert_eq!(
        value(&container, "FLINK_PROPERTIES"),
        Some(format!("{OURS}$(FLINKCTL_USER_PROPERTIES)\na: b\n").as_str())
    );
    assert_eq!(container["args"], section["args"]);
}

#[test]
fn variables_from_config_maps_are_never_hidden() {
    let section = json!({ "environmentFrom": [{ "configMapRef": { "name": "flink" } }] });
    let container = job_manager(&json!({ "a": "b" }), &section);
    assert_eq!(value(&container, "FLINK_PROPERTIES"), None);
    assert_eq!(container["args"], json!(["jobmanager", "-Da=b"]));
    let error =
        refused(&json!({ "a": "b" }), &json!({ "environmentFrom": section["environmentFrom"], "args": ["sh"] }));
    assert!(
        error.contains("\"a\" can only be given as an argument, since environmentFrom may hold FLINK_PROPERTIES"),
        "{error}"
    );
}

#[test]
fn white_space_is_kept_by_giving_arguments() {
    let options = json!({ "web.title": "a b", "env.java.opts.all": "-Xss1m -Da=b", "plain": "c" });
    let container = job_manager(&options, &json!({ "args": ["jobmanager", "-Dx=y"] }));
    assert_eq!(
        container["args"],
        json!(["jobmanager", "-Dx=y", "-Denv.java.opts.all=-Xss1m -Da=b", "-Dweb.title=a b"])
    );
    assert_eq!(value(&container, "FLINK_ENV_JAVA_OPTS"), Some("-Xss1m -Da=b"));
    assert!(value(&container, "FLINK_PROPERTIES").expect("properties").ends_with("plain: c\n"));

    let entry_point = json!({ "command": ["/docker-entrypoint.sh"], "args": ["jobmanager"] });
    assert_eq!(job_manager(&options, &entry_point)["args"][2], "-Dweb.title=a b");
    let error = task_manager_pod(&cluster(&options, &json!({}), &entry_point), 1, "u", 0)
        .expect_err("not its role")
        .to_string();
    assert!(error.contains("spec.taskManager"), "{error}");
    let error = refused(&options, &json!({ "command": ["bash"] }));
    assert!(
        error.contains("\"env.java.opts.all\" has a value with white space") && error.contains("spec.jobManager"),
        "{error}"
    );
    // A plain value needs no arguments.
    job_manager(&json!({ "plain": "c" }), &json!({ "command": ["bash"] }));
}

#[test]
fn keys_and_values_that_cannot_work_are_refused() {
    for (key, value, why) in [
        ("a: b", "c", "is not the key of an option"),
        ("", "c", "is not the key of an option"),
        ("a\nb", "c", "is not the key of an option"),
        ("a", "b\nc", "several lines"),
        ("rest.port", "9000", "8081"),
        ("taskmanager.numberOfTaskSlots", "2", "spec.taskManager.taskSlots"),
    ] {
        let error = refused(&json!({ key: value }), &json!({}));
        assert!(error.starts_with(&format!("use spec.flinkConfiguration: {key:?} ")) && error.contains(why), "{error}");
    }
}

#[test]
fn high_availability_keeps_each_cluster_apart() {
    let text = |configuration: &Value, section: &Value| {
        let container = job_manager(configuration, section);
        value(&container, "FLINK_PROPERTIES").expect("properties").to_owned()
    };
    let on = json!({ "high-availability.type": "zookeeper" });
    let given = text(&on, &json!({}));
    assert!(given.contains("high-availability.cluster-id: flinkctl-u\n"), "{given}");
    assert!(given.contains("kubernetes.cluster-id: flinkctl-u\n"), "{given}");
    assert!(given.contains("high-availability.jobmanager.port: 6123\n"), "{given}");
    let own = json!({ "high-availability.type": "kubernetes", "kubernetes.cluster-id": "mine" });
    assert!(text(&own, &json!({})).contains("kubernetes.cluster-id: mine\n"));
    let said = json!({ "environment": [
        { "name": "FLINK_PROPERTIES", "value": "high-availability.cluster-id: /mine" },
    ] });
    assert!(text(&on, &said).contains("high-availability.cluster-id: /mine\n"));
    assert!(!text(&on, &said).contains("high-availability.cluster-id: flinkctl"));
    assert!(!text(&json!({ "high-availability.type": "NONE" }), &json!({})).contains("cluster-id"));
}
