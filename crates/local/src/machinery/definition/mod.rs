//! Custom resource definitions: whether one can be served, and how it comes to be.
//!
//! What schemas mean for objects is the business of `schema`. Invariant: a definition that was accepted has structural schemas
//! only, whose defaults and rules fit them.

mod defaults;
mod keys;
mod life;
mod names;
mod rules;
mod schema;
mod structural;
mod versions;

use serde_json::{Value, json};

use super::builtin::names as text;
use super::error::FieldError;
use super::meta;

pub(crate) use life::prepare;

/// The annotation by which somebody vouches for an API in a group of Kubernetes itself.
const APPROVAL: &str = "api-approved.kubernetes.io";

/// What is wrong with a definition that is created, or updated from `old`.
pub(crate) fn judge(object: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let spec = &object["spec"];
    let expected = format!("{}.{}", meta::text(spec, "/names/plural"), meta::text(spec, "/group"));
    if old.is_none() && meta::name(object) != expected {
        let detail = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &meta::name(object).into(), detail));
    }
    group(spec, &mut errors);
    match spec["scope"].as_str().unwrap_or_default() {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Namespaced" | "Cluster" => {}
        _ => {
            let supported = ["Cluster".into(), "Namespaced".into()];
            errors.push(FieldError::unsupported("spec.scope", &spec["scope"], &supported));
        }
    }
    versions::judge(spec, old, &mut errors);
    names::judge(spec, &mut errors);
    versions::common(spec, old, &mut errors);
    conversion(spec, &mut errors);
    if let Some(old) = old {
        immutable(spec, old, &mut errors);
    }
    stored(object, &mut errors);
    approval(object, old, &mut errors);
    if spec["preserveUnknownFields"] == true {
        let detail =
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid("spec.preserveUnknownFields", &true.into(), detail));
    }
    errors
}

/// What would be wrong with a text of a definition that is a DNS name.
fn dns_1035(field: &str, value: &str, errors: &mut Vec<FieldError>) {
    let wrong = text::dns_1035(value);
    if !wrong.is_empty() {
        errors.push(FieldError::invalid(field, &value.into(), &wrong.join(",")));
    }
}

fn group(spec: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "spec.group";
    let group = meta::text(spec, "/group");
    let wrong = text::subdomain(group);
    if group.is_empty() {
        errors.push(FieldError::required(FIELD, ""));
    } else if !wrong.is_empty() {
        errors.push(FieldError::invalid(FIELD, &group.into(), &wrong.join(",")));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(FIELD, &group.into(), "should be a domain with at least one dot"));
    }
}

fn conversion(spec: &Value, errors: &mut Vec<FieldError>) {
    let conversion = &spec["conversion"];
    match conversion["strategy"].as_str().unwrap_or_default() {
        "None" if conversion.get("webhook").is_some() => {
            let detail = "should not be set when strategy is not set to Webhook";
            errors.push(FieldError::forbidden("spec.conversion.webhookClientConfig", detail));
        }
        "None" | "Webhook" => {}
        "" if conversion.is_null() => {}
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        _ => {
            let supported = ["None".into(), "Webhook".into()];
            errors.push(FieldError::unsupported("spec.conversion.strategy", &conversion["strategy"], &supported));
        }
    }
}

/// What decides where objects are stored stays as it was.
fn immutable(spec: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let established = life::condition(old, "Established").is_some_and(|condition| condition["status"] == "True");
    let first = if established { &["/scope", "/names/kind"][..] } else { &[] };
    for pointer in first.iter().chain(&["/group", "/names/plural"]) {
        let (before, after) = (old["spec"].pointer(pointer), spec.pointer(pointer));
        if before != after {
            let field = format!("spec{}", pointer.replace('/', "."));
            errors.push(FieldError::invalid(field, after.unwrap_or(&Value::Null), "field is immutable"));
        }
    }
}

/// Versions in which objects may still be stored have to be there.
fn stored(object: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "status.storedVersions";
    let stored =
        object.pointer("/status/storedVersions").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if stored.is_empty() {
        return errors.push(FieldError::invalid(FIELD, &json!(stored), "must have at least one stored version"));
    }
    let versions = object["spec"]["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    for version in versions.iter().filter(|version| version["storage"] == true && !stored.contains(&version["name"])) {
        let detail = format!("must have the storage version {}", meta::text(version, "/name"));
        errors.push(FieldError::invalid(FIELD, &json!(stored), &detail));
    }
    for (index, name) in stored.iter().enumerate() {
        if !versions.iter().any(|version| version["name"] == *name) {
            let version = name.as_str().unwrap_or_default();
            let detail = format!(
                "missing from spec.versions; {version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in {version} and removes {version} from status.storedVersions"
            );
            errors.push(FieldError::invalid(format!("{FIELD}[{index}]"), name, &detail));
        }
    }
}

/// Groups of Kubernetes itself need somebody who vouches for them.
fn approval(object: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let group = meta::text(object, "/spec/group");
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|of| group.strip_suffix(of).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    let annotation = meta::annotation(object, APPROVAL);
    let approved = |annotation: &str| {
        annotation.starts_with("unapproved")
            || annotation
                .split_once("://")
                .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty() && !rest.starts_with('/'))
    };
    let state = |annotation: &str| (annotation.is_empty(), approved(annotation));
    if !protected
        || approved(annotation)
        || old.is_some_and(|old| state(meta::annotation(old, APPROVAL)) == state(annotation))
    {
        return;
    }
    let field = format!("metadata.annotations[{APPROVAL}]");
    let (how, link) = (
        "with either a URL or a reason starting with \"unapproved\"",
        "see https://github.com/kubernetes/enhancements/pull/1111",
    );
    errors.push(if annotation.is_empty() {
        FieldError::required(field, &format!("protected groups must have approval annotation {APPROVAL:?}, {link}"))
    } else {
        let detail = format!("protected groups must have approval annotation {APPROVAL:?} {how}, {link}");
        FieldError::invalid(field, &annotation.into(), &detail)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(schema: &Value, more: &Value, old: Option<&Value>) -> Vec<String> {
        let mut version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
        version.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
        let definition = json!({
            "metadata": {"name": "things.example.test"},
            "spec": {
                "group": "example.test", "scope": "Namespaced", "conversion": {"strategy": "None"}, "versions": [version],
                "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
            },
            "status": {"storedVersions": ["v1"]},
        });
        judge(&definition, old).iter().map(FieldError::line).collect()
    }

    fn of(properties: &Value) -> Vec<String> {
        told(&json!({"type": "object", "properties": properties}), &json!({}), None)
    }

    #[test]
    fn schemas_are_structural_and_their_keywords_fit() {
        const AT: &str = "spec.validation.openAPIV3Schema.properties";
        assert_eq!(of(&json!({"a": {"type": "string", "default": "x"}})), Vec::<String>::new());
        for (properties, wrong) in [
            (json!({"a": {}}), "[a].type: Required value: must not be empty for specified object fields"),
            (json!({"a": {"type": "array"}}), "[a].items: Required value: must be specified"),
            (
                json!({"a": {"type": "object", "anyOf": [{"type": "object"}]}}),
                "[a].anyOf[0].type: Forbidden: must be empty to be structural",
            ),
            (
                json!({"a": {"type": "integer", "default": "x"}}),
                "[a].default: Invalid value: \"string\":  in body must be of type integer: \"string\"",
            ),
            (
                json!({"a": {"type": "string", "x-kubernetes-list-type": "set"}}),
                "[a].type: Invalid value: \"string\": must be array if x-kubernetes-list-type is specified",
            ),
            (
                json!({"a": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                    "items": {"type": "object", "properties": {"k": {"type": "string"}}}}}),
                "[a].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
            ),
        ] {
            assert_eq!(of(&properties), [format!("{AT}{wrong}")], "{properties}");
        }
    }

    #[test]
    fn rules_can_be_read_and_speak_of_fields_that_there_are() {
        let rule = |rule: &str| {
            of(&json!({"a": {"type": "object", "properties": {
            "list": {"type": "array", "items": {"type": "object", "properties": {"x-y": {"type": "integer"}}}},
        }, "x-kubernetes-validations": [{"rule": rule}]}}))
        };
        assert_eq!(rule("self.list.all(one, one.x__dash__y > 0) && oldSelf.list == self.list"), Vec::<String>::new());
        for (text, what) in [
            (
                "self.list.all(one, one.z > 0)",
                "undefined field 'z'\n | self.list.all(one, one.z > 0)\n | ......................^",
            ),
            ("self.list >", "Syntax error: mismatched input '<EOF>'"),
        ] {
            let told = rule(text);
            assert!(told.len() == 1 && told[0].contains(what), "{told:?}");
        }
        let known = json!({"spec": {"versions": [{"schema": {"x-kubernetes-validations": [{"rule": "self.none > 0"}]}}], "group": "example.test",
            "names": {"plural": "things"}}});
        let schema = json!({"type": "object", "x-kubernetes-validations": [{"rule": "self.none > 0"}]});
        assert_eq!(
            told(&schema, &json!({}), Some(&known)),
            Vec::<String>::new(),
            "what was accepted once is not judged again"
        );
    }

    #[test]
    fn columns_scales_and_selectable_fields_lead_somewhere() {
        let schema = json!({"type": "object", "properties": {"size": {"type": "integer"}, "spec": {"type": "object"}}});
        let more = json!({
            "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": "size"}],
            "selectableFields": [{"jsonPath": ".size"}, {"jsonPath": ".none"}],
            "subresources": {"scale": {"specReplicasPath": ".size", "statusReplicasPath": ".status.size"}},
        });
        assert_eq!(
            told(&schema, &more, None),
            [
                "spec.subresources.scale.specReplicasPath: Invalid value: \".size\": should be a json path under .spec",
                "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"size\": must be a simple json path starting with .",
                "spec.selectableFields[1].jsonPath: Invalid value: \".none\": is an invalid path: does not refer to a valid field",
            ]
        );
    }
}
