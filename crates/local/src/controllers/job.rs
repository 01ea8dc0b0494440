//! Job: pods until enough of them succeeded or too many failed.
//!
//! Each pod carries a finalizer until its end is counted: first its uid goes into the status, then the finalizer goes,
//! then it is counted. So no end is lost when a pod is deleted, and none is counted twice after a crash.
//!
//! Left out: indexed completion, pod failure policies, success policies.
//!
//! Invariant: counts only change by a write that carries the resourceVersion they were read at.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Step;
use super::act::Act;
use super::cache::{Cache, JOBS, Key, PODS};
use super::object::{self, pod};
use super::replicaset;
use super::verdict::{self, Verdict};

/// What keeps a pod until its end is counted.
pub const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const FIRST_DELAY: i64 = 10;
const LONGEST_DELAY: i64 = 600;

/// The pods of a job, sorted by what they are to it.
pub(super) struct Pods<'a> {
    all: Vec<&'a Value>,
    pub(super) active: Vec<&'a Value>,
    pub(super) terminating: usize,
    uncounted: Uncounted,
}

/// Ends that are on their way into the counts, as uids.
#[derive(Default)]
struct Uncounted {
    succeeded: BTreeSet<String>,
    failed: BTreeSet<String>,
}

/// What came of the pods so far.
pub(super) struct Totals {
    pub(super) succeeded: i64,
    pub(super) failed: i64,
}

pub fn step(cache: &Cache, key: &Key, now: Timestamp) -> Step {
    let Some(job) = cache.get(key) else { return Step::default() };
    let pods = Pods::of(cache, job);
    if object::deleting(job) {
        return Step { acts: pods.release(|_| true), wake: None };
    }
    if let Some(end) = verdict::finished(job) {
        let mut step = Step { acts: pods.release(|_| true), wake: None };
        expire(job, end, now, &mut step);
        return step;
    }
    run(job, &pods, now)
}

fn run(job: &Value, pods: &Pods<'_>, now: Timestamp) -> Step {
    let mut step = Step::default();
    let (totals, left) = pods.count(job);
    let (verdict, deadline) = verdict::judge(job, pods, &totals, now);
    let suspended = job["spec"]["suspend"] == true;
    let mut next = pods.active.len();
    let mut changes = Vec::new();
    if verdict != Verdict::Open || suspended {
        changes.extend(pods.active.iter().map(|pod| replicaset::delete(pod)));
        next = 0;
    } else {
        let wanted = wanted(job, &totals);
        let resume = pods.resume(job, now);
        if pods.active.len() > wanted {
            changes.extend(pods.active[wanted..].iter().map(|pod| replicaset::delete(pod)));
            next = wanted;
        } else if resume.is_none_or(|at| at <= now) {
            for _ in pods.active.len()..wanted {
                let object = replicaset::new_pod(job, object::name(job), &[TRACKING]);
                changes.push(Act::Create { resource: PODS, object });
            }
            next = wanted;
        }
        step.wake = resume.filter(|at| *at > now).into_iter().chain(deadline).min();
    }
    let counted = left.uids().is_empty();
    let status = verdict::status(job, pods, &verdict::Next { active: next, verdict: &verdict, counted, now });
    let status = left.with_counts(status);
    // The status goes first: it holds what must not be forgotten before pods change.
    if job["status"] != status {
        let mut act = super::replace_status(JOBS, job, &status);
        if let Act::Patch { patch, .. } = &mut act {
            patch["metadata"]["resourceVersion"] = object::text(job, "/metadata/resourceVersion").into();
        }
        step.acts.push(act);
        step.acts.extend(verdict::news(job, &status));
    }
    let stored = left.uids();
    step.acts.extend(pods.release(|uid| stored.contains(uid)));
    step.acts.extend(changes);
    step
}

/// How many pods should run at a time now.
fn wanted(job: &Value, totals: &Totals) -> usize {
    let parallelism = object::number(job, "/spec/parallelism").unwrap_or(1).max(0);
    let wanted = match object::number(job, "/spec/completions") {
        Some(completions) => parallelism.min(completions - totals.succeeded),
        // A work queue: once one succeeded, no other starts.
        None if totals.succeeded > 0 => 0,
        None => parallelism,
    };
    usize::try_from(wanted).unwrap_or(0)
}

/// Deletes a finished job when its time is over.
fn expire(job: &Value, end: Timestamp, now: Timestamp, step: &mut Step) {
    let Some(life) = object::number(job, "/spec/ttlSecondsAfterFinished") else { return };
    let at = end.checked_add(SignedDuration::from_secs(life)).unwrap_or(Timestamp::MAX);
    if at > now {
        step.wake = Some(at);
        return;
    }
    let key = Key::of(JOBS, job);
    step.acts.push(Act::Delete { key, uid: object::uid(job).to_owned(), propagation: "Foreground" });
}

/// A pod that some job has left behind must not wait for being counted.
pub fn orphan(cache: &Cache, key: &Key) -> Step {
    let pod = cache.get(key).filter(|pod| object::has_finalizer(pod, TRACKING));
    let orphan = pod.filter(|pod| {
        object::controller(pod).and_then(|uid| cache.by_uid(uid)).is_none_or(|(owner, _)| owner.resource != JOBS)
    });
    Step { acts: orphan.map(|pod| release(pod)).into_iter().collect(), wake: None }
}

fn release(pod: &Value) -> Act {
    let finalizers = object::finalizers_without(pod, TRACKING);
    Act::Patch {
        key: Key::of(PODS, pod),
        subresource: "",
        patch: json!({"metadata": {
            "uid": object::uid(pod),
            "resourceVersion": object::text(pod, "/metadata/resourceVersion"),
            "finalizers": finalizers,
        }}),
    }
}

/// A pod on its way out counts as failed, unless it made it.
fn succeeded(pod: &Value) -> Option<bool> {
    match pod::phase(pod) {
        "Succeeded" => Some(true),
        "Failed" => Some(false),
        _ => object::deleting(pod).then_some(false),
    }
}

impl<'a> Pods<'a> {
    fn of(cache: &'a Cache, job: &'a Value) -> Self {
        let all: Vec<&Value> = cache.controlled(object::uid(job), PODS).map(AsRef::as_ref).collect();
        let mut active: Vec<&Value> = all.iter().copied().filter(|pod| pod::active(pod)).collect();
        // Those that got furthest come first, so that surplus is taken from the others.
        active.sort_by_key(|pod| (!pod::ready(pod), pod::phase(pod) != "Running", object::name(pod).to_owned()));
        let terminating = all.iter().filter(|pod| object::deleting(pod) && !pod::finished(pod)).count();
        let read = |field: &str| -> BTreeSet<String> {
            let uids = object::list(job, &format!("/status/uncountedTerminatedPods/{field}"));
            uids.iter().filter_map(|uid| uid.as_str().map(str::to_owned)).collect()
        };
        let uncounted = Uncounted { succeeded: read("succeeded"), failed: read("failed") };
        Self { all, active, terminating, uncounted }
    }

    pub(super) fn ready(&self) -> usize {
        self.active.iter().filter(|pod| pod::ready(pod)).count()
    }

    /// Restarts of containers within active pods.
    pub(super) fn restarts(&self) -> i64 {
        let of = |pod: &Value, field: &str| -> i64 {
            let statuses = object::list(pod, &format!("/status/{field}"));
            statuses.iter().filter_map(|status| status["restartCount"].as_i64()).sum()
        };
        self.active.iter().map(|pod| of(pod, "containerStatuses") + of(pod, "initContainerStatuses")).sum()
    }

    /// All ends so far, and those that are not in the counts yet after this write.
    fn count(&self, job: &Value) -> (Totals, Left) {
        let number = |field: &str| object::number(job, &format!("/status/{field}")).unwrap_or(0);
        let mut left = Left { counted: [number("succeeded"), number("failed")], uncounted: Uncounted::default() };
        let tracked: BTreeSet<&str> =
            self.all.iter().filter(|pod| object::has_finalizer(pod, TRACKING)).map(|pod| object::uid(pod)).collect();
        for (index, uids) in [&self.uncounted.succeeded, &self.uncounted.failed].into_iter().enumerate() {
            for uid in uids {
                if tracked.contains(uid.as_str()) {
                    left.set(index).insert(uid.clone());
                } else {
                    left.counted[index] += 1;
                }
            }
        }
        for pod in self.all.iter().filter(|pod| tracked.contains(object::uid(pod))) {
            let uid = object::uid(pod);
            let known = self.uncounted.succeeded.contains(uid) || self.uncounted.failed.contains(uid);
            if let Some(succeeded) = succeeded(pod).filter(|_| !known) {
                left.set(usize::from(!succeeded)).insert(uid.to_owned());
            }
        }
        let total = |index: usize, set: &BTreeSet<String>| left.counted[index] + i64::try_from(set.len()).unwrap_or(0);
        let totals =
            Totals { succeeded: total(0, &left.uncounted.succeeded), failed: total(1, &left.uncounted.failed) };
        (totals, left)
    }

    /// Takes the finalizer from pods that have ended, as far as `may` allows by uid.
    fn release(&self, may: impl Fn(&str) -> bool) -> Vec<Act> {
        self.all
            .iter()
            .filter(|pod| object::has_finalizer(pod, TRACKING) && succeeded(pod).is_some() && may(object::uid(pod)))
            .map(|pod| release(pod))
            .collect()
    }

    /// When the next pod may start: failures in a row make it later and later.
    fn resume(&self, job: &Value, now: Timestamp) -> Option<Timestamp> {
        let end = |pod: &Value| {
            let statuses = object::list(pod, "/status/containerStatuses").iter();
            statuses.filter_map(|status| object::time(status, "/state/terminated/finishedAt")).max()
        };
        let last_success =
            self.all.iter().filter(|pod| pod::phase(pod) == "Succeeded").filter_map(|pod| end(pod)).max();
        let mut failures: Vec<Timestamp> = self
            .all
            .iter()
            .filter(|pod| succeeded(pod) == Some(false))
            .map(|pod| end(pod).or_else(|| object::time(pod, "/metadata/deletionTimestamp")).unwrap_or(now).min(now))
            .filter(|end| last_success.is_none_or(|success| *end > success))
            .collect();
        failures.sort();
        let last = *failures.last()?;
        let rounds = u32::try_from(failures.len() - 1).unwrap_or(0).min(10);
        let delay = (FIRST_DELAY << rounds).min(LONGEST_DELAY);
        // A new job has nothing to wait for, whatever its pods' clocks say.
        object::time(job, "/status/startTime")?;
        last.checked_add(SignedDuration::from_secs(delay)).ok()
    }
}

/// Counts as they are written: what is counted for good, and what waits for its finalizer to go.
pub(super) struct Left {
    counted: [i64; 2],
    uncounted: Uncounted,
}

impl Left {
    fn set(&mut self, index: usize) -> &mut BTreeSet<String> {
        if index == 0 { &mut self.uncounted.succeeded } else { &mut self.uncounted.failed }
    }

    fn uids(&self) -> BTreeSet<String> {
        self.uncounted.succeeded.union(&self.uncounted.failed).cloned().collect()
    }

    fn with_counts(&self, mut status: Value) -> Value {
        for (field, count) in ["succeeded", "failed"].into_iter().zip(self.counted) {
            if count > 0 {
                status[field] = count.into();
            }
        }
        let mut uncounted = json!({});
        for (field, set) in [("succeeded", &self.uncounted.succeeded), ("failed", &self.uncounted.failed)] {
            if !set.is_empty() {
                uncounted[field] = set.iter().cloned().collect();
            }
        }
        status["uncountedTerminatedPods"] = uncounted;
        status
    }
}
