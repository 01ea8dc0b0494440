//! Custom resources: schemas, defaults, pruning, rules, subresources, columns.

use serde_json::{Value, json};

use super::Cluster;

const THINGS: &str = "/apis/example.com/v1/namespaces/ns/things";

pub fn definition() -> Value {
    let spec = json!({
        "type": "object",
        "required": ["mode"],
        "properties": {
            "mode": {"type": "string", "enum": ["A", "B"]},
            "size": {"type": "integer", "minimum": 0, "default": 1},
            "limit": {"type": "integer"},
            "parts": {
                "type": "array", "maxItems": 3, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "value": {"type": "string"}}},
            },
        },
        "x-kubernetes-validations": [{"rule": "!has(self.limit) || self.size <= self.limit", "message": "size must not be above limit"}],
    });
    let status = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"size": {"type": "integer"}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "things", "kind": "Thing", "shortNames": ["th"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": spec, "status": status}}},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
                "additionalPrinterColumns": [
                    {"name": "Mode", "type": "string", "jsonPath": ".spec.mode"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            }],
        },
    })
}

fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec})
}

fn cluster() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.define_things();
    cluster
}

#[test]
fn the_definitions_of_flinkctl_can_be_applied() {
    let mut cluster = Cluster::new();
    for definition in api::crds() {
        let mut body = serde_json::to_value(&definition).unwrap();
        body["apiVersion"] = "apiextensions.k8s.io/v1".into();
        body["kind"] = "CustomResourceDefinition".into();
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let plain = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let path = format!("{plain}?fieldManager=test&force=true");
        let made = cluster.patch("apply", &path, &body).ok();
        assert_eq!(made["metadata"]["generation"], 1, "{name}");
        assert_eq!(made["status"]["conditions"], json!(null), "the server notes later what became of it");
        let established = cluster.get(&plain).ok();
        assert_eq!(
            cluster.patch("apply", &path, &body).ok()["metadata"]["resourceVersion"],
            established["metadata"]["resourceVersion"]
        );
    }
}

#[test]
fn a_definition_is_established_at_once() {
    let mut cluster = cluster();
    let definition = cluster.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com").ok();
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True"));
    assert_eq!(definition["spec"]["names"]["listKind"], "ThingList");
    assert_eq!(definition["status"]["storedVersions"], json!(["v1"]));
    let mut misnamed = super::custom::definition();
    misnamed["metadata"]["name"] = "wrong.example.com".into();
    let refused = cluster.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &misnamed).refused();
    assert!(refused.1.contains("must be spec.names.plural+\".\"+spec.group"), "{}", refused.1);
}

#[test]
fn a_definition_whose_names_are_taken_waits_for_them() {
    const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let mut cluster = cluster();
    let mut other = definition();
    other["metadata"]["name"] = "others.example.com".into();
    other["spec"]["names"] = json!({"kind": "Thing", "plural": "others", "singular": "other"});
    cluster.post(DEFINITIONS, &other).ok();
    let waiting = cluster.get(&format!("{DEFINITIONS}/others.example.com")).ok();
    assert_eq!(waiting["status"]["acceptedNames"], json!({"plural": "others", "singular": "other", "kind": ""}));
    assert_eq!(waiting["status"]["conditions"][0]["message"], "\"ThingList\" is already in use");
    assert_eq!(waiting["status"]["conditions"][1]["reason"], "NotAccepted");
    assert_eq!(cluster.get("/apis/example.com/v1/namespaces/ns/others").status, 404);
    cluster.delete(&format!("{DEFINITIONS}/things.example.com"), &json!({})).ok();
    cluster.get("/apis/example.com/v1/namespaces/ns/others").ok();
}

#[test]
fn a_definition_shows_what_was_there_before_as_it_is_now() {
    let mut cluster = cluster();
    cluster.post(THINGS, &thing(&json!({"mode": "A"}))).ok();
    let mut changed = cluster.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com").ok();
    let spec = changed.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    spec["more"] = json!({"type": "string", "default": "x"});
    spec.as_object_mut().unwrap().remove("mode");
    cluster.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com", &changed).ok();
    let shown = cluster.get(THINGS).ok();
    assert_eq!(shown["items"][0]["spec"], json!({"more": "x", "size": 1}));
}

#[test]
fn instances_are_defaulted_pruned_and_validated() {
    let mut cluster = cluster();
    let mut body = thing(&json!({"mode": "A", "odd": 1}));
    body["status"] = json!({"size": 9});
    let strict = cluster.post(&format!("{THINGS}?fieldValidation=Strict"), &body).refused();
    assert_eq!(
        strict,
        (
            400,
            "Thing in version \"v1\" cannot be handled as a Thing: strict decoding error: unknown field \"spec.odd\""
                .to_owned()
        )
    );
    let made = cluster.post(THINGS, &body);
    assert_eq!(made.warnings, ["unknown field \"spec.odd\""]);
    let made = made.ok();
    assert_eq!((&made["spec"], made.get("status")), (&json!({"mode": "A", "size": 1}), None));
    let refused = cluster.post(THINGS, &thing(&json!({"size": -1, "mode": "C"})));
    assert_eq!(
        refused.body["details"]["causes"],
        json!([
            {"reason": "FieldValueNotSupported", "message": "Unsupported value: \"C\": supported values: \"A\", \"B\"", "field": "spec.mode"},
            {"reason": "FieldValueInvalid", "message": "Invalid value: -1: spec.size in body should be greater than or equal to 0", "field": "spec.size"},
            {"reason": "FieldValueInvalid", "message": "Invalid value: -1: should be a non-negative integer", "field": ".spec.size"},
            {"reason": "FieldValueInvalid", "message": "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation", "field": "<nil>"},
        ])
    );
    let words = "Thing.example.com \"t\" is invalid: [spec.mode: Unsupported value: \"C\": supported values: \"A\", \"B\", spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0, .spec.size: Invalid value: -1: should be a non-negative integer, <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]";
    assert_eq!(refused.refused(), (422, words.to_owned()));
    let rule = cluster.patch("merge", &format!("{THINGS}/t"), &json!({"spec": {"size": 3, "limit": 2}})).refused();
    assert_eq!(
        rule,
        (422, "Thing.example.com \"t\" is invalid: spec: Invalid value: size must not be above limit".to_owned())
    );
    let twice = cluster
        .patch("merge", &format!("{THINGS}/t"), &json!({"spec": {"parts": [{"name": "a"}, {"name": "a"}]}}))
        .refused();
    assert_eq!(twice.1, "Thing.example.com \"t\" is invalid: spec.parts[1]: Duplicate value: {\"name\":\"a\"}");
    assert_eq!(cluster.patch("strategic-merge", &format!("{THINGS}/t"), &json!({})).status, 415);
}

#[test]
fn status_and_spec_are_written_apart() {
    let mut cluster = cluster();
    cluster.post(THINGS, &thing(&json!({"mode": "A"}))).ok();
    let path = format!("{THINGS}/t");
    let status = cluster
        .patch("merge", &format!("{path}/status"), &json!({"spec": {"mode": "B"}, "status": {"size": 1, "any": [1]}}))
        .ok();
    assert_eq!(
        (&status["spec"]["mode"], &status["status"], &status["metadata"]["generation"]),
        (&json!("A"), &json!({"size": 1, "any": [1]}), &json!(1))
    );
    let spec = cluster.patch("merge", &path, &json!({"spec": {"mode": "B"}, "status": {"size": 7}})).ok();
    assert_eq!(
        (&spec["spec"]["mode"], &spec["status"]["size"], &spec["metadata"]["generation"]),
        (&json!("B"), &json!(1), &json!(2))
    );
    let labelled = cluster.patch("merge", &path, &json!({"metadata": {"labels": {"a": "b"}}})).ok();
    assert_eq!(labelled["metadata"]["generation"], 2);
    let mut blind = labelled.clone();
    blind["metadata"].as_object_mut().unwrap().remove("resourceVersion");
    let refused = cluster.put(&path, &blind).refused();
    assert_eq!(refused, (422, "things.example.com \"t\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update".to_owned()));
}

#[test]
fn an_object_that_breaks_a_new_rule_can_still_be_served() {
    let mut cluster = cluster();
    let mut body = thing(&json!({"mode": "A"}));
    body["metadata"]["finalizers"] = json!(["example.com/x"]);
    cluster.post(THINGS, &body).ok();
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com";
    let tighten = json!([
        {"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/mode/enum", "value": ["B"]},
        {"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations/-", "value": {"rule": "self.size > 5"}},
    ]);
    cluster.patch("json", crd, &tighten).ok();
    let path = format!("{THINGS}/t");
    cluster.patch("merge", &format!("{path}/status"), &json!({"status": {"size": 1}})).ok();
    cluster.patch("merge", &path, &json!({"metadata": {"annotations": {"a": "b"}}})).ok();
    let refused = cluster.patch("merge", &path, &json!({"spec": {"size": 2}})).refused();
    assert_eq!(refused.1, "Thing.example.com \"t\" is invalid: spec: Invalid value: failed rule: self.size > 5");
    cluster.delete(&path, &Value::Null).ok();
    cluster.patch("merge", &path, &json!({"metadata": {"finalizers": null}})).ok();
    assert_eq!(cluster.get(&path).status, 404);
}

#[test]
fn scale_reaches_what_the_definition_names() {
    let mut cluster = cluster();
    cluster.post(THINGS, &thing(&json!({"mode": "A"}))).ok();
    let mut scale = cluster.get(&format!("{THINGS}/t/scale")).ok();
    assert_eq!(scale["spec"]["replicas"], 1);
    scale["spec"]["replicas"] = 4.into();
    cluster.put(&format!("{THINGS}/t/scale"), &scale).ok();
    assert_eq!(cluster.get(&format!("{THINGS}/t")).ok()["spec"]["size"], 4);
    assert_eq!(cluster.put(&format!("{THINGS}/t/scale"), &scale).status, 409, "the scale is as old as its object");
}

#[test]
fn apply_merges_lists_by_their_keys() {
    let mut cluster = cluster();
    let path = format!("{THINGS}/t");
    let one = thing(&json!({"mode": "A", "parts": [{"name": "a", "value": "1"}]}));
    let mut two = thing(&json!({"parts": [{"name": "b", "value": "2"}]}));
    two["spec"]["mode"] = "A".into();
    cluster.patch("apply", &format!("{path}?fieldManager=one"), &one).ok();
    let both = cluster.patch("apply", &format!("{path}?fieldManager=two"), &two).ok();
    assert_eq!(both["spec"]["parts"].as_array().map(Vec::len), Some(2));
    let left = cluster.patch("apply", &format!("{path}?fieldManager=one"), &thing(&json!({"mode": "A"}))).ok();
    assert_eq!(left["spec"]["parts"], json!([{"name": "b", "value": "2"}]));
}

#[test]
fn columns_are_those_of_the_definition() {
    let mut cluster = cluster();
    cluster.post(THINGS, &thing(&json!({"mode": "A"}))).ok();
    cluster.wait(30);
    let table = cluster.get_as(THINGS, "application/json;as=Table;v=v1;g=meta.k8s.io");
    assert_eq!(table["rows"][0]["cells"], json!(["t", "A", "30s"]));
    assert_eq!(table["columnDefinitions"][1]["name"], "Mode");
}
