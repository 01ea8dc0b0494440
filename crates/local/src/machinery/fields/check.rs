//! Whether a configuration that is applied fits its type: fields that there are, values of their types, items that can be told apart.

use serde_json::Value;

use super::set::Set;
use super::shape::{Lists, Node, Scalar};

/// What is wrong with a configuration, in one text; none if nothing is.
pub(super) fn check(root: Node<'_>, config: &Value) -> Option<String> {
    let mut wrong = Vec::new();
    walk(root, config, "", &mut wrong);
    match wrong.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        all => Some(format!("errors:\n  {}", all.join("\n  "))),
    }
}

fn walk(node: Node<'_>, value: &Value, at: &str, wrong: &mut Vec<String>) {
    let said = |what: &str| if at.is_empty() { what.to_owned() } else { format!("{at}: {what}") };
    if value.is_null() {
        return;
    }
    if let Some(scalar) = node.scalar() {
        let what = match (scalar, value) {
            (Scalar::Text, value) if !value.is_string() => {
                format!("expected string, got &value.valueUnstructured{{Value:{}}}", literal(value))
            }
            (Scalar::Number, value) if !value.is_number() => {
                format!("expected numeric (int or float), got {}", type_of(value))
            }
            (Scalar::Flag, value) if !value.is_boolean() => format!("expected boolean, got &{{{}}}", plain(value)),
            (Scalar::Any, Value::Object(_) | Value::Array(_)) => {
                format!("expected any scalar, got &{{{}}}", plain(value))
            }
            _ => return,
        };
        return wrong.push(said(&what));
    }
    match value {
        Value::Object(_) if node.is_list() => wrong.push(said(&format!("expected list, got &{{{}}}", plain(value)))),
        Value::Object(map) => {
            for (key, child) in map {
                let path = format!("{at}.{key}");
                if !node.allows(key) {
                    return wrong.push(format!("{path}: field not declared in schema"));
                }
                walk(node.field(key), child, &path, wrong);
            }
        }
        Value::Array(_) if node.is_map() => wrong.push(said(&format!("expected map, got &{{{}}}", plain(value)))),
        Value::Array(items) => list(node, items, at, wrong),
        _ if node.is_map() => wrong.push(said(&format!("expected map, got &{{{}}}", plain(value)))),
        _ if node.is_list() => wrong.push(said(&format!("expected list, got &{{{}}}", plain(value)))),
        _ => {}
    }
}

fn list(node: Node<'_>, items: &[Value], at: &str, wrong: &mut Vec<String>) {
    let lists = node.lists();
    let mut seen: Vec<String> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let step = match (&lists, lists.element(item)) {
            (Lists::Whole, _) => format!("[{index}]"),
            (_, Some(element)) => {
                let mut alone = Set::default();
                alone.put(element, &Set::leaf());
                alone.paths().pop().unwrap_or_default()
            }
            (lists, None) => {
                return wrong.push(format!("{at}: element {index}: {}", untold(lists, item)));
            }
        };
        if seen.contains(&step) {
            wrong.push(format!("{at}: duplicate entries for key {step}"));
        }
        walk(node.item(), item, &format!("{at}{step}"), wrong);
        seen.push(step);
    }
}

/// Why an item cannot be told apart.
fn untold(lists: &Lists<'_>, item: &Value) -> String {
    match (lists, item) {
        (Lists::Keyed(_), Value::Null) => "associative list with keys may not have a null element".into(),
        (Lists::Keyed(keys), Value::Object(_)) => {
            let keys: Vec<String> = keys.iter().map(|(key, _)| format!("{key:?}")).collect();
            let keys = keys.join(" ");
            format!(
                "associative list with keys has an element that omits all key fields [{keys}] (and doesn't have default values for any key fields)"
            )
        }
        (Lists::Keyed(_), _) => "associative list with keys may not have non-map elements".into(),
        (_, Value::Object(_)) => "associative list without keys has an element that's a map type".into(),
        (_, Value::Array(_)) => "not supported: associative list with lists as elements".into(),
        _ => "associative list without keys has an element that's an explicit null".into(),
    }
}

/// A value as the server's language writes it in code.
fn literal(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<String> = map.iter().map(|(key, value)| format!("{key:?}:{}", literal(value))).collect();
            format!("map[string]interface {{}}{{{}}}", fields.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(literal).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        other => other.to_string(),
    }
}

fn plain(value: &Value) -> String {
    super::super::patch::written(value)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        _ => "<nil>",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::kinds::Kinds;
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let kinds = Kinds::builtin();
        let kind = kinds.get("apps", "v1", "deployments").expect("served");
        let pod = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
        for (config, expected) in [
            (json!({"spec": {"replicas": "x"}}), ".spec.replicas: expected numeric (int or float), got string"),
            (json!({"spec": {"paused": "x"}}), ".spec.paused: expected boolean, got &{x}"),
            (
                json!({"metadata": {"labels": {"a": 1}}}),
                ".metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}",
            ),
            (json!({"spec": {"template": []}}), ".spec.template: expected map, got &{[]}"),
            (pod(json!({"containers": {}})), ".spec.template.spec.containers: expected list, got &{map[]}"),
            (
                pod(json!({"containers": [{"name": "a"}, {"name": "a"}]})),
                ".spec.template.spec.containers: duplicate entries for key [name=\"a\"]",
            ),
            (
                pod(json!({"volumes": [{"odd": 1}]})),
                ".spec.template.spec.volumes[name=\"\"].odd: field not declared in schema",
            ),
            (
                pod(
                    json!({"containers": [{"name": "a", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}, "readinessProbe": {"httpGet": {"port": "http"}}}]}),
                ),
                "",
            ),
        ] {
            assert_eq!(check(Node::root(kind), &config).unwrap_or_default(), expected, "{config}");
        }
    }
}
