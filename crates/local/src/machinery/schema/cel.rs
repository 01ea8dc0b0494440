//! CEL rules (`x-kubernetes-validations`), evaluated by `kube-cel`; wording and ratcheting are added here.

use std::collections::BTreeMap;
use std::error::Error;

use kube_cel::cel::ExecutionError;
use kube_cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::{Map, Value, json};

use super::super::error::FieldError;
use super::{additional, join, properties, ratchet};

/// The compiled rules of a schema; nothing when it has none.
pub(crate) struct Rules(Option<Node>);

impl Rules {
    pub fn of(schema: &Value) -> Self {
        Self(Node::of(schema))
    }

    /// Whether there are any.
    pub fn exist(&self) -> bool {
        self.0.is_some()
    }

    /// Rules that fail. One that failed before on the same value is no more than a warning, unless it compares with the old value;
    /// such rules are looked for only where the old object may break them (`stale`), since it was there before the rules were.
    pub fn check(&self, schema: &Value, value: &Value, old: Option<&Value>, stale: bool) -> Verdict {
        let Some(node) = &self.0 else { return Verdict::default() };
        let mut walk = Walk { validator: None, stale, verdict: Verdict::default() };
        walk.node(node, schema, value, old, "");
        walk.verdict
    }
}

/// What rules say of an object.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub errors: Vec<FieldError>,
    pub warnings: Vec<String>,
}

/// A node of the schema with rules at or below it. Only such nodes are visited.
struct Node {
    own: Option<Own>,
    /// Some rule at or below compares with the old value.
    compares: bool,
    properties: BTreeMap<String, Node>,
    additional: Option<Box<Node>>,
    items: Option<Box<Node>>,
}

/// The rules of one node, without those below it.
struct Own {
    compiled: CompiledSchema,
    /// The type of the values, as messages name it.
    of: String,
    compares: bool,
    /// The rules as they are evaluated, and how they are called.
    names: Vec<(String, String)>,
}

impl Own {
    fn of(schema: &Value, rules: &[Value], compares: bool) -> Self {
        let mut alone = essence(schema).unwrap_or_else(|| json!({}));
        let prepared: Vec<Value> = rules.iter().map(prepare).collect();
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().trim().to_owned();
        let name = |rule: &Value| {
            Some(text(rule, "message")).filter(|name| !name.is_empty()).unwrap_or_else(|| text(rule, "rule"))
        };
        let names = prepared.iter().zip(rules).map(|(prepared, rule)| (text(prepared, "rule"), name(rule))).collect();
        alone["x-kubernetes-validations"] = prepared.into();
        Self {
            compiled: compile_schema(&alone),
            of: schema["type"].as_str().unwrap_or_default().to_owned(),
            compares,
            names,
        }
    }

    /// Messages do not show objects and lists.
    fn composite(&self) -> bool {
        matches!(self.of.as_str(), "object" | "array")
    }
}

/// A rule whose old value is optional, in terms of one that is null instead.
fn prepare(rule: &Value) -> Value {
    let mut prepared = rule.clone();
    if rule["optionalOldSelf"] == true
        && let Some(text) = rule["rule"].as_str()
    {
        if rule.get("message").is_none() && rule.get("messageExpression").is_none() {
            prepared["message"] = format!("failed rule: {}", text.trim()).into();
        }
        prepared["rule"] = with_optional(text).into();
    }
    prepared
}

/// The text of a rule with its old value wrapped; texts within it stay as they are.
fn with_optional(rule: &str) -> String {
    const OLD: &str = "oldSelf";
    const WRAPPED: &str = "(oldSelf == null ? optional.none() : optional.of(oldSelf))";
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut written, mut quote) = (String::new(), None);
    let mut rest = rule;
    while let Some(next) = rest.chars().next() {
        let free = quote.is_none() && !written.ends_with(|c: char| word(c) || c == '.');
        if free && rest.starts_with(OLD) && !rest[OLD.len()..].starts_with(word) {
            written.push_str(WRAPPED);
            rest = &rest[OLD.len()..];
            continue;
        }
        match (quote, next) {
            (None, '\'' | '"') => quote = Some(next),
            (Some(open), _) if open == next && !written.ends_with('\\') => quote = None,
            _ => {}
        }
        written.push(next);
        rest = &rest[next.len_utf8()..];
    }
    written
}

impl Node {
    fn of(schema: &Value) -> Option<Self> {
        let below: BTreeMap<String, Self> = properties(schema)
            .into_iter()
            .flatten()
            .filter_map(|(name, child)| Some((name.clone(), Self::of(child)?)))
            .collect();
        let additional = additional(schema).and_then(Self::of).map(Box::new);
        let items = schema.get("items").and_then(Self::of).map(Box::new);
        let rules = schema["x-kubernetes-validations"].as_array().filter(|rules| !rules.is_empty());
        if rules.is_none() && below.is_empty() && additional.is_none() && items.is_none() {
            return None;
        }
        let here =
            rules.into_iter().flatten().any(|rule| rule["rule"].as_str().is_some_and(|text| text.contains("oldSelf")));
        let own = rules.map(|rules| Own::of(schema, rules, here));
        let compares =
            here || below.values().chain(additional.as_deref()).chain(items.as_deref()).any(|node| node.compares);
        Some(Self { own, compares, properties: below, additional, items })
    }
}

/// What of a schema decides how values look to rules: formats, maps, embedded resources. None if nothing does.
///
/// The evaluator visits every node that it has a schema for; the fewer there are, the cheaper a write.
fn essence(schema: &Value) -> Option<Value> {
    let mut kept = Map::new();
    let matters = |key: &str| schema.get(key).filter(|value| **value != Value::Bool(false));
    for key in ["x-kubernetes-int-or-string", "x-kubernetes-embedded-resource"] {
        kept.extend(matters(key).map(|value| (key.to_owned(), value.clone())));
    }
    if let Some(format) =
        matters("format").filter(|format| matches!(format.as_str(), Some("date-time" | "duration" | "byte")))
    {
        kept.insert("format".into(), format.clone());
    }
    if let Some(more) = matters("additionalProperties") {
        // Keys of maps are data: they are not escaped as names of fields are.
        let of = essence(more).unwrap_or_else(|| json!({}));
        kept.insert("additionalProperties".into(), of);
    }
    let known: Map<String, Value> = properties(schema)
        .into_iter()
        .flatten()
        .filter_map(|(name, child)| Some((name.clone(), essence(child)?)))
        .collect();
    if !known.is_empty() {
        kept.insert("properties".into(), known.into());
    }
    kept.extend(matters("items").and_then(essence).map(|of| ("items".to_owned(), of)));
    (!kept.is_empty()).then_some(Value::Object(kept))
}

struct Walk {
    /// Made when the first rule is evaluated: most writes leave everything with rules as it was.
    validator: Option<Validator>,
    stale: bool,
    verdict: Verdict,
}

impl Walk {
    fn node(&mut self, node: &Node, schema: &Value, value: &Value, old: Option<&Value>, path: &str) {
        let unchanged = old == Some(value);
        let settled = unchanged && !self.stale;
        if value.is_null() || settled && !node.compares {
            return;
        }
        if let Some(own) = node.own.as_ref().filter(|own| !settled || own.compares) {
            self.evaluate(own, value, old, path);
        }
        match value {
            Value::Object(map) => {
                for (key, child) in map {
                    let Some(below) = node.properties.get(key).or(node.additional.as_deref()) else { continue };
                    let Some(schema) = super::field(schema, key) else { continue };
                    self.node(below, schema, child, old.and_then(|old| old.get(key)), &join(path, key));
                }
            }
            Value::Array(list) => {
                let (Some(below), Some(of)) = (node.items.as_deref(), schema.get("items")) else { return };
                for (index, item) in list.iter().enumerate() {
                    self.node(below, of, item, ratchet::item(schema, old, item), &format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
    }

    fn evaluate(&mut self, own: &Own, value: &Value, old: Option<&Value>, path: &str) {
        let validator = self.validator.get_or_insert_with(Validator::new);
        let Err(failed) = validator.validate_compiled(&own.compiled, value, old) else { return };
        for error in failed.into_vec() {
            let fault = fault(own, &error, value, path);
            if old == Some(value) && error.kind == ErrorKind::ValidationFailure && !error.rule.contains("oldSelf") {
                self.verdict.warnings.push(fault.line());
            } else {
                self.verdict.errors.push(fault);
            }
        }
    }
}

fn fault(own: &Own, error: &ValidationError, value: &Value, path: &str) -> FieldError {
    if error.kind == ErrorKind::EvaluationError {
        let rule = own.names.iter().find(|(rule, _)| *rule == error.rule.trim()).map_or("", |(_, name)| name);
        return FieldError::invalid(
            path,
            &own.of.as_str().into(),
            &format!("{} evaluating rule: {rule}", cause(error)),
        );
    }
    let field = match error.field_path.as_str() {
        "" => path.to_owned(),
        index if index.starts_with('[') => format!("{path}{index}"),
        name => join(path, name.trim_start_matches('.')),
    };
    let message = error.message.trim();
    match error.reason.as_deref() {
        Some("FieldValueForbidden") => FieldError::forbidden(field, message),
        Some("FieldValueRequired") => FieldError::required(field, message),
        Some("FieldValueDuplicate") if own.composite() => FieldError::duplicate_without_value(field),
        Some("FieldValueDuplicate") => FieldError::duplicate(field, value),
        _ if own.composite() => FieldError::invalid_without_value(field, message),
        _ => FieldError::invalid(field, value, message),
    }
}

/// Why a rule could not be computed, in the server's words.
fn cause(error: &ValidationError) -> String {
    match error.source().and_then(|source| source.downcast_ref::<ExecutionError>()) {
        Some(ExecutionError::DivisionByZero(_)) => "division by zero".to_owned(),
        Some(ExecutionError::RemainderByZero(_)) => "modulus by zero".to_owned(),
        Some(ExecutionError::Overflow(..)) => "integer overflow".to_owned(),
        Some(ExecutionError::NoSuchKey(key)) => format!("no such key: {key}"),
        Some(ExecutionError::NoSuchOverload) => "no such overload".to_owned(),
        Some(ExecutionError::FunctionError { message, .. }) => message.clone(),
        Some(other) => other.to_string(),
        None => error.message.clone(),
    }
}

#[cfg(test)]
mod tests {
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
            .check(&schema, value, old, false)
            .errors
            .into_iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect()
    }

    #[test]
    fn rules_are_checked_and_name_the_field() {
        assert_eq!(check(&json!({"spec": {"a": 1, "b": 2}}), None), Vec::<String>::new());
        assert_eq!(check(&json!({"spec": {"a": 3, "b": 2}}), None), ["spec.a: Invalid value: a must not be above b"]);
    }

    #[test]
    fn an_object_that_breaks_a_new_rule_can_still_get_status() {
        let old = json!({"spec": {"a": 3, "b": 2}});
        assert_eq!(check(&json!({"spec": {"a": 3, "b": 2}, "status": {"x": 1}}), Some(&old)), Vec::<String>::new());
        assert_eq!(check(&json!({"spec": {"a": 4, "b": 2}}), Some(&old)).len(), 1);
    }

    #[test]
    fn rules_see_formats_maps_and_items() {
        let rule = |rule: &str| json!([{"rule": rule, "message": "no"}]);
        let schema = json!({"type": "object", "properties": {
            "at": {"type": "string", "format": "date-time"},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}, "x-kubernetes-validations": rule("self.n > 0")}},
            "my-field": {"type": "integer"},
        }, "x-kubernetes-validations": rule("self.at < timestamp('2026-01-02T00:00:00Z') && self.map['a-b'] == 1 && self.my__dash__field == 2")});
        let check = |value: &Value| {
            Rules::of(&schema)
                .check(&schema, value, None, false)
                .errors
                .into_iter()
                .map(|error| error.field)
                .collect::<Vec<_>>()
        };
        let value = json!({"at": "2026-01-01T00:00:00Z", "map": {"a-b": 1}, "my-field": 2, "list": [{"n": 1}]});
        assert_eq!(check(&value), Vec::<String>::new());
        let mut late = value.clone();
        late["at"] = "2026-01-03T00:00:00Z".into();
        assert_eq!(check(&late), [""]);
        let mut low = value;
        low["list"] = json!([{"n": 1}, {"n": 0}]);
        assert_eq!(check(&low), ["list[1]"]);
    }

    #[test]
    fn a_rule_that_came_later_warns_of_what_was_there() {
        let old = json!({"spec": {"a": 3, "b": 2}});
        let schema = schema();
        let verdict = Rules::of(&schema).check(&schema, &json!({"spec": {"a": 3, "b": 2}, "x": 1}), Some(&old), true);
        assert_eq!(verdict.errors, []);
        assert_eq!(verdict.warnings, ["spec.a: Invalid value: a must not be above b"]);
    }

    #[test]
    fn an_optional_old_value_is_there_or_not() {
        let schema = json!({"type": "integer", "x-kubernetes-validations": [{
            "rule": "!oldSelf.hasValue() || self > oldSelf.value()", "optionalOldSelf": true, "message": "must grow",
        }]});
        let told = |value: Value, old: Option<Value>| -> Vec<String> {
            let verdict = Rules::of(&schema).check(&schema, &value, old.as_ref(), false);
            verdict.errors.iter().map(FieldError::line).collect()
        };
        assert_eq!(told(json!(5), None), Vec::<String>::new());
        assert_eq!(told(json!(6), Some(json!(5))), Vec::<String>::new());
        assert_eq!(told(json!(5), Some(json!(5))), ["<nil>: Invalid value: 5: must grow"]);
        assert_eq!(with_optional("a.oldSelf + 'oldSelf'"), "a.oldSelf + 'oldSelf'");
    }

    #[test]
    fn a_rule_that_cannot_be_computed_says_why() {
        let schema =
            json!({"type": "integer", "x-kubernetes-validations": [{"rule": "10 / self > 1", "message": "divides"}]});
        let verdict = Rules::of(&schema).check(&schema, &json!(0), None, false);
        assert_eq!(verdict.errors[0].message, "Invalid value: \"integer\": division by zero evaluating rule: divides");
    }

    #[test]
    fn transition_rules_compare_with_the_old_value() {
        let old = json!({"spec": {"a": 1, "b": 2, "c": "x"}});
        assert_eq!(
            check(&json!({"spec": {"a": 1, "b": 2, "c": "y"}}), Some(&old)),
            ["spec.c: Invalid value: \"y\": c is immutable"]
        );
        assert_eq!(check(&old, None), Vec::<String>::new());
    }
}
