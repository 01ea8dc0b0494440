//! The rules of a schema (`x-kubernetes-validations`): whether they can be read, and speak of fields that there are.
//!
//! Types are followed from `self` through the schema as far as fields, members and items go; what calls return is not known here.

use std::collections::BTreeSet;

use kube_cel::cel::common::ast::{Expr, IdedExpr};
use kube_cel::cel::{ParseErrors, Program};
use serde_json::Value;

use super::super::error::{FieldError, escaped};
use super::schema::{Place, follow};
use super::structural::flag;

const REASONS: [&str; 4] = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];

/// The rules that were there before: what was accepted once is not judged again.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub fn of(old: Option<&Value>) -> Self {
        let mut known = BTreeSet::new();
        let versions = old.and_then(|old| old["spec"]["versions"].as_array()).into_iter().flatten();
        versions.for_each(|version| collect(&version["schema"], &mut known));
        Self(known)
    }
}

fn collect(value: &Value, known: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let rules = map.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
            known.extend(rules.filter_map(|rule| rule["rule"].as_str()).map(str::to_owned));
            map.values().for_each(|child| collect(child, known));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, known)),
        _ => {}
    }
}

/// Judges the parts of a rule as texts.
pub(super) fn form(schema: &Value, rule: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let text = |key: &str| rule[key].as_str().unwrap_or_default();
    let lines = |text: &str| text.contains(['\n', '\r']);
    let (own, message) = (text("rule").trim(), text("message").trim());
    if own.is_empty() {
        errors.push(FieldError::required(format!("{at}.rule"), "rule is not specified"));
    } else if !text("message").is_empty() && message.is_empty() {
        errors.push(FieldError::invalid(format!("{at}.message"), &rule["message"], "must be non-empty if specified"));
    } else if lines(message) {
        errors.push(FieldError::invalid(format!("{at}.message"), &rule["message"], "must not contain line breaks"));
    } else if lines(own) && message.is_empty() {
        let detail = "message must be specified if rule contains line breaks";
        errors.push(FieldError::required(format!("{at}.message"), detail));
    }
    if !text("messageExpression").is_empty() && text("messageExpression").trim().is_empty() {
        let detail = "messageExpression must be non-empty if specified";
        errors.push(FieldError::required(format!("{at}.messageExpression"), detail));
    }
    if rule.get("reason").is_some_and(|reason| !REASONS.iter().any(|known| reason == known)) {
        errors.push(FieldError::unsupported(format!("{at}.reason"), &rule["reason"], &REASONS.map(Value::from)));
    }
    let (path, field) = (text("fieldPath"), format!("{at}.fieldPath"));
    let mut wrong = |detail: &str| errors.push(FieldError::invalid(&field, &path.into(), detail));
    if !path.is_empty() && path.trim().is_empty() {
        wrong("must be non-empty if specified");
    }
    if lines(path) {
        wrong("must not contain line breaks");
    }
    if !path.is_empty() && follow(schema, path, true).is_err() {
        wrong("must be a valid path");
    }
}

/// What is wrong with the rules of a schema.
pub(super) fn judge(schema: &Value, at: &str, place: &Place, known: &Known) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, rule) in schema["x-kubernetes-validations"].as_array().into_iter().flatten().enumerate() {
        let text = rule["rule"].as_str().unwrap_or_default();
        if known.0.contains(text) {
            continue;
        }
        let at = format!("{at}.x-kubernetes-validations[{index}]");
        let optional = flag(rule, "optionalOldSelf");
        match Program::compile(text) {
            Err(wrong) => errors.push(fault(format!("{at}.rule"), rule, &unreadable(text, &wrong))),
            Ok(program) => {
                let root = Type::of(schema, place.root);
                let old = if optional { Type::Any } else { root };
                let mut check =
                    Check { text, names: vec![("self".into(), root), ("oldSelf".into(), old)], wrong: Vec::new() };
                let outcome = check.visit(program.expression());
                if !check.wrong.is_empty() {
                    errors.push(fault(
                        format!("{at}.rule"),
                        rule,
                        &format!("compilation failed: {}", check.wrong.join("\n")),
                    ));
                    continue;
                }
                if matches!(outcome, Type::Other(kind) if kind != "boolean") {
                    errors.push(fault(format!("{at}.rule"), rule, "cel expression must evaluate to a bool"));
                    continue;
                }
                let compares = program.references().has_variable("oldSelf");
                if let Some(loose) = place.loose.as_ref().filter(|_| compares) {
                    let detail =
                        format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {loose}");
                    errors.push(FieldError::invalid(format!("{at}.rule"), &text.into(), &detail));
                } else if let Some(optional) = rule.get("optionalOldSelf").filter(|_| !compares) {
                    let detail = "may not be set if oldSelf is not used in rule";
                    errors.push(FieldError::invalid(format!("{at}.optionalOldSelf"), optional, detail));
                }
            }
        }
        if let Some(text) = rule["messageExpression"].as_str()
            && let Err(wrong) = Program::compile(text)
        {
            let detail = format!("messageExpression {}", unreadable(text, &wrong));
            errors.push(fault(format!("{at}.messageExpression"), rule, &detail));
        }
    }
    errors
}

/// A fault of a rule shows the whole rule.
fn fault(field: String, rule: &Value, detail: &str) -> FieldError {
    let text = |key: &str| Value::from(rule[key].as_str().unwrap_or_default());
    let shown = format!(
        r#"{{"Rule":{},"Message":{},"MessageExpression":{},"Reason":{},"FieldPath":{},"OptionalOldSelf":{}}}"#,
        text("rule"),
        text("message"),
        text("messageExpression"),
        rule["reason"],
        text("fieldPath"),
        rule["optionalOldSelf"]
    );
    let message = format!("Invalid value: {}: {detail}", escaped(&shown));
    FieldError { reason: "FieldValueInvalid", field, message }
}

fn unreadable(text: &str, wrong: &ParseErrors) -> String {
    let told: Vec<String> = wrong
        .errors
        .iter()
        .map(|error| {
            let line = usize::try_from(error.pos.0).unwrap_or(1).max(1);
            pointed(text, line, usize::try_from(error.pos.1).unwrap_or(1).max(1), &error.msg)
        })
        .collect();
    format!("compilation failed: {}", told.join("\n"))
}

/// A fault with the line that has it, and an arrow. Lines and columns count from one.
fn pointed(text: &str, line: usize, column: usize, what: &str) -> String {
    let shown = text.lines().nth(line - 1).unwrap_or_default();
    format!("ERROR: <input>:{line}:{column}: {what}\n | {shown}\n | {}^", ".".repeat(column - 1))
}

/// What is known of the type of an expression.
#[derive(Debug, Clone, Copy)]
enum Type<'a> {
    Any,
    /// Fields; at the root those of every object too.
    Object {
        schema: &'a Value,
        root: bool,
    },
    Map(&'a Value),
    List(&'a Value),
    Other(&'a str),
}

impl<'a> Type<'a> {
    fn of(schema: &'a Value, root: bool) -> Self {
        match schema["type"].as_str() {
            _ if flag(schema, "x-kubernetes-int-or-string") => Self::Any,
            Some("object") => match schema.get("additionalProperties") {
                Some(of) if of.is_object() => Self::Map(of),
                Some(_) => Self::Any,
                None => Self::Object { schema, root: root || flag(schema, "x-kubernetes-embedded-resource") },
            },
            Some("array") => schema.get("items").map_or(Self::Any, Self::List),
            Some(other) => Self::Other(other),
            None => Self::Any,
        }
    }

    /// The type of a field; none if there is no such field.
    fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Object { schema, root } => {
                let mut known = schema["properties"].as_object().into_iter().flatten();
                let found = known.find(|(field, _)| escape(field) == name).map(|(_, of)| Self::of(of, false));
                match name {
                    _ if found.is_some() && name != "metadata" => found,
                    "apiVersion" | "kind" if root => Some(Self::Other("string")),
                    "metadata" if root => Some(Self::Any),
                    _ => found,
                }
            }
            Self::Map(of) => Some(Self::of(of, false)),
            Self::Any | Self::List(_) | Self::Other(_) => Some(Self::Any),
        }
    }

    fn item(self) -> Self {
        match self {
            Self::List(of) | Self::Map(of) => Self::of(of, false),
            _ => Self::Any,
        }
    }
}

/// The name of a field in an expression.
fn escape(field: &str) -> String {
    const RESERVED: [&str; 20] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
    ];
    if RESERVED.contains(&field) {
        return format!("__{field}__");
    }
    field.replace("__", "__underscores__").replace('.', "__dot__").replace('-', "__dash__").replace('/', "__slash__")
}

struct Check<'a> {
    text: &'a str,
    names: Vec<(String, Type<'a>)>,
    wrong: Vec<String>,
}

impl<'a> Check<'a> {
    fn visit(&mut self, expression: &IdedExpr) -> Type<'a> {
        match &expression.expr {
            Expr::Ident(name) => {
                self.names.iter().rev().find(|(known, _)| known == name).map_or(Type::Any, |(_, of)| *of)
            }
            Expr::Select(select) => {
                let of = self.visit(&select.operand);
                of.field(&select.field).unwrap_or_else(|| {
                    self.undefined(&select.field);
                    Type::Any
                })
            }
            Expr::Call(call) => {
                let target = call.target.as_ref().map(|target| self.visit(target));
                let arguments: Vec<Type<'a>> = call.args.iter().map(|argument| self.visit(argument)).collect();
                match (call.func_name.as_str(), arguments.as_slice(), target) {
                    ("_[_]", [of, _], None) => of.item(),
                    _ => Type::Any,
                }
            }
            Expr::Comprehension(loops) => {
                let of = self.visit(&loops.iter_range);
                let item = if matches!(of, Type::Map(_)) { Type::Any } else { of.item() };
                let depth = self.names.len();
                self.visit(&loops.accu_init);
                self.names.push((loops.iter_var.clone(), item));
                self.names.push((loops.accu_var.clone(), Type::Any));
                for part in [&loops.loop_cond, &loops.loop_step, &loops.result] {
                    self.visit(part);
                }
                self.names.truncate(depth);
                Type::Any
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.visit(element);
                }
                Type::Any
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Literal(_) | Expr::Unspecified => Type::Any,
        }
    }

    fn undefined(&mut self, field: &str) {
        let what = format!("undefined field '{field}'");
        let dotted = format!(".{field}");
        let place = self.text.match_indices(&dotted).map(|(place, _)| place).find(|place| {
            let after = &self.text[place + dotted.len()..];
            !after.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        });
        let before = &self.text[..place.unwrap_or_default()];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let told = pointed(self.text, line, column, &what);
        if !self.wrong.contains(&told) {
            self.wrong.push(told);
        }
    }
}
