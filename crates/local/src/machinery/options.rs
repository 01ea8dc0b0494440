//! The options of a request: which verb takes which, and what is refused of them.

use http::Method;
use serde_json::{Value, json};

use super::error::{Failure, FieldError, Result};
use super::patch;
use super::request::{FieldValidation, Query};

/// The longest name of a manager.
const MANAGER: usize = 128;

/// Options of writes, as they are understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub dry_run: bool,
    pub validation: FieldValidation,
}

impl Options {
    /// Reads and judges the options of a request. `media` is that of the body; `watch`: events are wanted, not a list.
    pub fn of(method: &Method, query: &Query<'_>, media: &str, named: bool, watch: bool) -> Result<Self> {
        let (kind, wrong) = match *method {
            Method::POST => ("CreateOptions", write(query)),
            Method::PUT => ("UpdateOptions", write(query)),
            Method::PATCH => ("PatchOptions", patch(query, media)),
            Method::DELETE => ("DeleteOptions", dry_run(query)),
            _ if named && !watch => ("GetOptions", Vec::new()),
            _ => {
                // Numbers are read before anything is judged.
                query.number("limit")?;
                query.number("timeoutSeconds")?;
                ("ListOptions", if watch { self::watch(query) } else { list(query) })
            }
        };
        if !wrong.is_empty() {
            return Err(Failure::invalid("meta.k8s.io", kind, "", &wrong));
        }
        Ok(Self { dry_run: query.get("dryRun").is_some(), validation: FieldValidation::of(query) })
    }
}

fn write(query: &Query<'_>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    manager(query, &mut wrong);
    wrong.extend(dry_run(query));
    if let Some(other) = query.get("fieldValidation").filter(|one| !matches!(*one, "Ignore" | "Strict" | "Warn")) {
        let known = ["".into(), "Ignore".into(), "Strict".into(), "Warn".into()];
        wrong.push(FieldError::unsupported("fieldValidation", &other.into(), &known));
    }
    wrong
}

fn patch(query: &Query<'_>, media: &str) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let applies = media == patch::APPLY;
    if applies && query.get("fieldManager").is_none() {
        wrong.push(FieldError::required("fieldManager", "is required for apply patch"));
    }
    if !applies && query.get("force").is_some() {
        wrong.push(FieldError::forbidden("force", "may not be specified for non-apply patch"));
    }
    wrong.extend(write(query));
    wrong
}

fn manager(query: &Query<'_>, wrong: &mut Vec<FieldError>) {
    let Some(name) = query.get("fieldManager") else { return };
    if name.len() > MANAGER {
        wrong.push(FieldError::too_long("fieldManager", MANAGER as u64));
    }
    for (position, odd) in name.char_indices().filter(|(_, c)| c.is_control()) {
        let detail = format!("invalid character U+{:04X} (at position {position})", u32::from(odd));
        wrong.push(FieldError::invalid("fieldManager", &name.into(), &detail));
    }
}

fn dry_run(query: &Query<'_>) -> Vec<FieldError> {
    let asked: Vec<&str> = query.all("dryRun").collect();
    if asked.iter().all(|one| *one == "All") {
        return Vec::new();
    }
    vec![FieldError::unsupported("dryRun", &json!(asked), &["All".into()])]
}

const MATCH: &str = "resourceVersionMatch";

fn list(query: &Query<'_>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    if let Some(how) = query.get(MATCH) {
        let version = query.get("resourceVersion");
        let mut forbid = |detail: &str| wrong.push(FieldError::forbidden(MATCH, detail));
        if version.is_none() {
            forbid("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if query.get("continue").is_some() {
            forbid("resourceVersionMatch is forbidden when continue is provided");
        }
        if how == "Exact" && version == Some("0") {
            forbid("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
        }
        if !matches!(how, "Exact" | "NotOlderThan") {
            let known: [Value; 3] = ["Exact".into(), "NotOlderThan".into(), "".into()];
            wrong.push(FieldError::unsupported(MATCH, &how.into(), &known));
        }
    }
    if query.get("sendInitialEvents").is_some() {
        wrong.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    wrong
}

fn watch(query: &Query<'_>) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let how = query.get(MATCH);
    let initial = query.get("sendInitialEvents").is_some();
    if initial && how != Some("NotOlderThan") {
        let detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        wrong.push(FieldError::forbidden(MATCH, detail));
    }
    let Some(how) = how else { return wrong };
    if !initial {
        let detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
        wrong.push(FieldError::forbidden(MATCH, detail));
    }
    if how != "NotOlderThan" {
        wrong.push(FieldError::unsupported(MATCH, &how.into(), &["NotOlderThan".into()]));
    }
    if query.get("continue").is_some() {
        wrong.push(FieldError::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &Method, query: &[(&str, &str)], media: &str) -> String {
        let query: Vec<(String, String)> = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let watch = query.iter().any(|(key, _)| key == "watch");
        Options::of(method, &Query(&query), media, false, watch)
            .map_or_else(|failure| failure.message, |_| String::new())
    }

    #[test]
    fn options_that_do_not_fit_are_refused() {
        for (method, query, media, expected) in [
            (
                Method::POST,
                ("dryRun", "x"),
                "",
                "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"x\"]: supported values: \"All\"",
            ),
            (Method::POST, ("dryRun", "All"), "", ""),
            (
                Method::PUT,
                ("fieldValidation", "x"),
                "",
                "UpdateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"x\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
            ),
            (
                Method::PATCH,
                ("force", "true"),
                patch::MERGE,
                "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified for non-apply patch",
            ),
            (
                Method::PATCH,
                ("force", "true"),
                patch::APPLY,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            ),
            (Method::GET, ("limit", "x"), "", "strconv.ParseInt: parsing \"x\": invalid syntax"),
            (
                Method::GET,
                (MATCH, "Exact"),
                "",
                "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
        ] {
            assert_eq!(refused(&method, &[query], media), expected);
        }
        let initial = refused(&Method::GET, &[("watch", "true"), ("sendInitialEvents", "true")], "");
        assert!(
            initial.ends_with("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
            "{initial}"
        );
        let long = "a".repeat(129);
        assert!(
            refused(&Method::POST, &[("fieldManager", &long)], "").contains("Too long: may not be more than 128 bytes")
        );
    }
}
