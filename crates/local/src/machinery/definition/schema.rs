//! The schema of a version: structural, with defaults that fit it, keywords that fit each other, and rules that can be read.

use serde_json::Value;

use super::super::error::FieldError;
use super::defaults;
use super::rules::{self, Known};
use super::structural::{self, flag, properties};

const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];
/// All that may stand at the root of a schema whose status is judged by itself, and how messages list it.
const AT_ROOT: [&str; 21] = [
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "required",
    "items",
    "properties",
    "externalDocs",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];
const AT_ROOT_TOLD: &str = "[Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations]";
const UNSUPPORTED: [&str; 6] = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

/// Judges the schema of a version, which has a status by itself or not.
pub(super) fn judge(schema: &Value, status: bool, at: &str, known: &Known, errors: &mut Vec<FieldError>) {
    if status {
        root(schema, at, errors);
    }
    if flag(schema, "nullable") {
        errors.push(FieldError::forbidden(format!("{at}.nullable"), "nullable cannot be true at the root"));
    }
    let mut wrong = structural::judge(schema, at);
    if wrong.is_empty() {
        wrong = defaults::judge(schema, at);
    }
    let fits = wrong.is_empty();
    errors.extend(wrong);
    let mut walk = Walk { known, rules: fits, keywords: Vec::new(), faults: Vec::new() };
    walk.node(schema, at, &Place { root: true, ..Place::default() });
    errors.extend(walk.keywords);
    errors.extend(walk.faults);
}

/// The schema that a path leads to: `.a.b`, and `['c']` where that is allowed.
pub(super) fn follow<'a>(schema: &'a Value, path: &str, brackets: bool) -> Result<&'a Value, String> {
    const NOWHERE: &str = "does not refer to a valid field";
    let (mut schema, mut rest) = (schema, path);
    while let Some(open) = rest.chars().next() {
        let name = match open {
            '.' => {
                let end = rest[1..].find(['.', '[', ']']).map_or(rest.len(), |end| end + 1);
                let name = &rest[1..end];
                rest = &rest[end..];
                name
            }
            '[' if !brackets => return Err("array notation is not allowed".to_owned()),
            '[' => {
                let end = rest.find("']").ok_or("unexpected end of JSON path")?;
                let name = rest[1..end].strip_prefix('\'').ok_or("expected single quoted string")?;
                rest = &rest[end + 2..];
                name
            }
            _ => return Err(format!("expected [ or . but got: {rest}")),
        };
        if name.is_empty() {
            return Err("unexpected end of JSON path".to_owned());
        }
        schema = match (schema.get("properties"), schema.get("additionalProperties")) {
            (Some(known), _) => known.get(name).ok_or(NOWHERE)?,
            (None, Some(of)) => of,
            (None, None) => return Err(NOWHERE.to_owned()),
        };
    }
    Ok(schema)
}

fn root(schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    if schema["type"].as_str().is_some_and(|kind| kind != "object") {
        let detail =
            "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        return errors.push(FieldError::invalid(format!("{at}.type"), &schema["type"], detail));
    }
    let set = |value: &Value| !value.is_null() && *value != Value::Bool(false);
    let mut fields = schema.as_object().into_iter().flatten();
    if fields.any(|(key, value)| set(value) && key != "nullable" && !AT_ROOT.contains(&key.as_str())) {
        let detail = format!(
            "only {AT_ROOT_TOLD} fields are allowed at the root of the schema if the status subresource is enabled"
        );
        errors.push(FieldError::invalid(at, schema, &detail));
    }
}

/// Where in a definition a schema stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub root: bool,
    /// It is, or is part of, metadata.
    meta: bool,
    /// Why no default may stand here.
    no_default: Option<String>,
    /// Within an alternative, where no rules are.
    branch: bool,
    /// The first schema above whose values have no counterparts in an old object.
    pub loose: Option<String>,
}

struct Walk<'a> {
    known: &'a Known,
    rules: bool,
    keywords: Vec<FieldError>,
    faults: Vec<FieldError>,
}

impl Walk<'_> {
    fn node(&mut self, schema: &Value, at: &str, place: &Place) {
        if !schema.is_object() {
            return;
        }
        let before = self.keywords.len();
        self.keyword(schema, at, place);
        self.below(schema, at, place);
        self.shapes(schema, at);
        for (index, rule) in schema["x-kubernetes-validations"].as_array().into_iter().flatten().enumerate() {
            rules::form(schema, rule, &format!("{at}.x-kubernetes-validations[{index}]"), &mut self.keywords);
        }
        if self.rules && !place.branch && self.keywords.len() == before {
            self.faults.extend(rules::judge(schema, at, place, self.known));
        }
    }

    fn keyword(&mut self, schema: &Value, at: &str, place: &Place) {
        let kind = schema["type"].as_str().unwrap_or_default();
        if !kind.is_empty() && !TYPES.contains(&kind) {
            self.keywords.push(FieldError::unsupported(format!("{at}.type"), &kind.into(), &TYPES.map(Value::from)));
        }
        if let (Some(why), Some(_)) = (&place.no_default, schema.get("default")) {
            self.keywords.push(FieldError::forbidden(format!("{at}.default"), format!("must not be set {why}").trim()));
        }
        for key in UNSUPPORTED.iter().filter(|key| schema.get(**key).is_some()) {
            self.keywords.push(FieldError::forbidden(format!("{at}.{key}"), &format!("{key} is not supported")));
        }
        if kind == "null" {
            let detail = "type cannot be set to null, use nullable as an alternative";
            self.keywords.push(FieldError::forbidden(format!("{at}.type"), detail));
        }
        if schema["items"].is_array() {
            let detail = "items must be a schema object and not an array";
            self.keywords.push(FieldError::forbidden(format!("{at}.items"), detail));
        }
        if place.meta && flag(schema, "x-kubernetes-embedded-resource") {
            let detail = "must not be used inside of resource meta";
            self.keywords.push(FieldError::forbidden(format!("{at}.x-kubernetes-embedded-resource"), detail));
        }
        if flag(schema, "uniqueItems") {
            let detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.keywords.push(FieldError::forbidden(format!("{at}.uniqueItems"), detail));
        }
    }

    fn below(&mut self, schema: &Value, at: &str, above: &Place) {
        let inner = Place { root: false, ..above.clone() };
        let resource = above.root || flag(schema, "x-kubernetes-embedded-resource");
        if let Some(more) = schema.get("additionalProperties") {
            let at = format!("{at}.additionalProperties");
            if properties(schema).next().is_some() && *more != Value::Bool(true) {
                let detail = "additionalProperties and properties are mutual exclusive";
                self.keywords.push(FieldError::forbidden(&at, detail));
            }
            let why = "inside additionalProperties applying to object metadata".to_owned();
            let no_default = if above.meta { Some(why) } else { inner.no_default.clone() };
            self.node(more, &at, &Place { no_default, ..inner.clone() });
        }
        let loose_map = schema["x-kubernetes-map-type"] == "atomic";
        for (name, child) in properties(schema) {
            let mut place = inner.clone();
            if loose_map {
                place.loose.get_or_insert_with(|| at.to_owned());
            }
            if resource && matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
                place.meta = true;
                if above.root {
                    place.no_default = Some(format!("in top-level {name}"));
                }
            }
            self.node(child, &format!("{at}.properties[{name}]"), &place);
        }
        self.branches(schema, at, &inner);
        if let Some(items) = schema.get("items") {
            let mut place = inner;
            if schema["x-kubernetes-list-type"] != "map" {
                place.loose.get_or_insert_with(|| at.to_owned());
            }
            self.node(items, &format!("{at}.items"), &place);
        }
    }

    fn branches(&mut self, schema: &Value, at: &str, place: &Place) {
        let place = Place { branch: true, ..place.clone() };
        if let Some(not) = schema.get("not") {
            self.node(not, &format!("{at}.not"), &place);
        }
        for key in ["allOf", "oneOf", "anyOf"] {
            for (index, branch) in schema[key].as_array().into_iter().flatten().enumerate() {
                self.node(branch, &format!("{at}.{key}[{index}]"), &place);
            }
        }
    }

    /// Kinds of maps and lists.
    fn shapes(&mut self, schema: &Value, at: &str) {
        let errors = &mut self.keywords;
        let kind = schema["type"].as_str().unwrap_or_default();
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            let field = format!("{at}.x-kubernetes-preserve-unknown-fields");
            errors.push(FieldError::invalid(field, &false.into(), "must be true or undefined"));
        }
        for (key, wanted, supported) in [
            ("x-kubernetes-map-type", "object", &["atomic", "granular"][..]),
            ("x-kubernetes-list-type", "array", &["atomic", "set", "map"]),
        ] {
            let Some(value) = schema.get(key) else { continue };
            if kind != wanted {
                let (field, detail) = (format!("{at}.type"), format!("must be {wanted} if {key} is specified"));
                errors.push(if kind.is_empty() {
                    FieldError::required(field, &detail)
                } else {
                    FieldError::invalid(field, &kind.into(), &detail)
                });
            }
            if !supported.iter().any(|one| value == one) {
                let supported: Vec<Value> = supported.iter().map(|one| Value::from(*one)).collect();
                errors.push(FieldError::unsupported(format!("{at}.{key}"), value, &supported));
            }
        }
        super::keys::judge(schema, at, errors);
    }
}
