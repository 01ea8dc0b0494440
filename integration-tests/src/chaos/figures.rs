//! What a run of chaos comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Faults and recoveries.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    faults: BTreeMap<&'static str, u32>,
    recoveries: Vec<Duration>,
    numbers: u64,
    executions: usize,
}

impl Figures {
    pub(super) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub(super) fn recovery(&mut self, took: Duration) {
        self.recoveries.push(took);
    }

    pub(super) fn count(&mut self, numbers: u64, executions: usize) {
        self.numbers += numbers;
        self.executions += executions;
    }

    /// How many faults there were.
    pub fn faults(&self) -> u32 {
        self.faults.values().sum()
    }

    /// How many bursts of faults were survived.
    pub fn recoveries(&self) -> usize {
        self.recoveries.len()
    }

    /// The time within which this share of all recoveries was done.
    pub fn recovery_time(&self, percent: usize) -> Duration {
        let mut sorted = self.recoveries.clone();
        sorted.sort();
        let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        sorted.get(rank).copied().unwrap_or_default()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        write!(
            f,
            "{} faults ({}), {} recoveries, recovery time median {:.1} s, p99 {:.1} s, longest {:.1} s",
            self.faults(),
            kinds.join(", "),
            self.recoveries(),
            self.recovery_time(50).as_secs_f64(),
            self.recovery_time(99).as_secs_f64(),
            self.recovery_time(100).as_secs_f64(),
        )?;
        if self.numbers > 0 {
            write!(f, "; {} numbers by {} executions, each once", self.numbers, self.executions)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_all_recoveries() {
        let mut figures = Figures::default();
        figures.fault("pauses");
        figures.fault("kills");
        figures.fault("kills");
        for seconds in [3, 1, 2, 10] {
            figures.recovery(Duration::from_secs(seconds));
        }
        assert_eq!(
            figures.to_string(),
            "3 faults (2 kills, 1 pauses), 4 recoveries, recovery time median 2.0 s, p99 10.0 s, longest 10.0 s"
        );
    }
}
