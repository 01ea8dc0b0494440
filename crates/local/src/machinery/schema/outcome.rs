//! What validation comes to: faults, each once, and how much was right.

use super::super::error::FieldError;

/// What a value came to. The matches decide which of several alternatives was nearest.
#[derive(Default)]
pub(super) struct Outcome {
    pub errors: Vec<FieldError>,
    pub matches: usize,
}

impl Outcome {
    pub fn of(error: Option<FieldError>) -> Self {
        Self { matches: usize::from(error.is_none()), errors: error.into_iter().collect() }
    }

    pub fn add(&mut self, error: FieldError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.matches += other.matches;
        other.errors.into_iter().for_each(|error| self.add(error));
    }

    pub fn valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// The first of those in which most fits.
pub(super) fn nearest(outcomes: Vec<Outcome>) -> Outcome {
    let mut best: Option<Outcome> = None;
    for outcome in outcomes {
        if best.as_ref().is_none_or(|best| outcome.matches > best.matches) {
            best = Some(outcome);
        }
    }
    best.unwrap_or_default()
}
