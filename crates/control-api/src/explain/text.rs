//! An explanation for people, readable without colour.

use jiff::{SignedDuration, Timestamp};

use super::{Event, Explanation, Verdict};

/// Least width that is worth wrapping for.
const NARROWEST: usize = 40;
/// How many events people are shown.
const MOST_EVENTS: usize = 8;
/// Width of the names at the left.
const LEFT: usize = 13;

/// The explanation as text, with lines of at most `width` columns where words allow it.
pub fn render(explanation: &Explanation, now: Timestamp, width: usize) -> String {
    let mut page = Page { width: width.max(NARROWEST), text: String::new() };
    let headline = verdict(explanation.verdict);
    page.line(&format!("{} {}: {headline} ({})", explanation.kind, explanation.name, explanation.reason));
    page.entry("", &explanation.message);
    if let Some(since) = explanation.since {
        page.entry("Since", &format!("{} ago, {since:.0}", span(now.duration_since(since))));
    }
    if !explanation.state.is_empty() {
        page.entry("State", &explanation.state.join(", "));
    }
    for (index, cause) in explanation.causes.iter().enumerate() {
        let left = if index == 0 { "Because" } else { "" };
        page.entry(left, &format!("{}: {} ({})", cause.about, cause.message, cause.reason));
    }
    for (index, next) in explanation.next.iter().enumerate() {
        let when = next.at.map(|at| match at.duration_since(now) {
            left if left > SignedDuration::ZERO => format!(" in {}, {at:.0}", span(left)),
            _ => " any moment".to_owned(),
        });
        page.entry(if index == 0 { "Next" } else { "" }, &format!("{}{}", next.what, when.unwrap_or_default()));
    }
    if let Some(action) = &explanation.last_action {
        let message = action.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
        page.entry("Last action", &format!("{} {}{message}", action.action, action.outcome));
    }
    parts(&mut page, explanation);
    advice(&mut page, explanation);
    events(&mut page, explanation, now);
    page.text
}

fn parts(page: &mut Page, explanation: &Explanation) {
    for (index, part) in explanation.parts.iter().enumerate() {
        let left = if index == 0 { "Parts" } else { "" };
        let state = verdict(part.verdict);
        page.entry(left, &format!("{} {}: {state} ({}): {}", part.kind, part.name, part.reason, part.message));
    }
}

fn advice(page: &mut Page, explanation: &Explanation) {
    if explanation.advice.is_empty() {
        return;
    }
    page.line("");
    page.line("What to do");
    for advice in &explanation.advice {
        page.wrapped("  - ", "    ", &advice.text);
        for command in &advice.commands {
            // A command is one line, however long, so that it can be copied.
            page.line(&format!("      {command}"));
        }
    }
}

fn events(page: &mut Page, explanation: &Explanation, now: Timestamp) {
    // What goes well in a pod fills pages; `-o json` has it.
    let told = |event: &&Event| event.warning || explanation.is_about(event);
    let events: Vec<&Event> = explanation.events.iter().filter(told).take(MOST_EVENTS).collect();
    if events.is_empty() {
        return;
    }
    page.line("");
    page.line("Events");
    for event in events {
        let age = event.time.map_or_else(|| "?".to_owned(), |time| span(now.duration_since(time)));
        let kind = if event.warning { "warning" } else { "normal" };
        let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
        let text = format!("{}, {}: {}{times}", event.reason, event.about, event.message);
        page.wrapped(&format!("  {age:>8}  {kind:<7}  "), "                     ", &text);
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ready => "ready",
        Verdict::Progressing => "in progress",
        Verdict::Blocked => "blocked",
        Verdict::Stalled => "stalled, somebody has to act",
        Verdict::Stopped => "not running",
        Verdict::Deleting => "being deleted",
        Verdict::Unknown => "unknown",
    }
}

/// A duration with its two largest units.
fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m{}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h{minutes}m"),
        (days, hours, _) => format!("{days}d{hours}h"),
    }
}

struct Page {
    width: usize,
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn entry(&mut self, left: &str, text: &str) {
        self.wrapped(&format!("  {left:<LEFT$}"), &" ".repeat(LEFT + 2), text);
    }

    /// Words of the text after `first`, and after `rest` on the lines below.
    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        let (mut line, mut empty) = (first.to_owned(), true);
        for word in text.split_whitespace() {
            let wide = line.chars().count() + 1 + word.chars().count() > self.width;
            if wide && !empty {
                self.line(&line);
                rest.clone_into(&mut line);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }
}
