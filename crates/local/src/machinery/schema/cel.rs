//! CEL rules (`x-kubernetes-validations`), evaluated by `kube-cel`; wording and ratcheting are added here.

use kube_cel::{CompiledSchema, Validator, compile_schema};
use serde_json::Value;

use super::super::error::FieldError;
use super::{field, ratchet};

/// The compiled rules of a schema; nothing when it has none.
pub(crate) struct Rules(Option<CompiledSchema>);

impl Rules {
    pub fn of(schema: &Value) -> Self {
        Self(has_rules(schema).then(|| compile_schema(schema)))
    }

    /// Rules that fail. A rule that failed before on the same value is let through, unless it compares with the old value.
    pub fn check(&self, schema: &Value, value: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let Some(compiled) = &self.0 else { return Vec::new() };
        let Err(failed) = Validator::new().validate_compiled(compiled, value, old) else { return Vec::new() };
        failed
            .into_vec()
            .into_iter()
            .filter_map(|error| {
                let place = place(schema, value, old, &error.field_path, &error.rule);
                if place.unchanged && !error.rule.contains("oldSelf") {
                    return None;
                }
                let message = error.message.trim();
                Some(match error.reason.as_deref() {
                    Some("FieldValueForbidden") => FieldError::forbidden(error.field_path, message),
                    Some("FieldValueRequired") => FieldError::required(error.field_path, message),
                    Some("FieldValueDuplicate") => FieldError::duplicate(error.field_path, &place.type_name),
                    _ => FieldError::invalid(error.field_path, &place.type_name, message),
                })
            })
            .collect()
    }
}

fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.contains_key("x-kubernetes-validations") || map.values().any(has_rules),
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}

/// The node whose rule failed.
struct Place {
    /// The type in its schema, which stands for the value in messages.
    type_name: Value,
    unchanged: bool,
}

/// Finds the node that has `rule` on the way from the root to `path` (a rule may point below itself).
fn place(schema: &Value, value: &Value, old: Option<&Value>, path: &str, rule: &str) -> Place {
    let mut at = (schema, Some(value), old);
    let mut found = None;
    let steps = path.replace('[', ".[");
    for step in std::iter::once("").chain(steps.split('.').filter(|step| !step.is_empty())) {
        if let Some(index) = step.strip_prefix('[').and_then(|step| step.strip_suffix(']')) {
            let (schema, value, old) = at;
            let item = index.parse().ok().and_then(|index: usize| value?.get(index));
            let counterpart = item.and_then(|item| ratchet::item(schema, old, item));
            at = (schema.get("items").unwrap_or(&Value::Null), item, counterpart);
        } else if !step.is_empty() {
            let (schema, value, old) = at;
            let Some(schema) = field(schema, step) else { break };
            at = (schema, value.and_then(|value| value.get(step)), old.and_then(|old| old.get(step)));
        }
        let (schema, value, old) = at;
        if schema["x-kubernetes-validations"]
            .as_array()
            .is_some_and(|rules| rules.iter().any(|one| one["rule"] == rule))
        {
            found = Some(Place { type_name: schema["type"].clone(), unchanged: old.is_some() && old == value });
        }
    }
    found.unwrap_or(Place { type_name: "object".into(), unchanged: false })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "properties": {"spec": {"type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}, "c": {"type": "string", "x-kubernetes-validations": [
                {"rule": "self == oldSelf", "message": "c is immutable"},
            ]}},
            "x-kubernetes-validations": [{"rule": "self.a <= self.b", "message": "a must not be above b", "fieldPath": ".a"}],
        }, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})
    }

    fn check(value: &Value, old: Option<&Value>) -> Vec<String> {
        let schema = schema();
        Rules::of(&schema)
            .check(&schema, value, old)
            .into_iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect()
    }

    #[test]
    fn rules_are_checked_and_name_the_field() {
        assert_eq!(check(&json!({"spec": {"a": 1, "b": 2}}), None), Vec::<String>::new());
        assert_eq!(
            check(&json!({"spec": {"a": 3, "b": 2}}), None),
            ["spec.a: Invalid value: \"object\": a must not be above b"]
        );
    }

    #[test]
    fn an_object_that_breaks_a_new_rule_can_still_get_status() {
        let old = json!({"spec": {"a": 3, "b": 2}});
        assert_eq!(check(&json!({"spec": {"a": 3, "b": 2}, "status": {"x": 1}}), Some(&old)), Vec::<String>::new());
        assert_eq!(check(&json!({"spec": {"a": 4, "b": 2}}), Some(&old)).len(), 1);
    }

    #[test]
    fn transition_rules_compare_with_the_old_value() {
        let old = json!({"spec": {"a": 1, "b": 2, "c": "x"}});
        assert_eq!(
            check(&json!({"spec": {"a": 1, "b": 2, "c": "y"}}), Some(&old)),
            ["spec.c: Invalid value: \"string\": c is immutable"]
        );
        assert_eq!(check(&old, None), Vec::<String>::new());
    }
}
