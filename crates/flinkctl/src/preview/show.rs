//! A preview for people.

use lifecycle::change::Consequence;
use manifests::Quantity;
use manifests::room::{Amounts, Line};
use std::fmt::Write as _;

use super::Preview;
use crate::print::{Cell, Column, Look, Table, Tone};

/// The preview as text.
pub fn render(preview: &Preview, look: &Look) -> String {
    let mut text = format!("{} {}", preview.kind, preview.name);
    if !preview.exists {
        text.push_str(": would be created\n");
    } else if preview.fields.is_empty() {
        text.push_str(": nothing changes\n");
        if preview.is_empty() {
            return text;
        }
    } else {
        text.push_str(": would change\n");
        for field in &preview.fields {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
            let _ = write!(text, "  {}: {} -> {}\n", field.path, shown(&field.from), shown(&field.to));
        }
    }
    consequences(&mut text, preview, look);
    pods(&mut text, preview, look);
    quotas(&mut text, preview, look);
    for note in &preview.notes {
        let _ = write!(text, "\nNote: {note}\n");
    }
    for reason in preview.shortage() {
        let _ = write!(text, "\nDoes not fit: {reason}\n");
    }
    text
}

fn consequences(text: &mut String, preview: &Preview, look: &Look) {
    text.push('\n');
    let rows: Vec<Vec<Cell>> = preview
        .changes
        .iter()
        .map(|change| {
            let (words, tone) = said(change.consequence);
            let mut why = change.why.unwrap_or_default().to_owned();
            if change.supervisor {
                why = [why.as_str(), "the supervisor restarts, which cluster and jobs do not notice"]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("; ");
            }
            vec![
                Cell::plain(format!("{} {}", change.kind, change.name)),
                Cell { text: words.to_owned(), tone },
                Cell::plain(why),
            ]
        })
        .collect();
    if rows.is_empty() {
        text.push_str("Nothing restarts.\n");
        return;
    }
    let columns = vec![Column::new("RESOURCE", 0), Column::new("WHAT HAPPENS", 0), Column::new("WHY", 1)];
    text.push_str(&Table { columns, rows }.render(look));
}

fn said(consequence: Consequence) -> (&'static str, Tone) {
    match consequence {
        Consequence::Nothing => ("runs on", Tone::Good),
        Consequence::Created => ("is created", Tone::Plain),
        Consequence::Restarts => ("restarts", Tone::Busy),
        Consequence::Rescales => ("is rescaled while it runs", Tone::Good),
        Consequence::Stops => ("stops", Tone::Busy),
        Consequence::Starts => ("starts", Tone::Busy),
        Consequence::Later => ("counts from its next start", Tone::Plain),
        Consequence::Deleted => ("is deleted", Tone::Bad),
    }
}

fn pods(text: &mut String, preview: &Preview, look: &Look) {
    let amount =
        |amounts: &Amounts, name: &str| amounts.get(name).map_or_else(|| "-".to_owned(), |one| one.shown(name));
    let rows: Vec<Vec<Cell>> = preview
        .pods
        .iter()
        .map(|pods| {
            vec![
                Cell::plain(pods.role.clone()),
                Cell::plain(pods.now.to_string()),
                Cell::plain(pods.then.to_string()),
                Cell::plain(amount(&pods.each.requests, "cpu")),
                Cell::plain(amount(&pods.each.requests, "memory")),
                Cell::plain(amount(&pods.each.limits, "cpu")),
                Cell::plain(amount(&pods.each.limits, "memory")),
            ]
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let columns = ["PODS", "NOW", "THEN", "CPU EACH", "MEMORY EACH", "CPU LIMIT", "MEMORY LIMIT"];
    let columns = columns.into_iter().map(|name| Column::new(name, 0)).collect();
    text.push('\n');
    text.push_str(&Table { columns, rows }.render(look));
    let total = |name: &str| -> Quantity {
        let amounts = preview.pods.iter().map(|pods| {
            let each = pods.each.requests.get(name).copied().unwrap_or_default();
            each * (i64::from(pods.then) - i64::from(pods.now))
        });
        amounts.sum()
    };
    let added: i64 = preview.pods.iter().map(|pods| i64::from(pods.then) - i64::from(pods.now)).sum();
    let signed = |text: String| if text.starts_with('-') || text == "0" { text } else { format!("+{text}") };
    let _ = write!(
        text,
        "All in all: {} pods, {} CPU, {} memory\n",
        signed(added.to_string()),
        signed(total("cpu").shown("cpu")),
        signed(total("memory").shown("memory"))
    );
}

fn quotas(text: &mut String, preview: &Preview, look: &Look) {
    let row = |line: &Line| {
        let shown = |amount: Quantity| Cell::plain(amount.shown(&line.resource));
        let (fits, tone) = match (line.scoped, line.fits()) {
            (true, _) => ("(scoped)", Tone::Faint),
            (false, true) => ("yes", Tone::Good),
            (false, false) => ("NO", Tone::Bad),
        };
        vec![
            Cell::plain(line.quota.clone()),
            Cell::plain(line.resource.clone()),
            shown(line.hard),
            shown(line.used),
            shown(line.free()),
            shown(line.added),
            Cell { text: fits.to_owned(), tone },
        ]
    };
    if preview.lines.is_empty() {
        if !preview.pods.is_empty() {
            text.push_str("No ResourceQuota counts them.\n");
        }
        return;
    }
    let columns = ["QUOTA", "RESOURCE", "HARD", "USED", "FREE", "ADDED", "FITS"];
    let columns = columns.into_iter().map(|name| Column::new(name, 0)).collect();
    text.push('\n');
    text.push_str(&Table { columns, rows: preview.lines.iter().map(row).collect() }.render(look));
}
