//! Whether a Job is done, and how its status says so.
//!
//! Invariant: `Complete` or `Failed` is set once, after the last of its pods has ended and was counted, and never taken back.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::act::Act;
use super::job::{Pods, Totals};
use super::object;

const FROM: &str = "job-controller";

/// What is to become of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Open,
    /// Enough pods succeeded.
    Complete,
    /// It cannot succeed any more.
    Failed { reason: String, message: String },
}

/// What a status is made of.
pub(super) struct Next<'a> {
    pub(super) active: usize,
    pub(super) verdict: &'a Verdict,
    /// Every end is in the counts.
    pub(super) counted: bool,
    pub(super) now: Timestamp,
}

/// The end of a finished job.
pub fn finished(job: &Value) -> Option<Timestamp> {
    let condition = ["Complete", "Failed"].into_iter().filter_map(|kind| object::condition(job, kind));
    let mut held = condition.filter(|condition| condition["status"] == "True");
    object::time(held.next()?, "/lastTransitionTime")
}

/// Judges a job that is not finished; also when a deadline would change the judgement.
pub(super) fn judge(job: &Value, pods: &Pods<'_>, totals: &Totals, now: Timestamp) -> (Verdict, Option<Timestamp>) {
    // A judgement stands, whatever happens while the last pods end.
    if object::holds(job, "SuccessCriteriaMet") {
        return (Verdict::Complete, None);
    }
    if let Some(target) = object::condition(job, "FailureTarget").filter(|target| target["status"] == "True") {
        let (reason, message) =
            (object::text(target, "/reason").to_owned(), object::text(target, "/message").to_owned());
        return (Verdict::Failed { reason, message }, None);
    }
    let failed =
        |reason: &str, message: &str| Verdict::Failed { reason: reason.to_owned(), message: message.to_owned() };
    let limit = object::number(job, "/spec/backoffLimit").unwrap_or(6);
    let restarts = match object::text(job, "/spec/template/spec/restartPolicy") {
        "OnFailure" => pods.restarts(),
        _ => 0,
    };
    if totals.failed > limit || (restarts > 0 && restarts >= limit.max(1)) {
        return (failed("BackoffLimitExceeded", "Job has reached the specified backoff limit"), None);
    }
    let deadline = deadline(job);
    if deadline.is_some_and(|deadline| deadline <= now) {
        return (failed("DeadlineExceeded", "Job was active longer than specified deadline"), None);
    }
    let complete = match object::number(job, "/spec/completions") {
        Some(completions) => totals.succeeded >= completions,
        None => totals.succeeded > 0 && pods.active.is_empty(),
    };
    if complete { (Verdict::Complete, None) } else { (Verdict::Open, deadline) }
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let seconds = object::number(job, "/spec/activeDeadlineSeconds")?;
    object::time(job, "/status/startTime")?.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The status without the counts of ended pods.
pub(super) fn status(job: &Value, pods: &Pods<'_>, next: &Next<'_>) -> Value {
    let now = object::seconds(next.now);
    let suspended = job["spec"]["suspend"] == true;
    let mut status = json!({"ready": pods.ready()});
    if next.active > 0 {
        status["active"] = next.active.into();
    }
    let going = pods.terminating + pods.active.len().saturating_sub(next.active);
    status["terminating"] = going.into();
    if !suspended {
        let start = &job["status"]["startTime"];
        status["startTime"] = if start.is_string() { start.clone() } else { now.clone().into() };
    }
    let mut conditions = object::list(job, "/status/conditions").to_vec();
    let mut set = |kind: &str, holds: bool, reason: &str, message: &str| {
        let wanted = if holds { "True" } else { "False" };
        let found = conditions.iter_mut().find(|condition| condition["type"] == kind);
        let condition = json!({
            "type": kind, "status": wanted, "reason": reason, "message": message,
            "lastProbeTime": now, "lastTransitionTime": now,
        });
        match found {
            Some(found) if found["status"] == wanted => {}
            Some(found) => *found = condition,
            None if holds => conditions.push(condition),
            None => {}
        }
    };
    if suspended {
        set("Suspended", true, "JobSuspended", "Job suspended");
    } else {
        set("Suspended", false, "JobResumed", "Job resumed");
    }
    // Nothing runs any more, and nothing that this write does will make anything run.
    let over = pods.active.is_empty() && pods.terminating == 0 && next.counted;
    match next.verdict {
        Verdict::Open => {}
        Verdict::Complete => {
            let (reason, message) = ("CompletionsReached", "Reached expected number of succeeded pods");
            set("SuccessCriteriaMet", true, reason, message);
            if over {
                set("Complete", true, reason, message);
                status["completionTime"] = now.into();
            }
        }
        Verdict::Failed { reason, message } => {
            set("FailureTarget", true, reason, message);
            if over {
                set("Failed", true, reason, message);
            }
        }
    }
    if !conditions.is_empty() {
        status["conditions"] = conditions.into();
    }
    status
}

/// The event of a job that has just been suspended, resumed or finished.
pub(super) fn news(job: &Value, status: &Value) -> Option<Act> {
    let after = json!({"status": status});
    let about = super::reference(job);
    let suspended = |job: &Value| object::condition(job, "Suspended").map(|condition| condition["status"] == "True");
    let told = match (suspended(job), suspended(&after)) {
        (before, Some(true)) if before != Some(true) => Some(("Suspended", "Job suspended")),
        (Some(true), Some(false)) => Some(("Resumed", "Job resumed")),
        _ => None,
    };
    if let Some((reason, message)) = told {
        return Some(Act::Tell { from: FROM, about, kind: "Normal", reason, message: message.to_owned() });
    }
    if object::holds(&after, "Complete") {
        let message = "Job completed".to_owned();
        return Some(Act::Tell { from: FROM, about, kind: "Normal", reason: "Completed", message });
    }
    let failed = object::condition(&after, "Failed")?;
    let reason = match object::text(failed, "/reason") {
        "DeadlineExceeded" => "DeadlineExceeded",
        _ => "BackoffLimitExceeded",
    };
    let message = object::text(failed, "/message").to_owned();
    Some(Act::Tell { from: FROM, about, kind: "Warning", reason, message })
}
