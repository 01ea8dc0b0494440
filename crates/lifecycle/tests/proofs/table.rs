//! Rows of a decision table, as text.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};

/// The name of a phase: the first word of its `Debug` form.
pub fn phase_name(phase: &impl Debug) -> String {
    let text = format!("{phase:?}");
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default().to_owned()
}

/// A way that was walked.
pub type Walked = BTreeSet<(String, String)>;

/// One row that was decided.
pub struct Row {
    pub name: &'static str,
    pub from: String,
    pub to: String,
    /// The phase is another one, or the same with other contents.
    pub changed: bool,
    pub text: String,
}

impl Row {
    pub fn walked(&self) -> Option<(String, String)> {
        self.changed.then(|| (self.from.clone(), self.to.clone()))
    }
}

/// All rows, for a snapshot.
pub fn render(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{}\n    {} -> {}\n{}", row.name, row.from, row.to, row.text);
    }
    text
}

/// One indented line, unless there is nothing to say.
pub fn line(text: &mut String, what: &str, value: impl Debug) {
    let value = format!("{value:?}");
    if !matches!(value.as_str(), "[]" | "None") {
        let _ = writeln!(text, "    {what}: {value}");
    }
}
