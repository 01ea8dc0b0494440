//! Figures and their table.

use std::fmt::Write as _;
use std::time::Duration;

/// One measured figure, with what was promised.
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// `None` where nothing was promised.
    pub promise: Option<Promise>,
}

/// What a value must be to keep a promise.
#[derive(Clone, Copy)]
pub enum Promise {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    /// A figure that is promised not to be greater.
    pub fn promised(name: impl Into<String>, value: f64, unit: &'static str, promise: f64) -> Self {
        Self { name: name.into(), value, unit, promise: Some(Promise::AtMost(promise)) }
    }

    /// A figure that is promised not to be smaller.
    pub fn at_least(name: impl Into<String>, value: f64, unit: &'static str, promise: f64) -> Self {
        Self { name: name.into(), value, unit, promise: Some(Promise::AtLeast(promise)) }
    }

    /// A figure for information.
    pub fn plain(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, promise: None }
    }

    /// Whether the promise is not kept.
    pub fn missed(&self) -> bool {
        match self.promise {
            None => false,
            Some(Promise::AtMost(promise)) => self.value > promise,
            Some(Promise::AtLeast(promise)) => self.value < promise,
        }
    }
}

/// The value below which this share of the samples lies.
pub fn percentile(samples: &mut [Duration], share: f64) -> f64 {
    samples.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank among some hundred samples"
    )]
    let rank = ((samples.len() as f64 * share).ceil() as usize).clamp(1, samples.len().max(1));
    samples.get(rank - 1).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1000.0)
}

/// The figures as a table that reads as text and as Markdown.
pub fn table(figures: &[Figure]) -> String {
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or_default();
    let mut text = format!("| {:width$} | {:>12} | {:>12} | kept |\n", "Figure", "measured", "promised");
    let _ = writeln!(text, "|{}|{}:|{}:|------|", "-".repeat(width + 2), "-".repeat(13), "-".repeat(13));
    for figure in figures {
        let measured = format!("{} {}", number(figure.value), figure.unit);
        let promised = match figure.promise {
            None => String::new(),
            Some(Promise::AtMost(promise)) => format!("≤ {} {}", number(promise), figure.unit),
            Some(Promise::AtLeast(promise)) => format!("≥ {} {}", number(promise), figure.unit),
        };
        let kept = match (figure.promise, figure.missed()) {
            (None, _) => "",
            (Some(_), false) => "yes",
            (Some(_), true) => "NO",
        };
        let _ = writeln!(text, "| {:width$} | {measured:>12} | {promised:>12} | {kept:<4} |", figure.name);
    }
    text
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks() {
        let mut samples: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert!((percentile(&mut samples, 0.5) - 50.0).abs() < 1e-9);
        assert!((percentile(&mut samples, 0.99) - 99.0).abs() < 1e-9);
        assert!((percentile(&mut [Duration::from_millis(7)], 0.99) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn a_missed_promise_is_marked() {
        let figures = [
            Figure::promised("writes", 3.0, "", 0.0),
            Figure::plain("down time", 4.25, "s"),
            Figure::at_least("requests", 2.0, "/s", 3.0),
            Figure::at_least("requests", 4.0, "/s", 3.0),
        ];
        let table = table(&figures);
        assert_eq!(figures.each_ref().map(Figure::missed), [true, false, true, false]);
        assert!(table.contains("NO") && table.contains("4.2 s"), "{table}");
    }
}
