//! What a person sees while a verb works: one line per step.
//!
//! On a terminal a step spins until it ends; elsewhere it is one plain line when it ends. Everything here goes to stderr, so that
//! stdout carries data alone.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

/// One step that is under way. A step that is dropped without an end has failed: its line says so.
pub struct Step {
    text: String,
    started: Instant,
    spinner: Option<ProgressBar>,
    ended: bool,
}

impl Step {
    /// Starts a step and shows it.
    pub fn start(text: impl Into<String>) -> Self {
        let text = text.into();
        let spinner = stderr().is_terminal().then(|| {
            let spinner = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is a constant");
            spinner.set_style(style);
            spinner.set_message(text.clone());
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        Self { text, started: Instant::now(), spinner, ended: false }
    }

    /// Starts a step whose program shows its own progress: the line comes at the end, on a terminal too.
    pub fn start_plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), started: Instant::now(), spinner: None, ended: false }
    }

    /// Shows how far the step has come; on a terminal only, since plain output is one line per step.
    pub fn progress(&self, detail: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(format!("{}: {detail}", self.text));
        }
    }

    /// Ends the step well.
    pub fn done(self) {
        self.done_with("");
    }

    /// Ends the step well and says what came out of it.
    pub fn done_with(mut self, outcome: &str) {
        let detail = if outcome.is_empty() { String::new() } else { format!(": {outcome}") };
        self.end("ok", &detail);
    }

    fn end(&mut self, mark: &str, detail: &str) {
        self.ended = true;
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        eprintln!("{mark:>6}  {}{detail}  ({})", self.text, seconds(self.started.elapsed()));
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if !self.ended {
            self.end("failed", "");
        }
    }
}

/// A line of talk below a step.
pub fn say(line: impl AsRef<str>) {
    eprintln!("        {}", line.as_ref());
}

/// Prints an error with its chain of causes, once.
pub fn error(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// Ends when the user presses Ctrl-C or somebody sends SIGTERM.
pub async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// A duration as people say it.
pub fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 90.0 {
        format!("{seconds:.1} s")
    } else {
        let whole = duration.as_secs();
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(seconds(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
