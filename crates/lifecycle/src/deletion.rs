//! A deletion that takes long says why, and how it can be had all the same.

use api::annotations::FORCE_DELETE;
use jiff::{SignedDuration, Timestamp};

/// How long a deletion may take without a word.
const PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// What a deletion that was asked for at `since` is told to wait for, if it takes long; `price` is what force costs.
pub(crate) fn blocked(since: Option<Timestamp>, now: Timestamp, waits_for: &str, price: &str) -> Option<String> {
    let since = since.filter(|since| now >= *since + PATIENCE)?;
    Some(format!(
        "being deleted since {since:.0}, and {waits_for}; annotate {FORCE_DELETE}=true to let it go all the same{price}"
    ))
}
