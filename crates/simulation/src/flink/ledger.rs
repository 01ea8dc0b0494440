//! What jobs have committed, and from where they started: lost and twice are facts here.
//!
//! A logical job processes the numbers 0, 1, 2, …; all its executions together should commit each of them once. A run
//! is one start of an execution, by submission or by Flink's own restart; what a run commits twice is one transaction.

use std::fmt;

use flink::JobId;

use super::settings::Millis;

/// A job over all its executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Logical(pub(super) usize);

/// One start of an execution; the number of its [`Start`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run(pub(super) usize);

/// A start of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub logical: Logical,
    pub execution: JobId,
    /// The uid of the JobManager's pod.
    pub incarnation: String,
    pub at: Millis,
    /// From which snapshot.
    pub from: Option<String>,
    pub position: u64,
    /// What the newest complete snapshot in the storage held at that time, unless Flink restarts by itself.
    pub newest: Option<(String, u64)>,
    /// Everything below was committed at that time.
    pub committed: u64,
}

impl Start {
    /// Whether there was something newer to start from.
    pub fn steps_back(&self) -> bool {
        self.newest.as_ref().is_some_and(|(_, position)| self.position < *position) || self.position < self.committed
    }
}

/// A range of numbers that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub from: u64,
    pub to: u64,
    pub run: Run,
    pub at: Millis,
}

/// What must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Numbers below a committed one were not committed.
    Lost { logical: Logical, from: u64, to: u64, by: Run },
    /// Numbers were committed by two runs.
    Twice { logical: Logical, from: u64, to: u64, first: Run, second: Run },
    /// Tasks of two executions were alive at a time.
    Together { logical: Logical, first: JobId, second: JobId, at: Millis },
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { from, to, by, .. } => write!(f, "{from}..{to} was lost before run {}", by.0),
            Self::Twice { from, to, first, second, .. } => {
                write!(f, "{from}..{to} was committed by run {} and again by run {}", first.0, second.0)
            }
            Self::Together { first, second, at, .. } => write!(f, "{first} and {second} ran together at {at}"),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Book {
    name: String,
    /// In order, without overlaps.
    entries: Vec<Entry>,
}

/// The books of all logical jobs.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    books: Vec<Book>,
    starts: Vec<Start>,
    facts: Vec<Fact>,
}

impl Ledger {
    /// What has happened that must not.
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Every start, in order; a [`Run`] is an index.
    pub fn starts(&self) -> &[Start] {
        &self.starts
    }

    /// The start of a run.
    pub fn start(&self, run: Run) -> &Start {
        &self.starts[run.0]
    }

    /// The logical job of that name: where it writes to.
    pub fn logical(&self, name: &str) -> Option<Logical> {
        self.books.iter().position(|book| book.name == name).map(Logical)
    }

    /// Where a logical job writes to.
    pub fn name(&self, logical: Logical) -> &str {
        &self.books[logical.0].name
    }

    /// What was committed, in order.
    pub fn entries(&self, logical: Logical) -> &[Entry] {
        &self.books[logical.0].entries
    }

    /// One behind the greatest number that is committed.
    pub fn committed(&self, logical: Logical) -> u64 {
        self.books[logical.0].entries.last().map_or(0, |entry| entry.to)
    }

    pub(super) fn open(&mut self, name: &str) -> Logical {
        self.logical(name).unwrap_or_else(|| {
            self.books.push(Book { name: name.to_owned(), entries: Vec::new() });
            Logical(self.books.len() - 1)
        })
    }

    pub(super) fn begin(&mut self, start: Start) -> Run {
        self.starts.push(start);
        Run(self.starts.len() - 1)
    }

    pub(super) fn together(&mut self, logical: Logical, first: JobId, second: JobId, at: Millis) {
        self.facts.push(Fact::Together { logical, first, second, at });
    }

    /// Commits what a run has processed. What it had committed before is the same transaction.
    pub(super) fn commit(&mut self, logical: Logical, run: Run, from: u64, to: u64, at: Millis) {
        let head = self.committed(logical);
        if from > head {
            self.facts.push(Fact::Lost { logical, from: head, to: from, by: run });
        }
        if from < head {
            self.overlap(logical, run, from, to.min(head));
        }
        let from = from.max(head);
        if from >= to {
            return;
        }
        let entries = &mut self.books[logical.0].entries;
        match entries.last_mut().filter(|last| last.run == run && last.to == from) {
            Some(last) => (last.to, last.at) = (to, at),
            None => entries.push(Entry { from, to, run, at }),
        }
    }

    fn overlap(&mut self, logical: Logical, run: Run, from: u64, to: u64) {
        let others = self.books[logical.0].entries.iter().rev().take_while(|entry| entry.to > from);
        for entry in others.filter(|entry| entry.run != run && entry.from < to) {
            let (from, to) = (from.max(entry.from), to.min(entry.to));
            self.facts.push(Fact::Twice { logical, from, to, first: entry.run, second: run });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_once_is_no_fact_and_one_transaction_may_be_repeated() {
        let mut ledger = Ledger::default();
        let logical = ledger.open("a");
        ledger.commit(logical, Run(0), 0, 10, 1);
        ledger.commit(logical, Run(0), 10, 20, 2);
        ledger.commit(logical, Run(0), 15, 20, 3);
        ledger.commit(logical, Run(1), 20, 30, 4);
        assert_eq!(ledger.facts(), []);
        assert_eq!(ledger.entries(logical).len(), 2);
        assert_eq!(ledger.committed(logical), 30);
    }

    #[test]
    fn what_is_left_out_or_done_again_is_a_fact() {
        let mut ledger = Ledger::default();
        let logical = ledger.open("a");
        ledger.commit(logical, Run(0), 0, 10, 1);
        ledger.commit(logical, Run(1), 12, 20, 2);
        ledger.commit(logical, Run(2), 5, 25, 3);
        let twice = |from, to, first| Fact::Twice { logical, from, to, first, second: Run(2) };
        assert_eq!(
            ledger.facts(),
            [Fact::Lost { logical, from: 10, to: 12, by: Run(1) }, twice(12, 20, Run(1)), twice(5, 10, Run(0))]
        );
        assert_eq!(ledger.committed(logical), 25);
    }
}
