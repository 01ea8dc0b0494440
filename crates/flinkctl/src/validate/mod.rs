//! Files of manifests, judged without a cluster: by the rules of the API server, and by ours.

mod documents;
mod locate;
mod rules;

use std::fmt::Write as _;
use std::path::PathBuf;

use local::judge::Judge;
use serde::Serialize;
use serde_json::Value;

pub use documents::{Document, files, read};

use crate::failure::Failure;

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub file: String,
    /// 1 for the first in its file.
    pub document: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Kind and name, as far as they are known.
    pub about: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    pub message: String,
    /// It works, and is probably not what is meant.
    pub warning: bool,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How many documents were judged.
    pub judged: usize,
    /// Documents of kinds that nobody here knows.
    pub skipped: Vec<String>,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.warning)
    }
}

/// Judges files, directories and stdin.
pub fn validate(paths: &[PathBuf]) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut judge = Judge::new();
    let files = documents::files(paths)?;
    for file in files {
        for document in read(&file)? {
            one(&mut judge, &document, &mut report);
        }
    }
    Ok(report)
}

/// Judges one document.
pub fn one(judge: &mut Judge, document: &Document, report: &mut Report) {
    let object = match &document.content {
        Ok(object) => object,
        Err(why) => {
            report.judged += 1;
            let line = why.line.map(|line| document.line + line - 1);
            report.findings.push(finding(document, "", &why.message, false, line));
            return;
        }
    };
    let Some(faults) = judge.judge(object) else {
        report.skipped.push(format!("{} (document {}): {}", document.file, document.number, about(object)));
        return;
    };
    report.judged += 1;
    let mut found: Vec<(String, String, bool)> =
        faults.into_iter().map(|fault| (fault.field, fault.message, false)).collect();
    if found.is_empty() {
        found = rules::judge(judge, object);
    }
    for (field, message, warning) in found {
        // What stands in a spec alone has no `spec.` in its file.
        let shown = if document.wrapped { field.strip_prefix("spec.").unwrap_or(&field) } else { &field };
        let line = locate::line(&document.text, shown).map(|line| document.line + line - 1);
        report.findings.push(finding(document, shown, &message, warning, line));
    }
}

fn finding(document: &Document, field: &str, message: &str, warning: bool, line: Option<usize>) -> Finding {
    Finding {
        file: document.file.clone(),
        document: document.number,
        line,
        about: document.content.as_ref().map_or_else(|_| String::new(), about),
        field: field.to_owned(),
        message: message.to_owned(),
        warning,
    }
}

/// Kind and name.
fn about(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    [text("/kind"), text("/metadata/name")].into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The report for people: one line for each finding, as compilers write them.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let kind = if finding.warning { "warning" } else { "error" };
        let field = if finding.field.is_empty() { String::new() } else { format!("{}: ", finding.field) };
        let about = if finding.about.is_empty() {
            format!("document {}", finding.document)
        } else {
            format!("document {}, {}", finding.document, finding.about)
        };
        let _ = write!(text, "{}{line}: {kind}: {field}{} ({about})\n", finding.file, finding.message);
    }
    for skipped in &report.skipped {
        let _ = write!(text, "{skipped}: not judged, since its kind is not known here\n");
    }
    let errors = report.findings.iter().filter(|finding| !finding.warning).count();
    let warnings = report.findings.len() - errors;
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let _ = write!(
        text,
        "{} judged: {}, {}\n",
        count(report.judged, "document"),
        count(errors, "error"),
        count(warnings, "warning")
    );
    text
}

#[cfg(test)]
mod tests;
