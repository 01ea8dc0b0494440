//! The versions of a definition: names, schemas, columns, selectable fields, scales.
//!
//! What is the same in all versions is judged once, and told as if it stood above them: that is where it once stood.

use serde_json::Value;

use super::super::error::{FieldError, escaped};
use super::super::meta;
use super::{dns_1035, rules::Known, schema};

const PARTS: [&str; 4] = ["schema", "subresources", "additionalPrinterColumns", "selectableFields"];
const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
/// No version has more selectable fields.
const SELECTABLE: usize = 8;

fn versions(spec: &Value) -> &[Value] {
    spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The value of a part, if all versions have the same.
fn shared<'a>(spec: &'a Value, part: &str) -> Option<&'a Value> {
    let (first, others) = versions(spec).split_first()?;
    let value = first.get(part)?;
    others.iter().all(|other| other.get(part) == Some(value)).then_some(value)
}

/// Judges each version by itself, and the versions together.
pub(super) fn judge(spec: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let known = Known::of(old);
    let all = versions(spec);
    for (index, version) in all.iter().enumerate() {
        if version.pointer("/schema/openAPIV3Schema").is_none() {
            errors.push(FieldError::required(format!("spec.versions[{index}].schema.openAPIV3Schema"), ""));
        }
    }
    for (index, version) in all.iter().enumerate() {
        let at = format!("spec.versions[{index}]");
        dns_1035(&format!("{at}.name"), meta::text(version, "/name"), errors);
        warning(version, &at, errors);
        let own = |part: &str| version.get(part).filter(|_| shared(spec, part).is_none());
        parts(&PARTS.map(own), version, &at, "schema", &known, errors);
    }
    let names: Vec<&str> = all.iter().map(|version| meta::text(version, "/name")).collect();
    let mut wrong = |detail: &str| {
        let message = format!("Invalid value: {}: {detail}", escaped(&listed(spec)));
        errors.push(FieldError { reason: "FieldValueInvalid", field: "spec.versions".to_owned(), message });
    };
    if names.iter().enumerate().any(|(index, name)| names[..index].contains(name)) {
        wrong("must contain unique version names");
    }
    if all.iter().filter(|version| version["storage"] == true).count() != 1 {
        wrong("must have exactly one version marked as storage version");
    }
    if let Some(first) = names.first() {
        dns_1035("spec.version", first, errors);
    }
}

/// The versions as messages list them: without what they share.
fn listed(spec: &Value) -> String {
    let one = |version: &Value| {
        let own = |part: &str| version.get(part).filter(|_| shared(spec, part).is_none()).unwrap_or(&Value::Null);
        let [schema, subresources, columns, selectable] = PARTS.map(own);
        format!(
            r#"{{"Name":{},"Served":{},"Storage":{},"Deprecated":{},"DeprecationWarning":{},"Schema":{schema},"Subresources":{subresources},"AdditionalPrinterColumns":{columns},"SelectableFields":{selectable}}}"#,
            version["name"],
            version["served"] == true,
            version["storage"] == true,
            version["deprecated"] == true,
            version["deprecationWarning"],
        )
    };
    format!("[{}]", versions(spec).iter().map(one).collect::<Vec<_>>().join(","))
}

/// Judges what all versions share.
pub(super) fn common(spec: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    let Some(first) = versions(spec).first() else { return };
    parts(&PARTS.map(|part| shared(spec, part)), first, "spec", "validation", &Known::of(old), errors);
}

fn parts(
    parts: &[Option<&Value>; 4],
    version: &Value,
    at: &str,
    named: &str,
    known: &Known,
    errors: &mut Vec<FieldError>,
) {
    let [of, subresources, columns, selectable] = parts;
    let status = version.pointer("/subresources/status").is_some_and(Value::is_object);
    if let Some(of) = of.and_then(|of| of.get("openAPIV3Schema")) {
        schema::judge(of, status, &format!("{at}.{named}.openAPIV3Schema"), known, errors);
    }
    if let Some(scale) = subresources.and_then(|sub| sub.get("scale")) {
        self::scale(scale, &format!("{at}.subresources.scale"), errors);
    }
    for (index, column) in columns.and_then(Value::as_array).into_iter().flatten().enumerate() {
        self::column(column, &format!("{at}.additionalPrinterColumns[{index}]"), errors);
    }
    if let Some(fields) = selectable.and_then(Value::as_array) {
        let schema = version.pointer("/schema/openAPIV3Schema").unwrap_or(&Value::Null);
        self::selectable(fields, schema, &format!("{at}.selectableFields"), errors);
    }
}

fn warning(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let Some(text) = version.get("deprecationWarning") else { return };
    let warning = text.as_str().unwrap_or_default();
    let mut wrong = |detail: &str| errors.push(FieldError::invalid(format!("{at}.deprecationWarning"), text, detail));
    if version["deprecated"] != true {
        return wrong("can only be set for deprecated versions");
    }
    if warning.len() > 256 {
        wrong("must be <= 256 characters long");
    }
    if warning.is_empty() {
        wrong("must not be an empty string");
    }
    if let Some((index, _)) = warning.char_indices().find(|(_, c)| c.is_control()) {
        wrong(&format!("must only contain printable UTF-8 characters; non-printable character found at index {index}"));
    }
}

/// A path of names, each after a dot.
fn simple(path: &str, field: &str, errors: &mut Vec<FieldError>) -> bool {
    let fits = path.starts_with('.');
    if !fits {
        errors.push(FieldError::invalid(field, &path.into(), "must be a simple json path starting with ."));
    }
    fits
}

fn scale(scale: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (name, roots, told, needed) in [
        ("specReplicasPath", &[".spec."][..], ".spec", true),
        ("statusReplicasPath", &[".status."], ".status", true),
        ("labelSelectorPath", &[".spec.", ".status."], "either .spec or .status", false),
    ] {
        let (path, field) = (scale[name].as_str().unwrap_or_default(), format!("{at}.{name}"));
        if path.is_empty() {
            if needed {
                errors.push(FieldError::required(field, ""));
            }
        } else if simple(path, &field, errors) && !roots.iter().any(|root| path.starts_with(root)) {
            errors.push(FieldError::invalid(field, &path.into(), &format!("should be a json path under {told}")));
        }
    }
}

fn column(column: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let text = |field: &str| column[field].as_str().unwrap_or_default();
    if text("name").is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    let one_of = |all: &[&str]| format!("must be one of {}", all.join(","));
    match text("type") {
        "" => errors.push(FieldError::required(format!("{at}.type"), &one_of(&COLUMN_TYPES))),
        known if COLUMN_TYPES.contains(&known) => {}
        other => errors.push(FieldError::invalid(format!("{at}.type"), &other.into(), &one_of(&COLUMN_TYPES))),
    }
    let format = text("format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        errors.push(FieldError::invalid(format!("{at}.format"), &format.into(), &one_of(&COLUMN_FORMATS)));
    }
    match text("jsonPath") {
        "" => errors.push(FieldError::required(format!("{at}.JSONPath"), "")),
        path => {
            simple(path, &format!("{at}.JSONPath"), errors);
        }
    }
}

fn selectable(fields: &[Value], schema: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let mut seen: Vec<&str> = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let (path, at) = (meta::text(field, "/jsonPath"), format!("{at}[{index}].jsonPath"));
        if path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let found = match schema::follow(schema, path, false) {
            Ok(found) => found,
            Err(why) => {
                errors.push(FieldError::invalid(at, &path.into(), &format!("is an invalid path: {why}")));
                continue;
            }
        };
        if path == ".metadata" || path.starts_with(".metadata.") {
            errors.push(FieldError::invalid(&at, &path.into(), "must not point to fields in metadata"));
        }
        if !matches!(found["type"].as_str(), Some("string" | "boolean" | "integer")) {
            let detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(FieldError::invalid(&at, &path.into(), detail));
        }
        if seen.contains(&path) {
            errors.push(FieldError::duplicate(at, &path.into()));
        } else {
            seen.push(path);
        }
    }
    if seen.len() > SELECTABLE {
        errors.push(FieldError::too_many(at, seen.len(), SELECTABLE as u64));
    }
}
