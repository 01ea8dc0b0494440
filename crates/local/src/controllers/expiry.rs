//! Events end an hour after they were last seen, as on every cluster.

use jiff::{SignedDuration, Timestamp};

use super::Step;
use super::act::Act;
use super::cache::{Cache, Key};
use super::object;

const LIFE: SignedDuration = SignedDuration::from_hours(1);

pub fn step(cache: &Cache, key: &Key, now: Timestamp) -> Step {
    let Some(event) = cache.get(key) else { return Step::default() };
    let times = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    let seen = times.into_iter().filter_map(|pointer| object::time(event, pointer)).max().unwrap_or(now);
    let end = seen.checked_add(LIFE).unwrap_or(Timestamp::MAX);
    if now < end {
        return Step { acts: Vec::new(), wake: Some(end) };
    }
    let act = Act::Delete { key: key.clone(), uid: object::uid(event).to_owned(), propagation: "Background" };
    Step { acts: vec![act], wake: None }
}
