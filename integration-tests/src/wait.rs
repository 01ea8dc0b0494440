//! Waiting for a condition with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Between two looks at a condition: short at first, as most come about at once. Reading an object takes about a millisecond.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(150);

/// Looks until `look` finds something and returns that. An error of `look` counts as "not yet": servers come and go in these tests.
/// At the deadline the last error, if any, is part of the message.
pub async fn until<T>(what: &str, deadline: Duration, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    let mut pause = SHORTEST;
    loop {
        let last = match look().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if started.elapsed() >= deadline {
            return match last {
                Some(error) => Err(error).with_context(|| format!("{what}: not within {} s", deadline.as_secs())),
                None => bail!("{what}: not within {} s", deadline.as_secs()),
            };
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_names_what_was_waited_for_and_the_last_error() {
        let error = until("the moon", Duration::ZERO, async || -> Result<Option<()>> { bail!("clouds") })
            .await
            .expect_err("no moon");
        assert_eq!(format!("{error:#}"), "the moon: not within 0 s: clouds");
        let mut looks = 0;
        let found = until("a third look", Duration::from_secs(10), async || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(found.await.expect("it comes"), 3);
    }
}
