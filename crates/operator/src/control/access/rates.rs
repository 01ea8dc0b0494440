//! How often somebody may come: so many times a second, and some more at once.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Clients that are remembered; those that have been quiet are forgotten first.
const CLIENTS: usize = 4096;

/// Counts for clients of a kind.
pub struct Rates<K> {
    /// What one request takes.
    step: Duration,
    /// How far a client may be ahead.
    ahead: Duration,
    /// Up to when each client has used up what it may.
    used: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq> Rates<K> {
    /// So many requests a second, and so many at once. None a second means no limit.
    pub fn new(per_second: u32, at_once: u32) -> Self {
        let step = Duration::from_secs(1).checked_div(per_second).unwrap_or(Duration::ZERO);
        Self { step, ahead: step.saturating_mul(at_once), used: Mutex::default() }
    }

    /// Counts one request, or says after what time the next is taken.
    pub fn take<Q>(&self, client: &Q) -> Result<(), Duration>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if self.step.is_zero() {
            return Ok(());
        }
        let now = Instant::now();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = used.get_mut(client) {
            let next = (*until).max(now) + self.step;
            let over = next.saturating_duration_since(now + self.ahead);
            if !over.is_zero() {
                return Err(over);
            }
            *until = next;
            return Ok(());
        }
        if used.len() >= CLIENTS {
            used.retain(|_, until| *until > now);
            if used.len() >= CLIENTS {
                used.clear();
            }
        }
        used.insert(client.to_owned(), now + self.step);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_has_a_burst_and_then_its_rate() {
        let rates: Rates<String> = Rates::new(10, 3);
        for _ in 0..3 {
            assert_eq!(rates.take("a"), Ok(()));
        }
        assert_eq!(rates.take("a"), Err(Duration::from_millis(100)));
        assert_eq!(rates.take("b"), Ok(()), "others are not counted with it");
        tokio::time::advance(Duration::from_millis(100)).await;
        assert_eq!(rates.take("a"), Ok(()));
        assert!(rates.take("a").is_err());
        tokio::time::advance(Duration::from_mins(1)).await;
        assert_eq!((0..10).filter(|_| rates.take("a").is_ok()).count(), 3, "quiet times are not saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn many_clients_do_not_fill_the_memory() {
        let rates: Rates<String> = Rates::new(1, 10);
        for client in 0..3 * CLIENTS {
            assert_eq!(rates.take(client.to_string().as_str()), Ok(()));
        }
        assert!(rates.used.lock().unwrap().len() <= CLIENTS);
        let unlimited: Rates<String> = Rates::new(0, 0);
        assert!((0..10_000).all(|_| unlimited.take("a").is_ok()));
    }
}
