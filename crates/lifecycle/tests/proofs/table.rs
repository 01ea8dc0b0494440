//! Rows of a decision table, as text.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};

use api::record::Restore;
use jiff::Timestamp;
use lifecycle::Step;
use lifecycle::command::Report;
use lifecycle::step::Record;

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
    /// A decision, from the phase that it was made in; `restore` where that changed too.
    pub fn of<R: Record, E: Debug, W: Debug>(
        name: &'static str,
        now: Timestamp,
        from: &R::Phase,
        mut step: Step<R, E, W>,
        restore: Option<&Restore>,
    ) -> Self
    where
        R::Phase: Debug + PartialEq,
    {
        assert!(step.wake.is_none_or(|wake| wake > now), "{name}: a time to wake up that has passed is a hot loop");
        let phase = step.record.phase();
        let (to, changed) = (phase_name(phase), *phase != *from);
        let mut text = String::new();
        line(&mut text, "phase", Some(phase).filter(|_| changed));
        line(&mut text, "restore", restore);
        line(&mut text, "effects", &step.effects);
        line(&mut text, "waiting", &step.waiting);
        line(&mut text, "wake", step.wake.map(|wake| wake.duration_since(now)));
        line(&mut text, "events", step.notices.iter().map(|notice| notice.reason).collect::<Vec<_>>());
        let report = |report: Report| format!("{} {}: {}", report.action, report.outcome.as_str(), report.message);
        line(&mut text, "command", step.report.map(report));
        Self { name, from: phase_name(from), to, changed, text }
    }

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
fn line(text: &mut String, what: &str, value: impl Debug) {
    let value = format!("{value:?}");
    if !matches!(value.as_str(), "[]" | "None") {
        let _ = writeln!(text, "    {what}: {value}");
    }
}
