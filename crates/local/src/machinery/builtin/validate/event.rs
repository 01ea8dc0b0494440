//! What is refused of events: little in their old form, more in their new one.

use serde_json::Value;

use super::super::super::error::FieldError;
use super::super::super::meta;
use super::super::names;

/// The longest texts of the fields that have a limit.
const LIMITS: [(&str, usize); 4] = [("reportingInstance", 128), ("action", 128), ("reason", 128), ("message", 1024)];

/// `strict`: it comes in the new form.
pub(super) fn event(old: Option<&Value>, event: &Value, strict: bool, errors: &mut Vec<FieldError>) {
    let (own, about) = (meta::namespace(event), meta::text(event, "/involvedObject/namespace"));
    let timed = event["eventTime"].is_string();
    let fits = match (timed, about) {
        (false, "") => own == "default",
        (false, about) => own == about,
        (true, "") => matches!(own, "default" | "kube-system"),
        (true, _) => true,
    };
    if !fits {
        let detail = "does not match event.namespace";
        errors.push(FieldError::invalid("involvedObject.namespace", &about.into(), detail));
    }
    if timed {
        named(event, strict, errors);
    }
    if strict && old.is_none() {
        series(event, errors);
        if !timed {
            errors.push(FieldError::required("eventTime", ""));
        }
        let kind = meta::text(event, "/type");
        if !matches!(kind, "Normal" | "Warning") {
            errors.push(FieldError::invalid("type", &"".into(), &format!("has invalid value: {kind}")));
        }
        let set = |field: &str| match &event[field] {
            Value::Null => false,
            Value::Object(map) => !map.is_empty(),
            value => *value != 0,
        };
        for field in ["firstTimestamp", "lastTimestamp", "count", "source"].into_iter().filter(|field| set(field)) {
            errors.push(FieldError::invalid(field, &"".into(), "needs to be unset"));
        }
    }
}

/// Who reports what, and why.
fn named(event: &Value, strict: bool, errors: &mut Vec<FieldError>) {
    let controller = meta::text(event, "/reportingComponent");
    let field = if strict { "reportingController" } else { "reportingComponent" };
    if controller.is_empty() {
        errors.push(FieldError::required(field, ""));
    }
    let wrong = names::qualified(controller);
    errors.extend(wrong.iter().map(|message| FieldError::invalid(field, &controller.into(), message)));
    for (field, limit) in LIMITS {
        let text = meta::text(event, &format!("/{field}"));
        if text.is_empty() && field != "message" {
            errors.push(FieldError::required(field, ""));
        }
        if text.len() > limit {
            errors.push(FieldError::invalid(field, &"".into(), &format!("can have at most {limit} characters")));
        }
    }
}

fn series(event: &Value, errors: &mut Vec<FieldError>) {
    let Some(series) = event.get("series") else { return };
    if series["count"].as_i64().unwrap_or_default() < 2 {
        errors.push(FieldError::invalid("series.count", &"".into(), "should be at least 2"));
    }
    if series["lastObservedTime"].is_null() {
        errors.push(FieldError::required("series.lastObservedTime", ""));
    }
}
