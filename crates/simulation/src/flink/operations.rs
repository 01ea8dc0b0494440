//! Asynchronous operations and their results, which a JobManager keeps in its memory for a while.

use flink::{JobId, Operation, TriggerId};

use super::settings::Millis;

#[derive(Debug, Clone)]
struct Entry {
    job: JobId,
    trigger: TriggerId,
    outcome: Operation,
    forgotten: Option<Millis>,
}

/// The operations of one JobManager.
#[derive(Debug, Clone, Default)]
pub(super) struct Operations(Vec<Entry>);

impl Operations {
    /// Whether the operation is new; one that is known is the same operation.
    pub fn begin(&mut self, job: &JobId, trigger: &TriggerId, now: Millis) -> bool {
        self.0.retain(|entry| entry.forgotten.is_none_or(|at| at > now));
        if self.entry(job, trigger).is_some() {
            return false;
        }
        let (job, trigger) = (job.clone(), trigger.clone());
        self.0.push(Entry { job, trigger, outcome: Operation::InProgress, forgotten: None });
        true
    }

    pub fn end(&mut self, job: &JobId, trigger: &TriggerId, outcome: Operation, forgotten: Millis) {
        if let Some(entry) = self.entry(job, trigger) {
            entry.outcome = outcome;
            entry.forgotten = Some(forgotten);
        }
    }

    pub fn get(&self, job: &JobId, trigger: &TriggerId, now: Millis) -> Operation {
        let known = |entry: &&Entry| {
            entry.job == *job && entry.trigger == *trigger && entry.forgotten.is_none_or(|at| at > now)
        };
        self.0.iter().find(known).map_or(Operation::NotFound, |entry| entry.outcome.clone())
    }

    fn entry(&mut self, job: &JobId, trigger: &TriggerId) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.job == *job && entry.trigger == *trigger)
    }
}
