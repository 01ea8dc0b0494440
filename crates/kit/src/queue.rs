//! A work queue of keys: each key once, never twice at the same time, with back-off for the keys that fail.
//!
//! A resource that always fails waits longer and longer and takes nothing from the others.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Clock;

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// When to look at a key again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// When something about it changes.
    Changed,
    /// After this time, or when something about it changes.
    After(Duration),
    /// It failed: after a pause that doubles with each failure.
    Failed,
}

/// Keys that wait for work. Cheap to clone; all clones share the keys.
pub struct Queue<K> {
    keys: Arc<Mutex<BTreeMap<K, Entry>>>,
    wake: Arc<Notify>,
    clock: Clock,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self { keys: Arc::clone(&self.keys), wake: Arc::clone(&self.wake), clock: self.clock.clone() }
    }
}

#[derive(Default)]
struct Entry {
    /// By the queue's clock.
    due: Option<Duration>,
    running: bool,
    failures: u32,
}

impl<K: Ord + Clone> Queue<K> {
    pub fn new(clock: Clock) -> Self {
        Self { keys: Arc::default(), wake: Arc::default(), clock }
    }

    /// Look at the key now. While it is worked on, it is looked at again afterwards.
    pub fn add(&self, key: K) {
        self.add_after(key, Duration::ZERO);
    }

    /// Look at the key after a time, if it is not due before.
    pub fn add_after(&self, key: K, pause: Duration) {
        let due = self.clock.monotonic() + pause;
        let mut keys = self.lock();
        let entry = keys.entry(key).or_default();
        entry.due = Some(entry.due.map_or(due, |known| known.min(due)));
        drop(keys);
        self.wake.notify_one();
    }

    /// Works on the keys, at most `width` at once, until the token is cancelled. Work that has begun is finished.
    pub async fn drive<F, R>(&self, width: usize, token: &CancellationToken, mut work: F)
    where
        F: FnMut(K) -> R,
        R: Future<Output = Next>,
    {
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < width
                && !token.is_cancelled()
                && let Some(key) = self.take()
            {
                let future = work(key.clone());
                running.push(async move { (key, future.await) });
            }
            if token.is_cancelled() && running.is_empty() {
                return;
            }
            let full = running.len() >= width || token.is_cancelled();
            let due = self.earliest();
            tokio::select! {
                biased;
                Some((key, next)) = running.next() => self.finish(&key, next),
                () = token.cancelled(), if !token.is_cancelled() => {}
                () = self.wake.notified(), if !full => {}
                () = self.sleep_until(due), if !full => {}
            }
        }
    }

    /// Takes the key that is due for longest. It is not handed out again before it is [finished](Self::finish).
    pub fn take(&self) -> Option<K> {
        let now = self.clock.monotonic();
        let mut keys = self.lock();
        let (key, entry) = keys
            .iter_mut()
            .filter(|(_, entry)| !entry.running && entry.due.is_some_and(|due| due <= now))
            .min_by_key(|(_, entry)| entry.due)?;
        entry.running = true;
        entry.due = None;
        Some(key.clone())
    }

    /// The work on the key is done.
    pub fn finish(&self, key: &K, next: Next) {
        let now = self.clock.monotonic();
        let mut keys = self.lock();
        let entry = keys.entry(key.clone()).or_default();
        entry.running = false;
        let due = match next {
            Next::Changed => None,
            Next::After(pause) => Some(now + pause),
            Next::Failed => Some(now + backoff(entry.failures)),
        };
        entry.failures = if next == Next::Failed { entry.failures.saturating_add(1) } else { 0 };
        entry.due = match (entry.due, due) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        if entry.due.is_none() {
            keys.remove(key);
        }
    }

    /// When the next key is due, by the queue's clock.
    pub fn earliest(&self) -> Option<Duration> {
        self.lock().values().filter(|entry| !entry.running).filter_map(|entry| entry.due).min()
    }

    async fn sleep_until(&self, due: Option<Duration>) {
        match due {
            Some(due) => self.clock.sleep(due.saturating_sub(self.clock.monotonic())).await,
            None => std::future::pending().await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Entry>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn backoff(failures: u32) -> Duration {
    FIRST_BACKOFF.saturating_mul(1 << failures.min(16)).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::time::Instant;
    use tokio_util::sync::CancellationToken;

    use super::{Next, Queue, backoff};
    use crate::Clock;

    /// F-30
    #[tokio::test(start_paused = true)]
    async fn a_key_that_fails_waits_alone() {
        let queue = Queue::new(Clock::machine());
        let token = CancellationToken::new();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let start = Instant::now();
        queue.add("poison");
        queue.add("good");
        let work = |key: &'static str| {
            let (seen, token) = (Rc::clone(&seen), token.clone());
            async move {
                seen.borrow_mut().push((key, start.elapsed().as_millis()));
                if seen.borrow().len() == 5 {
                    token.cancel();
                }
                if key == "poison" { Next::Failed } else { Next::Changed }
            }
        };
        queue.drive(4, &token, work).await;
        let poison: Vec<u128> = seen.borrow().iter().filter(|(key, _)| *key == "poison").map(|(_, at)| *at).collect();
        assert_eq!(poison.len(), 4);
        assert_eq!(seen.borrow().iter().filter(|(key, _)| *key == "good").count(), 1);
        assert!(poison[1] >= 100 && poison[2] >= 300 && poison[3] >= 700, "{poison:?}");
    }

    /// D-01
    #[tokio::test(start_paused = true)]
    async fn a_change_during_the_work_is_not_lost_and_does_not_run_beside_it() {
        let queue = Queue::new(Clock::machine());
        let token = CancellationToken::new();
        let running = Rc::new(RefCell::new((0, 0)));
        queue.add(1);
        let work = |key: i32| {
            let (queue, token, running) = (queue.clone(), token.clone(), Rc::clone(&running));
            async move {
                running.borrow_mut().0 += 1;
                assert_eq!(running.borrow().0, 1);
                if running.borrow().1 == 0 {
                    queue.add(key);
                } else {
                    token.cancel();
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                running.borrow_mut().0 -= 1;
                running.borrow_mut().1 += 1;
                Next::Changed
            }
        };
        queue.drive(4, &token, work).await;
        assert_eq!(running.borrow().1, 2);
    }

    /// D-03, D-12
    #[test]
    fn back_off_has_an_end() {
        assert_eq!(backoff(0), Duration::from_millis(100));
        assert_eq!(backoff(3), Duration::from_millis(800));
        assert_eq!(backoff(u32::MAX), Duration::from_mins(1));
    }
}
