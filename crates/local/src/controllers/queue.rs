//! What is to be looked at, and when again.
//!
//! Invariant: an item is in the queue at most once, however often it was asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::cache::Key;

const FIRST_RETRY: Duration = Duration::from_millis(50);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Who has to look at an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Namespace,
    Deployment,
    ReplicaSet,
    Job,
    OrphanPod,
    Scheduler,
    Garbage,
    Expiry,
    Protection,
}

impl Role {
    /// The component of a cluster that has this role, as events name it.
    pub fn component(self) -> &'static str {
        match self {
            Self::Namespace => "namespace-controller",
            Self::Deployment => "deployment-controller",
            Self::ReplicaSet => "replicaset-controller",
            Self::Job | Self::OrphanPod => "job-controller",
            Self::Scheduler => "default-scheduler",
            Self::Garbage => "garbage-collector",
            Self::Expiry => "event-controller",
            Self::Protection => "persistentvolumeclaim-protection-controller",
        }
    }
}

/// One look at one object.
pub type Item = (Role, Key);

/// Items that are due, and items that will be.
#[derive(Debug, Default)]
pub struct Queue {
    due: BTreeSet<Item>,
    later: BTreeSet<(Timestamp, Item)>,
    times: BTreeMap<Item, Timestamp>,
    failures: HashMap<Item, u32>,
}

impl Queue {
    pub fn push(&mut self, role: Role, key: Key) {
        self.due.insert((role, key));
    }

    /// The next item that is due.
    pub fn pop(&mut self, now: Timestamp) -> Option<Item> {
        while let Some((_, item)) = self.later.first().filter(|(at, _)| *at <= now).cloned() {
            self.forget_time(&item);
            self.due.insert(item);
        }
        self.due.pop_first()
    }

    /// Looks at an item again at a time, instead of any time set before.
    pub fn wake(&mut self, item: Item, at: Option<Timestamp>) {
        self.forget_time(&item);
        if let Some(at) = at {
            self.times.insert(item.clone(), at);
            self.later.insert((at, item));
        }
    }

    /// When something that is not due now will be.
    pub fn next(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    pub fn succeeded(&mut self, item: &Item) {
        self.failures.remove(item);
    }

    /// Looks at an item again after a while that grows; the answer is how often it failed in a row.
    pub fn failed(&mut self, item: Item, now: Timestamp) -> u32 {
        let failures = self.failures.entry(item.clone()).or_insert(0);
        *failures += 1;
        let count = *failures;
        let delay = FIRST_RETRY.saturating_mul(1 << (count - 1).min(16)).min(LONGEST_RETRY);
        let delay = SignedDuration::try_from(delay).unwrap_or(SignedDuration::MAX);
        self.wake(item, Some(now.saturating_add(delay).unwrap_or(Timestamp::MAX)));
        count
    }

    fn forget_time(&mut self, item: &Item) {
        if let Some(at) = self.times.remove(item) {
            self.later.remove(&(at, item.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_when_it_is_due_and_once() {
        let mut queue = Queue::default();
        let start = Timestamp::UNIX_EPOCH;
        let key = Key::new("pods", "n", "p");
        queue.push(Role::Job, key.clone());
        queue.push(Role::Job, key.clone());
        let item = queue.pop(start).unwrap();
        assert_eq!(queue.pop(start), None);
        let at = start + SignedDuration::from_secs(5);
        queue.wake(item.clone(), Some(start + SignedDuration::from_secs(3)));
        queue.wake(item.clone(), Some(at));
        assert_eq!(queue.next(), Some(at));
        assert_eq!(queue.pop(start + SignedDuration::from_secs(4)), None);
        assert_eq!(queue.pop(at), Some(item));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn failures_come_back_later_and_later() {
        let mut queue = Queue::default();
        let start = Timestamp::UNIX_EPOCH;
        let item = (Role::Job, Key::new("jobs", "n", "j"));
        assert_eq!(queue.failed(item.clone(), start), 1);
        let first = queue.next().unwrap();
        assert_eq!(queue.failed(item.clone(), start), 2);
        assert!(queue.next().unwrap() > first);
        for _ in 0..40 {
            queue.failed(item.clone(), start);
        }
        assert_eq!(queue.next().unwrap().as_second(), 30);
    }
}
